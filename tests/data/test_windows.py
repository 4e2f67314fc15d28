"""Windows gathered by batch, and the split of origins."""

import numpy as np
import pandas as pd
import pytest
import torch

from memorycell.data.batch import Dataset
from memorycell.data.tables.encoded import EncodedTable, eligible_origins
from memorycell.data.tables.table_codec import TableCodec
from memorycell.data.tables.windows import WindowDataset, split_origins, training_rows


def encoded_panel(missing: bool = False, horizon: int = 0) -> EncodedTable:
    rows = []
    for i, length in enumerate((30, 40, 8)):
        for step in range(length):
            rows.append((f"s{i}", step, 10.0 * i + np.sin(step), "ab"[step % 2], step % 5, float(i), "xyz"[i]))
    frame = pd.DataFrame(rows, columns=["unique_id", "ds", "y", "sky", "plan", "size", "kind"])
    if missing:
        frame.loc[[5, 12], "y"] = np.nan
    codec = TableCodec(known_future=["plan"], static=["size", "kind"]).fit(frame)
    future = [(f"s{i}", n + h, 1.0) for i, n in enumerate((30, 40, 8)) for h in range(horizon)]
    ahead = pd.DataFrame(future, columns=["unique_id", "ds", "plan"]) if horizon else None
    return codec.encode(frame, horizon=horizon, future=ahead)


@pytest.mark.parametrize("missing", [False, True])
def test_gather_equals_slices(missing: bool) -> None:
    encoded = encoded_panel(missing)
    origins = eligible_origins(encoded, 5, 3)
    data = WindowDataset(encoded, 5, 3, origins)
    assert isinstance(data, Dataset) and len(data) == len(origins)
    rows = torch.tensor([0, 7, len(origins) - 1, 7])
    batch = data.gather(rows)
    assert batch.rows is rows and (batch.weights is not None) == missing
    for b, origin in enumerate(origins[rows]):
        past, after = slice(origin - 4, origin + 1), slice(origin + 1, origin + 4)
        assert torch.equal(batch.inputs["past"][b], encoded.past[past])
        assert torch.equal(batch.inputs["known"][b], encoded.known[origin - 4 : origin + 4])
        assert torch.equal(batch.inputs["codes"][b, :5], encoded.codes[past])
        assert (batch.inputs["codes"][b, 5:] == 0).all()
        series = batch.inputs["series"][b]
        assert encoded.offsets[series] <= origin < encoded.offsets[series + 1]
        assert torch.equal(batch.inputs["static"][b], encoded.static[series])
        assert torch.equal(batch.inputs["static_codes"][b], encoded.static_codes[series])
        assert batch.targets is not None
        assert torch.equal(batch.targets[b], encoded.target[after].nan_to_num(0.0))
        if batch.weights is not None:
            assert torch.equal(batch.weights[b], (~torch.isnan(encoded.target[after])).float())


def test_inputs_of_no_width_are_left_out() -> None:
    encoded = TableCodec("y").fit({"y": range(20)}).encode({"y": range(20)})
    batch = WindowDataset(encoded, 4, 2, np.array([5])).gather(torch.tensor([0]))
    assert set(batch.inputs) == {"past", "series"} and batch.weights is None


def test_forecasting_from_the_last_row() -> None:
    encoded = encoded_panel(horizon=2)
    origins = encoded.offsets[:-1] + encoded.observed_rows - 1
    batch = WindowDataset(encoded, 5, 2, origins).gather(torch.arange(3))
    assert batch.inputs["known"].shape == (3, 7, 1)
    assert batch.weights is not None and (batch.weights == 0).all() and (batch.targets == 0).all()


def test_bad_origins() -> None:
    encoded = encoded_panel()
    for origin, message in (
        (3, "fewer than the window of 5"),
        (29, "encode the table with horizon=2"),
        (999, "outside"),
    ):
        with pytest.raises(ValueError, match=message):
            WindowDataset(encoded, 5, 2, np.array([origin]))
    with pytest.raises(ValueError, match="window and horizon of 1 or more"):
        WindowDataset(encoded, 0, 2, np.array([10]))


@pytest.mark.parametrize(("window", "horizon", "share"), [(5, 1, 0.1), (5, 3, 0.2), (2, 2, 0.0), (12, 4, 0.1)])
def test_split_parts_share_no_target(window: int, horizon: int, share: float) -> None:
    encoded = encoded_panel()
    parts = split_origins(encoded, window, horizon, share, share)
    rows = [{int(o) + h for o in part for h in range(1, horizon + 1)} for part in parts]
    assert not rows[0] & rows[1] and not rows[1] & rows[2] and not rows[0] & rows[2]
    everything = set(eligible_origins(encoded, window, horizon).tolist())
    assert set(np.concatenate(parts).tolist()) <= everything
    for part in parts:
        if len(part):
            WindowDataset(encoded, window, horizon, part).gather(torch.arange(len(part)))
    assert (len(parts[1]) > 0) == (len(parts[2]) > 0) == (share > 0)
    train = training_rows(encoded.observed_rows, window, horizon, share, share)
    last = {int(encoded.offsets[s] + train[s] - 1) for s in range(3)}
    assert max(rows[0]) <= max(last)
    if share and 8 - 2 * horizon < window + horizon:
        assert train[2] == 8  # too short for the blocks: wholly to training


def test_split_refusals() -> None:
    encoded = TableCodec("y").fit({"y": range(42)}).encode({"y": range(42)})
    with pytest.raises(ValueError, match=r"42 rows, fewer than window 30 \+ horizon 14 = 44"):
        split_origins(encoded, 30, 14, 0.1, 0.1)
    with pytest.raises(ValueError, match="validation_fraction"):
        split_origins(encoded, 3, 1, 1.0, 0.1)
