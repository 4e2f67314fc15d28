"""Tables are read once, and encoded once for each codec; rows to come are there where they are wanted."""

import pickle
from dataclasses import fields
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import torch

from memorycell import Forecaster, write_explanation, write_report
from memorycell.cli.main import main
from memorycell.data.tables.encoded import EncodedTable
from memorycell.data.tables.table_codec import TableCodec
from memorycell.jobs.forecasting import reading
from memorycell.jobs.forecasting.reading import TableSamples, read_table

pytestmark = pytest.mark.usefixtures("undrawn")  # what pages show is asked in tests/pages

SMALL: dict[str, Any] = {"window": 6, "hidden_size": 4, "epochs": 1, "n_threads": 1, "verbose": False}


def weather(days: int = 90) -> pd.DataFrame:
    day = np.arange(days)
    temp = 12 + 8 * np.sin(day / 4) + np.random.default_rng(0).normal(size=days)
    sky = np.where(day % 3 == 0, "sun", "rain")
    return pd.DataFrame({"date": pd.date_range("2024-01-01", periods=days), "temp": temp, "wind": day % 7, "sky": sky})


def shops(known: bool = False) -> pd.DataFrame:
    frames = []
    for number, days in enumerate((40, 55, 48)):
        frame = weather(days).assign(shop=f"shop {number}", size=["small", "large", "small"][number])
        frame.loc[5:7, "temp"] = np.nan
        frames.append(frame)
    table = pd.concat(frames, ignore_index=True)
    return table.assign(promo=(np.arange(len(table)) % 5 == 0).astype(int)) if known else table


def to_come(table: pd.DataFrame, rows: int) -> pd.DataFrame:
    after = pd.to_timedelta(np.arange(1, rows + 1), "D")
    ends = table.groupby("shop")["date"].max()
    return pd.concat([pd.DataFrame({"date": end + after, "shop": name, "promo": 1}) for name, end in ends.items()])


def same(one: EncodedTable, other: EncodedTable) -> None:
    for each in fields(EncodedTable):
        ours, theirs = getattr(one, each.name), getattr(other, each.name)
        if isinstance(ours, torch.Tensor):
            assert torch.equal(ours.nan_to_num(9e9), theirs.nan_to_num(9e9)), each.name
        else:
            np.testing.assert_array_equal(ours, theirs, err_msg=each.name)


TABLES = {
    "one series": (weather(), {}),
    "no dates": (pd.DataFrame({"temp": weather()["temp"]}), {}),
    "many series": (shops(), {"series": "shop", "static": ["size"]}),
}


@pytest.mark.parametrize(("table", "options"), TABLES.values(), ids=TABLES)
def test_an_encoding_with_rows_to_come_holds_the_one_without(table: pd.DataFrame, options: dict[str, Any]) -> None:
    codec = TableCodec("temp", **options).fit(table, holdout=0.2)
    samples = TableSamples.of(table)
    same(samples.observed(codec, 4), codec.encode(table))
    same(samples.ahead(codec, 4), codec.encode(table, horizon=4))
    assert len(samples.ahead(codec, 4).past) == len(table) + 4 * len(codec.ids_)


def test_what_is_known_ahead_need_not_be_known_to_look_at_the_past() -> None:
    table = shops(known=True)
    codec = TableCodec("temp", series="shop", known_future=["promo"]).fit(table)
    samples = TableSamples.of(table)
    same(samples.observed(codec, 2), codec.encode(table))
    assert "known-future column 'promo' has no value for 6" in samples.lacking(codec, 2)
    with pytest.raises(ValueError, match="promo"):
        samples.ahead(codec, 2)
    future = to_come(table, 2)
    told = TableSamples.of(samples, future)
    assert told.given is samples.given and told.lacking(codec, 2) == ""
    same(told.ahead(codec, 2), codec.encode(table, horizon=2, future=future))
    same(told.observed(codec, 2), codec.encode(table))


def test_a_table_that_cannot_be_encoded_is_not_taken_for_one_that_lacks_its_future() -> None:
    table = shops(known=True)
    codec = TableCodec("temp", series="shop", known_future=["promo"]).fit(table)
    with pytest.raises(ValueError, match="wind"):
        TableSamples.of(table.drop(columns="wind")).lacking(codec, 2)


def test_samples_are_taken_as_they_are_and_know_their_file(tmp_path: Path) -> None:
    path = tmp_path / "weather.csv"
    weather().to_csv(path, index=False)
    samples = TableSamples.of(path)
    assert TableSamples.of(samples) is samples
    assert (samples.source.name, samples.source.file, len(samples)) == ("weather.csv", path, 90)
    assert TableSamples.of(weather()).source.name == "the pandas frame"
    assert TableSamples.of(read_table(path)).source.name == "weather.csv"
    part = samples.take([3, 4])
    assert len(part) == 2 and part.source is samples.source


def test_notes_are_those_of_reading_and_of_encoding_each_once() -> None:
    table = weather()
    table.loc[5:6, "temp"] = np.nan
    codec = TableCodec("temp").fit(table)
    samples = TableSamples.of(table)
    for _ in range(2):
        samples.ahead(codec, 2)
    assert [note["kind"] for note in samples.notes].count("missing") == 1


def test_a_pickle_leaves_out_what_can_be_encoded_again() -> None:
    samples = TableSamples.of(weather())
    codec = TableCodec("temp").fit(samples.given)
    before = len(pickle.dumps(samples))
    encoded = samples.ahead(codec, 3)
    again = pickle.loads(pickle.dumps(samples))  # noqa: S301
    assert len(pickle.dumps(samples)) == before
    same(again.ahead(codec, 3), encoded)


