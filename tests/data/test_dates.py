"""Dates in many ways of writing, time columns found, frequencies and calendar features."""

import numpy as np
import pandas as pd
import pytest

from memorycell.data.tables.reading import read_table
from memorycell.data.tables.table_codec import TableCodec
from memorycell.data.tables.times.calendar import calendar_features, calendar_names
from memorycell.data.tables.times.date_reading import DateReading
from memorycell.data.tables.times.dates import find_time, read_time
from memorycell.data.tables.times.frequency import Frequency
from memorycell.data.tables.times.regularity import infer_frequency

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


MONTHS = pd.date_range("2012-01-01", periods=60, freq="MS")
QUARTERS = pd.date_range("1998-01-01", periods=40, freq="QS")
WEEKS = pd.date_range("2020-01-06", periods=60, freq="W-MON")
DAYS = pd.date_range("2024-01-01", periods=60)
HOURS = pd.date_range("2024-01-01", periods=60, freq="h")
GERMAN = ("Jan", "Feb", "Mär", "Apr", "Mai", "Jun", "Jul", "Aug", "Sep", "Okt", "Nov", "Dez")
FRENCH = ("janv.", "févr.", "mars", "avr.", "mai", "juin", "juil.", "août", "sept.", "oct.", "nov.", "déc.")
SPANISH = ("enero", "febrero", "marzo", "abril", "mayo", "junio", "julio", "agosto", "septiembre", "octubre",
           "noviembre", "diciembre")  # fmt: skip
POLISH = ("stycznia", "lutego", "marca", "kwietnia", "maja", "czerwca", "lipca", "sierpnia", "września", "października",
          "listopada", "grudnia")  # fmt: skip


def _nth(day: int) -> str:
    return f"{day}{ {1: 'st', 2: 'nd', 3: 'rd'}.get(day % 10 if day not in (11, 12, 13) else 0, 'th') }"


FORMS = {
    "Jan-12": ("month", MONTHS, lambda d: f"{d:%b-%y}"),
    "JAN 12": ("month", MONTHS, lambda d: f"{d:%b %y}".upper()),
    "2014 Jan": ("period", MONTHS, lambda d: f"{d:%Y %b}"),
    "Mär 2014": ("Monat", MONTHS, lambda d: f"{GERMAN[d.month - 1]} {d.year}"),
    "Mär-14": ("Monat", MONTHS, lambda d: f"{GERMAN[d.month - 1]}-{d.year % 100:02d}"),
    "janv. 2014": ("mois", MONTHS, lambda d: f"{FRENCH[d.month - 1]} {d.year}"),
    "enero de 2014": ("fecha", MONTHS, lambda d: f"{SPANISH[d.month - 1]} de {d.year}"),
    "5 stycznia 2024": ("data", DAYS, lambda d: f"{d.day} {POLISH[d.month - 1]} {d.year}"),
    "2014年1月": ("date", MONTHS, lambda d: f"{d.year}年{d.month}月"),
    "2024年1月5日": ("date", DAYS, lambda d: f"{d.year}年{d.month}月{d.day}日"),
    "1998Q1": ("quarter", QUARTERS, lambda d: f"{d.year}Q{d.quarter}"),
    "1998-Q1": ("quarter", QUARTERS, lambda d: f"{d.year}-Q{d.quarter}"),
    "Q1 1998": ("quarter", QUARTERS, lambda d: f"Q{d.quarter} {d.year}"),
    "1Q98": ("quarter", QUARTERS, lambda d: f"{d.quarter}Q{d.year % 100:02d}"),
    "1. Quartal 1998": ("Quartal", QUARTERS, lambda d: f"{d.quarter}. Quartal {d.year}"),
    "T1 1998": ("trimestre", QUARTERS, lambda d: f"T{d.quarter} {d.year}"),
    "H1 1998": ("half", QUARTERS[::2], lambda d: f"H{1 + d.month // 7} {d.year}"),
    "1998H1": ("half", QUARTERS[::2], lambda d: f"{d.year}H{1 + d.month // 7}"),
    "2020-W02": ("week", WEEKS, lambda d: f"{d.isocalendar()[0]}-W{d.isocalendar()[1]:02d}"),
    "2020W02": ("week", WEEKS, lambda d: f"{d.isocalendar()[0]}W{d.isocalendar()[1]:02d}"),
    "2020-02, a week": ("week", WEEKS, lambda d: f"{d.isocalendar()[0]}-{d.isocalendar()[1]:02d}"),
    "KW 2/2020": ("KW", WEEKS, lambda d: f"KW {d.isocalendar()[1]}/{d.isocalendar()[0]}"),
    "2024-W01-3": ("day", DAYS, lambda d: f"{d.isocalendar()[0]}-W{d.isocalendar()[1]:02d}-{d.isocalendar()[2]}"),
    "weekday first": ("date", DAYS, lambda d: f"{d:%a, %d %b %Y}"),
    "1st January 2024": ("date", DAYS, lambda d: f"{_nth(d.day)} {d:%B %Y}"),
    "January 1st, 2024": ("date", DAYS, lambda d: f"{d:%B} {_nth(d.day)}, {d.year}"),
    "01-Jan-24": ("date", DAYS, lambda d: f"{d:%d-%b-%y}"),
    "24/01/31": ("date", DAYS, lambda d: f"{d:%y/%m/%d}"),
    "12-hour clock": ("time", HOURS, lambda d: f"{d:%m/%d/%Y %I:%M %p}"),
    "20240101T1200": ("time", HOURS, lambda d: f"{d:%Y%m%dT%H%M}"),
    "202401011200": ("time", HOURS, lambda d: f"{d:%Y%m%d%H%M}"),
    "day/month hour": ("time", HOURS, lambda d: f"{d:%d/%m/%Y %H:%M}"),
    "2024-031": ("date", DAYS, lambda d: f"{d.year}-{d.day_of_year:03d}"),
    "a span": ("MTU", HOURS, lambda d: f"{d:%d.%m.%Y %H:%M} - {d + pd.Timedelta(hours=1):%d.%m.%Y %H:%M}"),
    "ctime": ("time", HOURS, lambda d: f"{d:%a %b %d %H:%M:%S %Y}"),
}  # fmt: skip


