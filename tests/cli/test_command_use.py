"""The commands as they are meant to be used."""

import csv
import io
import json
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from html.parser import HTMLParser
from pathlib import Path

import pytest
from command_cases import SMALL, refused, run, weather_rows

COLUMNS = ["date", "temp", "temp_q05", "temp_q25", "temp_q50", "temp_q75", "temp_q95"]


def read_csv(text: str) -> list[list[str]]:
    return list(csv.reader(io.StringIO(text)))


def test_fit_says_what_it_made_and_what_to_do_next(weather: Path, tmp_path: Path) -> None:
    path, log = tmp_path / "a.safetensors", tmp_path / "a.jsonl"
    ran = run("fit", "forecast", weather, "--target", "temp", "-o", path, "--log", log, *SMALL)
    assert ran.code == 0, ran.err
    assert "forecasts temp 1 step ahead from the last 6" in ran.out
    assert f"memorycell predict {path} {weather}" in ran.out
    assert "normalised" in ran.err
    assert [json.loads(line)["epoch"] for line in log.read_text().splitlines()] == [1, 2]
    again = run("fit", "forecast", weather, "--target", "temp", "-o", path, "--json", "-q", "--force", *SMALL)
    said = json.loads(again.out)
    assert (said["targets"], said["window"], said["horizon"], said["epochs"]) == (["temp"], 6, 1, 2)
    assert said["settings"]["hidden_size"] == 4
    assert again.err == ""


def test_the_model_is_named_after_the_data(table: Callable[..., Path], monkeypatch: pytest.MonkeyPatch) -> None:
    path = table(weather_rows(), "my.weather.csv")
    monkeypatch.chdir(path.parent)
    assert run("fit", "forecast", path, "--target", "temp", "-q", *SMALL).code == 0
    assert Path("my.weather.safetensors").is_file()


def test_predict_prints_csv_into_a_pipe(model: Path, weather: Path) -> None:
    ran = run("predict", model, weather)
    assert ran.code == 0, ran.err
    head, *rows = read_csv(ran.out)
    assert head == COLUMNS
    assert [row[0] for row in rows] == ["2023-08-29", "2023-08-30"]
    for row in rows:
        low, *middle, high = map(float, row[2:])
        assert low <= min(middle) <= max(middle) <= high


def test_predict_prints_a_table_on_a_terminal(model: Path, weather: Path) -> None:
    ran = run("predict", model, weather, terminal=True)
    head, *rows = ran.out.splitlines()
    assert head.split() == COLUMNS
    assert len(rows) == 2
    assert len({len(line) for line in (head, *rows)}) == 1


def test_predict_writes_csv_parquet_and_json_alike(model: Path, weather: Path, tmp_path: Path) -> None:
    import pandas

    for suffix in ("csv", "parquet", "json"):
        ran = run("predict", model, weather, "-o", tmp_path / f"f.{suffix}")
        assert (ran.code, ran.out) == (0, ""), ran.err
        assert ran.err == f"memorycell: wrote {tmp_path}/f.{suffix} (2 rows)\n"
    frames = [
        pandas.read_csv(tmp_path / "f.csv", parse_dates=["date"]),
        pandas.read_parquet(tmp_path / "f.parquet"),
        pandas.DataFrame(json.loads((tmp_path / "f.json").read_text())).astype({"date": "datetime64[ns]"}),
    ]
    for frame in frames:
        assert list(frame.columns) == COLUMNS
        pandas.testing.assert_frame_equal(frame, frames[1], check_dtype=False, rtol=1e-8)
    printed = run("predict", model, weather, "--json")
    assert json.loads(printed.out) == json.loads((tmp_path / "f.json").read_text())


def test_predict_overwrites_only_when_told(model: Path, weather: Path, tmp_path: Path) -> None:
    path = tmp_path / "f.csv"
    path.write_text("mine")
    assert "--force" in refused(run("predict", model, weather, "-o", path))
    assert path.read_text() == "mine"
    assert run("predict", model, weather, "-o", path, "--force", "-q").code == 0
    assert path.read_text().startswith("date,temp")


def test_many_series_and_a_known_future(table: Callable[..., Path], tmp_path: Path) -> None:
    head, *rows = weather_rows(120)
    long = [[head[0], "town", *head[1:3]]]
    long += [[row[0], town, *row[1:3]] for town in ("Ulm", "=1+1") for row in rows]
    data, path = table(long), tmp_path / "many.safetensors"
    ran = run(
        "fit", "forecast", data, "--target", "temp", "--series", "town", "--known-future", "rain", "-o", path, *SMALL
    )
    assert ran.code == 0, ran.err
    assert "rain" in refused(run("predict", path, data))
    future = table([["date", "town", "rain"], *(["2023-05-01", town, "0.5"] for town in ("Ulm", "=1+1"))], "future.csv")
    ran = run("predict", path, data, "--future", future)
    assert ran.code == 0, ran.err
    head, *rows = read_csv(ran.out)
    assert head[:3] == ["town", "date", "temp"]
    assert sorted(row[:2] for row in rows) == [["=1+1", "2023-05-01"], ["Ulm", "2023-05-01"]]


