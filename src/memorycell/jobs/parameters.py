"""Parameters declared once: the fields of a dataclass, from which constructor, check, option and help all follow.

Loads no torch, so that ``memorycell fit … --help`` is quick.
"""

from __future__ import annotations

import dataclasses
import difflib
import functools
import inspect
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, field
from typing import Any, TypeVar

from memorycell.jobs.values import Device, Fields, Seed, Value, Whole
from memorycell.kernels.limits import MOST_THREADS

RENAMED = {"seed": "random_state"}  # parameters of every task by their older names; a card has its own
_KEY = "option"
_Class = TypeVar("_Class", bound=type)


@dataclass(frozen=True)
class Option:
    """A parameter of a task, or something else that a command is told, as the command line has it.

    Attributes
    ----------
    name : str
        The parameter; the option is the same with dashes unless `flag` says otherwise.
    value : what it may be
    group : the heading of the help that it stands under
    help : one sentence for the help of the command
    more : what else there is to say in the documentation
    default : what it is where nothing is given
    said : the default in words, where it is None and that is no answer
    flag : the option, where it is not the name with dashes; of a switch what says no, after a slash
    reading : whether it says how data are read, rather than what is done with them
    """

    name: str
    value: Value
    group: str
    help: str
    more: str = ""
    default: Any = None
    said: str = ""
    flag: str = ""
    reading: bool = False

    @property
    def option(self) -> str:
        """The option as typed: ``--hidden-size``, ``--lowercase/--keep-case``."""
        own = self.name.replace("_", "-")
        return self.flag or (f"--{own}/--no-{own}" if self.value.switch else f"--{own}")

    @property
    def first(self) -> str:
        """The option as messages name it."""
        return self.option.partition("/")[0]

    @property
    def default_said(self) -> str:
        """The default as help shows it; "" where there is nothing to show."""
        return self.said or self.value.said(self.default)

    def text(self) -> str:
        """What the documentation of the parameter says."""
        return f"{self.help} {self.more}".strip()


def declared(
    default: Any, value: Value, group: str, help: str, more: str = "", *, said: str = "", flag: str = ""
) -> Any:
    """A field of a dataclass of parameters; see `Option`, whose name and default are those of the field.

    Example
    -------
    >>> @dataclass
    ... class Settings:
    ...     depth: int = declared(1, Whole(), "Network", "Layers on top of each other.")
    >>> Settings().depth, options(Settings)[0].option, options(Settings)[0].default_said
    (1, '--depth', '1')
    """
    return field(default=default, metadata={_KEY: (value, group, help, more, said, flag)})


def options(parameters: type) -> list[Option]:
    """What a class of parameters declares, in the order of its constructor."""
    found = []
    for each in dataclasses.fields(parameters):
        if _KEY in each.metadata:
            value, group, help, more, said, flag = each.metadata[_KEY]
            found.append(Option(each.name, value, group, help, more, each.default, said, flag))
    return found


def check(parameters: Any) -> None:
    """Raise ValueError or TypeError for a parameter that is not what it may be: the first such."""
    for option in options(type(parameters)):
        option.value.check(option.name, getattr(parameters, option.name))


def documentation(parameters: type) -> str:
    """The section "Parameters" of a docstring, as numpydoc has it."""
    types = {each.name: each.type for each in dataclasses.fields(parameters)}
    entries = []
    for option in options(parameters):
        default = f", default {option.default!r}" if option.default is not None else ""
        entries.append(f"{option.name} : {types[option.name]}{default}\n    {option.text()}")
    return "\n".join(["Parameters", "----------", *entries])


@dataclass(kw_only=True, eq=False, repr=False)
class TrainingParameters:
    """What every task has."""

    training: Mapping[str, Any] | None = declared(
        None, Fields(), "Training", "Further field of TrainingOptions, such as weight_decay=0.01.",
        "In Python a mapping of all such fields.",
    )  # fmt: skip
    random_state: Any = declared(
        0, Seed(), "Training", "Seed of everything random.",
        "A whole number, a generator of numpy's, or None for another seed each time; `seed_` is what came of it. The "
        "global generators are left alone.", flag="--seed",
    )  # fmt: skip
    device: str = declared(
        "auto", Device(), "Training", "Where to compute.",
        '"auto": CUDA, else MPS or XPU where torch has them, else the CPU. Anything else is given to torch as it is.',
    )  # fmt: skip
    n_threads: int | None = declared(
        None, Whole(optional=True, most=MOST_THREADS), "Training", "Threads.",
        "None: a rule of the shapes; the choice is `n_threads_`.",
        said="by the shapes", flag="--threads",
    )  # fmt: skip
    verbose: bool | None = None  # a progress bar; None: where stderr is a terminal, or in a notebook


_VERBOSE = "verbose : bool | None\n    Show a progress bar; None: where stderr is a terminal, or in a notebook."


def documented(task: _Class) -> _Class:
    """Class decorator: puts what its parameters declare into a task's docstring, before what it learns.

    A name that the constructor does not have is refused in a sentence, see `no_parameter`.
    """
    text, mark = inspect.cleandoc(task.__doc__ or ""), "Attributes\n----------"
    before, found, after = text.partition(mark)
    task.__doc__ = f"{before}{documentation(task)}\n{_VERBOSE}\n\n{found}{after}"
    task.__init__ = _naming(task.__init__)  # type: ignore[misc]
    return task


def _naming(init: Callable[..., None]) -> Callable[..., None]:
    """A constructor that says which of its parameters an unknown one may mean."""
    known = [name for name in inspect.signature(init).parameters if name != "self"]

    @functools.wraps(init)
    def __init__(self: Any, *args: Any, **given: Any) -> None:
        for name in given:
            if name not in known:
                raise TypeError(no_parameter(type(self), name, known))
        init(self, *args, **given)

    return __init__


def no_parameter(task: type, name: str, known: Collection[str]) -> str:
    """That a task has no parameter of this name, and which it may mean: by an older name, or one that looks like it.

    Example
    -------
    >>> class Task: ...
    >>> no_parameter(Task, "seed", ["random_state"]), no_parameter(Task, "dept", ["width", "depth"])
    ('Task has no parameter seed=: it is called random_state= now', 'Task has no parameter dept=: did you mean depth=?')
    """
    renamed = renamed_in(task)
    said = f"{task.__name__} has no parameter {name}="
    if renamed.get(name) in known:
        return f"{said}: it is called {renamed[name]}= now"
    near = difflib.get_close_matches(name.lower(), known, 1)
    return f"{said}: did you mean {near[0]}=?" if near else f"{said}; it has {', '.join(known)}"


def renamed_in(task: type) -> dict[str, str]:
    """A task's parameters by their older names."""
    return {**RENAMED, **getattr(getattr(task, "JOB", None), "renamed", {})}