@pytest.mark.parametrize("form", FORMS)
def test_forms_of_dates(form: str) -> None:
    name, dates, write = FORMS[form]
    texts = [write(date) for date in dates]
    stamps = find_time(read_table({name: texts, "y": np.arange(float(len(texts)))}))
    assert stamps is not None and stamps.columns == [name]
    np.testing.assert_array_equal(stamps.values, dates.to_numpy().astype("M8[ns]"))
    # A later table is read as the first was, however little of it there is.
    later = read_time(read_table({name: texts[-2:]}), [name], stamps.reading)
    np.testing.assert_array_equal(later.values, stamps.values[-2:])


NUMBERS_TOO = {
    "days of a spreadsheet": ("date", [45_292, 45_293, 45_295], "2024-01-04"),
    "hours of a spreadsheet": ("timestamp", [45_292 + k / 24 for k in range(5)], "2024-01-01T04"),
    "twelfths of a year": ("decimal date", [1958 + k / 12 for k in range(9)], "1958-09-01"),
    "middles of months": ("decimal_date", [1958.2027, 1958.2877, 1958.3699], "1958-05-01"),
    "year.month": ("date", [2012.09, 2012.1, 2012.11], "2012-11-01"),
    "yyyyww": ("week", [202052, 202053, 202101], "2021-01-04"),
    "yyyymmddhhmm": ("time", [202401010000, 202401010100], "2024-01-01T01"),
    "broken seconds": ("timestamp", [1_600_000_000.5, 1_600_000_001.0], "2020-09-13T12:26:41"),
}


@pytest.mark.parametrize("case", NUMBERS_TOO)
def test_more_dates_as_numbers(case: str) -> None:
    name, values, last = NUMBERS_TOO[case]
    stamps = find_time(read_table({name: values, "y": np.arange(float(len(values)))}))
    assert stamps is not None and stamps.values[-1] == np.datetime64(last)
    later = read_time(read_table({name: values[-1:]}), [name], stamps.reading)
    assert later.values[0] == stamps.values[-1]