def test_evaluate_on_the_rows_after_training(model: Path, weather: Path) -> None:
    ran = run("evaluate", model, weather)
    assert ran.code == 0, ran.err
    for name in ("LSTM", "last value", "seasonal naive", "ETS", "ridge", "RMSE"):
        assert name in ran.out
    said = json.loads(run("evaluate", model, weather, "--json", "-q").out)
    assert said["models"][0]["name"] == "LSTM"
    assert said["horizon"] == 2


def test_evaluate_says_what_to_do_when_no_rows_are_left(model: Path, table: Callable[..., Path]) -> None:
    assert "--folds" in refused(run("evaluate", model, table(weather_rows()[:201]), "-q"))


def test_evaluate_with_folds_trains_again(model: Path, weather: Path) -> None:
    ran = run("evaluate", model, weather, "--folds", "2", "--step", "3", "--json")
    assert ran.code == 0, ran.err
    assert len(json.loads(ran.out)["folds"]) == 2
    assert "fold 1 of 2" in ran.err


def test_compare(weather: Path) -> None:
    command = ("compare", weather, "--target", "temp", "--folds", "1", "--seeds", "2", *SMALL)
    said = json.loads(run(*command, "--json", "-q").out)
    assert {row["cell"] for row in said["cells"]} == {"RNN", "LSTM", "GRU"}
    ran = run(*command, "--cell", "gru", "--cell", "lstm")
    assert ran.code == 0, ran.err
    assert "parameters" in ran.out
    assert "RNN" not in ran.out


class Titles(HTMLParser):
    """Texts of headings."""

    def __init__(self) -> None:
        super().__init__()
        self.found: list[str] = []
        self.inside = False

    def handle_starttag(self, tag: str, attrs: object) -> None:
        self.inside = tag in ("h1", "h2")

    def handle_data(self, data: str) -> None:
        if self.inside:
            self.found.append(data)
            self.inside = False


@pytest.mark.usefixtures("undrawn")
def test_report(model: Path, weather: Path, tmp_path: Path) -> None:
    path = tmp_path / "page.html"
    ran = run("report", model, weather, "-o", path, "-q")
    assert (ran.code, ran.out) == (0, f"{path}\n"), ran.err
    titles = Titles()
    page = path.read_text(encoding="utf-8")
    titles.feed(page)
    assert len(titles.found) > 3
    assert f"memorycell report {model}" in page
    assert "--force" in refused(run("report", model, weather, "-o", path))


@pytest.mark.usefixtures("wide")
def test_a_report_of_a_column_with_a_script_in_its_name(table: Callable[..., Path], tmp_path: Path) -> None:
    bad = "<script>alert(1)</script>"
    data = table([["date", bad, "b"], *(row[:3] for row in weather_rows(100)[1:])])
    path, page = tmp_path / "m.safetensors", tmp_path / "m.html"
    ran = run("fit", "forecast", data, "--target", bad, "-o", path, "--report", page, "-q", *SMALL)
    assert ran.code == 0, ran.err
    assert bad not in page.read_text(encoding="utf-8")
    assert "&lt;script&gt;" in page.read_text(encoding="utf-8")


def test_info_of_this_machine() -> None:
    said = json.loads(run("info", "--json").out)
    assert said["versions"]["torch"]
    assert said["threads"] >= 1
    ran = run("info")
    assert ran.code == 0
    assert all(text in ran.out for text in said["missing"])
    assert "memorycell info MODEL --card" in refused(run("info", "--card"))


def test_info_of_a_model(model: Path) -> None:
    ran = run("info", model)
    assert ran.code == 0, ran.err
    assert "temp, 2 steps ahead" in ran.out
    card = run("info", model, "--card").out
    assert card.startswith("# weather\n")
    assert "## Limits" in card
    assert json.loads(run("info", model, "--json").out)["targets"] == ["temp"]


def test_fit_goes_on_from_a_checkpoint(weather: Path, tmp_path: Path) -> None:
    checkpoint = tmp_path / "progress.ckpt"
    command = ("fit", "forecast", weather, "--target", "temp", "-q", "--checkpoint", checkpoint, *SMALL)
    models = [tmp_path / f"{name}.safetensors" for name in "ab"]
    assert run(*command, "-o", models[0]).code == 0
    assert checkpoint.is_file()
    assert run(*command, "-o", models[1], "--resume").code == 0
    forecasts = [run("predict", path, weather).out for path in models]
    assert forecasts[0] == forecasts[1]


