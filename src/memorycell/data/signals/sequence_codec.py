"""SequenceCodec: numeric sequences of different lengths as standardised steps, and back to their units."""

from __future__ import annotations

from collections.abc import Iterable
from itertools import pairwise
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from memorycell.data.codec import Json, checked, is_count, is_list, is_number, is_positive, register_codec
from memorycell.data.ragged import Ragged
from memorycell.data.scaling import moments

_MOST_CHANNELS = 1_000_000


@register_codec
class SequenceCodec:
    """Turns numeric sequences into steps of mean 0 and deviation 1, channel by channel, and back.

    Mean and deviation are those of all training steps; a channel that is constant there keeps its unit (deviation 1).
    Where a value is missing (NaN) the channel's training mean stands, and each channel that had missing values in
    training gets a channel of its own after the others, 1 where the value is missing. Zero is a value, never padding.

    Parameters
    ----------
    standardise : bool
        False keeps the units; missing values are filled and marked all the same.

    Attributes
    ----------
    channels_ : int
        Values of each step as they come, F.
    features_ : int
        Values of each encoded step: F and one for each channel that had missing values.
    center_, scale_ : ndarray
        Float64 (F,): ``encoded = (value - center) / scale``.
    fill_ : ndarray
        Float64 (F,), in the units of the raw values: what stands where one is missing.
    masked_ : list of int
        The channels that had missing values in training.

    Example
    -------
    >>> codec = SequenceCodec().fit([[[0.0, 5.0], [4.0, 5.0]], [[2.0, 5.0]]])
    >>> steps = codec.encode([[[2.0, 6.0], [2.0, 5.0]]])
    >>> steps[0].tolist(), codec.features_
    ([[0.0, 1.0], [0.0, 0.0]], 2)
    >>> codec.decode(steps)[0].tolist()
    [[2.0, 6.0], [2.0, 5.0]]
    """

    def __init__(self, standardise: bool = True) -> None:
        self.standardise = standardise

    def fit(self, raw: Any) -> SequenceCodec:
        """Learn from training sequences: a list of (T, F) or (T,) arrays, or an array (n, T, F) or (n, T).

        Raises
        ------
        ValueError, TypeError
            What `read_sequences` refuses, and infinite values.
        """
        values, offsets = read_sequences(raw)
        _refuse_infinite(values, values, offsets)
        self.channels_ = values.shape[1]
        found = [moments(values[:, j], f"channel {j}") for j in range(self.channels_)]
        mean = np.array([0.0 if m.number == 0 else m.mean for m in found])
        spread = np.array([m.std if m.number and m.std > 1e-12 * max(-m.low, m.high) else 1.0 for m in found])
        self.center_ = mean if self.standardise else np.zeros_like(mean)
        self.scale_ = spread if self.standardise else np.ones_like(mean)
        self.fill_ = mean
        self.masked_ = [j for j, m in enumerate(found) if m.number < len(values)]
        self.features_ = self.channels_ + len(self.masked_)
        return self

    def encode(self, raw: Any) -> Ragged:
        """The sequences as one float32 tensor (N, features_) of steps, and where each sequence begins.

        Raises
        ------
        ValueError, TypeError
            What `read_sequences` refuses, another number of channels than in training, infinite values and values
            so far from training that float32 cannot hold them.
        """
        values, offsets = read_sequences(raw)
        if values.shape[1] != self.channels_:
            raise ValueError(
                f"expected sequences of {self.channels_} values a step, as in training, got {values.shape[1]}"
            )
        steps = np.empty((len(values), self.features_), np.float32)
        with np.errstate(over="ignore", invalid="ignore"):
            steps[:, : self.channels_] = (values - self.center_) / self.scale_
        missing = np.isnan(values)
        if missing.any():
            rows, columns = np.nonzero(missing)
            steps[rows, columns] = ((self.fill_ - self.center_) / self.scale_)[columns]
        steps[:, self.channels_ :] = missing[:, self.masked_]
        _refuse_infinite(steps, values, offsets)
        return Ragged(torch.from_numpy(steps), torch.from_numpy(offsets))

    def decode(self, tensor: Any) -> Any:
        """Encoded steps in the units of the raw values: a list of (T, F) arrays for a Ragged, else (..., F).

        Values that were marked as missing are NaN again. A tensor without the marks, (..., channels_), will do too.
        """
        if isinstance(tensor, Ragged):
            flat, bounds = self.decode(tensor.values).numpy(), tensor.offsets.tolist()
            return [flat[start:stop] for start, stop in pairwise(bounds)]
        tensor = torch.as_tensor(tensor)
        if tensor.dim() == 0 or tensor.shape[-1] not in (self.features_, self.channels_):
            raise ValueError(
                f"expected steps of {self.features_} values on the last axis, got shape {tuple(tensor.shape)}"
            )
        like = {"dtype": torch.float64, "device": tensor.device}
        center, scale = torch.as_tensor(self.center_, **like), torch.as_tensor(self.scale_, **like)
        values = tensor[..., : self.channels_] * scale + center
        if tensor.shape[-1] > self.channels_:
            for place, j in enumerate(self.masked_, self.channels_):
                values[..., j].masked_fill_(tensor[..., place] > 0.5, torch.nan)
        return values

    def to_json(self) -> Json:
        """The state as plain JSON."""
        return {
            "codec": "SequenceCodec",
            "standardise": self.standardise,
            "center": self.center_.tolist(),
            "scale": self.scale_.tolist(),
            "fill": self.fill_.tolist(),
            "masked": list(self.masked_),
        }

    @classmethod
    def from_json(cls, state: Json) -> SequenceCodec:
        """The codec that `to_json` wrote; a damaged state is a ValueError."""
        codec = cls(checked(state, "standardise", lambda value: isinstance(value, bool), "true or false"))
        numbers = is_list(is_number, most=_MOST_CHANNELS)
        codec.center_ = np.array(checked(state, "center", lambda v: numbers(v) and bool(v), "a list of numbers"), float)
        count = codec.channels_ = len(codec.center_)
        several = f"a list of {count} numbers"
        codec.scale_ = np.array(checked(state, "scale", is_list(is_positive, count), f"{several} above zero"), float)
        codec.fill_ = np.array(checked(state, "fill", is_list(is_number, count), several), float)

        def increasing(value: Any) -> bool:
            return is_list(lambda j: is_count(j, count - 1), most=count)(value) and sorted(set(value)) == value

        codec.masked_ = list(checked(state, "masked", increasing, "an increasing list of channels"))
        codec.features_ = count + len(codec.masked_)
        return codec