ORDERS = {
    "months, month first": (pd.date_range("2015-01-01", periods=100, freq="MS"), "%m/%d/%Y", "mdy"),
    "months, day first": (pd.date_range("2015-01-01", periods=100, freq="MS"), "%d/%m/%Y", "dmy"),
    "quarters": (QUARTERS, "%m/%d/%Y", "mdy"),
    "quarters, day first": (QUARTERS, "%d/%m/%Y", "dmy"),
    "years": (pd.date_range("1980-03-01", periods=30, freq="12MS"), "%m/%d/%Y", "mdy"),
    "fifths": (pd.date_range("2015-01-05", periods=1, freq="D").append(
        pd.DatetimeIndex([d + pd.Timedelta(days=4) for d in MONTHS[37:]])), "%d/%m/%Y", "dmy"),
    "weeks": (pd.date_range("2024-01-05", periods=9, freq="7D"), "%m/%d/%Y", "mdy"),
    "twelve days": (pd.date_range("2024-03-01", periods=12), "%d.%m.%Y", "dmy"),
    "hours": (HOURS, "%m/%d/%Y %H:%M", "mdy"),
    "hours, day first": (HOURS, "%d/%m/%Y %H:%M", "dmy"),
    "years of two digits": (DAYS, "%d/%m/%y", "dmy"),
    "two series": (DAYS[:11].append(DAYS[:11]), "%m/%d/%Y", "mdy"),
}  # fmt: skip


@pytest.mark.parametrize("case", ORDERS)
def test_the_order_of_day_and_month_is_found_and_kept(case: str) -> None:
    dates, form, order = ORDERS[case]
    table = read_table({"date": dates.strftime(form).tolist(), "y": np.arange(float(len(dates)))})
    stamps = find_time(table)
    assert stamps is not None and stamps.reading.order == order
    np.testing.assert_array_equal(stamps.values, dates.to_numpy().astype("M8[ns]"))
    later = dates[-1:] + pd.Timedelta(days=1)
    read = read_time(read_table({"date": later.strftime(form).tolist()}), ["date"], stamps.reading)
    np.testing.assert_array_equal(read.values, later.to_numpy().astype("M8[ns]"))


def test_an_order_in_doubt_is_said_and_can_be_told() -> None:
    table = read_table({"date": [f"{month:02d}/01/2024" for month in range(1, 13)], "y": np.arange(12.0)})
    stamps = find_time(table)
    assert stamps is not None and "in doubt; give dayfirst=True" in stamps.notes[0]["text"]
    told = find_time(table, reading=DateReading(dayfirst=True))
    assert told is not None and not told.notes and told.values[-1] == np.datetime64("2024-01-12")
    with pytest.raises(ValueError, match=r"'13/01/2024' in row 1 is no date of month, day, year, as dayfirst= says"):
        read_time(read_table({"date": ["01/01/2024", "13/01/2024"]}), ["date"], DateReading(dayfirst=False))
    with pytest.raises(
        ValueError, match=r"'01/13/2024' in row 0 is no date of day, month, year, the order of the table"
    ):
        read_time(read_table({"date": ["01/13/2024"]}), ["date"], told.reading.with_(order="dmy"))


def test_a_format_of_the_user() -> None:
    reading = DateReading(format="%d|%m|%Y %H-%M")
    stamps = read_time(read_table({"when": ["31|01|2024 12-30", None, "01|02|2024 00-00"]}), ["when"], reading)
    assert stamps.values[0] == np.datetime64("2024-01-31T12:30") and np.isnat(stamps.values[1])
    with pytest.raises(ValueError, match=r"'2024' in row 1 is not written as date_format= says, '%d\|%m\|%Y"):
        read_time(read_table({"when": ["31|01|2024 12-30", "2024"]}), ["when"], reading)
    zoned = read_time(read_table({"when": ["31.01.2024 +0100"]}), ["when"], DateReading(format="%d.%m.%Y %z"))
    assert zoned.reading.zone == "+01:00" and zoned.values[0] == np.datetime64("2024-01-30T23:00")


def test_years_of_two_digits() -> None:
    airline = pd.date_range("1949-01-01", periods=144, freq="MS")
    stamps = find_time(read_table({"Month": airline.strftime("%b-%y").tolist(), "y": np.arange(144.0)}))
    assert stamps is not None and stamps.values[0] == np.datetime64("1949-01-01")
    assert "read as 1949 to 1960" in stamps.notes[0]["text"]
    later = read_time(read_table({"Month": ["Jan-61", "Feb-61"]}), ["Month"], stamps.reading)
    assert later.values[0] == np.datetime64("1961-01-01") and not later.notes