# Where no process can send SIGINT to one other, it is raised in that one when its stdin ends.
LISTENING = """
import runpy, signal, sys, threading
threading.Thread(target=lambda: (sys.stdin.read(), signal.raise_signal(signal.SIGINT)), daemon=True).start()
runpy.run_module("memorycell", run_name="__main__", alter_sys=True)
"""
OF_MEMORYCELL = ("-c", LISTENING) if hasattr(signal, "CTRL_C_EVENT") else ("-m", "memorycell")


def test_ctrl_c_keeps_the_best_model(weather: Path, tmp_path: Path) -> None:
    path, log = tmp_path / "a.safetensors", tmp_path / "a.jsonl"
    words = ["--epochs", "100000", "--patience", "none", "--window", "6", "--hidden-size", "4", "--threads", "1"]
    command = [
        sys.executable,
        *OF_MEMORYCELL,
        "fit",
        "forecast",
        weather,
        "--target",
        "temp",
        "-o",
        path,
        "--log",
        log,
    ]
    pipes = dict.fromkeys(("stdin", "stdout", "stderr"), subprocess.PIPE)
    with subprocess.Popen([*command, *words], **pipes, text=True) as process:
        for _ in range(600):
            if log.exists() and log.read_text().count("\n") > 1:
                break
            time.sleep(0.1)
        if "-m" in OF_MEMORYCELL:
            process.send_signal(signal.SIGINT)
        out, err = process.communicate(timeout=60)  # which ends its stdin
    assert process.returncode == 130, err
    assert f"interrupted: the best model so far was saved as {path}" in err
    assert "Traceback" not in err
    assert "interrupted" in out
    assert run("predict", path, weather).code == 0


def test_a_system_that_shuts_down_keeps_the_best_model(weather: Path, tmp_path: Path) -> None:
    path, log = tmp_path / "a.safetensors", tmp_path / "a.jsonl"

    def shut_down() -> None:
        while not log.exists():
            time.sleep(0.01)
        signal.raise_signal(signal.SIGTERM)

    thread = threading.Thread(target=shut_down)
    thread.start()
    words = ["--epochs", "100000", "--patience", "none", "--window", "6", "--hidden-size", "4", "--threads", "1"]
    ran = run("fit", "forecast", weather, "--target", "temp", "-o", path, "--log", log, *words)
    thread.join()
    assert ran.code == 143 and f"interrupted: the best model so far was saved as {path}" in ran.err
    assert run("predict", path, weather).code == 0


def test_debug_shows_where(weather: Path, tmp_path: Path) -> None:
    ran = run("fit", "forecast", weather, "--target", "tmep", "-o", tmp_path / "a.safetensors", "--debug")
    assert ran.code == 2
    assert "Traceback" in ran.err
    assert ran.err.splitlines()[-1].startswith("memorycell: ")


def test_a_fault_of_ours_is_one_line_too(model: Path, weather: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from memorycell.jobs.forecasting.task import Forecaster

    def fault(*args: object) -> None:
        raise KeyError("ghost")

    monkeypatch.setattr(Forecaster, "load", fault)
    ran = run("predict", model, weather)
    assert (ran.code, ran.out) == (1, "")
    assert ran.err == "memorycell: KeyError: 'ghost' (--debug shows where; please report it)\n"


@pytest.mark.parametrize(
    ("error", "said"),
    [
        (ModuleNotFoundError("No module named 'polars'", name="polars"), "pip install polars"),
        (MemoryError(), "not enough memory"),
        (PermissionError(13, "Permission denied", "weather.csv"), "weather.csv: Permission denied"),
    ],
    ids=lambda value: type(value).__name__,
)
def test_the_systems_errors(
    error: Exception, said: str, model: Path, weather: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from memorycell.jobs.forecasting.task import Forecaster

    def fail(*args: object) -> None:
        raise error

    monkeypatch.setattr(Forecaster, "load", fail)
    assert said in refused(run("predict", model, weather))


def test_a_training_that_diverges_is_the_users_to_mend(weather: Path, tmp_path: Path) -> None:
    path = tmp_path / "a.safetensors"
    words = ["--learning-rate", "1e38", "--training", "clip_norm=null", "--training", "optimizer=sgd"]
    line = refused(run("fit", "forecast", weather, "--target", "temp", "-o", path, "-q", *SMALL, *words))
    assert "learning_rate" in line
    assert not path.exists()


def test_an_unknown_command_says_what_there_is() -> None:
    assert "predit" in refused(run("predit"))
    assert "forcast" in refused(run("fit", "forcast"))
    alone = run()
    assert (alone.code, alone.err) == (0, "")
    assert "demo" in alone.out
