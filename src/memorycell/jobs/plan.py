"""Plan: what was chosen for a training, each choice with its reason; and the sizes of layers."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np

from memorycell.data.figures import Figures, html_table, shortened
from memorycell.data.log import logger

_LOG = logger(__name__)

GIVEN = "given by the user, or the default"


class Choice(NamedTuple):
    """A choice: of a parameter's name or another, plain JSON, and why."""

    name: str
    value: Any
    reason: str = GIVEN


class Plan(Figures):
    """Choices in the order in which they were made; ``plan["epochs"]`` is the value of one.

    Example
    -------
    >>> plan = Plan()
    >>> plan.choose("epochs", "auto", lambda: 12, "about 2,000 steps")
    12
    >>> plan.choose("batch_size", 32, lambda: 16, "by the number of samples")
    32
    >>> plan["epochs"], [choice.reason for choice in plan]
    (12, ['about 2,000 steps', 'given by the user, or the default'])
    """

    def __init__(self, choices: Any = ()) -> None:
        self._choices: dict[str, Choice] = {choice.name: choice for choice in (Choice(*each) for each in choices)}

    def choose(self, name: str, given: Any, automatic: Any, reason: str) -> Any:
        """Keep what was `given` unless that is "auto", else what `automatic` gives or is; returns what was kept."""
        auto = isinstance(given, str) and given == "auto"
        value = (automatic() if callable(automatic) else automatic) if auto else given
        return self.put(name, value, reason if auto else GIVEN)

    def put(self, name: str, value: Any, reason: str = GIVEN) -> Any:
        """Keep a value, in the place of an earlier one; returns it."""
        self._choices[name] = Choice(name, value, reason)
        _LOG.debug("%s = %s: %s", name, value, reason)
        return value

    def __getitem__(self, name: str) -> Any:
        return self._choices[name].value

    def get(self, name: str, default: Any = None) -> Any:
        """The value of a choice, `default` where it was not made."""
        return self._choices[name].value if name in self._choices else default

    def __contains__(self, name: object) -> bool:
        return name in self._choices

    def __iter__(self) -> Iterator[Choice]:
        return iter(self._choices.values())

    def __len__(self) -> int:
        return len(self._choices)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Plan) and list(self) == list(other)

    def _said(self) -> tuple[str, str]:
        return shortened((f"{choice.name}={choice.value}" for choice in self), 8), ""

    def table(self) -> list[dict[str, Any]]:
        """A row per choice."""
        return [choice._asdict() for choice in self]

    def _repr_html_(self) -> str:
        rows = [["", "value", "why"], *([each.name, str(each.value), each.reason] for each in self)]
        return html_table("What was chosen, and why", rows, words=3, most=len(rows))

    def __str__(self) -> str:
        return "\n".join(f"{choice.name} = {choice.value}: {choice.reason}" for choice in self)

    def values(self) -> dict[str, Any]:
        """Names and values alone."""
        return {choice.name: choice.value for choice in self}

    def to_json(self) -> list[list[Any]]:
        """Plain JSON."""
        return [list(choice) for choice in self]

    @classmethod
    def from_json(cls, stored: Any) -> Plan:
        """What `to_json` wrote; or a mapping of names to values, which release 0.1 wrote, without reasons but for those
        under "reasons".

        Raises
        ------
        ValueError
            For anything else.
        """
        if isinstance(stored, Mapping):
            reasons = stored.get("reasons")
            reasons = reasons if isinstance(reasons, Mapping) else {}
            return cls((name, value, reasons.get(name, "")) for name, value in stored.items() if name != "reasons")
        if not isinstance(stored, list) or not all(
            isinstance(each, list) and len(each) == 3 and isinstance(each[0], str) and isinstance(each[2], str)
            for each in stored
        ):
            raise ValueError("expected a plan: a list of choices, each a name, a value and a reason")
        return cls(stored)


def layer_sizes(hidden_size: int | Sequence[int] | str, num_layers: int) -> list[int] | None:
    """Units of each layer; None where they are left to "auto".

    Raises
    ------
    ValueError
        For sizes of another number of layers than `num_layers` asks for.

    Example
    -------
    >>> layer_sizes(64, 2), layer_sizes((32, 64), 1), layer_sizes("auto", 2)
    ([64, 64], [32, 64], None)
    """
    if isinstance(hidden_size, str):
        return None
    if isinstance(hidden_size, int | np.integer):
        return [int(hidden_size)] * num_layers
    sizes = [int(size) for size in hidden_size]
    if num_layers not in (1, len(sizes)):
        raise ValueError(f"expected hidden_size of {num_layers} layers (num_layers), got {len(sizes)} sizes")
    return sizes
