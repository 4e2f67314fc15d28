"""Open times: hours and weekdays at which readings ever come, learned from stamps; holidays; steps in them alone."""

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from memorycell.data.tables.table_codec import TableCodec
from memorycell.data.tables.times.open_times import DAY, OpenTimes, always, days_of_dates, learn_open_times

HOUR = DAY // 24
WEEKDAYS = pd.bdate_range("2024-01-01", periods=60)
DAYS = pd.date_range("2024-01-01", periods=120)


def at(days, hours) -> np.ndarray:
    stamps = [day + pd.Timedelta(hours=hour) for day in days for hour in hours]
    return np.sort(np.array(stamps, "datetime64[ns]"))


def on(*weekdays: int) -> list[pd.Timestamp]:
    return [day for day in DAYS if day.weekday() in weekdays]


SHOPS = {
    "trading hours": (at(WEEKDAYS, range(10, 17)), HOUR, "Monday to Friday, 10:00 to 16:00"),
    "a lunch break": (at(WEEKDAYS, (9, 10, 11, 13, 14)), HOUR, "Monday to Friday, 09:00 to 11:00 and 13:00 to 14:00"),
    "half past": (at(WEEKDAYS, (9.5, 10.5)), HOUR, "Monday to Friday, 09:30 to 10:30"),
    "two weeks": (at(WEEKDAYS[:10], range(10, 17)), HOUR, "Monday to Friday, 10:00 to 16:00"),
    "six days": (at(on(0, 1, 2, 3, 4, 5), [0]), DAY, "Monday to Saturday"),
    "Sunday to Thursday": (at(on(6, 0, 1, 2, 3), [0]), DAY, "Monday to Thursday, Sunday"),
    "weekends": (at(on(5, 6), [0]), DAY, "Saturday to Sunday"),
    "three days a week": (at(on(0, 2, 4), [0]), DAY, "Monday, Wednesday, Friday"),
    "half Saturdays": (
        np.sort(np.concatenate([at(on(0, 1, 2, 3, 4), range(9, 18)), at(on(5), range(9, 13))])), HOUR,
        "Monday to Friday, 09:00 to 17:00; Saturday, 09:00 to 12:00",
    ),
    "nights": (at(DAYS, (*range(6), *range(20, 24))), HOUR, "Monday to Sunday, 00:00 to 05:00 and 20:00 to 23:00"),
}  # fmt: skip


@pytest.mark.parametrize("shop", SHOPS)
def test_open_times_are_learned(shop: str) -> None:
    stamps, step, said = SHOPS[shop]
    found, share = learn_open_times(stamps, np.array([0]), step)
    assert found is not None and share == 1
    phase = int(stamps[0].astype(np.int64)) % step
    assert found.said(phase).replace("; ", ", ") == said.replace("; ", ", ")
    np.testing.assert_array_equal(found.grid(stamps[0], len(stamps)), stamps)
    rank, fits = found.rank(stamps, phase)
    assert fits.all() and not found.closed(stamps, phase).any()
    np.testing.assert_array_equal(rank - rank[0], np.arange(len(stamps)))
    assert OpenTimes.from_json(found.to_json()) == found


def test_chance_is_no_calendar() -> None:
    hours = np.arange("2024-01-01", "2024-03-20", dtype="M8[h]").astype("M8[ns]")
    rng = np.random.default_rng(0)
    for share in (0.1, 0.5, 0.9):
        some = hours[rng.random(len(hours)) < share]
        assert learn_open_times(some, np.array([0]), HOUR)[0] is None
    two_gaps = np.delete(np.arange("2024-01-01", "2024-01-16", dtype="M8[D]"), [6, 13]).astype("M8[ns]")
    assert learn_open_times(two_gaps, np.array([0]), DAY)[0] is None
    assert learn_open_times(hours, np.array([0]), 7 * HOUR)[0] is None  # seven hours divide no day


