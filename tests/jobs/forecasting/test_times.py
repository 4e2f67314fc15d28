"""Forecasts dated as the user's own table is: in its zone, on its open times, in its units; by Python and by files."""

import json

import numpy as np
import pandas as pd
import polars
import pyarrow.parquet
import pytest

from memorycell import Forecaster
from memorycell.cli.errors import as_options
from memorycell.cli.output import write_columns
from memorycell.data.records import as_csv
from memorycell.data.tables.table_codec import TableCodec
from memorycell.jobs.forecasting.measures.seasons import season_lags

QUICK = {"epochs": 1, "window": 4, "hidden_size": 4, "n_threads": 1, "verbose": False, "refit": False, "horizon": 3}
BERLIN = "Europe/Berlin"
DATES = pd.date_range("2024-01-25", periods=65, tz=BERLIN)  # ends on 2024-03-29, two days before clocks change


def readings(dates) -> pd.DataFrame:
    return pd.DataFrame({"date": dates, "y": np.sin(np.arange(len(dates)))})


@pytest.fixture(scope="module")
def zoned() -> Forecaster:
    return Forecaster(**QUICK).fit(readings(DATES), "y")


def test_forecasts_are_dated_in_the_zone(zoned: Forecaster, tmp_path) -> None:
    want = [DATES[-1] + pd.DateOffset(days=days) for days in (1, 2, 3)]
    assert zoned.predict()["date"].tolist() == want and str(zoned.predict()["date"].dtype.tz) == BERLIN
    frame = zoned.predict(polars.from_pandas(readings(DATES)))
    assert frame.schema["date"] == polars.Datetime("us", BERLIN) and frame["date"].to_list() == want
    columns = zoned.answers(readings(DATES)).columns
    assert as_csv(columns).splitlines()[3].startswith("2024-04-01 00:00:00+02:00,")
    for name in ("a.json", "a.parquet", "a.csv"):
        write_columns(tmp_path / name, columns)
    assert json.loads((tmp_path / "a.json").read_text())[0]["date"] == "2024-03-30 00:00:00+01:00"
    assert (
        str(pyarrow.parquet.read_table(tmp_path / "a.parquet").schema.field("date").type)
        == f"timestamp[us, tz={BERLIN}]"
    )
    zoned.save(tmp_path / "a.safetensors")
    assert Forecaster.load(tmp_path / "a.safetensors").predict(readings(DATES))["date"].tolist() == want
    # What was written is read again, with the forecasts behind the readings.
    both = pd.concat([readings(DATES.map(str)), pd.read_csv(tmp_path / "a.csv")[["date", "y"]]])
    assert zoned.predict(both)["date"].iloc[0] == DATES[-1] + pd.DateOffset(days=4)


def test_what_is_said_of_forecasts_is_local(zoned: Forecaster) -> None:
    assert zoned.facts()["train_end"] == "2024-03-29"
    table = readings(DATES)
    assert str(zoned.explain(table)).startswith("y, 1 step after 2024-03-29 (2024-03-30)")
    for at in (pd.Timestamp("2024-03-20", tz=BERLIN), "2024-03-20", "2024-03-19T23:00:00+00:00"):
        assert str(zoned.explain(table, at=at)).startswith("y, 1 step after 2024-03-20 (2024-03-21)")
    assert zoned.forecast_end(table).table()[0]["date"] == np.datetime64("2024-03-30")


def test_steps_come_back_in_their_units(tmp_path) -> None:
    seconds = {"elapsed (s)": np.arange(80) * 0.25, "y": np.sin(np.arange(80))}
    model = Forecaster(**QUICK).fit(seconds, "y")
    assert model.predict()["elapsed (s)"].tolist() == [20.0, 20.25, 20.5]
    assert model.facts()["train_end"] == "19.75"


def test_an_offset_given_as_an_object_is_kept(tmp_path) -> None:
    dates = pd.date_range("2015-01-01", periods=60, freq=pd.DateOffset(months=1, days=3))
    model = Forecaster(**QUICK, freq=pd.DateOffset(months=1, days=3), holidays=[]).fit(readings(dates), "y")
    model.save(tmp_path / "a.safetensors")
    loaded = Forecaster.load(tmp_path / "a.safetensors")
    assert loaded.predict(readings(dates))["date"].iloc[0] == dates[-1] + pd.DateOffset(months=1, days=3)
    assert loaded.fit(readings(dates), "y").codec_.frequency_ == model.codec_.frequency_
    with pytest.raises(TypeError, match="expected freq to be an alias"):
        Forecaster(freq=7).fit(readings(dates), "y")


def test_seasons_count_open_steps() -> None:

    hours = [
        day + pd.Timedelta(hours=hour) for day in pd.bdate_range("2024-01-01", periods=40) for hour in range(10, 17)
    ]
    dekads = [
        month + pd.Timedelta(days=d) for month in pd.date_range("2015", periods=20, freq="MS") for d in (0, 10, 20)
    ]
    six = [day for day in pd.date_range("2024-01-01", periods=100) if day.weekday() < 6]
    weeks = pd.date_range("2015", periods=40, freq="4W")
    for dates, lags in ((hours, (7, 35)), (dekads, (36,)), (six, (6, 313)), (weeks, (13,))):
        encoded = TableCodec("y").fit(readings(dates)).encode(readings(dates))
        assert season_lags(encoded.dates, encoded.frequency) == lags


def test_parameters_of_time_are_options() -> None:
    said = 'give dayfirst=True, timezone="Europe/Berlin", aggregate="mean" or time="rows"; date_format= and holidays='
    assert as_options(said) == (
        'give --dayfirst yes, --timezone "Europe/Berlin", --aggregate "mean" or --time "rows"; --date-format and '
        "--holidays"
    )