def test_parts_of_dates_by_name() -> None:
    months = {"year": [2012, 2012, 2013], "month": ["November", "December", "January"], "y": [1.0, 2.0, 3.0]}
    quarters = {"year": [2012, 2013], "quarter": ["Q4", "Q1"], "y": [1.0, 2.0]}
    weeks = {"year": [2020, 2021], "week": [53, 1], "y": [1.0, 2.0]}
    days = {"year": [2023, 2024], "doy": [365, 60], "hour": [1, 2], "y": [1.0, 2.0]}
    for table, last in ((months, "2013-01-01"), (quarters, "2013-01-01"), (weeks, "2021-01-04"),
                        (days, "2024-02-29T02")):  # fmt: skip
        stamps = find_time(read_table(table))
        assert stamps is not None and stamps.values[-1] == np.datetime64(last)


def test_a_column_named_like_a_time_that_cannot_be_read() -> None:
    odd = [f"M-{k}x" for k in range(30)]
    for name in ("month", "Date", "timestamp", "period"):
        with pytest.raises(ValueError, match=rf"column '{name}' does not hold dates.*date_format=.*time=\"rows\""):
            find_time(read_table({name: odd, "y": np.arange(30.0)}))
    other = find_time(read_table({"month": odd, "day": DAYS[:30], "y": np.arange(30.0)}))
    assert other is not None and other.columns == ["day"]
    assert find_time(read_table({"month": ["Jan", "Feb"] * 15, "y": np.arange(30.0)})) is None  # a category
    with pytest.raises(ValueError, match=r"'31/02/2024' in row 29"):
        find_time(read_table({"date": [*DAYS[:29].strftime("%d/%m/%Y"), "31/02/2024"], "y": np.arange(30.0)}))


def test_frames_with_times_of_pandas() -> None:
    periods = pd.period_range("2001Q1", periods=8, freq="Q")
    for frame in (
        pd.DataFrame({"y": range(8)}, index=periods), pd.DataFrame({"date": periods.astype(object), "y": range(8)}),
        pd.DataFrame({"date": [day.date() for day in periods.to_timestamp()], "y": range(8)}),
        pd.DataFrame({"y": range(8)}, index=periods.to_timestamp()),
    ):  # fmt: skip
        stamps = find_time(read_table(frame))
        assert stamps is not None and stamps.values[-1] == np.datetime64("2002-10-01")


@pytest.mark.parametrize(
    "learned",
    [
        {"order": "ydm"},
        {"century": -1},
        {"zone": "Nowhere"},
        {"scale": 0},
        {"learned": 1},
        {"form": 7},
        {"unit": "x" * 999},
    ],
)
def test_damaged_readings(learned: dict) -> None:
    with pytest.raises(ValueError, match="damaged"):
        DateReading.from_json(None, learned)


def test_readings_come_back_from_json() -> None:
    reading = DateReading(True, "%d", "UTC", True, "+01:00", "dmy", 1949, "de", "numbers", "serial", 0.5, 2.0)
    told = {name: getattr(reading, name) for name in ("dayfirst", "format", "timezone")}
    assert DateReading.from_json(told, reading.learnings()) == reading
    assert DateReading.from_json(None, None) == DateReading() and not DateReading().learnings()


DAY, MONTH = pd.date_range("2023-01-27", periods=12), pd.date_range("2019-10-01", periods=12, freq="MS")
QUARTER, HOUR = pd.date_range("2019-10-01", periods=12, freq="QS"), pd.date_range("2023-01-27", periods=40, freq="h")
ARABIC, PERSIAN, WIDE = (dict(zip(map(ord, "0123456789"), digits, strict=True)) for digits in (
    "٠١٢٣٤٥٦٧٨٩", "۰۱۲۳۴۵۶۷۸۹", "０１２３４５６７８９"))  # fmt: skip
