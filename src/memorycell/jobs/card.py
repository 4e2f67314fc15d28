"""Job: the card of a job. All that others than its room need to know of it, in strings and names; loads no torch."""

from __future__ import annotations

import importlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from memorycell.jobs.parameters import Option, options

TABLES = (".csv", ".parquet", ".json")
COMMANDS = ("fit", "predict", "evaluate", "report", "plot", "explain")


@dataclass(frozen=True, kw_only=True)
class Job:
    """What façade, command, pages, files and model cards know of a job.

    References are texts, ``"memorycell.jobs.tagging.task:Tagger"``, and looked up when they are first needed.

    Attributes
    ----------
    verb : str
        Of the command: ``memorycell fit VERB``. No two jobs have the same.
    task : str
        Reference to the estimator; its class name is the kind of its model files.
    networks : tuple of str
        References to the networks that its model files may hold.
    parameters : str
        Reference to the dataclass of its parameters, in a module that loads no torch.
    summary : str
        What ``memorycell fit VERB --help`` says first.
    example : str
        A whole command.
    reads : str
        The kinds of file it reads, for the help.
    file : str
        A file's name for examples.
    writes : tuple of str
        Endings of files that `predict` writes its answers to.
    measured : str
        How it is measured, and beside which baselines: a sentence for the help of `evaluate`.
    next : tuple of str
        What to do after a training: commands with {model} and {data}.
    use : tuple of str
        Commands of the model card.
    limits : tuple of str
        What a model of this kind cannot do, in sentences of the model card.
    page, answer : str
        References to the functions that make the sections of its report, and tell its answer on the page that explains.
    options : mapping of command to options
        What `fit`, `predict`, `evaluate`, `report`, `plot` and `explain` can be told beside what all jobs know.
    commands : mapping of name to reference
        Commands of its own: functions whose annotated parameters are options, and that return what is printed.
    plot, drawn : str
        Reference to the function that draws the picture that one wants first of such a model, of samples; and what it
        shows: a sentence for the help of `plot`.
    tiny : str
        Reference to a function of a folder that writes a file there which such a task learns in a second, and returns a
        `Tiny`; for checks.
    demo : str
        Reference to a function that shows it on real data; "" where there is none.
    lends : tuple of str
        What another job may take of a fitted model: "text encoder".
    formerly : tuple of str
        Kinds by which older model files call it.
    renamed : mapping of str to str
        Parameters by their older names.
    extra : str
        The extra that must be installed for it; "" for none.
    """

    verb: str
    task: str
    networks: tuple[str, ...]
    parameters: str
    summary: str
    example: str
    reads: str
    measured: str
    next: tuple[str, ...]
    use: tuple[str, ...]
    limits: tuple[str, ...]
    page: str
    answer: str
    plot: str
    drawn: str
    tiny: str
    file: str = "data.csv"
    data: str = "DATA"
    writes: tuple[str, ...] = TABLES
    options: Mapping[str, tuple[Option, ...]] = field(default_factory=dict)
    commands: Mapping[str, str] = field(default_factory=dict)
    demo: str = ""
    lends: tuple[str, ...] = ()
    formerly: tuple[str, ...] = ()
    renamed: Mapping[str, str] = field(default_factory=dict)
    extra: str = ""

    @property
    def name(self) -> str:
        """The estimator's class name."""
        return self.task.rpartition(":")[2]

    def of(self, command: str) -> tuple[Option, ...]:
        """Options of a command that are this job's."""
        return tuple(self.options.get(command, ()))

    def look_up(self, reference: str) -> Any:
        """What a reference on the card refers to; see `resolved`."""
        return resolved(reference)

    def problems(self) -> list[str]:
        """What is missing or wrong on the card, in sentences; whatever it refers to is loaded."""
        texts = {name: getattr(self, name) for name in _TEXTS}
        found = [f"{name} is empty" for name, value in texts.items() if not value or not isinstance(value, str)]
        found += [
            f"{name} is empty" for name in ("networks", "next", "use", "limits", "writes") if not getattr(self, name)
        ]
        found += [f"it has options for {name!r}, which is no command" for name in self.options if name not in COMMANDS]
        references = [
            self.task,
            self.parameters,
            self.page,
            self.answer,
            self.plot,
            self.tiny,
            *self.networks,
            *self.commands.values(),
        ]
        for reference in [*references, *([self.demo] if self.demo else [])]:
            try:
                resolved(reference)
            except (ImportError, AttributeError, ValueError) as error:
                found.append(f"{reference!r} cannot be found: {error}")
        return found or self._of_task()

    def _of_task(self) -> list[str]:
        task, declared = resolved(self.task), resolved(self.parameters)
        found = []
        if getattr(task, "JOB", None) is not self:
            found.append(f"{self.name}.JOB is another card")
        if not issubclass(task, declared):
            found.append(f"{self.name} does not have the parameters that are declared in {self.parameters}")
        found += [f"option {option.name!r} has no help" for option in options(declared) if not option.help]
        found += [f"{self.name} lacks {name}()" for name in _METHODS if not callable(getattr(task, name, None))]
        return found


@dataclass(frozen=True)
class Tiny:
    """A file that a job learns in a second: what `Job.tiny` makes.

    Attributes
    ----------
    file : Path
    parameters : dict
        Of the task, so that it is quick.
    fit : dict
        What `fit` is told beside the data.
    blank : str
        What an empty row is in such a file: a text that is empty, a sequence of missing numbers, an empty line.
    """

    file: Path
    parameters: dict[str, Any]
    fit: dict[str, Any] = field(default_factory=dict)
    blank: str = "\n\n"


_TEXTS = (
    "verb", "task", "parameters", "summary", "example", "reads", "measured", "page", "answer", "plot", "drawn", "tiny",
    "file",
)  # fmt: skip
_METHODS = ("read", "fit", "answers", "kind_of", "measured", "explained", "trace", "headline", "facts", "save", "load")


def resolved(reference: str) -> Any:
    """What ``"module:name"`` refers to.

    Raises
    ------
    ImportError, AttributeError
        When there is no such module, or no such name in it.
    ValueError
        For a text of another form.

    Example
    -------
    >>> resolved("math:sqrt")(4.0)
    2.0
    """
    module, colon, name = reference.partition(":")
    if not (module and colon and name):
        raise ValueError(f"expected a reference of the form module:name, got {reference!r}")
    return getattr(importlib.import_module(module), name)
