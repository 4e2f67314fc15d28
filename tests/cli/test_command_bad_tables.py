"""Tables that cannot be used: one clear line, exit code 2, nothing written."""

import gzip
from collections.abc import Callable
from pathlib import Path

import pytest
from command_cases import SMALL, Ran, refused, run, weather_rows

Rows = list[list[str]]


def fit(data: Path, *more: object, target: str = "temp") -> Ran:
    return run("fit", "forecast", data, "--target", target, "-o", data.with_suffix(".safetensors"), "-q", *SMALL, *more)


def changed(column: str, change: Callable[[int, str], str], count: int = 240) -> Rows:
    """The weather with every value of a column changed; `change` gets row and value."""
    head, *rows = weather_rows(count)
    at = head.index(column)
    return [head, *([*row[:at], change(i, row[at]), *row[at + 1 :]] for i, row in enumerate(rows))]


BYTES = {
    "empty": (b"", "empty"),
    "header only": (b"date,temp\n", "no rows"),
    "zeros": (bytes(4096), "not a"),
    "a picture": (b"\x89PNG\r\n\x1a\n" + bytes(range(256)) * 20, "is a picture"),
    "a web page": (b"<!DOCTYPE html>\n<html><body><p>404 not found</p></body></html>\n", "HTML"),
    "Greek": (b"date,temp,ort\n" + "2024-01-01,1.5,Αθήνα\n".encode("iso8859-7") * 50, "UTF-8"),
    "UTF-16 cut short": ("date,temp\n2024-01-01,1.5\n".encode("utf-16")[:-1], "UTF-16"),
    "a Parquet file cut short": (b"PAR1" + bytes(100), "Parquet"),
    "zipped": (gzip.compress(bytes(100)), ""),
}


@pytest.mark.parametrize("name", BYTES)
def test_a_file_that_is_no_table(name: str, tmp_path: Path) -> None:
    content, said = BYTES[name]
    path = tmp_path / "data.csv"
    path.write_bytes(content)
    assert said in refused(fit(path))
    assert [file.name for file in tmp_path.iterdir()] == ["data.csv"]


TABLES: dict[str, tuple[Rows, str, str]] = {
    "no such target": (weather_rows(), "tmep", "did you mean 'temp'"),
    "a target of text": (weather_rows(), "sky", "not numeric"),
    "a target of words here and there": (
        changed("temp", lambda i, value: "n.b." if i % 5 == 0 else value), "temp", "line",
    ),
    "all missing": (changed("temp", lambda i, value: ""), "temp", "missing"),
    "constant": (changed("temp", lambda i, value: "7.5"), "temp", "constant"),
    "too short for the window": (weather_rows(6), "temp", "rows"),
    "infinite": (changed("temp", lambda i, value: "inf" if i == 40 else value), "temp", "infinite"),
    "dates that are none": (changed("date", lambda i, value: f"day {i}x"), "date", "not numeric"),
    "two columns of one name": (
        [["date", "temp", "temp"], *(r[:2] + r[1:2] for r in weather_rows()[1:])], "temp", "more than one",
    ),
    "100,000 columns": (
        [["date", *(f"c{i}" for i in range(100_000))], ["2024-01-01", *["1"] * 100_000]], "c1", "100,001 columns",
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", TABLES)
def test_a_table_that_cannot_be_learned_from(name: str, table: Callable[..., Path]) -> None:
    rows, target, said = TABLES[name]
    path = table(rows)
    assert said in refused(fit(path, target=target))
    assert [file.name for file in path.parent.iterdir()] == ["data.csv"]


def test_what_to_do_is_said_in_options(table: Callable[..., Path]) -> None:
    line = refused(run("fit", "forecast", table(weather_rows())))
    assert "with --target" in line and "target=" not in line


USABLE: dict[str, tuple[Rows, str, str]] = {
    "semicolons and decimal commas": (
        [[cell.replace(".", ",") for cell in row] for row in weather_rows()],
        ";",
        "comma",
    ),
    "tabs": (weather_rows(), "\t", ""),
    "unsorted": ([weather_rows()[0], *reversed(weather_rows()[1:])], ",", "order"),
    "a stamp twice": ([*weather_rows(), weather_rows()[-1]], ",", "repeat"),
    "a gap": ([*weather_rows()[:50], *weather_rows()[60:]], ",", "gap"),
    "values missing": (changed("temp", lambda i, value: "" if i in (7, 8) else value), ",", ""),
}


@pytest.mark.parametrize("name", USABLE)
def test_a_table_that_is_mended_is_said_to_be(name: str, table: Callable[..., Path]) -> None:
    rows, delimiter, said = USABLE[name]
    path = table(rows, delimiter=delimiter)
    ran = run("fit", "forecast", path, "--target", "temp", "-o", path.with_suffix(".safetensors"), *SMALL)
    assert ran.code == 0, ran.err
    assert said in ran.err
    assert path.with_suffix(".safetensors").is_file()


def test_no_such_file(tmp_path: Path) -> None:
    assert "no file" in refused(fit(tmp_path / "nowhere.csv"))


def test_a_folder(tmp_path: Path) -> None:
    assert "folder" in refused(
        run("fit", "forecast", tmp_path, "--target", "temp", "-o", tmp_path / "x.safetensors", "-q", *SMALL)
    )


def test_a_name_cannot_send_orders_to_the_terminal(table: Callable[..., Path]) -> None:
    rows = [["date", "te\x1b[31mmp", "rain"], *(row[:3] for row in weather_rows()[1:])]
    line = refused(fit(table(rows)))
    assert "te\\x1b[31mmp" in line
    assert "\x1b" not in line
