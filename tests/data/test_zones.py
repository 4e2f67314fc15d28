"""Time zones: wall clocks to UTC and back across every change, and tables whose times have one."""

import datetime

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from memorycell.data.tables.table_codec import TableCodec
from memorycell.data.tables.times.zones import (
    aware,
    check_zone,
    skipped,
    to_local,
    to_utc,
    twice,
    zone_of,
    zone_of_offsets,
)

ZONES = ("Europe/Berlin", "America/New_York", "Australia/Lord_Howe", "Asia/Kolkata", "+05:30", "UTC", "Pacific/Apia")
BERLIN = "Europe/Berlin"


def ns(*values: str) -> np.ndarray:
    return np.array(values, "datetime64[ns]")


@settings(max_examples=20, deadline=None)
@given(zone=st.sampled_from(ZONES), minutes=st.lists(st.integers(0, 8 * 365 * 24 * 60), min_size=1, max_size=20))
def test_wall_clocks_are_those_of_zoneinfo(zone: str, minutes: list[int]) -> None:
    utc = ns("2008-01-01") + np.array(minutes).astype("timedelta64[m]")
    local = to_local(utc, zone)
    shown = [each.replace(tzinfo=None) for each in aware(utc, zone)]
    np.testing.assert_array_equal(local, np.array(shown, "datetime64[ns]"))
    first, second = to_utc(local, zone), to_utc(local, zone, True)
    double = twice(local, zone) if zone not in ("UTC", "+05:30") else np.zeros(len(utc), bool)
    assert ((first == utc) | (second == utc)).all() and (first == utc)[~double].all()
    assert not skipped(local, zone).any()


def test_the_hours_of_a_change() -> None:
    spring, autumn = ns("2024-03-31T02:30", "2024-03-31T03:00"), ns("2024-10-27T02:00", "2024-10-27T03:00")
    assert skipped(spring, BERLIN).tolist() == [True, False] and twice(autumn, BERLIN).tolist() == [True, False]
    np.testing.assert_array_equal(to_utc(autumn[:1], BERLIN), ns("2024-10-27T00:00"))
    np.testing.assert_array_equal(to_utc(autumn[:1], BERLIN, True), ns("2024-10-27T01:00"))
    np.testing.assert_array_equal(to_utc(spring[:1], BERLIN), ns("2024-03-31T01:30"))


def test_names_of_zones() -> None:
    assert [check_zone(name) for name in ("Z", "UTC+1", "+0530", "Asia/Tokyo")] == [
        "UTC", "+01:00", "+05:30", "Asia/Tokyo",
    ]  # fmt: skip
    with pytest.raises(ValueError, match=r"'Europe/Berlin'.*got 'Berlin'"):
        check_zone("Berlin")
    days = pd.date_range("2024-01-01", "2024-12-01", tz="America/New_York")
    offsets = np.array([int(day.utcoffset().total_seconds()) for day in days])
    assert zone_of_offsets(days.tz_convert(None).to_numpy().astype("M8[ns]"), offsets) == "America/New_York"
    assert zone_of_offsets(ns("2024-01-01", "2024-01-02"), np.array([7 * 3600, 3600])) is None
    assert zone_of(aware(ns("2024-01-01"), BERLIN)) == BERLIN and zone_of(ns("2024-01-01")) is None
    assert zone_of(np.array([datetime.datetime(2024, 1, 1, tzinfo=datetime.UTC)], object)) == "UTC"


def table(dates, **columns) -> pd.DataFrame:
    return pd.DataFrame({"date": dates, "y": np.sin(np.arange(len(dates))), **columns})


@pytest.mark.parametrize("freq", ["D", "h", "6h", "15min", "B", "W", "MS", "ME"])
@pytest.mark.parametrize("zone", [BERLIN, "America/New_York"])
def test_steps_go_on_across_both_changes(freq: str, zone: str) -> None:
    dates = pd.date_range("2024-01-15", periods=300, freq=freq, tz=zone)
    codec = TableCodec("y").fit(table(dates[:200]))
    encoded = TableCodec.from_json(codec.to_json()).encode(table(dates[:200]), horizon=100)
    np.testing.assert_array_equal(encoded.dates, dates.tz_convert(None).to_numpy().astype("M8[ns]"))
    assert codec.frequency_.zone == zone


