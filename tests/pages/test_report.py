"""The report as a reader, a browser and an attacker see it."""

import hashlib
import re

import numpy as np
import pytest

from memorycell import Forecaster, backtest, write_report
from memorycell.pages.page import Section, escaped, figure, table
from pages import Page, page_of

HOSTILE = "<script>alert(1)</script>"
SECTIONS = [
    "forecast",
    "data",
    "accuracy",
    "errors",
    "calibration",
    "learning",
    "gates",
    "memory",
    "model",
    "reproduce",
]


def rows(count=160, name="temp"):
    generator = np.random.default_rng(0)
    day = np.arange(count)
    values = 20 + 5 * np.sin(day * 2 * np.pi / 12) + generator.normal(0, 1, count)
    return {"date": (np.datetime64("2024-01-01") + day).astype("datetime64[ns]"), name: values}


def small(horizon=3, **options):
    options = {"window": 8, "hidden_size": 4, "epochs": 2, "n_threads": 1, "verbose": False, **options}
    return Forecaster(horizon, **options)


def first(data, count):
    return {name: values[:count] for name, values in data.items()}


@pytest.fixture(scope="module")
def fitted():
    return small().fit(first(rows(), 110), "temp")


@pytest.fixture(scope="module")
def judged(fitted):
    return fitted.evaluate(rows(), baselines=("last value", "ridge"))


def written(path, model, judged):
    options = {"evaluation": judged, "unit": "°C", "command": "memorycell fit …"}
    return write_report(path, model, rows(), **options).read_text(encoding="utf-8")


@pytest.fixture(scope="module")
def text(fitted, judged, tmp_path_factory):
    """The report of the fitted model."""
    return written(tmp_path_factory.mktemp("report") / "r.html", fitted, judged)


def test_every_section_is_there_in_order(text, judged):
    page = Page(text)
    assert page.sections == SECTIONS
    assert [link for link in page.links if link.startswith("#") and link[1:] in SECTIONS] == [f"#{s}" for s in SECTIONS]
    assert len(page.ids) == len(set(page.ids))
    for words in ("Next day (2024-06-09): temp ", "°C, 90 % between", "last value", "memorycell fit …", "2024-04-19"):
        assert words in page.text, words
    assert judged.outcome.rstrip(".") in page.text
    assert all(verdict.text[1:] in page.text for verdict in judged.verdicts)


def test_the_page_asks_for_nothing_from_outside_and_runs_nothing(text):
    page = Page(text)
    assert not {"script", "link", "iframe", "object", "embed", "img", "base"} & set(page.tags)
    assert all(link.startswith(("#", "data:image/png;base64,")) for link in page.links)
    assert not re.search(r"https?://|@import|url\((?!#)", text)
    assert "default-src 'none'" in text and "prefers-color-scheme: dark" in text and "@media print" in text


def test_the_data_are_told_as_they_are_in_this_table(tmp_path):
    whole = rows()
    whole["temp"][30] = 0.0  # scaled and back it is only nearly 0
    data = {name: np.delete(values, [50, 140]) for name, values in whole.items()}
    forecaster = small().fit(first(data, 100), "temp")
    page = page_of(tmp_path, forecaster, data)
    assert "2 times are missing" in page.text
    assert "1 time is missing" not in page.text
    assert "e-0" not in page.text


def test_without_an_evaluation_its_sections_are_left_out(tmp_path, fitted):
    page = page_of(tmp_path, fitted, rows())
    assert page.sections == [name for name in SECTIONS if name not in ("accuracy", "errors", "calibration")]
    assert "was not measured here" in page.text


def test_a_backtest_comes_first_and_the_evaluation_after_it(tmp_path, fitted, judged):
    again = backtest(small(), rows(), "temp", folds=2, baselines=("last value",))
    page = page_of(tmp_path, fitted, rows(), evaluation=judged, backtest=again)
    assert "In 2 folds" in page.text
    assert page.text.index(again.outcome) < page.text.index("This very model") < page.text.rindex(judged.outcome)


@pytest.mark.usefixtures("wide")
@pytest.mark.parametrize("name", [HOSTILE, '"><img src=x onerror=alert(1)>', "$x^2$ a&b 日本語\u202e --><b>"])
def test_names_of_columns_are_only_text(tmp_path, name):
    data = rows(90, name)
    forecaster = small(1, epochs=1).fit(first(data, 70), name)
    found = forecaster.evaluate(data, baselines=("last value",))
    path = write_report(tmp_path / "r.html", forecaster, data, evaluation=found, command=f"fit --target '{name}'")
    text = path.read_text(encoding="utf-8")
    page = Page(text)
    assert not {"script", "img", "b"} & set(page.tags)
    assert name.replace("\u202e", "\ufffd") in page.text
    assert "\u202e" not in text


