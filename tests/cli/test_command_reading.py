"""How commands are told to read files: encodings, marks of numbers, sheets, pipes; and what models remember of it."""

import io
import json
import os
import threading
from pathlib import Path

import pandas as pd
import pytest
from command_cases import refused, run

from memorycell import Forecaster
from memorycell.cli.errors import as_options
from memorycell.jobs.options import READING
from memorycell.jobs.registry import registry

DAYS = pd.date_range("2024-01-01", periods=60)
SALES = [f"{880 + 40 * (i % 7):,}".replace(",", ".") for i in range(60)]  # 880 to 1.120
GERMAN = "Datum;Größe\n" + "".join(f"{day:%d.%m.%Y};{y}\n" for day, y in zip(DAYS, SALES, strict=True))
QUICK = ("--epochs", "1", "--hidden-size", "4", "--window", "7", "-q")


@pytest.fixture(scope="module")
def german(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """A file in cp1252 with points between thousands, and a model that was trained on it."""
    folder = tmp_path_factory.mktemp("german")
    data, model = folder / "a.csv", folder / "a.safetensors"
    data.write_bytes(GERMAN.encode("cp1252"))
    ran = run("fit", "forecast", data, "--encoding", "cp1252", "--na-values", "-999", *QUICK, "-o", model)
    assert ran.code == 0, ran.err
    return data, model


def forecast(*words: object) -> float:
    ran = run("predict", *words, "--json", "-q")
    assert ran.code == 0, ran.err
    return json.loads(ran.out)[0]["Größe"]


def test_what_the_error_advises_can_be_done(german: tuple[Path, Path], tmp_path: Path) -> None:
    data, _ = german
    other = tmp_path / "greek.csv"
    other.write_bytes(data.read_text(encoding="cp1252").replace("Größe", "Μέγεθος").encode("iso8859-7"))
    said = refused(run("fit", "forecast", other, *QUICK, "-o", tmp_path / "a.safetensors"))
    assert "--encoding" in said and "line 1" in said
    words = [*QUICK, "--target", "Μέγεθος", "--encoding", "iso8859-7", "-o", tmp_path / "a.safetensors"]
    assert run("fit", "forecast", other, *words).code == 0


def test_a_model_remembers_how_its_table_was_read(german: tuple[Path, Path], tmp_path: Path) -> None:
    data, model = german
    again = Forecaster.load(model)
    assert again.codec_.as_read_ == {
        "encoding": "cp1252", "na_values": ["-999"], "marks": {"Größe": [",", "."]},
    }  # fmt: skip
    whole = forecast(model, data)
    assert 800 < whole < 1200
    utf8 = tmp_path / "b.csv"
    utf8.write_text(GERMAN.replace("880", "-999"))  # one that says what is missing, by now in UTF-8
    assert 800 < forecast(model, utf8) < 1200
    only = tmp_path / "c.csv"  # where nothing but the model says that a point is no decimal mark
    only.write_text("Datum,Größe\n" + "".join(f"{day:%Y-%m-%d},1.{100 + i}\n" for i, day in enumerate(DAYS)))
    assert again.read(only).given.numbers("Größe")[1] == 1101
    only.write_text("Datum,Größe\n" + "".join(f"{day:%Y-%m-%d},1.{i}5\n" for i, day in enumerate(DAYS)))
    said = refused(run("predict", model, only))
    assert "line 2" in said and "give --decimal and --thousands" in said
    assert forecast(model, only, "--decimal", ".", "--thousands", ",") > 0
    assert again.read(only, decimal=".", thousands=",").given.numbers("Größe")[1] == 1.15


@pytest.mark.parametrize("command", ["predict", "evaluate", "report", "plot", "explain"])
def test_every_command_can_be_told(command: str, german: tuple[Path, Path], tmp_path: Path) -> None:
    data, model = german
    for job in registry().jobs:
        known = {option.name for option in job.of(command) if option.reading}
        wanted = (
            {option.name for option in READING} if job.verb in ("forecast", "classify", "regress") else {"encoding"}
        )
        assert wanted <= known, (job.verb, command)
    said = refused(run(command, model, data, "--encoding", "utf-8"))
    assert "byte 0xf6 in line 1" in said


def test_text_jobs_know_the_encoding(tmp_path: Path) -> None:
    text = tmp_path / "a.txt"
    text.write_bytes("un café\n".encode("cp1252"))
    for words in (("language", text), ("tag", text)):
        assert "--encoding" in refused(run("fit", *words, "-o", tmp_path / "m.safetensors"))
    assert "unknown encoding 'x'" in refused(
        run("fit", "language", text, "--encoding", "x", "-o", tmp_path / "m.safetensors")
    )


@pytest.mark.parametrize("name", [option.name for option in READING])
def test_parameters_in_messages_are_options(name: str) -> None:
    option = next(option for option in READING if option.name == name)
    message = f"give {name}=False" if name == "header" else f"give {name}='x'"
    assert as_options(message).startswith(f"give {'--no-header' if name == 'header' else option.first}")


def test_data_through_pipes(german: tuple[Path, Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    data, model = german
    content, whole = data.read_bytes(), forecast(model, data)
    monkeypatch.setattr("sys.stdin", io.TextIOWrapper(io.BytesIO(content)))
    assert forecast(model, "-") == whole
    monkeypatch.setattr("sys.stdin", io.TextIOWrapper(io.BytesIO(content)))
    ran = run("fit", "forecast", "/dev/stdin", "--encoding", "cp1252", *QUICK, "-o", tmp_path / "p.safetensors")
    assert ran.code == 0 and "predict" in ran.out and "/dev/stdin" in ran.out and "memorycell-" not in ran.out
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    writer = threading.Thread(target=lambda: pipe.write_bytes(content))
    writer.start()
    assert forecast(model, pipe) == whole
    writer.join()
    monkeypatch.setattr("sys.stdin", io.TextIOWrapper(io.BytesIO(b"")))
    assert "nothing came through the pipe" in refused(run("predict", model, "-"))


def test_labels_of_a_file_of_classes(tmp_path: Path) -> None:
    data = tmp_path / "a.csv"
    data.write_text("text,code\n" + "".join(f"word{i % 9} and more,{('NA', 'none', 'DE')[i % 3]}\n" for i in range(60)))
    model = tmp_path / "a.safetensors"
    ran = run("fit", "classify", data, "--target", "code", "--epochs", "1", "--hidden-size", "4", "-o", model)
    assert ran.code == 0 and "3 labels for texts: DE, NA and none" in ran.out
    assert "'NA' in column 'code' is a label (20 rows); if it stands for none, give --na-values 'NA'" in ran.err
    ran = run(
        "fit", "classify", data, "--na-values", "NA", "--epochs", "1", "--hidden-size", "4", "-o", model, "--force"
    )
    assert "2 labels for texts: DE and none" in ran.out
