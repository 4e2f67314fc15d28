"""Windows of an EncodedTable, gathered batch by batch; and which origins train, stop and calibrate."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from memorycell.data.batch import Batch
from memorycell.data.content import Contents
from memorycell.data.tables.encoded import EncodedTable
from memorycell.data.tables.table import listing

Rows = NDArray[np.int64]


class WindowDataset:
    """Samples of `window` past and `horizon` future rows around origins (the last row seen): a `Dataset`.

    Nothing is copied on construction: each input is a strided view of overlapping windows, and a batch is one
    row selection of it. With W the window, H the horizon and B samples, `gather` gives the inputs

    - ``past`` (B, W, F), ``known`` (B, W + H, P), ``codes`` int64 (B, W + H, C),
    - ``static`` (B, A), ``static_codes`` int64 (B, E), ``series`` int64 (B,),

    without those of width 0; `targets` (B, H, K) with 0 where missing, and `weights` of that shape, 0 there
    (None when no row that is asked for is missing). Codes of columns not known ahead are 0 after the origin.

    Parameters
    ----------
    encoded : EncodedTable
    window, horizon : int
    origins : int64 (n,)
        Global rows: `eligible_origins` or `split_origins` give them.

    Raises
    ------
    ValueError
        An origin without `window` rows of its series up to it, or `horizon` rows after it.

    Example
    -------
    >>> from memorycell.data.tables.table_codec import TableCodec
    >>> encoded = TableCodec("y").fit({"y": range(10)}).encode({"y": range(10)})
    >>> WindowDataset(encoded, 3, 2, np.array([4, 7])).gather(torch.tensor([0, 1])).inputs["past"].shape
    torch.Size([2, 3, 1])
    """

    def __init__(self, encoded: EncodedTable, window: int, horizon: int, origins: Rows) -> None:
        if window < 1 or horizon < 1:
            raise ValueError(f"expected window and horizon of 1 or more, got {window} and {horizon}")
        origins = np.asarray(origins, np.int64)
        series = np.searchsorted(encoded.offsets, origins, side="right") - 1
        _check_origins(encoded, window, horizon, origins, series)
        self.encoded, self.window, self.horizon = encoded, window, horizon
        self.origins = torch.from_numpy(origins)
        self._series = torch.from_numpy(series)
        self._first = self.origins - (window - 1)
        self._after = self.origins + 1
        target = encoded.target
        observed = ~torch.isnan(target)
        self._weights: Tensor | None = None
        if not bool(observed.all()) and not _all_observed(observed, self.origins, horizon):
            self._weights = _windows(observed.to(target.dtype), horizon)
            target = target.nan_to_num(0.0)
        self._targets = _windows(target, horizon)
        both = window + horizon
        self._sequences = {"past": _windows(encoded.past, window)} if encoded.past.shape[1] else {}
        if encoded.known.shape[1]:
            self._sequences["known"] = _windows(encoded.known, both)
        if encoded.codes.shape[1]:
            self._sequences["codes"] = _windows(encoded.codes, both)
        self._shown: Tensor | None = None
        if not all(encoded.code_known):
            self._shown = torch.ones(both, len(encoded.code_known), dtype=torch.int64)
            self._shown[window:] = torch.tensor(encoded.code_known)
        self._statics = {
            name: value
            for name, value in (("static", encoded.static), ("static_codes", encoded.static_codes))
            if value.shape[1]
        }

    def __len__(self) -> int:
        return len(self.origins)

    def content(self) -> Contents:
        """All that it holds, by name: see `memorycell.data.content`."""
        return [*self.encoded.content(), ("origins", self.origins), ("sizes", [self.window, self.horizon])]

    def gather(self, rows: Tensor) -> Batch:
        """The batch of the samples `rows` (int64 (B,), places in `origins`)."""
        first = self._first.index_select(0, rows)
        inputs = {name: windows.index_select(0, first) for name, windows in self._sequences.items()}
        if self._shown is not None:
            inputs["codes"] *= self._shown
        series = self._series.index_select(0, rows)
        for name, value in self._statics.items():
            inputs[name] = value.index_select(0, series)
        inputs["series"] = series
        after = self._after.index_select(0, rows)
        weights = None if self._weights is None else self._weights.index_select(0, after)
        return Batch(inputs, targets=self._targets.index_select(0, after), weights=weights, rows=rows)


def split_origins(
    encoded: EncodedTable, window: int, horizon: int, validation_fraction: float, calibration_fraction: float
) -> tuple[Rows, Rows, Rows]:
    """Origins to train on, to stop training by, and to calibrate intervals with, in order of time.

    The last `calibration_fraction` of a series' observed rows is the calibration block, the
    `validation_fraction` before it the validation block, each made at least `horizon` rows long; of a series
    with missing targets the rows that have one are counted. An origin belongs to the block in which all its
    targets lie; windows may look back over the border. A series too short for both blocks and one training
    window goes wholly to training. Origins after which no target is known are left out.

    Raises
    ------
    ValueError
        When no origin is left to train on.

    Example
    -------
    >>> from memorycell.data.tables.table_codec import TableCodec
    >>> encoded = TableCodec("y").fit({"y": range(20)}).encode({"y": range(20)})
    >>> [part.tolist() for part in split_origins(encoded, 6, 1, 0.1, 0.1)]
    [[5, 6, 7, 8, 9, 10, 11, 12, 13, 14], [15, 16], [17, 18]]
    """
    observed, there = encoded.observed_rows, (~torch.isnan(encoded.target)).any(1).numpy()
    known = None if there.all() else np.split(there, encoded.offsets[1:-1])
    training, recent = _borders(observed, window, horizon, validation_fraction, calibration_fraction, known)
    parts: tuple[list[Rows], list[Rows], list[Rows]] = ([], [], [])
    for start, rows, train, last in zip(encoded.offsets[:-1], observed, training, recent, strict=True):
        parts[0].append(np.arange(start + window - 1, start + train - horizon))
        if train < rows:
            border = max(train, window)
            parts[1].append(np.arange(start + border - 1, start + last - horizon))
            parts[2].append(np.arange(start + max(last, window) - 1, start + rows - horizon))
    joined = [np.concatenate(part).astype(np.int64) if part else _none() for part in parts]
    train, validation, calibration = (with_targets(encoded, part, horizon) for part in joined)
    if not len(joined[0]):
        raise ValueError(_too_few(int(observed.max(initial=0)), len(observed), window, horizon))
    if not len(train):
        raise ValueError(_no_targets(encoded, window))
    return (
        train,
        validation if validation_fraction else _none(),
        calibration if calibration_fraction else _none(),
    )


def training_rows(
    observed: Rows,
    window: int,
    horizon: int,
    validation_fraction: float,
    calibration_fraction: float,
    known: Sequence[NDArray[np.bool_]] | None = None,
) -> Rows:
    """int64 (S,): how many first rows of each series `split_origins` trains on, for `TableCodec.fit`.

    Parameters
    ----------
    known : of each series, which of its rows have a target; None where all have

    Example
    -------
    >>> training_rows(np.array([100, 20]), 6, 12, 0.1, 0.1)
    array([76, 20])
    """
    return _borders(observed, window, horizon, validation_fraction, calibration_fraction, known)[0]


def with_targets(encoded: EncodedTable, origins: Rows, horizon: int) -> Rows:
    """Those of `origins` after which at least one target is known within the horizon."""
    gone = torch.isnan(encoded.target).all(1).numpy()
    if not gone.any():
        return origins
    lost = np.concatenate([[0], np.cumsum(gone)])
    return origins[lost[origins + 1 + horizon] - lost[origins + 1] < horizon]


def _borders(
    observed: Rows,
    window: int,
    horizon: int,
    validation_fraction: float,
    calibration_fraction: float,
    known: Sequence[NDArray[np.bool_]] | None,
) -> tuple[Rows, Rows]:
    """How many rows of each series come before what is held out, and before what calibrates: int64 (S,) each."""
    shares = {"validation_fraction": validation_fraction, "calibration_fraction": calibration_fraction}
    for name, value in shares.items():
        if not 0 <= value < 1:
            raise ValueError(f"expected {name} of 0 or more and below 1, got {value}")
    recent = observed - _block(observed, calibration_fraction, horizon)
    training = recent - _block(observed, validation_fraction, horizon)
    for s, there in enumerate(known or ()):
        if not there[: observed[s]].all():
            places = np.flatnonzero(there[: observed[s]])
            recent[s] = _border(places, int(observed[s]), calibration_fraction, horizon)
            before = places[places < recent[s]]
            share = validation_fraction * len(places) / max(1, len(before))
            training[s] = _border(before, int(recent[s]), share, horizon)
    whole = training < window + horizon
    return np.where(whole, observed, training), np.where(whole, observed, recent)


def _border(places: Rows, end: int, fraction: float, horizon: int) -> int:
    """Where the last `fraction` of the rows at `places` begins, at least `horizon` of them and of all rows up to `end`;
    0 where there are not as many."""
    if not fraction:
        return end
    count = max(int(np.floor(len(places) * fraction + 1e-9)), horizon)
    return max(0, min(int(places[-count]), end - horizon)) if count < len(places) else 0


def _block(observed: Rows, fraction: float, horizon: int) -> Rows:
    if not fraction:
        return np.zeros_like(observed)
    return np.maximum(np.floor(observed * fraction + 1e-9).astype(np.int64), horizon)


def _too_few(rows: int, n_series: int, window: int, horizon: int) -> str:
    who = "the longest series has" if n_series > 1 else "the table has"
    return (
        f"{who} {rows:,} rows, fewer than window {window:,} + horizon {horizon:,} = {window + horizon:,}: "
        "give more rows, or a smaller window or horizon"
    )


def _no_targets(encoded: EncodedTable, window: int) -> str:
    names = listing(encoded.target_names)
    return (
        f"no window to train on has a value of {names} in the horizon after it: expected one after at least "
        f"{window:,} rows (the window); give more rows, or a smaller window"
    )


def _none() -> Rows:
    return np.empty(0, np.int64)


def _windows(values: Tensor, length: int) -> Tensor:
    """(N - length + 1, length, width): every run of `length` rows, as a view."""
    values = values.contiguous()
    rows, width = values.shape
    return values.as_strided((max(rows - length + 1, 0), length, width), (width, width, 1))


def _all_observed(observed: Tensor, origins: Tensor, horizon: int) -> bool:
    gone = torch.zeros(len(observed) + 1, dtype=torch.int64)
    torch.cumsum((~observed).any(1), 0, out=gone[1:])
    return bool((gone[origins + 1 + horizon] == gone[origins + 1]).all())


def _check_origins(encoded: EncodedTable, window: int, horizon: int, origins: Rows, series: Rows) -> None:
    inside = (origins >= 0) & (origins < encoded.offsets[-1])
    if not inside.all():
        raise ValueError(
            f"origin {origins[np.argmin(inside)]} lies outside the {encoded.offsets[-1]:,} rows of the table"
        )
    short = origins - encoded.offsets[series] + 1 < window
    if short.any():
        at = int(np.argmax(short))
        rows = int(origins[at] - encoded.offsets[series[at]] + 1)
        raise ValueError(
            f"origin {origins[at]} has {rows:,} rows of its series up to it, fewer than the window of "
            f"{window:,}: "
            "give more rows before it"
        )
    beyond = origins + horizon >= encoded.offsets[series + 1]
    if beyond.any():
        at = int(np.argmax(beyond))
        raise ValueError(
            f"origin {origins[at]} has fewer than {horizon:,} rows after it: encode the table with horizon={horizon}"
        )
