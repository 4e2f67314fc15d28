"""Identifiers: what names a series keeps its text and its type; several columns and levels of an index do."""

import datetime
import uuid
from decimal import Decimal

import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pytest

from memorycell import Forecaster
from memorycell.data.tables.reading import read_table
from memorycell.data.tables.series import asked_series, series_codes, series_name
from memorycell.data.tables.table_codec import TableCodec

DATES = pd.date_range("2024-01-01", periods=30)
VALUES = np.random.default_rng(0).normal(10, 1, 60)


def panel(first: object, second: object, dtype: object = None) -> pd.DataFrame:
    shop = pd.Series([first] * 30 + [second] * 30)
    shop = shop if dtype is None else shop.astype(dtype)
    return pd.DataFrame({"shop": shop, "date": [*DATES, *DATES], "y": VALUES})


@pytest.fixture(scope="module")
def forecaster() -> Forecaster:
    keys = Forecaster(series="shop", window=3, epochs=1, hidden_size=4, linear=False, verbose=False)
    return keys.fit(panel(3, 12), "y")


@pytest.fixture(scope="module")
def loaded(forecaster: Forecaster, tmp_path_factory: pytest.TempPathFactory) -> Forecaster:
    path = tmp_path_factory.mktemp("series") / "m.safetensors"
    forecaster.save(path)
    return Forecaster.load(path)


KEYS = {
    "int64": panel(3, 12), "int8": panel(3, 12, "int8"), "uint16": panel(3, 12, "uint16"),
    "Int64": panel(3, 12, "Int64"),
    "object": panel(3, 12, object), "text": panel("007", "042"), "string": panel("a", "b", "string"),
    "bool": panel(True, False), "float": panel(1.5, 3.0), "category": panel("a", "b", "category"),
    "category of numbers": panel(3, 12, "category"),
    "ordered": panel("lo", "hi", pd.CategoricalDtype(["lo", "mid", "hi"], ordered=True)),
    "times": panel(pd.Timestamp("2020-01-01"), pd.Timestamp("2021-01-01 06:00")),
    "zoned": panel(pd.Timestamp("2020-01-01", tz="Asia/Tokyo"), pd.Timestamp("2021-01-01", tz="Asia/Tokyo")),
    "days": panel(datetime.date(2020, 1, 1), datetime.date(2021, 1, 1)),
    "uuids": panel(uuid.UUID(int=5), uuid.UUID(int=7)), "mixed": panel(3, "a"), "spaces": panel(" a", "a"),
    "bytes": panel(b"a", b"b"), "spans": panel(pd.Timedelta("1h"), pd.Timedelta("2h")),
    "intervals": panel(pd.Interval(0, 1), pd.Interval(1, 2)), "pairs": panel(("a", 1), ("b", 2)),
    "decimals": panel(Decimal("1.50"), Decimal("2.5")), "shorter floats": panel(0.1, 0.3, "float32"),
    "periods": panel(pd.Period("2020-01", "M"), pd.Period("2020-02", "M")),
}  # fmt: skip


@pytest.mark.parametrize("frame", KEYS.values(), ids=KEYS)
def test_pandas_keys_come_back_as_they_were(loaded: Forecaster, frame: pd.DataFrame) -> None:
    found = loaded.predict(frame)
    assert found["shop"].dtype == frame["shop"].dtype
    assert found["shop"].tolist() == [frame["shop"].iloc[0], frame["shop"].iloc[-1]]
    names = pd.DataFrame({"shop": frame["shop"].drop_duplicates(), "name": ["a", "b"]})
    assert found.merge(names, on="shop")["name"].tolist() == ["a", "b"]
    # A value that a user copies out of the column asks for its series.
    names = loaded.encode(frame).ids
    if not isinstance(frame["shop"].iloc[0], Decimal | np.float32 | tuple):
        assert all(asked_series(value) in names for value in found["shop"])


@pytest.mark.parametrize("kind", [pl.Int64, pl.Int16, pl.String, pl.Categorical, pl.Enum(["3", "12"])], ids=str)
def test_polars_and_arrow_keys_come_back_as_they_were(loaded: Forecaster, kind: pl.DataType) -> None:
    keys = pl.Series("shop", [3] * 30 + [12] * 30)
    keys = keys.cast(kind) if kind in (pl.Int64, pl.Int16) else keys.cast(pl.String).cast(kind)
    frame = pl.DataFrame({"shop": keys, "date": [*DATES, *DATES], "y": VALUES})
    found = loaded.predict(frame)
    assert found.schema["shop"] == frame.schema["shop"] and found.columns[0] == "shop"
    assert found.join(frame.select("shop").unique(), on="shop").height == 2
    table = frame.to_arrow()
    assert loaded.predict(table).schema.field("shop").type == table.schema.field("shop").type


def test_polars_times_with_a_zone_name_series(loaded: Forecaster) -> None:
    frame = pl.DataFrame({**panel(3, 12), "date": [*DATES, *DATES]}).with_columns(
        shop=pl.datetime(2024, pl.col("shop"), 1, time_zone="Europe/Berlin")
    )
    found = loaded.predict(frame)
    assert found.schema["shop"] == frame.schema["shop"]
    assert found.join(frame.select("shop").unique(), on="shop").height == 2


