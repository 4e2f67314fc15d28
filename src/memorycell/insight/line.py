"""The mean gradient along a line, by a rule that looks closer where the function bends."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import torch
from torch import Tensor

from memorycell.insight.evaluating import chunks

_NODES, _WEIGHTS = np.polynomial.legendre.leggauss(4)
_FINEST = 1 / 32  # of the line: a shorter stretch may err as much as one of this length


def mean_gradient(
    run: Callable[[Tensor, bool], tuple[Tensor, Tensor]], change: Tensor, allowed: float, steps: int, most: int
) -> tuple[Tensor, int]:
    """The mean of the gradient of a function along a line, and at how many points it was taken.

    By Gauss-Legendre rules of four points. Each stretch knows what it should give, the difference of the function
    between its ends; where it misses, it is halved.

    Parameters
    ----------
    run : from places on the line (N,), 0 to 1, and whether gradients are wanted, to
        the function there, float64 (N,), and its gradient, float64 (N, *S).
    change : Tensor
        float64 of shape S: the line, from its start to its end.
    allowed : float
        Error of the function's difference between the ends that is allowed.
    steps : int
        Steps of the sequence: that many for each place are run at once.
    most : int
        Points, about: beyond them no stretch is halved any more.
    """
    total, count = torch.zeros_like(change), 0
    starts, width = torch.zeros(1, dtype=torch.float64), 1.0
    while len(starts):
        count += len(starts) * len(_NODES)
        last = count + 2 * len(starts) * len(_NODES) > most
        bent = []
        for part in chunks(len(starts), len(_NODES) * steps):
            begin = starts[part]
            places = begin.unsqueeze(1) + width * torch.from_numpy((_NODES + 1) / 2)
            gradient = run(places.flatten(), True)[1].unflatten(0, places.shape)
            mean = torch.einsum("nk...,k->n...", gradient, torch.from_numpy(_WEIGHTS / 2))
            ends, _ = run(torch.cat([begin, begin + width]), False)
            error = (width * (mean * change).flatten(1).sum(1) - (ends[len(begin) :] - ends[: len(begin)])).abs()
            misses = (error > allowed * max(width, _FINEST)) & (not last)
            total += mean[~misses].sum(0) * width
            bent.append(begin[misses])
        width /= 2
        starts = torch.cat([torch.cat([begin, begin + width]) for begin in bent])
    return total, count
