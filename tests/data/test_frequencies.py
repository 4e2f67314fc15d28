"""Kinds of frequency: aliases and offsets of pandas, steps counted and found again, rows put together."""

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from memorycell.data.tables.table_codec import TableCodec
from memorycell.data.tables.times.frequency import Frequency
from memorycell.data.tables.times.regularity import infer_frequency
from memorycell.data.tables.times.zones import to_utc

ALIASES = ("s", "15min", "h", "D", "2D", "B", "W", "W-SUN", "4W", "MS", "ME", "QS", "QS-FEB", "2QS", "YE-JUN", "SMS",
           "SME", "SM", "C", "BMS", "BME", "WOM-3FRI", "LWOM-FRI", "BQE", "2B", "bh", "1D12h", "days-1,11,21", "5step",
           "daily")  # fmt: skip
OBJECTS = {
    "months and days": pd.DateOffset(months=1, days=3),
    "ten days": pd.DateOffset(days=10),
    "a timedelta": pd.Timedelta("6h"),
    "an open week": pd.offsets.CustomBusinessDay(weekmask="Sun Mon Tue Wed Thu", holidays=["2024-05-01"]),
    "weeks": pd.offsets.Week(4, weekday=2),
    "opening hours": pd.offsets.BusinessHour(start="08:00", end="12:00"),
}
FOUND = ("4W", "2W", "SMS", "SME", "BMS", "BME", "WOM-3FRI", "LWOM-FRI", "BQE", "BYE", "2B", "3B")


def test_months_and_days_are_counted_to_the_last_point() -> None:
    """pandas.date_range gives 11 of 12: it adds all the months first, and then all the days."""
    frequency = Frequency.parse(pd.DateOffset(months=1, days=3))
    grid = frequency.grid(np.datetime64("2001-01-01", "ns"), 12)
    assert [str(day)[:10] for day in grid[-2:]] == ["2001-12-01", "2002-01-04"]


