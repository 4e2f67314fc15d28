"""A task's parameters as options of the command: one table a task, from which every command takes what it needs."""

from __future__ import annotations

import inspect
import json
import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Annotated, Any

import typer

NEVER = "none"
_NEVER = object()  # given as "none", which is not the same as not given


@dataclass(frozen=True)
class Setting:
    """One parameter of a task.

    Attributes
    ----------
    name : str
        The parameter; the option is the same with dashes unless `flag` says otherwise.
    parse : callable
        From the text to the value; its ValueError is what the user sees.
    shape : str
        What help shows for the value.
    default : str
        What help shows as default; the default itself is the task's.
    """

    name: str
    group: str
    parse: Callable[[str], Any] | None
    shape: str
    help: str
    default: str = ""
    many: bool = False
    flag: str = ""

    @property
    def option(self) -> str:
        """The option as typed: ``--hidden-size``."""
        return self.flag or "--" + self.name.replace("_", "-")

    def parameter(self) -> inspect.Parameter:
        """The keyword parameter that typer makes the option from; None means not given."""
        text = f"{self.help} [default: {self.default}]" if self.default else self.help
        kind: Any = bool
        options: dict[str, Any] = {"help": text, "rich_help_panel": self.group}
        if self.parse is not None:
            kind = list[str] if self.many else str
            options["metavar"] = self.shape
            if not self.many:
                options["parser"] = self.parse
        annotation = Annotated[kind | None, typer.Option(self.option, **options)]
        return inspect.Parameter(self.name, inspect.Parameter.KEYWORD_ONLY, default=None, annotation=annotation)


def whole(*words: str) -> Callable[[str], Any]:
    """A parser of whole numbers, or of one of `words`."""

    def parse(text: str) -> Any:
        if text in words:
            return _NEVER if text == NEVER else text
        try:
            return int(text)
        except ValueError:
            raise typer.BadParameter(f"expected {_either('a whole number', words)}, got {text!r}") from None

    return parse


def number(*words: str) -> Callable[[str], Any]:
    """A parser of numbers, or of one of `words`."""

    def parse(text: str) -> Any:
        if text in words:
            return text
        try:
            return float(text)
        except ValueError:
            raise typer.BadParameter(f"expected {_either('a number', words)}, got {text!r}") from None

    return parse


def one_of(*words: str) -> Callable[[str], str]:
    """A parser of one of `words`, in upper or lower case."""

    def parse(text: str) -> str:
        for word in words:
            if text.lower() == word.lower():
                return word
        raise typer.BadParameter(f"expected {_either('', words)}, got {text!r}")

    return parse


def or_none(parse: Callable[[str], Any]) -> Callable[[str], Any]:
    """A parser of what `parse` takes, or of none."""
    return lambda text: _NEVER if text == NEVER else parse(text)


def yes_or_no(*words: str) -> Callable[[str], Any]:
    """A parser of yes and no, or of one of `words`."""

    def parse(text: str) -> Any:
        if text in words:
            return text
        if text.lower() in ("yes", "no"):
            return text.lower() == "yes"
        raise typer.BadParameter(f"expected {_either('yes or no', words)}, got {text!r}")

    return parse


def numbers(text: str) -> tuple[float, ...]:
    """Several numbers with commas between."""
    try:
        return tuple(float(part) for part in text.split(","))
    except ValueError:
        raise typer.BadParameter(f"expected numbers with commas between, such as 0.05,0.5,0.95, got {text!r}") from None


def device(text: str) -> str:
    """auto, or a device that torch may know; whether it is there can be said only once torch is loaded."""
    if re.fullmatch(r"auto|cpu|mps|(cuda|xpu)(:\d+)?", text) is None:
        raise typer.BadParameter(f"expected auto, cpu, cuda, cuda:N or mps, got {text!r}")
    return text


def _either(first: str, words: tuple[str, ...]) -> str:
    choices = [*([first] if first else []), *words]
    return choices[0] if len(choices) == 1 else f"{', '.join(choices[:-1])} or {choices[-1]}"


CELLS = ("LSTM", "GRU", "RNN")

# What every task has.
TRAINING = (
    Setting("training", "Training", str, "NAME=VALUE", "Further field of TrainingOptions, such as weight_decay=0.01.",
            many=True),
    Setting("seed", "Training", whole(), "N", "Of everything random.", "0"),
    Setting("device", "Training", device, "auto|cpu|cuda", "Where to compute.", "auto"),
    Setting("n_threads", "Training", whole(), "N", "Threads.", "by the shapes", flag="--threads"),
)  # fmt: skip


def settings_parameters(table: Iterable[Setting], *, without: Iterable[str] = ()) -> list[inspect.Parameter]:
    """The keyword parameters that typer makes options from, of every setting of `table` but those named."""
    left_out = frozenset(without)
    return [setting.parameter() for setting in table if setting.name not in left_out]


def with_settings(
    table: Iterable[Setting], *, without: Iterable[str] = ()
) -> Callable[[Callable[..., None]], Callable[..., None]]:
    """Give a command an option for every setting of `table` but those named; they arrive in its ``**settings``."""

    def decorate(command: Callable[..., None]) -> Callable[..., None]:
        signature = inspect.signature(command, eval_str=True)
        own = [p for p in signature.parameters.values() if p.kind is not inspect.Parameter.VAR_KEYWORD]
        parameters = [*own, *settings_parameters(table, without=without)]
        command.__signature__ = signature.replace(parameters=parameters)  # type: ignore[attr-defined]
        return command

    return decorate


def given(settings: dict[str, Any]) -> dict[str, Any]:
    """The settings that the user gave, as arguments of the task.

    Example
    -------
    >>> given({"window": 6, "cell": None, "exclude": [], "training": ["optimizer=sgd", "average=0.9"]})
    {'window': 6, 'training': {'optimizer': 'sgd', 'average': 0.9}}
    """
    chosen = {name: value for name, value in settings.items() if value is not None and value != []}
    if "training" in chosen:
        chosen["training"] = dict(_assignment(text) for text in chosen["training"])
    return {name: None if value is _NEVER else value for name, value in chosen.items()}


def _assignment(text: str) -> tuple[str, Any]:
    name, equals, value = text.partition("=")
    if not equals or not name:
        raise typer.BadParameter(f"expected --training NAME=VALUE, got {text!r}")
    try:
        return name, json.loads(value)
    except json.JSONDecodeError:
        return name, value
