"""The pages of the reference, one for each public name: made from the package itself, so that none is forgotten.

>>> public()["memorycell.Forecaster"].section
'Estimators'
"""

from __future__ import annotations

import importlib
import inspect
import re
from dataclasses import dataclass
from functools import cache, cached_property
from pathlib import Path
from typing import Any

import memorycell

DOCS = Path(__file__).parents[1]

# Titles and what they say. The module where a name is at home decides; of the beginnings that fit, the longest.
SECTIONS = {
    "Estimators": "Each job as an estimator in scikit-learn's manners, and what loads one from a file.",
    "Data": "From files, frames and lists to what a model reads.",
    "Evaluation": "How good is it, beside what you would try first?",
    "Looking inside": "Traces, memory, attribution, and patterns in states.",
    "Reports and pages": "One HTML file about a model, or about one answer.",
    "Pictures": "Each returns a matplotlib figure. From the module `memorycell.plot`.",
    "Layers": "Drop-in for those of `torch.nn`.",
    "Training": "The one loop under all of it, and files of weights.",
    "Checks": "What every job passes, also one that another package brings. From the module `memorycell.checks`.",
    "Building blocks": "Names from inner modules that the pages use, to write a network or a job of your own.",
}
HOMES = {
    "memorycell.jobs": "Estimators",
    "memorycell.jobs.forecasting.measures": "Evaluation",
    "memorycell.data": "Data",
    "memorycell.evaluation": "Evaluation",
    "memorycell.insight": "Looking inside",
    "memorycell.pages": "Reports and pages",
    "memorycell.layers": "Layers",
    "memorycell.training": "Training",
}
# Methods that one looks for first; then come those that the pages name, and what jobs and pages are made with.
FIRST = "fit predict predict_proba generate stream score evaluate explain plot save load".split()
FOR_BUILDERS = ("adding-a-job.md", "architecture.md")  # pages


@dataclass(frozen=True)
class Name:
    """A public name: what it is, and the section it stands in."""

    thing: Any
    section: str
    summary: str


@cache
def public() -> dict[str, Name]:
    """Every public name, by how it is imported."""
    found: dict[str, Name] = {}
    for name in memorycell.__all__:
        thing = getattr(memorycell, name)
        if not inspect.ismodule(thing):
            found[f"memorycell.{name}"] = entry(thing, section_of(thing.__module__))
    for name in memorycell.plot.__all__:
        found[f"memorycell.plot.{name}"] = entry(getattr(memorycell.plot, name), "Pictures")
    for name, thing in vars(memorycell.checks).items():
        if not name.startswith("_") and getattr(thing, "__module__", None) == "memorycell.checks":
            found[f"memorycell.checks.{name}"] = entry(thing, "Checks")
    known = {id(name.thing) for name in found.values()}
    for path, thing in named_by_pages().items():
        if id(thing) not in known:
            found[path] = entry(thing, "Checks" if path.startswith("memorycell.checks.") else "Building blocks")
    return found


def entry(thing: Any, section: str) -> Name:
    said = inspect.getdoc(thing) if callable(thing) else None  # what a plain value has is its type's
    return Name(thing, section, (said or "").partition("\n\n")[0].replace("\n", " "))


def section_of(module: str) -> str:
    fits = [home for home in HOMES if f"{module}.".startswith(f"{home}.")]
    if not fits:
        raise LookupError(f"expected {module} to be in a room of {', '.join(HOMES)}: add it to HOMES in {__file__}")
    return HOMES[max(fits, key=len)]


def named_by_pages() -> dict[str, Any]:
    """What the pages import from inner modules."""
    found = {}
    for page in sorted(DOCS.glob("*.md")):
        lines = re.findall(r"^(?:>>> )?from (memorycell\.[\w.]+) import ([\w, ]+)$", page.read_text("utf-8"), re.M)
        for module, names in lines:
            for name in names.split(", "):
                thing = getattr(importlib.import_module(module), name, None)
                # A module is none of its own; a job that a page adds is that page's.
                if thing is not None and not inspect.ismodule(thing):
                    found[f"{module}.{name}"] = thing
    return found


