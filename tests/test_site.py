"""The documentation's site: all of its pages have a place in it, and every public name is in its reference.

That the site builds, without a warning or a link that leads nowhere, is asked by `make docs`.
"""

import doctest
import importlib
import inspect
import re
import tomllib
from pathlib import Path

import pytest

import memorycell

ROOT = Path(__file__).parents[1]
DOCS = ROOT / "docs"


@pytest.fixture(scope="module")
def site():
    """The modules that lay the site out; they need nothing that the package does not."""
    with pytest.MonkeyPatch.context() as patch:
        patch.syspath_prepend(DOCS / "site")
        yield {name: importlib.import_module(name) for name in ("docstrings", "reference", "layout")}


@pytest.fixture(scope="module")
def laid_out(site, tmp_path_factory):
    folder = tmp_path_factory.mktemp("site")
    site["layout"].lay_out(folder)
    return folder


def public_names():
    """As a user finds them, not as the reference does."""
    for name in memorycell.__all__:
        thing = getattr(memorycell, name)
        if inspect.ismodule(thing):
            inside = getattr(thing, "__all__", None) or [key for key in vars(thing) if not key.startswith("_")]
            ours = (key for key in inside if getattr(vars(thing)[key], "__module__", "").startswith("memorycell"))
            yield from (
                f"{thing.__name__}.{key}"
                for key in ours
                if thing.__name__ in ("memorycell.plot", vars(thing)[key].__module__)
            )
        else:
            yield f"memorycell.{name}"


def test_every_public_name_is_in_the_reference(site, laid_out) -> None:
    names = list(public_names())
    assert len(names) > 80
    overview = (laid_out / "reference" / "index.md").read_text(encoding="utf-8")
    for name in names:
        page = (laid_out / "reference" / f"{name}.md").read_text(encoding="utf-8")
        assert re.search(rf"^\.\. auto(class|function):: {re.escape(name)}$", page, re.MULTILINE)
        assert f"]({name}.md)" in overview


def test_every_name_in_the_reference_says_what_it_is(site) -> None:
    for path, name in site["reference"].public().items():
        assert name.summary or not callable(name.thing), f"{path} has no docstring"


def test_no_two_pages_differ_in_case_alone(laid_out) -> None:
    """They would be one file on macOS and Windows."""
    names = [path.relative_to(laid_out).as_posix().lower() for path in laid_out.rglob("*.*")]
    assert len(set(names)) == len(names)


def test_a_name_without_a_section_is_noticed(site) -> None:
    assert site["reference"].section_of("memorycell.insight.memory") == "Looking inside"
    with pytest.raises(LookupError, match=r"memorycell\.server\.app"):
        site["reference"].section_of("memorycell.server.app")


def test_every_page_is_in_the_navigation_once(site, laid_out) -> None:
    named = [name for pages in site["layout"].NAVIGATION.values() for name in pages]
    written = [*laid_out.glob("*.md"), *laid_out.glob("examples/*.ipynb")]
    found = {path.relative_to(laid_out).with_suffix("").as_posix() for path in written} - {"index"}
    assert sorted(named) == sorted(found | {"reference/index"})


def test_links_on_the_site_lead_somewhere(laid_out) -> None:
    count = 0
    for page in laid_out.glob("*.md"):
        for target in re.findall(r"\]\(([^)\s#]+)", page.read_text(encoding="utf-8")):
            if not re.match(r"[a-z]+:", target):
                assert (page.parent / target).exists(), f"{page.name} links to {target}"
                count += 1
    assert count > 100


@pytest.mark.parametrize(
    ("written", "made"),
    [
        ("a * b and codec_ of |x|", r"a \* b and codec\_ of \|x\|"),
        ("`fit` or ``fit``s", r":known:`fit` or :known:`fit`\ s"),
        ("Raises\n------\nValueError\n    If not.", ".. rubric:: Raises\n\n``ValueError``\n    If not."),
        ("Returns\n-------\nWhat came.", ".. rubric:: Returns\n\nWhat came.\n    \\ "),
        ("Example\n-------\n>>> a_ * 2\n4", ".. rubric:: Example\n\n>>> a_ * 2\n4"),
        ("snake_case stays", "snake_case stays"),
    ],
)
def test_docstrings_mean_what_they_say(site, written: str, made: str) -> None:
    assert site["docstrings"].restructured(written) == made


def test_examples_of_the_site_are_true(site) -> None:
    for module in site.values():
        assert doctest.testmod(module).failed == 0


def test_badges_and_citation_say_what_the_package_says() -> None:
    about = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
    project, checked = about["project"], about["tool"]
    readme = (ROOT / "README.md").read_text(encoding="utf-8")
    badges = dict(re.findall(r"https://img\.shields\.io/badge/(\w+)-(.+?)-blue", readme))
    assert badges == {
        "licence": project["license"].replace("-", "--"),
        "python": project["requires-python"].removeprefix(">=") + "%2B",
        "types": next(name for name in checked if name == "mypy"),
        "style": next(name for name in checked if name == "ruff"),
    }
    text = (ROOT / "CITATION.cff").read_text(encoding="utf-8")
    citation = dict(re.findall(r"^(\w+): (.+)$", text, re.MULTILINE))
    assert (citation["version"], citation["license"]) == (project["version"], project["license"])
    assert re.findall(r"^  - name: (.+)$", text, re.MULTILINE) == [author["name"] for author in project["authors"]]


def test_what_users_call_comes_before_what_jobs_are_made_with(laid_out) -> None:
    for name in ("Forecaster", "SequenceClassifier", "Tagger", "LanguageModel"):
        page = (laid_out / "reference" / f"memorycell.{name}.md").read_text(encoding="utf-8")
        users, _, builders = page.partition(".. rubric:: For jobs, pages and commands")
        found = re.findall(rf"autometh\w+:: memorycell\.{name}\.(\w+)", users)
        assert found[0] == "fit" and {"explain", "plot", "save", "load", "trace"} <= set(found)
        assert f"memorycell.{name}.kind_of" in builders and "kind_of" not in found
