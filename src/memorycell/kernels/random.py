"""Random masks from one counter-based stream, keyed by (seed, step, layer, row).

A mask's element is a hash of where it stands, not of what was drawn before it. Resuming, several processes,
recomputation and another batch composition therefore all see the same masks.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar

import torch
from torch import Tensor

from memorycell.kernels import onlookers
from memorycell.kernels.native import level, library

# SplitMix64 (Steele, Lea & Flood 2014, "Fast splittable pseudorandom number generators", figure 17).
_GOLDEN = 0x9E3779B97F4A7C15
_MIX_1 = 0xBF58476D1CE4E5B9
_MIX_2 = 0x94D049BB133111EB
_WORD = 1 << 64


def _signed(value: int) -> int:
    """The int64 with the same bits as the lowest 64 bits of `value`: torch has no full uint64 arithmetic."""
    value &= _WORD - 1
    return value - _WORD if value >> 63 else value


_GOLDEN_S, _MIX_1_S, _MIX_2_S = _signed(_GOLDEN), _signed(_MIX_1), _signed(_MIX_2)


def _mix(z: int) -> int:
    """SplitMix64's finaliser of a Python integer, modulo 2**64."""
    z &= _WORD - 1
    z = ((z ^ (z >> 30)) * _MIX_1) & (_WORD - 1)
    z = ((z ^ (z >> 27)) * _MIX_2) & (_WORD - 1)
    return z ^ (z >> 31)


def _mix_(z: Tensor) -> Tensor:
    """SplitMix64's finaliser of an int64 tensor, in place, less its last z ^ (z >>> 31).

    `>>` on int64 copies the sign bit; masking the copied bits off makes the shift a logical one. The last
    line of the finaliser leaves the upper 31 bits as they are, and only those decide on which side of a
    threshold a number falls: small batches do without its three operators.
    """
    z.bitwise_xor_((z >> 30).bitwise_and_((1 << 34) - 1)).mul_(_MIX_1_S)
    return z.bitwise_xor_((z >> 27).bitwise_and_((1 << 37) - 1)).mul_(_MIX_2_S)


class _Stream:
    """Where the masks of one training step come from: a key, and the number of the next layer."""

    __slots__ = ("key", "layer", "row_offset")

    def __init__(self, seed: int, step: int, row_offset: int) -> None:
        self.key = _mix(_mix(seed + _GOLDEN) + (step + 1) * _GOLDEN)
        self.layer = 0
        self.row_offset = row_offset

    def next_key(self) -> int:
        self.layer += 1
        return _signed(_mix(self.key + self.layer * _GOLDEN))


_current: ContextVar[_Stream | None] = ContextVar("memorycell_mask_stream", default=None)


@contextmanager
def mask_stream(seed: int, step: int, row_offset: int = 0) -> Iterator[None]:
    """Within the block every mask depends only on (seed, step, number of the call, row).

    The calls of `keep_mask` and `bernoulli` are numbered 0, 1, 2, … within the block ("layers"). The global
    generators are neither read nor advanced. Streams nest (the inner one counts for itself) and belong to the
    thread, or asyncio task, that opened them.

    Parameters
    ----------
    seed, step : int
        The seed of the training and the number of the optimiser's step. Any integers, modulo 2**64.
    row_offset : int
        Number of the batch's first row in the whole batch, where several processes share one.

    Example
    -------
    >>> with mask_stream(seed=0, step=7):
    ...     whole = keep_mask(4, 3, 0.5)
    >>> with mask_stream(seed=0, step=7, row_offset=2):
    ...     half = keep_mask(2, 3, 0.5)
    >>> torch.equal(whole[2:], half)
    True
    """
    token = _current.set(_Stream(seed, step, row_offset))
    try:
        yield
    finally:
        _current.reset(token)


