"""TableCodec: roles, scales, grids, known futures, refusals, and its state as JSON."""

import copy
import json
import time
from typing import Any

import numpy as np
import pandas as pd
import polars as pl
import pytest
import torch

from memorycell.data.codec import Codec, codec_from_json
from memorycell.data.tables.table_codec import TableCodec

RNG = np.random.default_rng(0)


def weather(rows: int = 200, **columns: Any) -> pd.DataFrame:
    dates = pd.date_range("2024-01-01", periods=rows, freq="D")
    frame = {"date": dates, "temp": np.sin(np.arange(rows)) * 5 + 10, "wind": RNG.normal(size=rows)}
    return pd.DataFrame(frame | columns)


def said(notes: list[dict], kind: str) -> str:
    return " ".join(entry["text"] for entry in notes if entry["kind"] == kind)


def panel() -> pd.DataFrame:
    rows = [(f"s{i}", day, 100.0 * i + day + (day % 3)) for i in range(4) for day in range(20 + i)]
    return pd.DataFrame(rows, columns=["unique_id", "ds", "y"])


def test_roles_and_layout() -> None:
    frame = weather(
        sky=["sun", "rain"] * 100, wet=[True, False] * 100, same=1.0, No=range(1, 201),
        text=[f"t{i}" for i in range(200)], later=pd.date_range("2025-01-01", periods=200),
    )  # fmt: skip
    codec = TableCodec("temp", calendar=False, exclude=["wind"]).fit(frame)
    encoded = codec.encode(frame, horizon=2)
    assert isinstance(codec, Codec)
    assert encoded.past_names == ["temp", "wet"] and encoded.code_names == ["sky"]
    assert encoded.past.shape == (202, 2) and encoded.past.dtype == torch.float32
    assert encoded.code_sizes == [3] and encoded.code_known == [False] and codec.frequency_.name == "D"
    assert encoded.offsets.tolist() == [0, 202] and encoded.observed_rows.tolist() == [200]
    assert encoded.dates[-1] == np.datetime64("2024-07-20")
    assert torch.isnan(encoded.target[200:]).all() and (encoded.codes[200:] == 0).all()
    np.testing.assert_allclose(encoded.target_in_units()[:200, 0], frame["temp"], rtol=1e-5)
    dropped = said(codec.notes_, "dropped")
    assert all(f"{name!r}" in dropped for name in ("same", "No", "text", "later"))


def test_statistics_ignore_held_out_rows() -> None:
    frame = weather()
    codec = TableCodec("temp").fit(frame, holdout=0.25)
    changed = frame.copy()
    changed.loc[150:, ["temp", "wind"]] = 1e6
    other = TableCodec("temp").fit(changed, holdout=0.25)
    assert codec.to_json() == other.to_json()
    np.testing.assert_allclose(codec.center_[0, 0], frame["temp"][:150].mean())
    np.testing.assert_allclose(codec.scale_[0, 0], frame["temp"][:150].std(ddof=0))
    by_rule = TableCodec("temp").fit(frame, holdout=lambda rows, known: rows - 50)
    assert by_rule.to_json() == codec.to_json()


def test_categories_come_from_training_rows() -> None:
    frame = weather(sky=["sun", "rain"] * 75 + ["fog"] * 50)
    encoded = (codec := TableCodec("temp").fit(frame, holdout=0.25)).encode(frame)
    assert codec.codes_[0].categories == ["rain", "sun"]
    assert encoded.codes[:2, 0].tolist() == [2, 1] and (encoded.codes[150:] == 0).all()
    assert "'fog' did not occur in training" in said(encoded.notes, "new categories")


@pytest.mark.parametrize("kind", ["pandas", "polars", "pyarrow"])
def test_frames_of_all_kinds_encode_alike(kind: str) -> None:
    frame = weather(sky=["sun", "rain"] * 100)
    frame.loc[3, "wind"] = np.nan
    native = {"pandas": frame, "polars": pl.from_pandas(frame), "pyarrow": pl.from_pandas(frame).to_arrow()}[kind]
    a = TableCodec("temp").fit(frame).encode(frame)
    b = TableCodec("temp").fit(native).encode(native)
    for name in ("past", "known", "codes"):
        assert torch.equal(getattr(a, name), getattr(b, name))
    assert (a.dates == b.dates).all()


def test_numpy_counts_steps() -> None:
    encoded = TableCodec("x0").fit(np.arange(40.0).reshape(20, 2) ** 2).encode(np.ones((5, 2)), horizon=2)
    assert encoded.dates.tolist() == list(range(7)) and encoded.past_names == ["x0", "x1"]