def test_readings_by_the_wall_clock() -> None:
    """Every six hours of the clock, whether the day has 23 or 25 of them."""
    dates = pd.date_range("2024-03-20", periods=80, freq="6h").tz_localize(BERLIN)
    encoded = TableCodec("y").fit(table(dates[:60])).encode(table(dates[:60]), horizon=20)
    np.testing.assert_array_equal(encoded.dates, dates.tz_convert(None).to_numpy().astype("M8[ns]"))


def test_the_calendar_is_that_of_the_clock() -> None:
    dates = pd.date_range("2024-03-20", periods=600, freq="h", tz=BERLIN)
    encoded = TableCodec("y").fit(table(dates)).encode(table(dates))
    cosine = encoded.known[:, encoded.known_names.index("time of day cos")].numpy()
    midnight = np.array([day.hour == 0 for day in dates])
    np.testing.assert_allclose(cosine[midnight], 1, atol=1e-6)


@pytest.mark.parametrize("first", ["2024-03-29", "2024-10-25"])
@pytest.mark.parametrize("freq", ["h", "15min"])
def test_local_times_without_a_zone(first: str, freq: str) -> None:
    """The hour that comes twice is read as two, the one that is skipped is not missing, in each of two series."""
    dates = pd.date_range(first, periods=300, freq=freq, tz=BERLIN)
    wall = table(dates.tz_localize(None))
    codec = TableCodec("y", timezone=BERLIN).fit(wall)
    encoded = codec.encode(wall, horizon=3)
    np.testing.assert_array_equal(encoded.dates[:-3], dates.tz_convert(None).to_numpy().astype("M8[ns]"))
    both = pd.concat([wall.assign(unique_id=key) for key in "ab"]).sort_values("date", kind="stable")
    many = TableCodec("y", timezone=BERLIN).fit(both).encode(both)
    np.testing.assert_array_equal(many.dates, np.tile(encoded.dates[:-3], 2))


def test_a_zone_is_told_apart_from_gaps_and_repeats() -> None:
    autumn = table(pd.date_range("2024-10-25", periods=80, freq="h", tz=BERLIN).tz_localize(None))
    with pytest.raises(ValueError, match=r'timezone="Europe/Berlin"'):
        TableCodec("y").fit(autumn)
    spring = table(pd.date_range("2024-03-29", periods=80, freq="h", tz=BERLIN).tz_localize(None))
    assert any("clocks skip in spring" in each["text"] for each in TableCodec("y").fit(spring).notes_)
    notes = TableCodec("y", timezone=BERLIN).fit(spring).notes_
    assert not any(each["kind"] == "gaps" for each in notes)
    winter_time = table(pd.date_range("2024-03-29", periods=80, freq="h"))
    with pytest.raises(ValueError, match=r"row 50: clocks in Europe/Berlin never showed 2024-03-31 02:00"):
        TableCodec("y", timezone=BERLIN).fit(winter_time)
    assert TableCodec("y", timezone="+01:00").fit(winter_time).frequency_.zone == "+01:00"


def test_later_tables_have_a_zone_where_the_first_had_one() -> None:
    dates = pd.date_range("2024-01-01", periods=60, freq="h", tz=BERLIN)
    zoned = TableCodec("y").fit(table(dates))
    plain = TableCodec("y").fit(table(dates.tz_localize(None)))
    for codec in (zoned, TableCodec.from_json(zoned.to_json())):
        with pytest.raises(ValueError, match=r"no time zone.*tz_localize\(\"Europe/Berlin\"\)"):
            codec.encode(table(dates.tz_localize(None)))
        elsewhere = codec.encode(table(dates.tz_convert("Asia/Tokyo")))
        np.testing.assert_array_equal(elsewhere.dates, zoned.encode(table(dates)).dates)
    with pytest.raises(ValueError, match=r"had none: give them as that table did"):
        plain.encode(table(dates))
    with_future = TableCodec("y", known_future=["x"]).fit(table(dates, x=np.arange(60.0) % 7))
    ahead = pd.date_range(dates[-1], periods=5, freq="h")
    with pytest.raises(ValueError, match="no time zone"):
        future = pd.DataFrame({"date": ahead.tz_localize(None), "x": 1.0})
        with_future.encode(table(dates, x=np.arange(60.0) % 7), horizon=3, future=future)
    found = with_future.encode(
        table(dates, x=np.arange(60.0) % 7), horizon=3, future=pd.DataFrame({"date": ahead.tz_convert("UTC"), "x": 1.0})
    )
    assert len(found.dates) == 63