PEOPLES = {
    "arabic digits": ([f"{d:%d/%m/%Y}".translate(ARABIC) for d in DAY], DAY),
    "persian digits": ([f"{d:%Y/%m/%d}".translate(PERSIAN) for d in DAY], DAY),
    "wide digits": ([f"{d:%Y/%m/%d}".translate(WIDE) for d in DAY], DAY),
    "dashes": ([f"{d:%Y–%m–%d}" for d in DAY], DAY),
    "minus signs": ([f"{d:%Y−%m−%d}" for d in DAY], DAY),
    "marks of direction": ([f"\u200e{d:%d/%m/%Y}" for d in DAY], DAY),
    "quotation marks": ([f"'{d:%Y-%m-%d}'" for d in DAY], DAY),
    "a weekday behind": ([f"{d:%d/%m/%Y} ({d:%a})" for d in DAY], DAY),
    "a weekday in Japanese": ([f"{d.year}/{d.month}/{d.day}(月)" for d in DAY], DAY),
    "Korea": ([f"{d.year}. {d.month}. {d.day}." for d in DAY], DAY),
    "Korea's clock": ([f"{d.year}. {d.month}. {d.day}. {'오전오후'[d.hour // 12 * 2 :][:2]} {d:%I:%M}" for d in HOUR],
                      HOUR),
    "China's clock": ([f"{d.year}年{d.month}月{d.day}日 {d.hour}时" for d in HOUR], HOUR),
    "China's minutes": ([f"{d.year}年{d.month}月{d.day}日{d.hour}时{d.minute}分" for d in HOUR], HOUR),
    "China's quarters": ([f"{d.year}年第{d.quarter}季度" for d in QUARTER], QUARTER),
    "China's quarters in words": ([f"{d.year}年{'一二三四'[d.quarter - 1]}季度" for d in QUARTER], QUARTER),
    "Thailand's years": ([f"{d.day}/{d.month}/{d.year + 543}" for d in DAY], DAY),
    "Uhr": ([f"{d:%d.%m.%Y %H:%M} Uhr" for d in HOUR], HOUR),
    "um": ([f"{d:%d.%m.%Y um %H:%M}" for d in HOUR], HOUR),
    "at": ([f"{d:%b %d, %Y at %I:%M %p}" for d in HOUR], HOUR),
    "hours of France": ([f"{d:%d/%m/%Y %Hh%M}" for d in HOUR], HOUR),
    "hours alone": ([f"{d:%d/%m/%Y %Hh}" for d in HOUR], HOUR),
    "hyphens": ([f"{d:%Y-%m-%d-%H}" for d in HOUR], HOUR),
    "names of files": ([f"{d:%Y-%m-%d_%H-%M-%S}" for d in HOUR], HOUR),
    "pressed": ([f"{d:%Y%m%d_%H%M%S}" for d in HOUR], HOUR),
    "colons before milliseconds": ([f"{d:%Y-%m-%d %H:%M:%S}:000" for d in HOUR], HOUR),
    "pandas' weeks": ([f"{d:%Y-%m-%d}/{d + pd.Timedelta('6D'):%Y-%m-%d}" for d in DAY], DAY),
    "fiscal years": ([f"FY{year}" for year in range(2012, 2024)], [f"{year}-01-01" for year in range(2012, 2024)]),
    "fiscal quarters": ([f"Q{d.quarter} FY{d:%y}" for d in QUARTER], QUARTER),
    "school years": ([f"{year}/{year + 1 - 2000:02d}" for year in range(2001, 2011)],
                     [f"{year}-01-01" for year in range(2001, 2011)]),
    "seasons": ([f"{year}-{year + 1}" for year in range(1994, 2006)], [f"{year}-01-01" for year in range(1994, 2006)]),
    "weeks of short years": ([f"{d:%g}W{d:%V}" for d in pd.date_range("2019-12-30", periods=60, freq="W-MON")],
                             pd.date_range("2019-12-30", periods=60, freq="W-MON")),
    "quarters as numbers": ([f"{d.quarter}/{d.year}" for d in QUARTER], QUARTER),
    "months as numbers": ([f"{d.month}/{d.year}" for d in MONTH], MONTH),
    "months and colons": ([f"{d:%Y:%m}" for d in MONTH], MONTH),
}  # fmt: skip


@pytest.mark.parametrize("case", PEOPLES)
def test_dates_of_all_peoples(case: str) -> None:
    values, dates = PEOPLES[case]
    table = read_table({"date": values, "y": range(len(values))})
    stamps = find_time(table)
    assert stamps is not None and stamps.reading.zone is None
    np.testing.assert_array_equal(stamps.values, np.array(dates, "datetime64[ns]"))
    later = read_time(table.take(np.arange(2)), ["date"], stamps.reading)  # as a later table of two rows is read
    np.testing.assert_array_equal(later.values, stamps.values[:2])


