"""Spec: what a stack of layers is made of, as the fused kernels are told it, and how its tensors are lined up."""

from __future__ import annotations

import functools
from collections.abc import Sequence
from itertools import pairwise
from typing import NamedTuple

from torch import Tensor

from memorycell.kernels.reference import Cell, Mode

MODES: tuple[Mode, ...] = ("LSTM", "GRU", "RNN_TANH", "RNN_RELU")  # the numbers of csrc/memorycell.h
RECURRENT_DROPOUT, ZONEOUT_H, ZONEOUT_C, DROPOUT = 1, 2, 4, 8  # kinds of masks


class Spec(NamedTuple):
    """What a stack of layers is made of, beside its tensors: numbers only, as an operator takes them."""

    mode: int  # index into MODES
    coupled: int
    layers: int
    directions: int
    bias: int
    peephole: int
    norm: int
    masks: int  # kinds of masks, added up
    packed: int  # 1: x is (Σ lengths, I), as a PackedSequence holds it
    batch_first: int  # how a padded output lies in memory
    steps: int
    batch: int
    rows: int  # Σ lengths
    tokens: int = 0  # 1: x is (vocabulary, I), and the last of what is ragged says which row each step takes
    projected: int = 0  # LSTM: h has fewer units than c
    reset_before: int = 0  # GRU

    @property
    def cell(self) -> Cell:
        """The equations."""
        return Cell(MODES[self.mode], coupled=bool(self.coupled), reset_after=not self.reset_before)

    @property
    def cells(self) -> int:
        """Layers times directions."""
        return self.layers * self.directions

    @property
    def parameters(self) -> tuple[str, ...]:
        """Names of one cell's parameters, in the order of mc_run."""
        return parameters_of(*self[4:7], self.mode == 0, self.projected)

    def count(self, kind: int) -> int:
        """Masks of a kind: one a cell, or one after each layer but the last."""
        return (self.layers - 1 if kind == DROPOUT else self.cells) if self.masks & kind else 0

    def widths(self, parameters: Sequence[Tensor]) -> tuple[int, int]:
        """Units of h and of the gates: P and H."""
        units = parameters[1].shape[1]
        return units, parameters[0].shape[0] // self.cell.rows if self.projected else units


@functools.cache
def parameters_of(bias: int, peephole: int, norm: int, lstm: bool, projected: int) -> tuple[str, ...]:
    """Names of the parameters that a cell of such a kind has, in the order of mc_run."""
    names = ["w_ih", "w_hh", *(("b_ih", "b_hh") if bias else ())]
    names += [*(("w_hr",) if projected else ()), *(("w_ch",) if peephole else ())]
    if norm:
        for which in ("norm_ih", "norm_hh", "norm_ch")[: 3 if lstm else 2]:
            names += [f"{which}_gain", f"{which}_bias"]
    return tuple(names)


_NO_MASKS: dict[int, Sequence[Tensor]] = dict.fromkeys((RECURRENT_DROPOUT, ZONEOUT_H, ZONEOUT_C, DROPOUT), ())


def split_masks(spec: Spec, masks: Sequence[Tensor]) -> dict[int, Sequence[Tensor]]:
    """The masks by kind, in the order of the kinds."""
    if not spec.masks:
        return _NO_MASKS
    found: dict[int, Sequence[Tensor]] = {}
    first = 0
    for kind in (RECURRENT_DROPOUT, ZONEOUT_H, ZONEOUT_C, DROPOUT):
        found[kind] = masks[first : first + spec.count(kind)]
        first += spec.count(kind)
    return found


def grouped(counts: tuple[int, int, int], tensors: Sequence[Tensor]) -> tuple[list[Tensor], ...]:
    """Initial state, raggedness, parameters and masks, from the flat list that autograd wants."""
    bounds = (0, counts[0], counts[0] + counts[1], sum(counts), len(tensors))
    return tuple(list(tensors[a:b]) for a, b in pairwise(bounds))
