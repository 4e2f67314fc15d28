"""Decomposition: what each step wrote into the memory, and how much of it is left where the output is read."""

from __future__ import annotations

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from memorycell.insight.evaluating import method
from memorycell.insight.explained import Explained
from memorycell.insight.explanation import Explanation
from memorycell.insight.survival import shares
from memorycell.insight.trunk import ReadOut, read_out, spread


@method
def decomposition(explained: Explained) -> Explanation:
    """What each step adds to the number by what it wrote into the memory of the last recurrent layer.

    Of an LSTM, ``Π_{m=s+1..t} f_m · c_s`` is what the steps up to s wrote and step t still holds, so that step s adds
    ``o_t (tanh(Π_{m>s} f_m c_s) - tanh(Π_{m>s-1} f_m c_{s-1}))`` to h_t: these sum to h_t exactly (Murdoch & Szlam
    2017, arXiv 1702.02540, the γ of that paper, which has the forget gates in it; what is left of the initial state is
    a term of its own). Of a GRU it is ``Π_{m>s} z_m (1 - z_s) n_s``. An RNN has no gates: its tanh is replaced by the
    secant through zero and what it was (the rescale rule of DeepLIFT, Shrikumar et al. 2017), which is exact, too, but
    where its products grow tenfold: there the past is cut off, and is left in the residual.

    The read-out enters by its integrated gradient along the output of the layer, which is exact where it is linear; of
    layer normalisation the standard deviation is held. Gates count as given, and in a stack the last layer is taken
    apart: a score says at which step that layer took something in, which the layers below may have read before.

    Returns
    -------
    Explanation
        Its terms: "bias", the number with nothing in memory and nothing read; "initial state"; "decoder", what the
        steps of a decoder add; `explained.constants`; "past the last layer's output", where there is any: what the
        number reads of the sequence in other ways, such as a final cell, a layer below or the values themselves (those
        only where there are no `explained.parts` and `constants`, which are to name all that reads them); and
        "residual", the error of the integral. `explained.parts` are among the scores.

    Raises
    ------
    ValueError
        For a sequence without steps, values that are no numbers, layers that read other steps than these or draw
        masks, or a number without a finite gradient.

    Example
    -------
    >>> from memorycell.layers import LSTM
    >>> layer, x = LSTM(1, 4, batch_first=True), torch.randn(3, 1)
    >>> explained = Explained(lambda v: layer(v)[0][:, -1].sum(1), x, 0 * x, (layer,), "sum of h", [0, 1, 2], "numbers")
    >>> found = decomposition(explained)
    >>> list(found.terms), round(float(found.scores.sum()) - found.value, 4) == 0
    (['bias', 'initial state', 'residual'], True)
    """
    read = read_out(explained)
    chain = [read.calls[number] for number in read.chain()]
    steps: list[Tensor] = [torch.zeros(call.output.shape[1], dtype=torch.float64) for call in chain]
    initial, bias, cut = 0.0, 0.0, False
    for direction in range(chain[-1].layer.directions):
        found = shares(chain, direction, read.weights)
        steps = [total + (part.flip(0) if direction else part) for total, part in zip(steps, found.steps, strict=True)]
        initial, bias, cut = initial + found.initial, bias + found.bias, cut or found.cut
    scores = spread(explained, steps[0].numpy())
    terms = {"initial state": initial}
    if len(steps) > 1:
        terms["decoder"] = float(sum(part.sum() for part in steps[1:]))
    return assembled(explained, read, "decomposition", scores, bias, terms, _note(explained, read, cut))


def assembled(
    explained: Explained,
    read: ReadOut,
    name: str,
    scores: NDArray[np.float64],
    bias: float,
    terms: dict[str, float],
    note: str,
) -> Explanation:
    """An explanation: `scores` and `terms`, what stands beside the layers, the read-out's bias, and what is left."""
    beside = [part.double().cpu().numpy() for part in explained.parts.values()]
    bias += read.at_zero - sum(float(part.sum()) for part in beside) - sum(explained.constants.values()) - read.past
    scores = scores + sum(beside) if beside else scores
    terms = {"bias": bias, **terms, **explained.constants}
    if read.past:
        terms["past the last layer's output"] = read.past
    terms["residual"] = read.value - float(scores.sum()) - sum(terms.values())
    return Explanation(
        method=name,
        output=explained.output,
        value=read.value,
        labels=explained.labels,
        scores=scores,
        terms=terms,
        note=" ".join(part for part in (note, explained.exact) if part),
        unit=explained.unit,
    )


def _note(explained: Explained, read: ReadOut, cut: bool) -> str:
    parts = [
        "What each step wrote into the memory and what is left of it where the output is read; gates as they were."
    ]
    top = read.calls[-1].layer
    if top.mode.startswith("RNN"):
        parts.append("There are no gates: the nonlinearity is replaced by its secant.")
    if cut:
        parts.append(
            "What the far past counts grew more than tenfold, without meaning: it is cut off, and in the residual."
        )
    if top.num_layers > 1 or len(read.calls) > len(read.chain()):
        parts.append("A score stands where the last layer took something in: layers below may have read it before.")
    if explained.rows_of_step is not None:
        parts.append("The steps of a stretch share its score.")
    return " ".join(parts)
