"""Dates in many ways of writing, time columns found, frequencies and calendar features."""

import numpy as np
import pandas as pd
import pytest

from memorycell.data.tables.calendar import calendar_features, calendar_names
from memorycell.data.tables.dates import find_time, read_time
from memorycell.data.tables.frequency import Frequency
from memorycell.data.tables.reading import read_table
from memorycell.data.tables.regularity import infer_frequency

WRITTEN = {
    "iso": (["2024-03-01", "2024-03-02"], "2024-03-02"),
    "iso with time": (["2024-03-01 13:45", "2024-03-01T13:46:30.5"], "2024-03-01T13:46:30.5"),
    "month": (["1981-01", "1981-02"], "1981-02-01"),
    "slashes": (["1981/1/5", "1981/1/6"], "1981-01-06"),
    "german": (["05.01.1981", "06.01.1981"], "1981-01-06"),
    "american, told by day 13": (["1/12/2020", "1/13/2020"], "2020-01-13"),
    "british, told by day 13": (["12/1/2020", "13/1/2020"], "2020-01-13"),
    "am and pm": (["01/31/2020 12:30 AM", "01/31/2020 1:30 PM"], "2020-01-31T13:30"),
    "zone": (["2020-01-01T00:00:00+02:00", "2020-01-01 01:00:00-0130"], "2020-01-01T02:30"),
    "named month": (["1-Jan-2020", "2-February-2020"], "2020-02-02"),
    "named month first": (["Jan 5, 2020", "Mar 6, 2020"], "2020-03-06"),
    "quarter": (["2020Q1", "2020Q2"], "2020-04-01"),
    "compact": (["20200101", "20200102"], "2020-01-02"),
    "missing one": (["2020-01-01", None, "2020-01-03"], "2020-01-03"),
}


@pytest.mark.parametrize("case", WRITTEN)
def test_written_dates(case: str) -> None:
    values, last = WRITTEN[case]
    stamps = find_time(read_table({"date": values, "y": range(len(values))}))
    assert stamps is not None and stamps.values[-1] == np.datetime64(last)
    assert np.isnat(stamps.values).sum() == values.count(None)


NUMBERS = {
    "years": ("year", [2001, 2002], "2002-01-01"),
    "yyyymmdd": ("date", [20200101, 20200131], "2020-01-31"),
    "yyyymm": ("month", [202001, 202012], "2020-12-01"),
    "seconds": ("timestamp", [1_600_000_000, 1_600_003_600], "2020-09-13T13:26:40"),
    "milliseconds": ("time", [1_600_000_000_000, 1_600_003_600_000], "2020-09-13T13:26:40"),
    "steps": ("ds", [5, 6], 6),
}


@pytest.mark.parametrize("case", NUMBERS)
def test_dates_as_numbers(case: str) -> None:
    name, values, last = NUMBERS[case]
    stamps = find_time(read_table({name: values, "y": [1.0, 2.0]}))
    assert stamps is not None
    assert stamps.values[-1] == (last if isinstance(last, int) else np.datetime64(last))


def test_ambiguous_dates_are_said() -> None:
    months = read_table({"date": ["01/02/2020", "02/02/2020", "03/02/2020"]})
    stamps = find_time(months)
    assert stamps is not None and "two ways" in stamps.notes[0]["text"]
    falling = find_time(read_table({"date": ["11/01/2020", "12/01/2020", "01/02/2020", "02/02/2020"]}))
    assert falling is not None and "day, month, year" in falling.notes[0]["text"]


def test_no_dates() -> None:
    assert find_time(read_table({"y": [1.0, 2.0], "word": ["a", "b"]})) is None
    with pytest.raises(ValueError, match="'soon' in row 1"):
        read_time(read_table({"when": ["2020-01-01", "soon"]}), ["when"])
    with pytest.raises(ValueError, match=r"does not hold dates.*2020-02-30"):
        read_time(read_table({"when": ["2020-02-30", "2020-02-31"]}), ["when"])
    days = [f"2020-01-{day:02d}" for day in range(1, 31)]
    slip = read_table({"date": [*days[:20], "2020-13-45", *days[20:]], "y": [1.0] * 31})
    for look in (lambda: find_time(slip), lambda: read_time(slip, ["date"])):
        with pytest.raises(ValueError, match="'2020-13-45' in row 20"):
            look()
    with pytest.raises(ValueError, match="no time column 'day'"):
        read_time(read_table({"y": [1]}), ["day"])