@settings(max_examples=50, deadline=None)
@given(
    name=st.sampled_from((*ALIASES, *OBJECTS)),
    zone=st.sampled_from((None, "Europe/Berlin", "UTC", "+05:30")),
    start=st.dates(pd.Timestamp("2001-01-01").date(), pd.Timestamp("2030-01-01").date()),
    n=st.integers(1, 60),
)
def test_a_grid_is_counted_from_its_start(name: str, zone: str | None, start, n: int) -> None:
    frequency = Frequency.parse(OBJECTS.get(name, name))
    if frequency.kind == "step":
        begin = 7
    else:
        frequency = frequency.on(zone)
        # Midnight is an hour that these zones never skip; 02:30 would be another hour on one day a year.
        begin = frequency.grid(to_utc(np.array([start], "datetime64[ns]"), zone)[0], 1)[0]
    grid = frequency.grid(begin, n)
    places, fits = frequency.index(grid, begin)
    np.testing.assert_array_equal(places, np.arange(n))
    assert fits.all() and grid[0] == begin and (np.diff(grid.astype(np.int64)) > 0).all()
    np.testing.assert_array_equal(frequency.grid(grid[n // 2], n - n // 2), grid[n // 2 :])
    again = Frequency.from_json(frequency.to_json())
    assert again == frequency
    np.testing.assert_array_equal(again.grid(begin, n), grid)


@pytest.mark.parametrize("name", [*ALIASES, *OBJECTS])
def test_grids_are_those_of_pandas(name: str) -> None:
    asked = OBJECTS.get(name, name)
    frequency = Frequency.parse(asked)
    if name in ("5step", "days-1,11,21", "daily", "SM"):  # what pandas calls otherwise, or not at all
        return
    dates = pd.date_range("2024-01-01", periods=30, freq=asked).to_numpy().astype("M8[ns]")
    start = dates[0]
    np.testing.assert_array_equal(frequency.grid(start, 30), dates)
    assert str(frequency) and frequency.span > 0


@pytest.mark.parametrize("alias", FOUND)
def test_steps_that_pandas_names_are_found(alias: str) -> None:
    dates = pd.date_range("2015-01-01", periods=60, freq=alias).to_numpy().astype("M8[ns]")
    found = infer_frequency(dates[:50])
    np.testing.assert_array_equal(found.grid(dates[0], 60), dates)
    gappy = np.delete(dates[:50], [7, 20])
    if alias not in ("2B", "3B", "BYE", "BQE"):
        np.testing.assert_array_equal(infer_frequency(gappy).grid(dates[0], 60), dates)


@pytest.mark.parametrize(
    ("days", "said"), [((0, 10, 20), "days-1,11,21"), ((4, 14, 24), "days-5,15,25"), ((0, 14), "days-1,15")]
)
def test_days_of_the_month_are_found(days: tuple[int, ...], said: str) -> None:
    months = pd.date_range("2015-01-01", periods=24, freq="MS")
    dates = np.array([month + pd.Timedelta(days=day) for month in months for day in days], "M8[ns]")
    found = infer_frequency(np.delete(dates, 5))
    assert found.name == said
    np.testing.assert_array_equal(found.grid(dates[0], len(dates)), dates)


@pytest.mark.parametrize("bad", ["fortnight", "0h", "", "MS-", "days-0,5", "days-", "-2h"])
def test_no_frequency(bad: str) -> None:
    with pytest.raises(ValueError, match=r"expected freq such as 'h'.*'irregular', got"):
        Frequency.parse(bad)


def test_offsets_that_lead_nowhere() -> None:
    with pytest.raises(ValueError, match="every date on the same one"):
        Frequency.parse(pd.DateOffset(month=1))
    with pytest.raises(TypeError, match="expected freq"):
        Frequency.parse(7)
    for state in (
        {"kind": "days", "step": 1, "day": 1, "days": []},
        {"kind": "days", "step": 1, "day": 1, "days": [3, 2]},
        {"kind": "rule", "step": 1, "day": 1, "rule": "never"},
        {"kind": "rule", "step": 1, "day": 1, "rule": 'DateOffset:{"days": -1}'},
        {"kind": "fixed", "step": 1, "day": 1, "zone": "Nowhere"},
        {"kind": "month", "step": 1, "day": 1, "open": {"step": 1, "slots": [], "holidays": []}},
    ):
        with pytest.raises(ValueError, match="damaged"):
            Frequency.from_json(state)


IRREGULAR = np.datetime64("2024-01-01", "ns") + np.cumsum(
    np.random.default_rng(0).integers(60, 7200, 300)
).astype("timedelta64[s]")  # fmt: skip


def readings(dates=IRREGULAR, **columns) -> pd.DataFrame:
    return pd.DataFrame({"date": dates, "y": np.arange(len(dates), dtype=float), **columns})


@pytest.mark.parametrize("how", ["mean", "sum", "min", "max", "first", "last"])
@pytest.mark.parametrize("freq", ["h", "D", "MS", "ME", "W", "6h"])
def test_rows_of_a_step_are_put_together(how: str, freq: str) -> None:
    table = readings(pd.date_range("2024-01-01 00:05", periods=4000, freq="25min"))
    table.loc[5, "y"] = np.nan
    codec = TableCodec("y", freq=freq, aggregate=how).fit(table)
    encoded = TableCodec.from_json(codec.to_json()).encode(table)
    alias = "W-MON" if freq == "W" else freq
    extra = {"closed": "left", "label": "left"} if freq == "W" else {}
    want = getattr(table.set_index("date")["y"].resample(alias, **extra), how)()
    np.testing.assert_allclose(encoded.target_in_units().ravel(), want.to_numpy(), rtol=1e-4, atol=1e-2)
    np.testing.assert_array_equal(encoded.dates, want.index.to_numpy().astype("M8[ns]"))
    assert any(f"the {how} of each" in each["text"] for each in codec.notes_)


def test_rows_of_one_date_are_put_together() -> None:
    twice = readings(np.repeat(pd.date_range("2024-01-01", periods=40), 2))
    with pytest.raises(ValueError, match=r'come twice.*aggregate="mean"'):
        TableCodec("y").fit(twice)
    encoded = TableCodec("y", aggregate="mean").fit(twice).encode(twice)
    np.testing.assert_allclose(encoded.target_in_units().ravel(), np.arange(40) * 2 + 0.5, rtol=1e-5)
    with pytest.raises(ValueError, match="expected aggregate to be one of"):
        TableCodec("y", aggregate="middle")


def test_the_message_on_irregular_readings_names_what_works() -> None:
    for options in ({}, {"freq": "h"}):
        with pytest.raises(ValueError) as error:
            TableCodec("y", **options).fit(readings())
        for remedy in ('aggregate="mean"', 'time="irregular"', 'time="rows"'):
            assert remedy in str(error.value)
    frequency = TableCodec("y", freq="h", aggregate="mean").fit(readings()).frequency_
    assert frequency.name == "h"
    assert TableCodec("y", time="rows").fit(readings()).frequency_.kind == "step"


@pytest.mark.parametrize(
    "options", [{"time": "irregular"}, {"freq": "irregular"}, {"time": "date", "freq": "irregular"}]
)
def test_readings_as_they_come(options: dict) -> None:
    table = readings()
    codec = TableCodec("y", **options).fit(table)
    again = TableCodec.from_json(codec.to_json())
    encoded = again.encode(table, horizon=2)
    np.testing.assert_array_equal(encoded.dates[:-2], IRREGULAR)
    usual = np.median(np.diff(IRREGULAR).astype(np.int64))
    np.testing.assert_array_equal(np.diff(encoded.dates[-3:]).astype(np.int64), usual)
    place = encoded.past_names.index("time since the last reading")
    gaps = np.log(np.diff(IRREGULAR).astype(np.int64) / 1e9)
    scaled = encoded.past[1:-2, place].double().numpy()
    np.testing.assert_allclose(np.corrcoef(scaled, gaps)[0, 1], 1, atol=1e-6)
    assert any("taken as they come" in each["text"] for each in codec.notes_)


def test_readings_as_they_come_of_several_series_and_the_future() -> None:
    both = pd.concat(
        [readings().assign(unique_id="a"), readings(IRREGULAR + np.timedelta64(7, "m")).assign(unique_id="b")]
    )
    encoded = TableCodec("y", time="irregular").fit(both).encode(both, horizon=1)
    assert encoded.observed_rows.tolist() == [300, 300] and len(encoded.dates) == 602
    known = readings(x=np.arange(300.0) % 5)
    codec = TableCodec("y", time="irregular", known_future=["x"]).fit(known)
    future = pd.DataFrame({"date": IRREGULAR[-1] + np.array([5, 50]).astype("timedelta64[m]"), "x": [3.0, 4.0]})
    ahead = codec.encode(known, horizon=2, future=future).known[-2:, -1].numpy()
    assert ahead[1] > ahead[0]
    with pytest.raises(ValueError, match="no column of dates"):
        TableCodec("y", time="irregular").fit({"y": np.arange(20.0)})
    with pytest.raises(ValueError, match="needs a regular step"):
        TableCodec("y", time="irregular", aggregate="mean").fit(readings())


STEPS = {
    "t": ([i for i in range(120) if i % 10 != 3], 120),
    "step": (list(range(5, 125)), 125),
    "time_idx": (list(range(120)), 120),
    "epoch": (list(range(120)), 120),
    "seconds": ([5 * i for i in range(120)], 600),
    "elapsed (s)": ((np.arange(120) * 0.02).round(2).tolist(), 2.4),
    "time": ((1 + np.arange(120) / 30).tolist(), 5.0),
}


@pytest.mark.parametrize("name", STEPS)
def test_columns_that_count(name: str) -> None:
    values, following = STEPS[name]
    table = {name: values, "y": np.sin(np.arange(len(values)))}
    codec = TableCodec("y").fit(table)
    assert codec.time_ == [name]
    encoded = TableCodec.from_json(codec.to_json()).encode(table, horizon=1)
    np.testing.assert_allclose(codec.in_units(encoded.dates[-1:]), following)
    missing = round((values[-1] - values[0]) / (values[1] - values[0])) + 1 - len(values)
    assert len(encoded.dates) == len(values) + missing + 1


def test_a_column_that_does_not_rise_counts_nothing() -> None:
    codec = TableCodec("y").fit({"t": np.random.default_rng(0).integers(0, 5, 80), "y": np.sin(np.arange(80.0))})
    assert codec.time_ == []


def test_ends_and_beginnings_of_months_by_turns_are_no_days() -> None:
    months = pd.date_range("2015-01-01", periods=60, freq="MS")
    dates = [month if turn % 2 else month + pd.offsets.MonthEnd() for turn, month in enumerate(months)]
    with pytest.raises(ValueError, match=r'no regular step .*freq="MS", aggregate='):
        TableCodec("y").fit({"date": dates, "y": np.sin(np.arange(60.0))})


def test_ends_and_beginnings_of_months_in_two_series_are_said() -> None:
    dates = [*pd.date_range("2020-01-01", periods=30, freq="MS"), *pd.date_range("2020-01-31", periods=30, freq="ME")]
    codec = TableCodec("y", series="s").fit({"s": ["a"] * 30 + ["b"] * 30, "date": dates, "y": np.sin(np.arange(60.0))})
    assert any("different days of the month" in entry["text"] for entry in codec.notes_)


def test_a_series_with_a_step_of_its_own_is_said() -> None:
    dates = [*pd.date_range("2020-01-01", periods=48, freq="h"), *pd.date_range("2020-01-01", periods=20)]
    codec = TableCodec("y", series="s").fit({"s": ["a"] * 48 + ["b"] * 20, "date": dates, "y": np.sin(np.arange(68.0))})
    assert any("Series 'b' has a row every 24 steps only" in entry["text"] for entry in codec.notes_)