@pytest.mark.parametrize("values", [
    [f"{season} {year}" for year in range(2010, 2014) for season in ("Spring", "Summer", "Autumn", "Winter")],
    [f"{year}-W{week:02d}" for year in (2021, 2022) for week in range(1, 54)],  # which have 52
    [f"2023-{day:03d}" for day in range(1, 367)],
])  # fmt: skip
def test_what_is_no_date_is_none(values: list[str]) -> None:
    """Not the first of its year."""
    with pytest.raises(ValueError, match="does not hold dates"):
        find_time(read_table({"date": values, "y": range(len(values))}))


ZONES = {
    "CET": 1,
    "MEZ": 1,
    "EST": -5,
    "JST": 9,
    "UTC+1": 1,
    "GMT+0100 (CET)": 1,
    "UTC": 0,
    "(UTC)": 0,
    "+01:00[Europe/Paris]": 1,
}


@pytest.mark.parametrize("zone", ZONES)
def test_zones_by_their_names(zone: str) -> None:
    stamps = find_time(read_table({"date": [f"{d:%Y-%m-%d %H:%M} {zone}" for d in HOUR], "y": range(40)}))
    assert stamps is not None
    np.testing.assert_array_equal(stamps.values, HOUR.to_numpy() - np.timedelta64(ZONES[zone], "h"))


def test_names_of_both_halves_of_a_year() -> None:
    dates = pd.date_range("2024-03-30", periods=48, freq="h", tz="Europe/Berlin")
    stamps = find_time(read_table({"date": [f"{d:%d.%m.%Y %H:%M %Z}" for d in dates], "y": range(48)}))
    assert stamps is not None and stamps.reading.zone == "Europe/Berlin"
    np.testing.assert_array_equal(stamps.values, dates.tz_convert(None).to_numpy())


@pytest.mark.parametrize(("name", "zone", "hours"), [("CST", "Asia/Shanghai", 8), ("IST", "Asia/Kolkata", 5.5)])
def test_names_of_several_zones_are_asked_about(name: str, zone: str, hours: float) -> None:
    table = read_table({"date": [f"{d:%Y-%m-%d %H:%M} {name}" for d in HOUR], "y": range(40)})
    with pytest.raises(ValueError, match=rf"row 0: '{name}' stands for several .* timezone=\"{zone}\""):
        find_time(table)
    stamps = find_time(table, reading=DateReading(timezone=zone))
    assert stamps is not None and stamps.reading.zone == zone
    np.testing.assert_array_equal(stamps.values, HOUR.to_numpy() - np.timedelta64(int(hours * 60), "m"))


WEEK = pd.date_range("2009-01-05", periods=60, freq="W-MON")
IN_NUMBERS = {
    "quarters of five digits": ("quarter", [d.year * 10 + d.quarter for d in QUARTER], QUARTER),
    "quarters of six digits": ("yearquarter", [d.year * 100 + d.quarter for d in QUARTER], QUARTER),
    "quarters behind a point": ("quarter", [d.year + d.quarter / 10 for d in QUARTER], QUARTER),
    "years of two digits": ("date", [int(f"{d:%y%m%d}") for d in DAY], DAY),
    "weeks": ("date", [int(f"{d:%G%V}") for d in WEEK], WEEK),
    "days of the year": ("date", [int(f"{d:%Y%j}") for d in DAY], DAY),
    "day first, without its zero": ("date", [int(f"{d:%d%m%Y}") for d in DAY], DAY),
    "month first": ("date", [int(f"{d:%m%d%Y}") for d in DAY], DAY),
    "Julian days": ("jd", [2_459_971.5 + day for day in range(12)], DAY),
    "modified Julian days": ("MJD", [59_971 + day for day in range(12)], DAY),
    "MATLAB": ("datenum", [738_913 + day for day in range(12)], DAY),
    "hours of MATLAB": ("datenum", [738_913 + hour / 24 for hour in range(40)], HOUR),
    "seconds long ago": ("unix_time", [86_400 * day for day in range(5)], pd.date_range("1970-01-01", periods=5)),
}