def test_columns_put_together() -> None:
    parts = {
        "No": [1, 2],
        "year": [2010, 2010],
        "month": [1, 1],
        "day": [1, 1],
        "hour": [0, 1],
        "y": [1.0, 2.0],
    }
    stamps = find_time(read_table(parts))
    assert stamps is not None and stamps.columns == ["year", "month", "day", "hour"]
    assert stamps.values[1] == np.datetime64("2010-01-01T01")
    clock = {"Date": ["10/03/2004", "10/03/2004", "13/03/2004"], "Time": ["18.00.00", "19.00.00", "00.00.00"]}
    stamps = find_time(read_table(clock))
    assert stamps is not None and stamps.columns == ["Date", "Time"]
    assert stamps.values[1] == np.datetime64("2004-03-10T19")
    with pytest.raises(ValueError, match="do not make dates"):
        read_time(read_table({"year": [2010], "month": [13]}), ["year", "month"])


@pytest.mark.parametrize("name", ["s", "15min", "h", "D", "2D", "B", "W", "MS", "ME", "QS", "QE", "YS", "YE", "6MS"])
def test_frequency_is_found_and_rebuilt(name: str) -> None:
    dates = pd.date_range("2020-01-31" if name.endswith("E") else "2020-01-01", periods=40, freq=name).to_numpy()
    dates = dates.astype("datetime64[ns]")
    kept = np.delete(dates, [7, 8, 20])
    frequency = infer_frequency(kept)
    assert frequency == Frequency.from_json(frequency.to_json())
    np.testing.assert_array_equal(frequency.grid(dates[0], 40), dates)
    places, fits = frequency.index(kept, dates[0])
    np.testing.assert_array_equal(places, np.delete(np.arange(40), [7, 8, 20]))
    assert fits.all() and (name == "W" or Frequency.parse(frequency.name) == frequency)


def test_other_frequencies() -> None:
    assert infer_frequency(np.array([3, 5, 7, 11])).name == "2step"
    jitter = np.datetime64("2020-01-01", "ns") + (np.arange(50) * 600 + np.arange(50) % 3).astype("timedelta64[s]")
    assert infer_frequency(jitter).name == "10min"
    middle = infer_frequency(np.array(["2020-01-15", "2020-02-15", "2020-03-15"], "datetime64[ns]"))
    assert middle.day == 15 and middle.grid("2020-01-15", 2)[1] == np.datetime64("2020-02-15")
    with pytest.raises(ValueError, match="no regular step"):
        gaps = np.cumsum([1, 7, 31, 2, 90, 12, 45, 200]).astype("timedelta64[h]")
        infer_frequency(np.datetime64("2020-01-01", "ns") + gaps)
    for bad in ("fortnight", "0h", "", "2step-"):
        with pytest.raises(ValueError, match="expected freq"):
            Frequency.parse(bad)
    for state in (
        {},
        {"kind": "month", "step": 0, "day": 1},
        {"kind": "month", "step": 10**9, "day": 1},
        None,
    ):
        with pytest.raises(ValueError, match="damaged"):
            Frequency.from_json(state)


def test_calendar_features() -> None:
    year = 365.25 * 86_400e9
    assert calendar_names(Frequency.parse("h"), 0.5 * year)[0] == "time of day sin"
    assert not any("year" in name for name in calendar_names(Frequency.parse("h"), 1.9 * year))
    assert calendar_names(Frequency.parse("QS"), 9 * year) == ["time of year sin", "time of year cos"]
    assert calendar_names(Frequency.parse("YS"), 99 * year) == []
    assert calendar_names(Frequency("step", 1), 1000) == []
    dates = np.array(["2024-01-01T06", "2024-01-08T06"], "datetime64[ns]")
    values = calendar_features(dates, ["time of day sin", "day of week cos", "time of year sin 2"])
    np.testing.assert_allclose(values[:, 0], 1, atol=1e-6)
    np.testing.assert_allclose(values[0, 1], values[1, 1], atol=1e-6)
    with pytest.raises(ValueError, match="expected a calendar feature"):
        calendar_features(dates, ["moon phase"])