def read_sequences(raw: Any) -> tuple[NDArray, NDArray[np.int64]]:
    """Numeric sequences one below the other, float32 or float64 (N, F), and their places, int64 (n + 1,).

    Parameters
    ----------
    raw : list or array
        A list of (T_i, F) or (T_i,) arrays, tensors or lists; an array or tensor (n, T, F), or (n, T): n sequences
        of one value a step.

    Raises
    ------
    TypeError
        Not numbers, or not sequences.
    ValueError
        No sequence at all; one without steps, with another number of values a step than the first, or ragged: with
        its place in the list.

    Example
    -------
    >>> values, offsets = read_sequences([[1.0, 2.0, 3.0], [4.0]])
    >>> values.shape, offsets.tolist()
    ((4, 1), [0, 3, 4])
    """
    if isinstance(raw, Tensor | np.ndarray) or hasattr(raw, "to_numpy"):
        array = _numbers(raw, "the sequences")
        if array.ndim not in (2, 3):
            raise ValueError(
                "expected an array of shape (sequences, steps, values) or (sequences, steps), got shape "
                f"{array.shape}: a single sequence goes in a list"
            )
        if 0 in array.shape:
            raise ValueError(f"expected at least one sequence of one step and one value, got shape {array.shape}")
        n, length = array.shape[:2]
        return array.reshape(n * length, -1), np.arange(n + 1, dtype=np.int64) * length
    if isinstance(raw, str | bytes | dict) or not isinstance(raw, Iterable):
        raise TypeError(f"expected a list of sequences or an array, got {type(raw).__name__}")
    parts: list[NDArray] = []
    for i, sequence in enumerate(raw):
        part = _numbers(sequence, f"sequence {i}")
        if part.ndim not in (1, 2):
            raise ValueError(
                f"expected sequence {i} of shape (steps,) or (steps, values), got shape {part.shape}"
                + (": a single sequence goes in a list" if part.ndim == 0 else "")
            )
        part = part[:, None] if part.ndim == 1 else part
        if 0 in part.shape:
            raise ValueError(f"sequence {i} has no {'steps' if not len(part) else 'values'}: leave it out")
        if parts and part.shape[1] != parts[0].shape[1]:
            expected, got = parts[0].shape[1], part.shape[1]
            turned = f"; its shape is {part.shape}, expected (steps, values)" if len(part) == expected else ""
            if len(part) == len(parts[0]) and not turned:
                turned = f"; where these are {len(part)} channels of so many steps, exchange the axes: x.T for each"
            raise ValueError(f"expected {expected} values a step as in sequence 0, got {got} in sequence {i}{turned}")
        parts.append(part)
    if not parts:
        raise ValueError("expected at least one sequence, got none")
    return np.concatenate(parts), np.cumsum([0, *map(len, parts)], dtype=np.int64)


def _numbers(values: Any, name: str) -> NDArray:
    """An array of float32 or float64; TypeError or ValueError that names what is none."""
    if isinstance(values, Tensor):
        values = values.detach().cpu()
        values = (values.float() if values.dtype is torch.bfloat16 else values).numpy()
    try:
        array = np.asarray(values)
    except ValueError:
        raise ValueError(f"{name}: expected steps of equally many values, got rows of different lengths") from None
    if array.dtype.kind == "O":
        try:
            array = array.astype(np.float64)
        except (TypeError, ValueError):
            raise TypeError(f"{name}: expected numbers, got {values!r:.60}") from None
    if array.dtype.kind not in "fiub":
        raise TypeError(f"{name}: expected numbers, got {'text' if array.dtype.kind in 'US' else array.dtype}")
    return array if array.dtype == np.float32 else array.astype(np.float64, copy=False)


def _refuse_infinite(checked_values: NDArray, values: NDArray, offsets: NDArray[np.int64]) -> None:
    infinite = np.isinf(checked_values[:, : values.shape[1]])
    if not infinite.any():
        return
    row, channel = (int(k) for k in np.argwhere(infinite)[0])
    sequence = int(np.searchsorted(offsets, row, side="right")) - 1
    where = f"sequence {sequence}, step {row - int(offsets[sequence])}, channel {channel}"
    value = float(values[row, channel])
    count = int(infinite.sum())
    if np.isinf(value):
        raise ValueError(f"{where} is infinite ({count:,} such values): correct them, or make them NaN (missing)")
    raise ValueError(f"{where} is {value:.3g}, too far from the training values: check its unit")