def bernoulli(
    rows: int,
    width: int,
    p: float,
    *,
    device: torch.device | str | None = None,
    dtype: torch.dtype | None = None,
    shared: bool = False,
) -> Tensor:
    """Ones with probability p, else zeros, of shape (rows, width).

    Element (r, k) is the hash (SplitMix64's finaliser) of a key and the counter r · 2³² + k, so it depends on
    neither `rows` nor `width`. Within a `mask_stream` the key is the stream's; outside, it is one draw from
    torch's default generator, so that `torch.manual_seed` governs it.

    Parameters
    ----------
    rows, width : int
        Shape of the result; a row is a sample of the batch.
    p : float
        Probability of a one, 0 to 1.
    device, dtype
        Of the result. Default: torch's defaults.
    shared : bool
        The rows are not samples of the batch (a mask on weights, say): the stream's `row_offset` is left out.

    Raises
    ------
    ValueError
        If p lies outside 0 to 1.

    Example
    -------
    >>> with mask_stream(seed=0, step=0):
    ...     bernoulli(2, 6, 0.5)
    tensor([[0., 0., 1., 1., 0., 1.],
            [0., 0., 0., 0., 0., 0.]])
    """
    if not 0.0 <= p <= 1.0:
        raise ValueError(f"expected a probability p from 0 to 1, got {p}")
    return _draw(rows, width, p, 1.0, device, dtype, shared)


def _draw(
    rows: int,
    width: int,
    p: float,
    one: float,
    device: torch.device | str | None,
    dtype: torch.dtype | None,
    shared: bool,
) -> Tensor:
    """`one` with probability p, else zero."""
    stream = _current.get()
    key: int | Tensor
    if stream is None:
        key, first = torch.empty((), dtype=torch.int64).random_(-(1 << 63), None), 0
    else:
        key, first = stream.next_key(), 0 if shared else stream.row_offset
    dtype = torch.get_default_dtype() if dtype is None else dtype
    empty = torch.empty(rows, width, device=device, dtype=dtype)
    native = library() if onlookers.none((empty,), ()) and 1.0 not in (p, 1.0 - p) else None
    if native is not None and empty.device.type == "cpu" and dtype in (torch.float32, torch.float64):
        drawn = int(key)
        size = empty.element_size()
        native.mc_bernoulli(level(), drawn, first, rows, width, _threshold(p), one, size, empty.data_ptr())
        return empty
    # A row spans 2**32 counters, so its numbers do not depend on the width.
    row = torch.arange(first << 32, (first + rows) << 32, 1 << 32, device=device)
    z = (row.unsqueeze(1) + torch.arange(1, width + 1, device=device)).mul_(_GOLDEN_S).add_(key)
    # As a signed number, z is uniform on -2**63 … 2**63 - 1. p = 1 would need the threshold 2**63: no int64.
    if p == 1.0:
        return torch.ones(z.shape, device=device, dtype=dtype)
    drawn_ones = (_mix_(z) < _threshold(p)).to(dtype)
    return drawn_ones if one == 1.0 else drawn_ones.mul_(one)


def _threshold(p: float) -> int:
    """A signed 64-bit number is uniformly distributed below it with probability p."""
    return int(p * _WORD) - (1 << 63)


def keep_mask(
    rows: int,
    width: int,
    p: float,
    *,
    device: torch.device | str | None = None,
    dtype: torch.dtype | None = None,
    shared: bool = False,
) -> Tensor:
    """A dropout mask of shape (rows, width): 0 with probability p, else 1 / (1 - p).

    Its mean is 1, so evaluation needs no scaling (inverted dropout, Srivastava et al. 2014). Parameters,
    stream and errors as for `bernoulli`; p = 1 drops everything.

    Example
    -------
    >>> _ = torch.manual_seed(0)
    >>> sorted(set(keep_mask(8, 8, 0.75).flatten().tolist()))
    [0.0, 4.0]
    """
    if not 0.0 <= p <= 1.0:
        raise ValueError(f"expected a probability p from 0 to 1, got {p}")
    return _draw(rows, width, 1.0 - p, 1.0 if p in (0.0, 1.0) else 1.0 / (1.0 - p), device, dtype, shared)
