"""What is known of rows to come, given in every form that is not quite that of the training table."""

import numpy as np
import pandas as pd
import pytest

from memorycell.data.tables.table_codec import TableCodec

DAYS, NEXT = pd.date_range("2024-01-01", periods=60), pd.date_range("2024-03-01", periods=5)
PROMO = [10.0, 11, 12, 13, 14]


def known_ahead(dates, future, promo=PROMO, **options) -> tuple[list[float], str]:
    """What the model would be told of the rows to come, and the notes."""
    table = pd.DataFrame({"date": dates, "y": np.sin(np.arange(len(dates))), "promo": np.arange(len(dates)) % 7.0})
    codec = TableCodec("y", known_future=["promo"], calendar=False, **options).fit(table)
    encoded = codec.encode(table, horizon=len(PROMO), future=pd.DataFrame({"date": future, "promo": promo}))
    scaled = encoded.known[int(encoded.observed_rows[0]) :, 0].numpy()
    column = codec.known_[0]
    told = " | ".join(entry["text"] for entry in encoded.notes)
    return np.round(scaled * column.scale + column.center, 3).tolist(), told


OTHERWISE = {
    "ISO, then day first": (DAYS.strftime("%Y-%m-%d"), NEXT.strftime("%d/%m/%Y")),
    "dates, then day first": (DAYS, NEXT.strftime("%d/%m/%Y")),
    "dates, then month first": (DAYS, NEXT.strftime("%m/%d/%Y")),
    "numbers, then day first": ([int(f"{d:%Y%m%d}") for d in DAYS], NEXT.strftime("%d-%m-%Y")),
    "day first, then ISO": (DAYS.strftime("%d/%m/%Y"), NEXT.strftime("%Y-%m-%d")),
    "text, then dates": (DAYS.strftime("%d/%m/%Y"), NEXT),
    "days of a spreadsheet, then ISO": ((DAYS - pd.Timestamp("1899-12-30")).days, NEXT.strftime("%Y-%m-%d")),
    "business days, then all": (pd.bdate_range("2023-12-11", "2024-02-29"), pd.date_range("2024-03-01", periods=7)),
}


@pytest.mark.parametrize("case", OTHERWISE)
def test_a_future_that_is_written_otherwise(case: str) -> None:
    dates, future = OTHERWISE[case]
    promo = PROMO if len(future) == 5 else [10.0, -1, -1, 11, 12, 13, 14]
    assert known_ahead(dates, future, promo)[0] == PROMO


def test_the_order_that_is_to_be_forecast_is_said() -> None:
    assert (
        "were read as day, month, year: those are to be forecast" in known_ahead(*OTHERWISE["dates, then day first"])[1]
    )


WRONG = {
    "steps": (DAYS, range(5), {}, "'date' of .*expected dates"),
    "twice": (DAYS, [*NEXT[:4], NEXT[1]], {}, "row 1 and row 4 are of one time, with different values"),
    "no date": (DAYS, [*NEXT[:4], pd.NaT], {}, "row 4 has no date"),
    "beside the grid": (DAYS, NEXT + pd.Timedelta("12h"), {}, "row 0: 2024-03-01 12:00 .*as 2024-03-01, 2024-03-02"),
    "midnight for the end of a day": (DAYS + pd.Timedelta("23:59:59"), NEXT, {}, "such as 2024-03-01 23:59:59"),
    "another zone's days": (DAYS.tz_localize("Europe/Berlin"), NEXT.tz_localize("UTC"), {}, "01:00 in Europe/Berlin"),
    "the order contradicts": (DAYS.strftime("%d/%m/%Y"), NEXT.strftime("%m/%d/%Y"), {}, "2024-01-03 to 2024-05-03"),
    "too early": (DAYS, DAYS[:5], {}, "2024-03-01 to 2024-03-05.* which has 2024-01-01 to 2024-01-05"),
}  # fmt: skip


@pytest.mark.parametrize("case", WRONG)
def test_a_future_that_is_none(case: str) -> None:
    dates, future, options, message = WRONG[case]
    with pytest.raises(ValueError, match=message):
        known_ahead(dates, future, **options)


def test_which_series_lacks_a_future() -> None:
    table = pd.DataFrame(
        {"s": ["a"] * 60 + ["b"] * 60, "date": [*DAYS, *DAYS], "y": np.sin(np.arange(120)), "promo": 1.0}
    )
    table["promo"] = np.arange(120) % 3
    codec = TableCodec("y", series="s", known_future=["promo"]).fit(table)
    with pytest.raises(ValueError, match="first in series 'b'"):
        codec.encode(table, horizon=5, future=pd.DataFrame({"s": "a", "date": NEXT, "promo": PROMO}))