WRITTEN = {
    "offsets of a zone": ([str(day) for day in pd.date_range("2024-03-01", periods=60, tz=BERLIN)], BERLIN),
    "one offset": ([day.isoformat() for day in pd.date_range("2024-01-01", periods=9, tz="+05:30")], "+05:30"),
    "Z": ([f"2024-01-{day:02d}T12:00:00.000Z" for day in range(1, 20)], "UTC"),
    "hours": ([f"2024-01-{day:02d} 12:00+01" for day in range(1, 20)], "+01:00"),
}


@pytest.mark.parametrize("case", WRITTEN)
def test_offsets_in_files(case: str, tmp_path) -> None:
    texts, zone = WRITTEN[case]
    file = tmp_path / "zoned.csv"
    table(texts).to_csv(file, index=False)
    for source in (table(texts), file):
        codec = TableCodec("y").fit(source)
        assert codec.frequency_.zone == zone and codec.frequency_.name == "D"
        assert len(codec.encode(source).dates) == len(texts)
    with pytest.raises(ValueError, match="has no time zone, but others"):
        TableCodec("y").fit(table([*texts[:-1], "2024-02-01 12:00"]))


@pytest.mark.parametrize("freq", ["D", "MS", "W-MON"])
def test_midnights_that_a_data_base_keeps_in_utc(freq: str) -> None:
    """23:00 in winter and 22:00 in summer are days of Berlin."""
    dates = pd.date_range("2022-03-01", periods=60, freq=freq, tz="Europe/Berlin")
    frame = pd.DataFrame({"date": dates.tz_convert("UTC"), "y": np.sin(np.arange(60.0))})
    codec = TableCodec("y").fit(frame)
    assert codec.frequency_.zone == "Europe/Berlin"
    assert any("midnights of Europe/Berlin" in entry["text"] for entry in codec.notes_)
    ahead = codec.encode(frame, horizon=40).dates
    np.testing.assert_array_equal(ahead, pd.date_range(dates[0], periods=100, freq=freq).tz_convert(None).to_numpy())


def test_one_offset_hints_at_zones_whose_clocks_change() -> None:
    codec = TableCodec("y").fit(
        {"date": [f"2024-07-0{day} 00:00+02:00" for day in range(1, 9)], "y": np.arange(8.0) % 3}
    )
    assert any("+02:00" in entry["text"] and "timezone= names one" in entry["text"] for entry in codec.notes_)


HOURS = pd.date_range("2024-03-30", periods=48, freq="h", tz="Europe/Berlin")
OBJECTS = {
    "offsets of one zone": [pd.Timestamp(hour.isoformat()) for hour in HOURS],
    "datetimes": [hour.to_pydatetime().astimezone(datetime.timezone(hour.utcoffset())) for hour in HOURS],
    "a zone and UTC": [hour if turn % 2 else hour.tz_convert("UTC") for turn, hour in enumerate(HOURS)],
}


@pytest.mark.parametrize("form", [pd.Series, list])
@pytest.mark.parametrize("case", OBJECTS)
def test_objects_with_several_offsets(case: str, form) -> None:
    """As pandas leaves a column of texts with both offsets of a year."""
    values = OBJECTS[case] if form is list else pd.Series(OBJECTS[case], dtype=object)
    codec = TableCodec("y").fit({"date": values, "y": np.sin(np.arange(48.0))})
    encoded = codec.encode({"date": values, "y": np.sin(np.arange(48.0))})
    np.testing.assert_array_equal(encoded.dates, HOURS.tz_convert(None).to_numpy())
    assert codec.frequency_.zone == ("UTC" if case == "a zone and UTC" else "Europe/Berlin")


def test_objects_with_a_zone_and_without() -> None:
    dates = [*HOURS[:4], HOURS[4].tz_localize(None), *HOURS[5:]]
    with pytest.raises(ValueError, match=r"'date': 2024-03-30 04:00:00 in row 4 has no time zone"):
        TableCodec("y").fit({"date": pd.Series(dates, dtype=object), "y": np.arange(48.0)})


def test_days_and_times_of_python_in_one_column() -> None:
    """Arrow takes the type of the first for all: the times would be gone."""
    dates = [datetime.date(2024, 1, 1), *(datetime.datetime(2024, 1, 1, hour) for hour in range(1, 20))]
    codec = TableCodec("y").fit({"date": dates, "y": np.sin(np.arange(20.0))})
    assert codec.frequency_.name == "h"
