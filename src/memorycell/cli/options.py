"""Options of the command, from what cards and parameters declare."""

from __future__ import annotations

import functools
import inspect
from collections.abc import Callable, Iterable, Mapping
from typing import Annotated, Any

import typer

from memorycell.jobs.card import Job
from memorycell.jobs.parameters import Option

_NOT_GIVEN = None


class _Given:
    """A value that was given, wrapped so that None can be one."""

    def __init__(self, value: Any) -> None:
        self.value = value


def unfolded(options: Iterable[Option]) -> list[Option]:
    """The options that are typed: one that stands for several others is these."""
    return [part for option in options for part in getattr(option.value, "parts", (option,))]


def parameter(option: Option) -> inspect.Parameter:
    """The keyword parameter that typer makes an option from; None means that it was not given."""
    default = option.default_said
    more: dict[str, Any] = {
        "help": f"{option.help} [default: {default}]" if default else option.help, "rich_help_panel": option.group,
    }  # fmt: skip
    kind: Any = bool
    if not option.value.switch:
        kind = list[str] if option.value.repeated else str
        more["metavar"] = option.value.shape
        if not option.value.repeated:
            more["parser"] = _parser(option)
    annotation = Annotated[kind | None, typer.Option(option.option, **more)]
    return inspect.Parameter(option.name, inspect.Parameter.KEYWORD_ONLY, default=None, annotation=annotation)


def _parser(option: Option) -> Callable[[str], _Given]:
    def value(text: str) -> _Given:  # a function with a name, by which click calls what is asked for
        return _parsed(option, text)

    return value


def _parsed(option: Option, text: str) -> _Given:
    try:
        return _Given(option.value.parse(text))
    except ValueError as error:
        raise typer.BadParameter(str(error)) from None


def given(options: Iterable[Option], found: Mapping[str, Any]) -> dict[str, Any]:
    """What was given of `options`, by the names of what they are arguments of.

    Example
    -------
    >>> from memorycell.jobs.values import Names, Whole
    >>> known = [Option("window", Whole(), "", ""), Option("exclude", Names(), "", "")]
    >>> given(known, {"window": None, "exclude": ["a", "b"]})
    {'exclude': ['a', 'b']}
    """
    chosen: dict[str, Any] = {}
    for option in options:
        parts = getattr(option.value, "parts", None)
        if parts is not None:
            inner = given(parts, found)
            chosen |= {option.name: inner} if inner else {}
            continue
        value = found.get(option.name)
        if value is None or value == []:
            continue
        if isinstance(value, list):
            try:
                value = option.value.joined([_parsed(option, e).value if isinstance(e, str) else e for e in value])
            except ValueError as error:
                raise typer.BadParameter(f"{option.first}: {error}") from None
        chosen[option.name] = value.value if isinstance(value, _Given) else value
    return chosen


def with_options(options: Iterable[Option]) -> Callable[[Callable[..., None]], Callable[..., None]]:
    """Give a command an option for each of `options`; what was given of them arrives in its ``**given``."""
    declared = list(options)
    typed = unfolded(declared)

    def decorate(command: Callable[..., None]) -> Callable[..., None]:
        signature = inspect.signature(command, eval_str=True)
        own = [p for p in signature.parameters.values() if p.kind is not inspect.Parameter.VAR_KEYWORD]

        @functools.wraps(command)
        def wrapped(*args: Any, **found: Any) -> None:
            mine = {each.name: found.pop(each.name) for each in own if each.name in found}
            command(*args, **mine, **given(declared, found))

        parameters = [*own, *map(parameter, typed)]
        wrapped.__signature__ = signature.replace(parameters=parameters)  # type: ignore[attr-defined]
        return wrapped

    return decorate


def of_all(jobs: Iterable[Job], command: str) -> list[Option]:
    """The options of a command that any job knows, each name once."""
    found: dict[str, Option] = {}
    for job in jobs:
        for option in job.of(command):
            found.setdefault(option.name, option)
    return list(found.values())


def check_known(job: Job, command: str, names: Iterable[str], options: Iterable[Option]) -> None:
    """Raise ValueError for an option that was given and that models of this job do not know."""
    known = {option.name for option in job.of(command)}
    flags = {option.name: option.first for option in options}
    for name in names:
        if name not in known:
            has = ", ".join(option.first for option in job.of(command))
            does = f"they know {has}" if has else "leave it out"
            raise ValueError(f"{flags[name]} is not for models of this kind: {does}")


def parted(job: Job, command: str, found: Mapping[str, Any]) -> tuple[dict[str, Any], dict[str, Any]]:
    """Of what was given: how data are read, and what is done with them."""
    reading = {option.name for option in job.of(command) if option.reading}
    how = {name: value for name, value in found.items() if name in reading}
    return how, {name: value for name, value in found.items() if name not in reading}