def test_missing_values_are_filled_and_masked() -> None:
    frame = weather(rows=10)
    frame.loc[[0, 4], "wind"] = np.nan
    frame.loc[5, "temp"] = np.nan
    frame.loc[6, "wind"] = np.inf
    encoded = (codec := TableCodec("temp", calendar=False).fit(frame)).encode(frame)
    assert encoded.past_names == ["temp", "wind", "temp was missing", "wind was missing"]
    wind, mask = encoded.past[:, 1], encoded.past[:, 3]
    assert mask.tolist() == [1, 0, 0, 0, 1, 0, 1, 0, 0, 0]
    assert wind[4] == wind[3] and wind[6] == wind[5]
    seen = frame["wind"].drop([0, 4, 6])
    np.testing.assert_allclose(wind[0], (seen.median() - seen.mean()) / seen.std(ddof=0), rtol=1e-5)
    assert encoded.past[5, 0] == encoded.past[4, 0] and torch.isnan(encoded.target[5, 0])
    assert "infinite" in said(codec.notes_, "infinite")
    with pytest.raises(ValueError, match="fill='error' refuses"):
        TableCodec("temp", fill="error").fit(frame).encode(frame)
    always = TableCodec("temp", fill="median", calendar=False).fit(frame).encode(frame)
    assert always.past[4, 1] == always.past[0, 1]


def test_gaps_order_and_repeats() -> None:
    frame = weather(rows=30)
    shuffled = pd.concat([frame.drop([10, 11, 20]), frame.iloc[[3]]]).sample(frac=1, random_state=1)
    codec = TableCodec("temp").fit(shuffled)
    encoded = codec.encode(shuffled)
    assert len(encoded.dates) == 30 and np.isnan(encoded.target_in_units()[[10, 11, 20]]).all()
    notes = codec.notes_
    assert "3 times are missing in 2 gaps (first after 2024-01-10; longest 2 steps" in said(notes, "gaps")
    assert said(notes, "sorted") and "1 rows repeat" in said(notes, "duplicates")


def test_many_series() -> None:
    frame = panel()
    codec = TableCodec(known_future=()).fit(frame, holdout=0.2)
    encoded = codec.encode(frame.sample(frac=1, random_state=0), horizon=3)
    assert sorted(encoded.ids) == ["s0", "s1", "s2", "s3"] and codec.series_ == ["unique_id"]
    assert encoded.observed_rows.tolist() == [20 + int(name[1]) for name in encoded.ids]
    for s, name in enumerate(encoded.ids):
        rows = slice(encoded.offsets[s], encoded.offsets[s] + encoded.observed_rows[s])
        expected = frame.loc[frame["unique_id"] == name, "y"].to_numpy()
        np.testing.assert_allclose(encoded.target_in_units()[rows, 0], expected, rtol=1e-5, atol=1e-5)
    by_index = np.array([codec.ids_.index("s2")])
    np.testing.assert_allclose(codec.decode(np.zeros((1, 3, 1)), by_index)[0, 0, 0], codec.center_[2, 0])


def test_new_and_flat_series() -> None:
    frame = panel()
    frame.loc[frame["unique_id"] == "s1", "y"] = 7.0
    codec = TableCodec().fit(frame)
    assert (codec.scale_ > 0).all() and codec.scale_[1, 0] == codec.pooled_[0][1]
    new = pd.DataFrame({"unique_id": "z", "ds": range(30), "y": np.arange(30.0)})
    encoded = codec.encode(new)
    np.testing.assert_allclose([encoded.center[0, 0], encoded.scale[0, 0]], [14.5, np.arange(30.0).std()])
    assert "'z'" in said(encoded.notes, "new series")
    np.testing.assert_allclose(codec.decode(encoded.target, encoded=encoded)[:, 0], new["y"], atol=1e-5)


def test_static_columns() -> None:
    frame = panel()
    frame["size"] = frame["unique_id"].str[1].astype(float)
    frame["kind"] = np.where(frame["size"] > 1, "big", "small")
    encoded = (codec := TableCodec(static=["size", "kind"]).fit(frame)).encode(frame)
    assert encoded.static.shape == (4, 1) and encoded.static_codes[:, 0].tolist() == [2, 2, 1, 1]
    assert encoded.static_code_sizes == [3] and codec.static_codes_[0].categories == ["big", "small"]
    frame.loc[0, "size"] = 9.0
    with pytest.raises(ValueError, match="static column 'size' changes within series 's0'"):
        TableCodec(static=["size"]).fit(frame)


