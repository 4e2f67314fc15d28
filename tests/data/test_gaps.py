"""Blocks of series with missing targets, and row counters among the columns."""

import numpy as np
import pandas as pd
import pytest

from memorycell.data.tables.table_codec import TableCodec
from memorycell.data.tables.windows import split_origins, training_rows

GAPS = {
    "none": [], "the newest row": [99], "in the newest tenth": range(90, 99), "the newest tenth": range(90, 100),
    "the tenth before": range(80, 90), "the first rows": range(20), "the older half": range(50),
    "the newer half": range(50, 100), "every second row": range(0, 100, 2),
}  # fmt: skip


def gappy(rows: list[int] | range) -> pd.DataFrame:
    frame = pd.DataFrame({"y": np.sin(np.arange(100.0)), "x": np.cos(np.arange(100.0))})
    frame.loc[list(rows), "y"] = np.nan
    return frame


@pytest.mark.parametrize("rows", GAPS.values(), ids=GAPS)
@pytest.mark.parametrize("horizon", [1, 3])
def test_every_block_has_targets(rows: list[int] | range, horizon: int) -> None:
    frame = gappy(rows)
    encoded = TableCodec("y").fit(frame).encode(frame)
    known = np.isfinite(encoded.target.numpy()[:, 0])
    parts = split_origins(encoded, 5, horizon, 0.1, 0.1)
    assert all(len(part) for part in parts)
    seen = [part[:, None] + np.arange(1, horizon + 1) for part in parts]
    assert all(known[rows].any(1).all() for rows in seen)
    assert seen[0].max() < seen[1].min() and seen[1].max() < seen[2].min()
    train = training_rows(encoded.observed_rows, 5, horizon, 0.1, 0.1, [known])
    assert seen[0].max() == train[0] - 1 or not known[seen[0].max() + 1 : train[0]].any()
    # A tenth of what is known, at least a horizon of it.
    assert known[seen[2].min() :].sum() >= max(horizon, known.sum() // 10)


def test_no_window_to_train_on_has_a_target() -> None:
    frame = gappy(range(5, 100))
    encoded = TableCodec("y").fit(frame).encode(frame)
    with pytest.raises(ValueError, match="no window to train on has a value of 'y' in the horizon after it"):
        split_origins(encoded, 10, 1, 0.1, 0.1)


COUNTERS = {
    "pandas in a file": "Unnamed: 0", "no name": "unnamed 1", "reset_index": "index", "a level": "level_0",
    "a parquet file": "__index_level_0__", "R": "X", "polars": "row_nr", "by hand": "id",
}  # fmt: skip


@pytest.mark.parametrize("name", COUNTERS.values(), ids=COUNTERS)
@pytest.mark.parametrize("how", ["whole", "gaps", "joined", "shuffled"])
def test_row_counters_are_no_inputs(name: str, how: str) -> None:
    kept = np.array([i for i in range(60) if how == "whole" or i % 7])
    if how == "joined":
        kept = np.concatenate([kept[:25], kept[:-25]])
    elif how == "shuffled":
        kept = np.random.default_rng(0).permutation(kept)
    table = {name: kept, "date": pd.date_range("2024-01-01", periods=len(kept)), "y": np.sin(kept)}
    codec = TableCodec().fit(table)  # y is the only number there is
    assert codec.target_names_ == ["y"] and not codec.past_
    assert any(repr(name) in each["text"] for each in codec.notes_)


def test_what_is_no_row_counter() -> None:
    rows, rng = np.arange(60), np.random.default_rng(0)
    columns = {
        "index": rng.normal(100, 1, 60), "level_0": rows // 20, "Unnamed: 3": -rows - 1.0 * (rows > 4),
        "row_id": rng.integers(0, 5, 60), "meter": np.cumsum(1 + rows % 3),
    }  # fmt: skip
    codec = TableCodec("y").fit({"y": np.sin(rows), **columns})
    assert [column.name for column in codec.past_] == list(columns)
    counted = {"id": rows + (rows > 9), "y": np.sin(rows)}
    assert [c.name for c in TableCodec("y", known_future=["id"]).fit(counted).known_] == ["id"]
