"""memorycell plot: which files it writes, and what it is told."""

from pathlib import Path

import pytest
from command_cases import run

from memorycell.pages.picture import Picture

STARTS = {".svg": b"<?xml", ".png": b"\x89PNG", ".pdf": b"%PDF"}


@pytest.mark.parametrize("suffix", STARTS)
def test_the_ending_says_what_is_written(model: Path, weather: Path, tmp_path: Path, suffix: str) -> None:
    file = tmp_path / f"picture{suffix.upper()}"
    ran = run("plot", model, weather, "-o", file)
    assert (ran.code, ran.out, ran.err) == (0, f"{file}\n", "")
    assert file.read_bytes().startswith(STARTS[suffix])


def test_it_goes_where_one_is_by_default(model: Path, weather: Path, tmp_path: Path, monkeypatch) -> None:
    monkeypatch.chdir(tmp_path)
    assert run("plot", model, weather, "-q").out == f"{model.stem}.svg\n"
    assert "temp (°C)" not in (svg := Path(f"{model.stem}.svg").read_text(encoding="utf-8")) and "forecast" in svg
    ran = run("plot", model, weather, "--at", "2023-03-01", "--unit", "°C", "--width", "400", "--force")
    svg = Path(f"{model.stem}.svg").read_text(encoding="utf-8")
    assert ran.code == 0 and "what came" in svg and "temp (°C)" in svg


@pytest.mark.parametrize(("output", "said"), [
    ("picture.jpg", "expected a name that ends in .svg, .png or .pdf to write to"),
    ("nowhere/picture.svg", "there is no folder"), (".", "ends in .svg"),
])  # fmt: skip
def test_places_that_cannot_be_written_to(model: Path, weather: Path, tmp_path: Path, output: str, said: str) -> None:
    ran = run("plot", model, weather, "-o", tmp_path / output)
    assert ran.code == 2 and said in ran.err and not ran.out
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(("options", "said"), [
    (("--target", "snow"), "expected one of the targets temp"), (("--series", "b"), "holds a single one"),
    (("--row", "3"), "--row is not for models of this kind: they know --at, --target, --series, --future"),
    (("--width", "3"), "--width"),
])  # fmt: skip
def test_what_it_does_not_know(model: Path, weather: Path, tmp_path: Path, options: tuple[str, ...], said: str) -> None:
    ran = run("plot", model, weather, "-o", tmp_path / "a.svg", *options)
    assert ran.code == 2 and said in ran.err and len(ran.err.splitlines()) == 1
    assert not (tmp_path / "a.svg").exists()


def test_letters_that_no_font_has_are_told_where_they_are_boxes(
    model: Path, weather: Path, tmp_path: Path, monkeypatch
) -> None:
    monkeypatch.setattr(Picture, "letters_missing", lambda picture: "語")
    assert "no font here has 語: they are boxes" in run("plot", model, weather, "-o", tmp_path / "a.png").err
    assert run("plot", model, weather, "-o", tmp_path / "b.png", "-q").err == ""
    assert run("plot", model, weather, "-o", tmp_path / "c.svg").err == ""