def test_known_future() -> None:
    frame = weather(holiday=(np.arange(200) % 7 == 0).astype(float), plan=["a", "b"] * 100)
    codec = TableCodec("temp", known_future=["holiday", "plan"], calendar=False, exclude=["wind"]).fit(frame)
    future = pd.DataFrame(
        {"date": pd.date_range("2024-07-19", periods=3), "holiday": [1.0, 0.0, 1.0], "plan": ["b", "a", "x"]}
    )
    given = codec.encode(frame, horizon=3, future=future)
    assert given.known_names == ["holiday"] and given.code_known == [True]
    scale = frame["holiday"].std(ddof=0)
    np.testing.assert_allclose(np.diff(given.known[200:, 0]), [-1 / scale, 1 / scale], rtol=1e-5)
    assert given.codes[200:, 0].tolist() == [2, 1, 0]
    trailing = pd.concat([frame, future])
    again = codec.encode(trailing, horizon=3)
    assert torch.equal(again.known, given.known) and torch.equal(again.codes, given.codes)
    assert again.observed_rows.tolist() == [200] and "read as the future" in said(again.notes, "future")
    with pytest.raises(ValueError, match=r"'holiday' has no value for 3 .*2024-07-19 to 2024-07-21.*future="):
        codec.encode(frame, horizon=3)
    with pytest.raises(ValueError, match="no value for 1 of the rows to forecast"):
        codec.encode(frame, horizon=3, future=future.iloc[:2])
    with pytest.raises(ValueError, match="no known-future column 'holiday'"):
        codec.encode(frame, horizon=3, future=future.drop(columns="holiday"))
    assert "not used" in said(TableCodec("temp").fit(weather()).encode(weather(), future=future).notes, "future")


def odd(column: str, rows: Any, value: Any) -> pd.DataFrame:
    frame = weather()
    frame.loc[rows, column] = value
    return frame


WORDS = pd.DataFrame({"date": pd.date_range("2024-01-01", periods=60), "temp": ["1.5", "x", "2.5"] * 20})
WANDERING = pd.Timestamp("2024-01-01") + pd.to_timedelta(RNG.integers(1, 10**6, 200).cumsum(), "s")
CLOCK_CHANGE = pd.DataFrame(
    {
        "date": [*pd.date_range("2024-10-27", periods=30, freq="h"), pd.Timestamp("2024-10-27 02:00")],
        "y": range(31),
    }
)
REFUSED = {
    "target missing": (weather(), {"target": "tmep"}, "no target column 'tmep': did you mean 'temp'"),
    "which target": (weather(), {}, r"2 numeric columns \('temp', 'wind'\).*target="),
    "target of text": (WORDS, {"target": "temp"}, r"not numeric: 20 of 60 values are no n.*'x' in row 1"),
    "target of words": (weather(sky="sun"), {"target": "sky"}, "not numeric: it holds .*'sun'"),
    "empty target list": (weather(), {"target": []}, "at least one target"),
    "target twice": (weather(), {"target": ["temp", "temp"]}, "named twice"),
    "all missing": (odd("temp", slice(None), np.nan), {"target": "temp"}, "has no values"),
    "constant": (odd("temp", slice(None), 3.0), {"target": "temp"}, "constant at 3 over"),
    "infinite": (odd("temp", 7, np.inf), {"target": "temp"}, "infinite in row 7"),
    "two roles": (weather(), {"target": "temp", "static": ["temp"]}, "both target and static"),
    "unknown column": (weather(), {"target": "temp", "known_future": ["moon"]}, "known-future column 'moon'"),
    "no such time": (weather(), {"target": "temp", "time": "when"}, "no time column 'when'"),
    "no such series": (weather(), {"target": "temp", "series": "id"}, "no series column 'id'"),
    "bad time": (weather(sky="sun"), {"target": "temp", "time": "sky"}, "does not hold dates"),
    "clashing dates": (
        odd("date", 5, pd.Timestamp("2024-01-05")), {"target": "temp"}, "1 date comes twice.*series="
    ),
    "clock change": (CLOCK_CHANGE, {}, "daylight saving time"),
    "far date": (odd("date", 199, pd.Timestamp("2250-01-01")), {"target": "temp"}, "leave a gap of"),
    "undated": (odd("date", slice(0, 49), pd.NaT), {"target": "temp"}, "50 of 200 rows have no date"),
    "one row": (weather(rows=1), {"target": "temp", "freq": "D"}, "too few rows|constant"),
    "irregular": (odd("date", slice(None), WANDERING), {"target": "temp"}, "no regular step"),
    "too large": (odd("temp", 3, 1e300), {"target": "temp"}, "values as large as 1e\\+300"),
    "bad fill": (weather(), {"target": "temp", "fill": "magic"}, "expected fill"),
    "bad freq": (weather(), {"target": "temp", "freq": "soon"}, "expected freq"),
}  # fmt: skip


@pytest.mark.parametrize("case", REFUSED)
def test_refused(case: str) -> None:
    frame, options, message = REFUSED[case]
    with pytest.raises(ValueError, match=message):
        TableCodec(**options).fit(frame)