@pytest.mark.usefixtures("wide")
def test_names_of_series_and_files_are_only_text(tmp_path):
    lines = ["unique_id,ds,y"]
    for series in (HOSTILE, "b"):
        lines += [f"{series},2024-01-{day:02d},{day % 7 + (series == 'b')}" for day in range(1, 32)]
    source = tmp_path / "<b>data.csv"
    source.write_text("\n".join(lines), encoding="utf-8")
    forecaster = small(2, window=3, epochs=1).fit(source, "y")
    page = Page(write_report(tmp_path / "r.html", forecaster, source).read_text(encoding="utf-8"))
    assert "script" not in page.tags and "b" not in page.tags
    assert HOSTILE in page.text and "2 series forecast over the next 2 days." in page.text
    assert hashlib.sha256(source.read_bytes()).hexdigest() in page.text


@pytest.mark.parametrize(
    "options, targets, words, drawn",
    [
        ({"cell": "GRU"}, 2, "update gate", True),
        ({"cell": "RNN", "quantiles": (0.5,), "horizon": 1}, 1, "no gates", True),
        ({"network": "segment", "horizon": 4}, 1, "forget gate", False),
        ({"state": "carried"}, 1, "carried through the series", False),
        ({"network": "encoder-decoder", "refit": False, "calibration_fraction": 0.0}, 7, "1 more forecast", False),
    ],
)
def test_any_forecaster_has_a_report(tmp_path, options, targets, words, drawn):
    values = np.random.default_rng(0).normal(size=(90, targets)).cumsum(0)
    data = {f"t{k}": values[:, k] for k in range(targets)}
    data["t0"][20:23] = np.nan
    forecaster = small(**{"epochs": 1, **options}).fit(first(data, 70), list(data))
    found = forecaster.evaluate(data, baselines=("last value",))
    page = page_of(tmp_path, forecaster, data, evaluation=found, drawn=drawn)
    assert page.sections == SECTIONS
    assert words in page.text and "step 90" in page.text


def test_without_known_future_values_there_is_no_forecast_but_a_report(tmp_path):
    data = {**rows(), "promo": np.arange(160) % 2.0}
    forecaster = small(known_future=("promo",), epochs=1).fit(data, "temp")
    page = page_of(tmp_path, forecaster, data)
    assert "There is none" in page.text and "gates" not in page.sections
    days = (np.datetime64("2024-01-01") + 160 + np.arange(3)).astype("datetime64[ns]")
    future = {"date": days, "promo": np.ones(3)}
    page = page_of(tmp_path, forecaster, data, future=future)
    assert "Next day (2024-06-09)" in page.text and "gates" in page.sections


def test_a_loaded_model_gives_the_same_report(tmp_path, fitted, judged, text):
    def timeless(text):
        assert "Forecaster(horizon=3, window=8, hidden_size=4, epochs=2, n_threads=1)\n" in text
        return re.sub(r"\d{4}-\d\d-\d\d \d\d:\d\d UTC", "", text)

    fitted.save(tmp_path / "model.safetensors")
    again = written(tmp_path / "a.html", Forecaster.load(tmp_path / "model.safetensors"), judged)
    assert timeless(again) == timeless(text)


@pytest.mark.usefixtures("undrawn")
def test_an_existing_file_is_kept_unless_forced(tmp_path, fitted):
    path = tmp_path / "r.html"
    path.write_text("mine", encoding="utf-8")
    with pytest.raises(FileExistsError, match="force=True"):
        write_report(path, fitted, rows())
    assert path.read_text(encoding="utf-8") == "mine"
    assert write_report(path, fitted, rows(), force=True) == path
    assert path.read_text(encoding="utf-8").startswith("<!doctype html>")


@pytest.mark.usefixtures("undrawn")
def test_a_disk_that_is_full_leaves_the_old_report(tmp_path, fitted, monkeypatch):
    path = tmp_path / "r.html"
    path.write_text("mine", encoding="utf-8")

    def full(_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("os.fsync", full)
    with pytest.raises(OSError, match="No space left"):
        write_report(path, fitted, rows(), force=True)
    assert path.read_text(encoding="utf-8") == "mine"
    assert [each.name for each in tmp_path.iterdir()] == ["r.html"]


def test_a_forecaster_that_is_not_fitted(tmp_path):
    with pytest.raises(ValueError, match="not fitted"):
        write_report(tmp_path / "r.html", Forecaster(), rows())
    assert not (tmp_path / "r.html").exists()


@pytest.mark.parametrize("count, folded", [(12, 0), (15, 0), (16, 4)])
def test_long_tables_are_folded(count, folded):
    made = table(["a"], [[str(i)] for i in range(count)], shown=12)
    assert made.count("<tr>") - made.count("<th ") == count
    assert (f"{folded:,} more rows" in made) == bool(folded)


def test_sections_without_content_vanish():
    section = Section("x", "X")
    section.add(escaped(""))
    assert section.html() == ""


def test_figures_are_drawn_for_a_page_and_for_a_phone():
    from memorycell.pages.drawing import canvas

    made = figure(lambda width: canvas(width, 100)[0], "k", 'say "hi" & <go>')
    assert re.findall(r'viewBox="([^"]+)"', made) == ["0 0 720 100", "0 0 340 100"]
    assert "<figcaption>say &quot;hi&quot; &amp; &lt;go&gt;</figcaption>" in made
