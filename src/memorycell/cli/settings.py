"""The Forecaster's parameters as options of the command: one table, from which every command takes what it needs."""

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
    """One parameter of the Forecaster.

    Attributes
    ----------
    name : str
        The parameter; the option is the same with dashes unless `flag` says otherwise.
    parse : callable
        From the text to the value; its ValueError is what the user sees.
    shape : str
        What help shows for the value.
    default : str
        What help shows as default; the default itself is the Forecaster's.
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


_CELLS = ("LSTM", "GRU", "RNN")
_COLUMNS, _FORECAST, _NETWORK, _TRAINING = "Columns", "Forecast", "Network", "Training"

SETTINGS = (
    Setting("time", _COLUMNS, str, "COLUMN", "Column of dates or step numbers.", "found by itself"),
    Setting("series", _COLUMNS, str, "COLUMN", "Column that says which series a row belongs to."),
    Setting("known_future", _COLUMNS, str, "COLUMN", "Column known ahead of time; may be repeated.", many=True),
    Setting("static", _COLUMNS, str, "COLUMN", "Column constant within a series; may be repeated.", many=True),
    Setting("categorical", _COLUMNS, str, "COLUMN", "Column to treat as categories; may be repeated.", many=True),
    Setting("exclude", _COLUMNS, str, "COLUMN", "Column to leave out; may be repeated.", many=True),
    Setting("freq", _COLUMNS, str, "FREQ", "Step of the grid: h, 15min, D, MS, …", "found by itself"),
    Setting("fill", _COLUMNS, one_of("auto", "forward", "median", "error"), "auto|forward|median|error",
            "How missing inputs are filled.", "auto"),
    Setting("calendar", _COLUMNS, None, "", "Add time of day, day of week and time of year.", "on",
            flag="--calendar/--no-calendar"),
    Setting("horizon", _FORECAST, whole(), "N", "Steps ahead.", "1"),
    Setting("window", _FORECAST, whole("auto"), "N|auto", "Steps looked back on.", "auto"),
    Setting("quantiles", _FORECAST, numbers, "Q,Q,…", "Quantiles beside the point forecast.",
            "0.05,0.25,0.5,0.75,0.95"),
    Setting("loss", _FORECAST, one_of("squared", "absolute"), "squared|absolute",
            "Whether the point forecast is the mean or the median.", "squared"),
    Setting("network", _NETWORK, one_of("auto", "lstm", "encoder-decoder", "segment"),
            "auto|lstm|encoder-decoder|segment", "Kind of network.", "auto"),
    Setting("cell", _NETWORK, one_of(*_CELLS), "|".join(_CELLS), "Kind of cell.", "LSTM"),
    Setting("hidden_size", _NETWORK, whole("auto"), "N|auto", "Units a layer.", "auto"),
    Setting("num_layers", _NETWORK, whole(), "N", "Recurrent layers on top of each other.", "1"),
    Setting("dropout", _NETWORK, number("auto"), "P|auto", "Between layers and before the head.", "auto"),
    Setting("recurrent_dropout", _NETWORK, number(), "P", "On the hidden state, one mask a window.", "0"),
    Setting("normalize", _NETWORK, one_of("auto", "none", "level", "scale"), "auto|none|level|scale",
            "What is taken out of each window and put back.", "auto"),
    Setting("linear", _NETWORK, yes_or_no("auto"), "yes|no|auto",
            "A ridge regression beside the network, which learns what it leaves.", "auto"),
    Setting("segment", _NETWORK, whole("auto"), "N|auto", "Steps a segment of the segment network.", "auto"),
    Setting("state", _NETWORK, one_of("window", "carried"), "window|carried",
            "Each window from a state of zero, or one state carried through the series.", "window"),
    Setting("epochs", _TRAINING, whole("auto"), "N|auto", "At most so many passes over the data.", "auto"),
    Setting("batch_size", _TRAINING, whole("auto"), "N|auto", "Windows a step.", "auto"),
    Setting("learning_rate", _TRAINING, number("auto"), "X|auto", "Highest learning rate.", "auto"),
    Setting("patience", _TRAINING, whole(NEVER), "N|none", "Epochs without improvement before training stops.", "6"),
    Setting("validation_fraction", _TRAINING, number(), "X", "Share of each series that decides when to stop.", "0.1"),
    Setting("calibration_fraction", _TRAINING, number(), "X", "Most recent share, which adjusts the intervals.", "0.1"),
    Setting("refit", _TRAINING, None, "", "Train once more on all rows at the end.", "on", flag="--refit/--no-refit"),
    Setting("training", _TRAINING, str, "NAME=VALUE", "Further field of TrainingOptions, such as weight_decay=0.01.",
            many=True),
    Setting("seed", _TRAINING, whole(), "N", "Of everything random.", "0"),
    Setting("device", _TRAINING, device, "auto|cpu|cuda", "Where to compute.", "auto"),
    Setting("n_threads", _TRAINING, whole(), "N", "Threads.", "by the shapes", flag="--threads"),
)  # fmt: skip


def with_settings(*, without: Iterable[str] = ()) -> Callable[[Callable[..., None]], Callable[..., None]]:
    """Give a command an option for every setting but those named; they arrive in its ``**settings``."""
    left_out = frozenset(without)

    def decorate(command: Callable[..., None]) -> Callable[..., None]:
        signature = inspect.signature(command, eval_str=True)
        own = [p for p in signature.parameters.values() if p.kind is not inspect.Parameter.VAR_KEYWORD]
        ours = [setting.parameter() for setting in SETTINGS if setting.name not in left_out]
        command.__signature__ = signature.replace(parameters=[*own, *ours])  # type: ignore[attr-defined]
        return command

    return decorate


def given(settings: dict[str, Any]) -> dict[str, Any]:
    """The settings that the user gave, as arguments of the Forecaster.

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