def pages() -> dict[str, str]:
    """The reference as Markdown for MyST: text by file name."""
    names = public()
    made = {"index.md": overview(names)}
    for title in SECTIONS:
        inside = [path for path in names if names[path].section == title]
        made[f"{slug(title)}.md"] = section(title, inside)
    made |= {f"{path}.md": page(path, name) for path, name in names.items()}
    return made


def slug(title: str) -> str:
    return title.lower().replace(" ", "-")


def overview(names: dict[str, Name]) -> str:
    parts = ["# Reference\n\nEvery public name, with what it takes, gives and raises. The examples are run by tests."]
    for title in SECTIONS:
        inside = (path for path in names if names[path].section == title)
        links = " · ".join(f"[{path.rpartition('.')[2]}]({path}.md)" for path in inside)
        parts.append(f"**[{title}]({slug(title)}.md)**: {links}")
    return "\n\n".join([*parts, toctree(map(slug, SECTIONS))])


def section(title: str, paths: list[str]) -> str:
    rows = [f"| [`{path}`]({path}.md) | {table_cell(public()[path].summary)} |" for path in paths]
    table = "\n".join(["| name | what |", "| --- | --- |", *rows])
    return "\n\n".join([f"# {title}", SECTIONS[title], table, toctree(paths)])


def table_cell(text: str) -> str:
    return re.sub(r"([|*<])", r"\\\1", text.replace("``", "`"))


def toctree(entries: Any) -> str:
    return "```{toctree}\n:hidden:\n\n" + "\n".join(entries) + "\n```\n"


def page(path: str, name: Name) -> str:
    module, _, short = path.rpartition(".")
    if inspect.isclass(name.thing) and name.section == "Estimators":
        directive = estimator(path, name.thing)
    elif inspect.isclass(name.thing):
        directive = f"autoclass:: {path}\n   :members:\n   :inherited-members:"
    elif callable(name.thing):
        directive = f"autofunction:: {path}"
    else:
        directive = f"autodata:: {path}\n   :no-value:"
    return f"# {short}\n\n```python\nfrom {module} import {short}\n```\n\n```{{eval-rst}}\n.. {directive}\n```\n"


def estimator(path: str, thing: type) -> str:
    """A class of which a user needs some methods, and jobs, pages and commands many."""
    members = {name: inspect.getattr_static(thing, name) for name in dir(thing) if not name.startswith("_")}
    members = {name: each for name, each in members.items() if is_ours(each) and is_method(each)}
    used = {name for name in members if name in called_by_pages()}
    lines = [f"autoclass:: {path}", "   :no-members:", ""]
    for title, names in (("Methods", used), ("For jobs, pages and commands", members.keys() - used)):
        lines += [f"   .. rubric:: {title}", ""]
        for name in sorted(names, key=lambda name: (FIRST.index(name) if name in FIRST else len(FIRST), name)):
            is_value = isinstance(members[name], property | cached_property)
            lines += [f"   .. auto{'property' if is_value else 'method'}:: {path}.{name}", ""]
    return "\n".join(lines)


def is_method(member: Any) -> bool:
    """Whether it is a method or a property, and says what it does; parameters are told of by the class."""
    kinds = (property, cached_property, classmethod, staticmethod)
    return bool(inspect.getdoc(member)) and (inspect.isfunction(member) or isinstance(member, kinds))


def is_ours(thing: Any) -> bool:
    """Whether a member of a class is of this package: torch's, matplotlib's and Python's are documented there."""
    thing = getattr(thing, "fget", None) or getattr(thing, "func", None) or getattr(thing, "__func__", thing)
    module = getattr(thing, "__module__", None) or getattr(getattr(thing, "__objclass__", None), "__module__", None)
    return (module or "memorycell").startswith("memorycell")


@cache
def called_by_pages() -> frozenset[str]:
    """Names of methods and properties on the pages for users."""
    pages = [DOCS.parent / "README.md", *(page for page in DOCS.glob("*.md") if page.name not in FOR_BUILDERS)]
    return frozenset(
        re.findall(r"(?:\.|`)([a-z]\w*)(?=\W)", "\n".join(page.read_text(encoding="utf-8") for page in pages))
    )
