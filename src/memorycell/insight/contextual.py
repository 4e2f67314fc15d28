"""Contextual decomposition: what a phrase says by itself, and what it says only in its context."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from memorycell.insight.decomposition import assembled
from memorycell.insight.evaluating import method
from memorycell.insight.explained import Explained
from memorycell.insight.explanation import Explanation
from memorycell.insight.phrases import shares
from memorycell.insight.trunk import ReadOut, read_out, spread

METHOD = "contextual decomposition"
_NUMBERS = 2**23  # that the shares of all phrases hold at once in one call


@method
def contextual_decomposition(explained: Explained, steps: Sequence[int] | None = None) -> Explanation:
    """Split every state into what comes of a phrase alone (β) and all the rest (γ), through all layers.

    Murdoch, Liu & Yu 2018 (arXiv 1801.05453, sec. 3): h_t = β_t + γ_t exactly. Nonlinear functions are split by the
    average over the orders in which their terms are added, a bias first; of a product of gates the phrase gets what
    holds no γ and is not biases alone; o_t counts as given. Biases by themselves and the initial state are the rest's
    (the authors' own program counts products of biases at the phrase's steps for the phrase). For a GRU and an RNN the
    same rules are applied to their own equations; of layer normalisation the standard deviation counts as given. The
    read-out enters as in `decomposition`.

    Parameters
    ----------
    explained : Explained
    steps : sequence of int, optional
        The phrase: places of `explained.labels`, from 0. Default: each step for itself, in one go.

    Returns
    -------
    Explanation
        Of a phrase: "phrase" and "rest", "bias" of the read-out, `explained.constants` and "residual", the read-out's
        error; `scores` are zero, as a phrase is not taken apart. Of each step for itself: its β is its score, and what
        steps say only together, "together", a term, with the layers' own biases and initial states.

    Raises
    ------
    ValueError
        For a phrase without steps, a step that is not there, a sequence without steps or values that are no numbers.

    Example
    -------
    >>> from memorycell.layers import LSTM
    >>> layer, x = LSTM(1, 4, batch_first=True), torch.randn(3, 1)
    >>> explained = Explained(lambda v: layer(v)[0][:, -1].sum(1), x, 0 * x, (layer,), "sum of h", [0, 1, 2], "numbers")
    >>> list(contextual_decomposition(explained, [0, 1]).terms)
    ['bias', 'phrase', 'rest', 'residual']
    """
    read = read_out(explained)
    if steps is None:
        layer_steps = torch.eye(_layer_steps(explained), dtype=torch.bool)
        scores = spread(explained, _phrases(read, layer_steps).numpy())
        together = _of_states(read) - float(scores.sum())
        note = "What each step says with the others silent; 'together': what they say only in context, with the biases."
        return assembled(explained, read, METHOD, scores, 0.0, {"together": together}, note)
    inside = _inside(explained, steps)
    share = float(_phrases(read, _rows_to_steps(explained, inside).unsqueeze(0))[0])
    terms = {"phrase": share, "rest": _of_states(read) - share}
    note = (
        f"What the phrase of {int(inside.sum())} steps says by itself, and all that takes its context or is not of it."
    )
    found = assembled(explained, read, METHOD, np.zeros(len(explained)), 0.0, terms, note)
    # What stands beside the layers is a sum over steps: those of the phrase are the phrase's.
    terms = {
        name: found.terms[name] + float(found.scores[of].sum())
        for name, of in zip(terms, (inside, ~inside), strict=True)
    }
    return replace(found, scores=np.zeros(len(explained)), terms=found.terms | terms)


def _of_states(read: ReadOut) -> float:
    return float((read.weights * read.calls[-1].output.double().cpu()).sum())


def _layer_steps(explained: Explained) -> int:
    return len(explained.rows_of_step or explained)


def _inside(explained: Explained, steps: Sequence[int]) -> NDArray[np.bool_]:
    """Which rows of the values are in the phrase, (T,)."""
    count = len(explained)
    if not isinstance(steps, Iterable):
        raise ValueError(f"expected a list of the steps of the phrase, from 0 to {count - 1}, got {steps!r}")
    steps = list(steps)
    wrong = [step for step in steps if not _whole(step) or not 0 <= step < count]
    if wrong or not steps:
        got = repr(wrong[0]) if wrong else "none"
        raise ValueError(f"expected steps of the phrase from 0 to {count - 1}, got {got}")
    inside = np.zeros(count, dtype=bool)
    inside[steps] = True
    return inside


def _whole(step: object) -> bool:
    return isinstance(step, int | np.integer) and not isinstance(step, bool)


def _rows_to_steps(explained: Explained, inside: NDArray[np.bool_]) -> Tensor:
    """Which steps of the layers are in the phrase: those of which a row is."""
    rows, found = explained.rows_of_step, torch.from_numpy(inside)
    if rows is None:
        return found
    return torch.stack([part.any() for part in found[len(found) - sum(rows) :].split(list(rows))])


def _phrases(read: ReadOut, phrases: Tensor) -> Tensor:
    """What each phrase, bool (N, T), says by itself: (N,)."""
    top = read.calls[-1]
    size = max(1, _NUMBERS // (top.output.numel() * top.layer.cell.rows))
    return torch.cat([shares(read, part) for part in phrases.split(size)])