def test_refused_at_predict() -> None:
    frame = weather(sky=["sun", "rain"] * 100)
    codec = TableCodec("temp").fit(frame)
    with pytest.raises(ValueError, match="no needed column 'wind'"):
        codec.encode(frame.drop(columns="wind"))
    with pytest.raises(ValueError, match=r"'wind' .* was numeric when the model was fitted"):
        codec.encode(frame.assign(wind="calm"))
    with pytest.raises(ValueError, match="expected dates"):
        codec.encode(frame.assign(date=range(200)))
    with pytest.raises(ValueError, match="do not fit the regular step"):
        codec.encode(frame.assign(date=pd.date_range("2024-01-01", periods=200, freq="h")))
    with pytest.raises(ValueError, match="not fitted yet"):
        TableCodec("temp").encode(frame)
    with pytest.raises(ValueError, match="horizon of 0 or more"):
        codec.encode(frame, horizon=-1)


def test_state_as_json() -> None:
    frame = panel().assign(size=lambda f: f["unique_id"].str[1].astype(float), sky=["a", "b"] * 43)
    codec = TableCodec(static=["size"], known_future=["sky"]).fit(frame, holdout=0.1)
    state = json.loads(json.dumps(codec.to_json()))
    again = codec_from_json(state)
    assert again.to_json() == state
    a, b = codec.encode(frame), again.encode(frame)
    assert torch.equal(a.past, b.past) and torch.equal(a.static, b.static) and torch.equal(a.codes, b.codes)


HOSTILE = [
    (("codec",), "os.system"),
    (("version",), 99),
    (("version",), "1"),
    (("options",), None),
    (("learned",), []),
    (("options", "fill"), "rm"),
    (("options", "target"), 3),
    (("options", "freq"), {"kind": "x"}),
    (("learned", "center"), [[1e400]]),
    (("learned", "center"), [[1.0, 2.0]]),
    (("learned", "scale"), [[0.0]]),
    (("learned", "scale"), [[-1.0]]),
    (("learned", "scale"), [["1"]]),
    (("learned", "ids"), []),
    (("learned", "ids"), ["a", "b"]),
    (("learned", "target_names"), ["other"]),
    (("learned", "pooled"), [[0, 0]]),
    (("learned", "calendar"), ["moon"]),
    (("learned", "calendar"), ["day of week sin"] * 101),
    (("learned", "frequency"), {"kind": "fixed", "step": -1, "day": 1}),
    (("learned", "dated"), False),
    (("learned", "past"), [["wind", 0.0, 0.0, 0.0, True]]),
    (("learned", "past"), [["wind"]]),
    (("learned", "past"), [["wind", float("nan"), 1.0, 0.0, True]]),
    (("learned", "codes"), [["sky", ["a", "a"], True]]),
    (("learned", "codes"), "sky"),
    (("learned", "notes"), [{"kind": 1}]),
    (("learned", "time"), ["x" * 20_000]),
]


@pytest.mark.parametrize(("path", "value"), HOSTILE)
def test_hostile_state(path: tuple[str, ...], value: Any) -> None:
    state = copy.deepcopy(TableCodec("temp").fit(weather()).to_json())
    place = state
    for key in path[:-1]:
        place = place[key]
    place[path[-1]] = value
    with pytest.raises(ValueError, match=r"damaged|expected|newer"):
        codec_from_json(state)
    del place[path[-1]]
    with pytest.raises(ValueError, match=r"damaged|expected"):
        codec_from_json(state)


def test_a_script_in_a_column_name_is_only_a_name() -> None:
    name = "<script>alert(1)</script>"
    frame = weather().rename(columns={"wind": name})
    assert TableCodec("temp", calendar=False).fit(frame).encode(frame).past_names[1] == name


def test_the_time_goes_by_the_name_of_its_column() -> None:
    codec = TableCodec("temp").fit(weather())
    assert codec.time_name == "date"


def test_long_and_wide_tables_are_quick() -> None:
    frame = pd.DataFrame({"unique_id": np.repeat([f"s{i}" for i in range(414)], 1000), "ds": np.tile(range(1000), 414)})
    frame["y"] = RNG.normal(size=len(frame))
    began = time.perf_counter()
    TableCodec().fit(frame).encode(frame)
    assert time.perf_counter() - began < 3  # 0.3 s on a quiet machine


def test_memory_does_not_multiply() -> None:
    import tracemalloc

    columns = {name: RNG.normal(size=400_000) for name in "abcd"}
    codec = TableCodec("a").fit(columns)
    tracemalloc.start()
    codec.encode(columns)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 3.2 * 400_000 * 4 * 4
