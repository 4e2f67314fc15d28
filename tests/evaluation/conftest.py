"""Hand-made encoded tables, and a forecaster small enough to reason about."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from memorycell.data.encoded import EncodedTable


def encode_series(series, *, dates=None, calendar=None, train=None, extra=None, ids=None) -> EncodedTable:
    """An EncodedTable of `series`, a list of (T, K) or (T,) arrays in units; scaled by the first `train` rows."""
    series = [np.asarray(s, float).reshape(len(s), -1) for s in series]
    train = [len(s) for s in series] if train is None else train
    center = np.stack([np.nanmean(s[:n], 0) for s, n in zip(series, train, strict=True)])
    scale = np.stack([np.nanstd(s[:n], 0) for s, n in zip(series, train, strict=True)])
    scale = np.where(scale > 0, scale, 1.0)
    scaled = np.concatenate([(s - c) / w for s, c, w in zip(series, center, scale, strict=True)])
    rows, targets = scaled.shape
    past = np.nan_to_num(scaled) if extra is None else np.concatenate([np.nan_to_num(scaled), extra], 1)
    lengths = np.array([len(s) for s in series])
    if dates is None:
        dates = np.concatenate([np.arange(n) for n in lengths])
    return EncodedTable(
        past=torch.tensor(past, dtype=torch.float32),
        known=torch.tensor(np.empty((rows, 0)) if calendar is None else calendar, dtype=torch.float32),
        codes=torch.empty(rows, 0, dtype=torch.int64),
        static=torch.empty(len(series), 0),
        static_codes=torch.empty(len(series), 0, dtype=torch.int64),
        target=torch.tensor(scaled, dtype=torch.float32),
        center=center,
        scale=scale,
        offsets=np.concatenate([[0], np.cumsum(lengths)]).astype(np.int64),
        observed_rows=lengths.astype(np.int64),
        dates=np.asarray(dates),
        ids=[str(i) for i in range(len(series))] if ids is None else ids,
        past_names=[f"p{i}" for i in range(past.shape[1])],
        known_names=[],
        code_names=[],
        code_sizes=[],
        code_known=[],
        static_names=[],
        static_code_names=[],
        static_code_sizes=[],
        target_names=[f"y{k}" for k in range(targets)],
    )


def days(count: int, unit: str = "D", start: str = "2001-01-01") -> np.ndarray:
    """`count` dates in steps of `unit`."""
    first = np.datetime64(start, unit)
    return (first + np.arange(count)).astype("datetime64[ns]")


@pytest.fixture
def encode():
    return encode_series


@pytest.fixture
def calendar_dates():
    return days