@settings(max_examples=20, deadline=None)
@given(
    step=st.sampled_from([DAY, 12 * HOUR, HOUR, HOUR // 4]),
    seed=st.integers(0, 99),
    holidays=st.sets(st.integers(19_700, 19_800), max_size=20),
    n=st.integers(1, 300),
)
def test_any_open_times_are_counted(step: int, seed: int, holidays: set[int], n: int) -> None:
    """Whatever is open: the grid has every open slot in order, is counted from 0, and comes back from JSON."""
    rng = np.random.default_rng(seed)
    per_week = 7 * DAY // step
    slots = np.flatnonzero(rng.random(per_week) < rng.random())
    times = OpenTimes(step, tuple(slots.tolist()) or (0,)).with_holidays(holidays)
    start = times.grid(np.datetime64("2023-12-11", "ns"), 1)[0]
    grid = times.grid(start, n)
    rank, fits = times.rank(grid, 0)
    assert fits.all() and (np.diff(grid.astype(np.int64)) > 0).all()
    np.testing.assert_array_equal(rank - rank[0], np.arange(n))
    every = always(step).grid(start, int((grid[-1] - start).astype(np.int64) // step) + 1)
    np.testing.assert_array_equal(every[~times.closed(every, 0)], grid)
    assert OpenTimes.from_json(times.to_json()) == times


@pytest.mark.parametrize(
    "state",
    [
        {},
        {"step": 7, "slots": [[0, 1]], "holidays": []},
        {"step": DAY, "slots": [[0, 9]], "holidays": []},
        {"step": DAY, "slots": [[3, 4], [0, 1]], "holidays": []},
        {"step": DAY, "slots": [], "holidays": []},
        {"step": DAY, "slots": [[0, 1]], "holidays": ["soon"]},
        {"step": DAY, "slots": [[0, 1]], "holidays": ["2024-05-02", "2024-05-01"]},
    ],
)
def test_damaged_open_times(state: dict) -> None:
    with pytest.raises(ValueError, match="damaged"):
        OpenTimes.from_json(state)


def table(stamps: np.ndarray) -> dict:
    return {"date": stamps, "y": np.sin(np.arange(len(stamps)))}


def test_a_codec_leaves_out_what_is_closed(tmp_path) -> None:
    stamps = SHOPS["trading hours"][0]
    codec = TableCodec("y").fit(table(stamps))
    encoded = codec.encode(table(stamps), horizon=8)
    assert len(encoded.dates) == len(stamps) + 8 and encoded.dates[-8] == np.datetime64("2024-03-25T10")
    assert encoded.dates[-1] == np.datetime64("2024-03-26T10")
    assert any('freq="h"' in each["text"] for each in codec.notes_)
    again = TableCodec.from_json(codec.to_json())
    np.testing.assert_array_equal(again.encode(table(stamps), horizon=8).dates, encoded.dates)
    every_hour = TableCodec("y", freq="h").fit(table(stamps)).encode(table(stamps))
    assert len(every_hour.dates) > 4 * len(stamps)
    extra = np.sort(np.append(stamps, np.datetime64("2024-01-06T11", "ns")))  # one Saturday
    later = codec.encode(table(extra))
    assert len(later.dates) == len(stamps)
    assert any("1 row at a closed time was left out" in each["text"] for each in later.notes)
    with pytest.raises(ValueError, match=r"10 rows lie at times at which none came"):
        codec.encode(table(np.sort(np.append(stamps, at(on(5)[:10], [11])))))


def test_holidays(tmp_path) -> None:
    days = pd.bdate_range("2024-01-01", periods=60).to_numpy().astype("datetime64[ns]")
    file = tmp_path / "holidays.csv"
    file.write_text("date\n2024-03-25\n2024-02-14\n")
    for given_ in (["2024-03-25", "2024-02-14"], [pd.Timestamp("2024-02-14"), "2024-03-25"], str(file), [file]):
        codec = TableCodec("y", holidays=given_).fit(table(days))
        assert codec.holidays == ["2024-02-14", "2024-03-25"]
        encoded = TableCodec.from_json(codec.to_json()).encode(table(days), horizon=2)
        assert encoded.dates[-2:].astype("M8[D]").astype(str).tolist() == ["2024-03-26", "2024-03-27"]
        assert len(encoded.dates) == len(days) - 1 + 2
    file.write_text("2024-03-25\n2024-02-14\n")
    assert TableCodec("y", holidays=str(file)).holidays == ["2024-02-14", "2024-03-25"]
    with pytest.raises(ValueError, match=r"holidays= to be dates"):
        TableCodec("y", holidays=["Christmas"])
    with pytest.raises(ValueError, match=r"holidays= leave out whole days"):
        TableCodec("y", holidays=["2024-03-01"]).fit(table(pd.date_range("2015", periods=40, freq="MS").to_numpy()))


def test_days_of_dates() -> None:
    assert days_of_dates(["1970-01-02", np.datetime64("1970-01-03"), pd.Timestamp("1970-01-04 12:00")]) == [1, 2, 3]


def test_days_are_open_or_closed_though_clocks_wobble() -> None:
    rng = np.random.default_rng(0)
    days = pd.bdate_range("2024-01-01", periods=200) + pd.Timedelta("17h")
    frame = pd.DataFrame({"date": days + pd.to_timedelta(rng.integers(0, 90, 200), "min"), "y": rng.normal(size=200)})
    codec = TableCodec("y", calendar=False).fit(frame)
    encoded = codec.encode(frame, horizon=3)
    assert len(encoded.dates) == 203
    np.testing.assert_array_equal(
        encoded.dates.astype("M8[D]"), pd.bdate_range("2024-01-01", periods=203).to_numpy("M8[D]")
    )


@pytest.mark.parametrize("holidays", [
    {"2023-05-01": "Labour day"},
    pd.DataFrame({"ds": ["2023-05-01"], "holiday": ["Labour day"]}),
    pd.DataFrame({"holiday": ["Labour day"], "ds": pd.to_datetime(["2023-05-01"])}),
], ids=["dict", "frame", "frame of dates"])  # fmt: skip
def test_holidays_of_mappings_and_frames(holidays) -> None:
    """As the package holidays and Prophet have them."""
    assert TableCodec("y", holidays=holidays).holidays == ["2023-05-01"]