def test_what_tells_series_apart_is_named(two_keys: pd.DataFrame) -> None:
    with pytest.raises(ValueError, match="name the column that tells the series apart, series='shop'"):
        TableCodec("y").fit(panel("a", "b"))
    with pytest.raises(ValueError, match="all columns that tell the series apart with series=, 'shop' among them"):
        TableCodec("y", series="region").fit(two_keys)
    with pytest.raises(ValueError, match="tells the series apart with series=, or make one row"):
        TableCodec("y").fit(panel("a", "a"))
    lists = panel("a", "b").assign(shop=[[1]] * 30 + [[2]] * 30)
    with pytest.raises(ValueError, match=r"static column 'shop' to hold other values. Column 'shop' was left out"):
        TableCodec("y", static=["shop"]).fit(lists[:30])


@pytest.fixture(scope="module")
def two_keys() -> pd.DataFrame:
    parts = [panel(1, 2).assign(region=region) for region in ("north", "south")]
    return pd.concat(parts, ignore_index=True)


@pytest.mark.parametrize("how", ["columns", "index", "index in part"])
def test_several_columns_name_a_series(two_keys: pd.DataFrame, how: str) -> None:
    frame, keys = two_keys.sample(frac=1, random_state=0), ["region", "shop"]
    settings = {"window": 3, "epochs": 1, "hidden_size": 4, "linear": False, "verbose": False}
    if how != "columns":
        frame = frame.set_index(keys if how == "index in part" else [*keys, "date"])
    forecaster = Forecaster(series=keys if how == "columns" else None, **settings).fit(frame, "y")
    found = forecaster.predict()
    assert list(found.columns[:3]) == [*keys, "date"] and found["shop"].dtype == "int64"
    assert len(found.groupby(keys)) == 4
    assert sorted(forecaster.codec_.ids_) == ["north/1", "north/2", "south/1", "south/2"]
    for asked in (("south", 2), ["south", 2], {"region": "south", "shop": 2}, "south/2"):
        assert "south/2" in forecaster.explained(series=asked).output
    again = TableCodec.from_json(forecaster.codec_.to_json())
    assert again.series_ == keys and again.encode(frame).ids == forecaster.codec_.encode(frame).ids


def test_names_of_several_columns_are_never_shared() -> None:
    odd = [("a/", "b"), ("a", "/b"), ("a\\", "b"), ("a", "\\b"), ("a\\/", "b")]
    assert len({series_name(pair) for pair in odd}) == len(odd)
    table = read_table({"p": [a for a, _ in odd] * 2, "q": [b for _, b in odd] * 2, "y": range(10)})
    codes, names = series_codes(table, ["p", "q"])
    assert codes.tolist() == [0, 1, 2, 3, 4] * 2 and len(names) == 5
    with pytest.raises(ValueError, match="series columns are named twice: 'p', 'p'"):
        TableCodec("y", series=["p", "p"]).fit(table)
    with pytest.raises(ValueError, match="has no series column 'r'"):
        TableCodec("y", series=["p", "r"]).fit(table)


def test_levels_of_an_index() -> None:
    frame = panel("a", "b")
    named = read_table(frame.set_index(["shop", "date"]))
    assert named.keys == ["shop"] and named.columns == ["shop", "date", "y"]
    joined = read_table(pd.concat({"a": frame[["date", "y"]][:30], "b": frame[["date", "y"]][30:]}))
    assert joined.keys == ["level_0"] and joined.columns == ["level_0", "date", "y"]
    numbered = read_table(frame.assign(step=[*range(30)] * 2).set_index(["shop", "step"])[["y"]])
    assert numbered.keys == ["shop"] and numbered.columns == ["shop", "step", "y"]
    unnamed = frame.set_index(["shop", "date"]).rename_axis([None, None])
    assert read_table(unnamed).keys == ["level_0"] and read_table(unnamed).columns == ["level_0", "date", "y"]
    first = frame.assign(item=[7] * 30 + [9] * 30).set_index(["date", "shop", "item"]).sort_index()
    assert read_table(first).keys == ["shop", "item"]
    assert read_table(first.reset_index("shop")).keys == ["item"]
    rows = frame.assign(row=range(60)).set_index(["date", "shop", "row"])
    assert read_table(rows).keys == ["shop"]
    # Parts of a date tell no series apart, and one level alone does not either.
    parts = frame[:30].assign(year=2024, month=1).set_index(["year", "month"])
    assert read_table(parts).keys == [] and read_table(frame.set_index("shop")).keys == []
    assert read_table(frame["y"]).columns == ["y"]


def test_a_codec_of_an_older_version_gives_text(forecaster: Forecaster) -> None:
    state = forecaster.codec_.to_json()
    del state["learned"]["series_text"]
    assert TableCodec.from_json(state).series_text_ == ["shop"]
    state["learned"]["series"] = None
    assert TableCodec.from_json(state).series_ == []
    with pytest.raises(ValueError, match="series"):
        TableCodec.from_json({**state, "learned": {**state["learned"], "series": 3}})


def test_arrow_columns_of_keys() -> None:
    table = pa.table({"shop": pa.array([3, 3, 12], pa.int32()), "y": [1.0, 2.0, 3.0]})
    codes, names = series_codes(read_table(table), "shop")
    assert codes.tolist() == [0, 0, 1] and names == ["3", "12"]
    lacking = read_table({"shop": ["a", None], "y": [1.0, 2.0]})
    with pytest.raises(ValueError, match="column 'shop' of the dict of columns does not say which series row 1"):
        series_codes(lacking, "shop")