# ---------------------------------------------------------------------- how often


@pytest.fixture
def counted(monkeypatch: pytest.MonkeyPatch) -> dict[str, Any]:
    """How many tables were read, and how often each codec encoded one."""
    counts: dict[str, Any] = {"read": 0, "codecs": []}
    plain = TableCodec.encode

    def read(source: Any, **options: Any) -> Any:
        counts["read"] += 1
        return read_table(source, **options)

    def encode(self: TableCodec, table: Any, **options: Any) -> EncodedTable:
        counts["codecs"].append(self)
        return plain(self, table, **options)

    monkeypatch.setattr(reading, "read_table", read)
    monkeypatch.setattr(TableCodec, "encode", encode)
    return counts


def most_encodings(counts: dict[str, Any]) -> int:
    return max(sum(each is codec for each in counts["codecs"]) for codec in counts["codecs"])


@pytest.fixture
def files(tmp_path: Path) -> dict[str, Path]:
    """A table, its beginning, and a forecaster of that."""
    found = {name: tmp_path / name for name in ("all.csv", "past.csv", "model.safetensors", "page.html")}
    weather().to_csv(found["all.csv"], index=False)
    weather()[:70].to_csv(found["past.csv"], index=False)
    Forecaster(2, **SMALL).fit(found["past.csv"], "temp").save(found["model.safetensors"])
    return found


COMMANDS = {
    "predict": ("predict", "model.safetensors", "all.csv", "-q"),
    "evaluate": ("evaluate", "model.safetensors", "all.csv", "-q"),
    "report": ("report", "model.safetensors", "all.csv", "-o", "page.html", "-q"),
    "explain": ("explain", "model.safetensors", "all.csv", "-o", "page.html", "-q"),
    "explain as JSON": ("explain", "model.safetensors", "all.csv", "--json", "-q"),
}


@pytest.mark.parametrize("words", COMMANDS.values(), ids=COMMANDS)
def test_a_command_reads_its_table_once_and_encodes_it_once(
    words: tuple[str, ...], files: dict[str, Path], counted: dict[str, Any]
) -> None:
    assert main([str(files.get(word, word)) for word in words]) == 0
    assert counted["read"] == 1
    assert len(counted["codecs"]) == 1


@pytest.mark.parametrize("refit", [True, False])
def test_a_training_and_its_report_encode_once_for_each_codec(
    refit: bool, files: dict[str, Path], counted: dict[str, Any]
) -> None:
    forecaster = Forecaster(2, refit=refit, **SMALL)
    samples = forecaster.read(files["all.csv"])
    forecaster.fit(samples, "temp")
    write_report(files["page.html"], forecaster, samples)
    assert forecaster.predict().shape[0] == 2
    assert counted["read"] == 1
    # One codec is learned from the training part, and one from all rows.
    assert len(counted["codecs"]) == (2 if refit else 1)
    assert most_encodings(counted) == 1


def test_where_columns_are_known_ahead_the_past_is_encoded_apart(tmp_path: Path, counted: dict[str, Any]) -> None:
    """What measures needs no future, and what forecasts does: where it is not given, each has its own encoding."""
    table = shops(known=True)
    dates = np.sort(table["date"].unique())
    past = table[table["date"] < dates[34]]
    forecaster = Forecaster(2, series="shop", known_future=["promo"], **SMALL).fit(past, "temp")
    counted["codecs"].clear()
    samples = forecaster.read(table, future=to_come(table, 2))
    evaluation = forecaster.measured(samples)
    write_report(tmp_path / "page.html", forecaster, samples, evaluation=evaluation)
    assert most_encodings(counted) == 1
    counted["codecs"].clear()
    lacking = forecaster.read(table)
    write_explanation(tmp_path / "why.html", forecaster, lacking, at="2024-01-20")
    assert most_encodings(counted) == 2  # one of them fails, as the future is not known
    assert "forecast at 2024-01-20" in (tmp_path / "why.html").read_text(encoding="utf-8")


def test_pages_on_a_model_with_known_columns_take_their_future_from_the_command(tmp_path: Path) -> None:
    table = shops(known=True)
    table.to_csv(tmp_path / "shops.csv", index=False)
    to_come(table, 2).to_csv(tmp_path / "future.csv", index=False)
    forecaster = Forecaster(2, series="shop", known_future=["promo"], **SMALL).fit(tmp_path / "shops.csv", "temp")
    forecaster.save(tmp_path / "shops.safetensors")
    page = tmp_path / "page.html"
    words = ["report", tmp_path / "shops.safetensors", tmp_path / "shops.csv", "-o", page, "-q"]
    assert main([*map(str, words)]) == 0
    assert "There is none: known-future column" in page.read_text(encoding="utf-8")
    assert main([*map(str, words), "--future", str(tmp_path / "future.csv"), "--force"]) == 0
    assert "3 series forecast over the next 2 days." in page.read_text(encoding="utf-8")
    why = [
        "explain",
        str(tmp_path / "shops.safetensors"),
        str(tmp_path / "shops.csv"),
        "-o",
        str(tmp_path / "why.html"),
    ]
    assert main([*why, "--future", str(tmp_path / "future.csv"), "-q"]) == 0
    said = f"model.explain(&#x27;{tmp_path / 'shops.csv'}&#x27;, future=&#x27;{tmp_path / 'future.csv'}&#x27;)"
    assert said in (tmp_path / "why.html").read_text(encoding="utf-8")
