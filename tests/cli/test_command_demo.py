"""The demo, with a training short enough for a test."""

import json
import shlex
from pathlib import Path

import pytest
from command_cases import Ran, refused, run

from memorycell.jobs.forecasting.task import Forecaster
from memorycell.jobs.language import demo as demo_language

FILES = ["README.md", "elnino.csv", "elnino.safetensors", "forecast.csv", "report.html"]


def shorten(patched: pytest.MonkeyPatch) -> None:
    """Make trainings short."""
    fit, small = Forecaster.fit, {"epochs": 2, "hidden_size": 4, "refit": False}
    patched.setattr(Forecaster, "fit", lambda self, *args, **options: fit(self.set_params(**small), *args, **options))


@pytest.fixture(scope="module")
def demo(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Ran]:
    with pytest.MonkeyPatch.context() as patched:
        patched.chdir(tmp_path_factory.mktemp("demo"))
        patched.setattr("memorycell.pages.page.inline_svg", lambda figure, key, caption: "<svg></svg>")
        shorten(patched)
        return Path.cwd() / "memorycell-demo", run("demo")


def test_it_shows_the_forecast_beside_the_baselines(demo: tuple[Path, Ran]) -> None:
    folder, ran = demo
    assert ran.code == 0, ran.err
    assert sorted(path.name for path in folder.iterdir()) == FILES
    for name in ("LSTM", "last value", "seasonal naive", "ETS", "ridge", "came", "2010-12-01", "2011-12-01", "RMSE"):
        assert name in ran.out
    assert "training an LSTM" in ran.err


def test_what_it_says_to_do_next_works(demo: tuple[Path, Ran], monkeypatch: pytest.MonkeyPatch) -> None:
    folder, ran = demo
    monkeypatch.chdir(folder.parent)
    shorten(monkeypatch)
    commands = [shlex.split(line)[1:] for line in ran.out.splitlines() if line.startswith("  memorycell ")]
    assert [words[0] for words in commands] == ["predict", "evaluate", "fit"]
    assert (folder / "forecast.csv").read_text() == run(*commands[0]).out
    for words in commands[1:]:
        again = run(*words)
        assert again.code == 0, again.err


def test_it_overwrites_only_its_own_files(
    demo: tuple[Path, Ran], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "report.html").write_text("mine")
    assert "not the demo's" in refused(run("demo", "-o", tmp_path))
    assert (tmp_path / "report.html").read_text() == "mine"
    monkeypatch.setattr(Forecaster, "fit", lambda *args, **options: (_ for _ in ()).throw(ValueError("got this far")))
    (demo[0] / "notes.txt").write_text("mine")
    assert "got this far" in refused(run("demo", "-o", demo[0], "-q"))
    assert (demo[0] / "notes.txt").read_text() == "mine"


def test_json_is_one_document(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    shorten(monkeypatch)
    monkeypatch.setattr("memorycell.pages.report.write_report", lambda *args, **options: None)
    ran = run("demo", "--json", "-q", "-o", tmp_path / "new" / "folder")
    assert ran.err == ""
    said = json.loads(ran.out)
    assert len(said["last_year"]) == len(said["forecast"]) == 12
    assert Path(said["files"]["forecast"]).is_file()


@pytest.mark.usefixtures("undrawn")
def test_the_language_demo_learns_from_the_documentation_of_python(tmp_path: Path, monkeypatch) -> None:
    monkeypatch.setattr(demo_language, "_CHARACTERS", 6_000)
    ran = run("demo", "language", "-o", tmp_path / "here", "--json", "-q")
    assert ran.code == 0, ran.err
    told = json.loads(ran.out)
    assert told["text"].startswith("Return the ") and told["evaluation"]["perplexity"] < 100
    assert all(Path(path).stat().st_size for path in told["files"].values())
    assert Path(told["files"]["model"]).stat().st_size < 5_000_000
    again = run("demo", "forecast", "-o", tmp_path / "here")
    assert again.code == 2 and "not the demo's" in again.err


def test_the_standard_library_has_enough_to_say() -> None:
    text = demo_language.standard_text(300_000)
    assert 300_000 <= len(text) < 320_000 and text.isascii()
    assert demo_language.standard_text(5_000) == text[: len(demo_language.standard_text(5_000))]