@pytest.mark.parametrize("case", IN_NUMBERS)
def test_dates_in_numbers_of_all_kinds(case: str) -> None:
    name, values, dates = IN_NUMBERS[case]
    table = read_table({name: values, "y": range(len(values))})
    stamps = find_time(table)
    assert stamps is not None
    np.testing.assert_array_equal(stamps.values, np.array(dates, "datetime64[ns]"))
    later = read_time(table.take(np.arange(1)), [name], stamps.reading)
    assert later.values[0] == stamps.values[0]


FORMATS = {
    "%d%m%Y": [int(f"{d:%d%m%Y}") for d in DAY],
    "%y%m%d": [int(f"{d:%y%m%d}") for d in DAY],
    "days since 1970-01-01": [19_384 + day for day in range(12)],
    "days since 1904-01-01 00:00:00": [43_491.0 + day for day in range(12)],  # as old spreadsheets of Macs
    "hours since 2023-01-27": [24 * day for day in range(12)],
}


@pytest.mark.parametrize("written", FORMATS)
def test_formats_of_numbers(written: str) -> None:
    table = read_table({"day": FORMATS[written], "y": range(12)})
    np.testing.assert_array_equal(read_time(table, ["day"], DateReading(format=written)).values, DAY.to_numpy())


@pytest.mark.parametrize(
    ("written", "first"), [("%Y-%W", "2009-01-05"), ("%G-%V", "2009-01-05"), ("%Y-%U", "2009-01-04")]
)
def test_a_format_of_weeks_alone(written: str, first: str) -> None:
    """strptime reads every week as the first of January."""
    table = read_table(
        {"week": [f"{d:{written}}" for d in pd.date_range(first, periods=30, freq="7D")], "y": range(30)}
    )
    stamps = read_time(table, ["week"], DateReading(format=written))
    np.testing.assert_array_equal(stamps.values, pd.date_range(first, periods=30, freq="7D").to_numpy())


@pytest.mark.parametrize(("written", "values", "message"), [
    ("%d.%m.", ["31.03."], "with a year"),
    ("%Y-%m-%d", ["1500-01-01"], "outside 1678 to 2261"),
    ("fortnights since 2000-01-01", [1, 2], "days since 1970-01-01"),
    ("weeks since 2000-01-01", [1, 2e6], "lead out of 1678 to 2261"),
])  # fmt: skip
def test_formats_that_say_no_date(written: str, values: list, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        read_time(read_table({"date": values, "y": values}), ["date"], DateReading(format=written))


def test_years_that_are_none_of_ours_are_steps() -> None:
    codec = TableCodec("y").fit({"year": range(-4000, 1950, 50), "y": np.sin(np.arange(119.0))})
    assert codec.time_ == ["year"] and codec.frequency_.name == "50step"


def test_numbers_that_are_no_dates_are_said() -> None:
    codec = TableCodec("y").fit({"date": [9, 4, 7, 1, 3], "y": [1.0, 2, 4, 3, 2]})
    assert any("named like a time, but its numbers, such as 9" in each["text"] for each in codec.notes_)


def test_hours_counted_through_the_change_of_clocks() -> None:
    ends = pd.date_range("2024-10-26 01:00", periods=73, freq="h", tz="Europe/Berlin")
    begins = ends - pd.Timedelta("1h")
    table = {"date": begins.strftime("%Y-%m-%d"), "hour": pd.Series(begins.date).groupby(begins.date).cumcount() + 1}
    frame = pd.DataFrame({**table, "y": np.sin(np.arange(73.0))})
    with pytest.raises(ValueError, match=r"'hour' counts 25 hours .*timezone="):
        TableCodec("y").fit(frame)
    codec = TableCodec("y", timezone="Europe/Berlin").fit(frame)
    np.testing.assert_array_equal(codec.encode(frame).dates, ends.tz_convert(None).to_numpy())


@pytest.mark.parametrize(("values", "message"), [
    (["08:00", "08:05", "08:10"], "'08:00' in row 0, a time of day, which needs a column with the date beside it"),
    (["2024-01-01", "2024-01-02", "9999-12-31"], "'9999-12-31' in row 2, outside 1678 to 2261"),
    (["1402/01/01", "1402/01/02", "1402/01/03"], "Persian or the Islamic calendar"),
    ([f"2021-W{week}" for week in range(40, 54)], "2021 has no week 53 of ISO 8601"),
])  # fmt: skip
def test_why_a_date_is_none(values: list[str], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        find_time(read_table({"date": values, "y": range(len(values))}))
