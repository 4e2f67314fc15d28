"""Explained: one number that a network says of one sequence, as a function of what its recurrent layers read."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray
from torch import Tensor

from memorycell.layers.base import Recurrent


@dataclass(frozen=True, eq=False, repr=False)
class Explained:
    """One output for one sequence, and all that an explanation of it needs. Tasks make them: ``model.explained(X, …)``.

    Attributes
    ----------
    function : from values (B, T, F) to the number explained (B,)
        Of B variants of the sequence; differentiable, in evaluation mode. Runs every layer of `trunk` once in its order
        (a forecaster's decoder comes after its encoder, from whose state it starts).
    values : Tensor
        (T, F): embedded tokens, scaled readings, and whatever else is read step by step.
    baseline : Tensor
        (T, F): what "nothing" looks like: zeros are the mean of scaled readings, and of no meaning in an embedding.
    trunk : tuple of Recurrent
        The recurrent layers that lie on the way, from the input up; the last one's output is what the head reads.
    output : str
        What the number is, for people: "temperature 1 step ahead, in °C", "score of negative less that of neutral".
    labels : sequence
        (T,): what the steps are called: tokens, dates, or numbers from 0.
    kind : "text", "symbols", "words" or "numbers"
        What the steps are.
    features : sequence of str or None
        Names of the F numbers of a step; None where they are an embedding, which has no names.
    parts : dict of str to Tensor
        What stands beside the recurrent layers and is a sum over steps: n-grams, a ridge regression; each (T,), and
        contained in `function`.
    constants : dict of str to float
        What else `function` adds past the recurrent layers and has a name: convolutions beside them, the level of a
        window.
    shown : array (T, C) or None
        The steps as the user knows them, in units; None: `labels` say it all.
    channels : sequence of str
        Names of the columns of `shown`.
    text, spans
        The text, and where each step stands in it: (start, stop).
    anchor : int or None
        The step at which the output is read, for which "how far back" has a meaning: the last one of a forecaster. None
        where the whole sequence is read at once.
    rows_of_step : tuple of int or None
        Where steps of the recurrent layers are stretches of `values`: how many rows of it each takes. Rows before the
        first are not read by those layers.
    span : float or None
        Seconds from one step to the next, where steps are dates.
    exact : str
        Which decompositions are exact here, and what is linearised.
    unit : str
        Of the number; "" where it has none.
    noun : str
        What steps are called, in the plural: "words", "characters", "steps".
    """

    function: Callable[[Tensor], Tensor]
    values: Tensor
    baseline: Tensor
    trunk: tuple[Recurrent, ...]
    output: str
    labels: Sequence[Any]
    kind: str
    features: Sequence[str] | None = None
    parts: dict[str, Tensor] = field(default_factory=dict)
    constants: dict[str, float] = field(default_factory=dict)
    shown: NDArray[np.float64] | None = None
    channels: Sequence[str] = ()
    text: str | None = None
    spans: Sequence[tuple[int, int]] | None = None
    anchor: int | None = None
    rows_of_step: tuple[int, ...] | None = None
    span: float | None = None
    exact: str = ""
    unit: str = ""
    noun: str = "steps"

    def __len__(self) -> int:
        return len(self.values)

    def __repr__(self) -> str:
        return f"Explained({self.output}; {len(self):,} {self.noun} of {self.values.shape[-1]:,} numbers)"
