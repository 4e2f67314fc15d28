"""Where results may go: asked before long work, whole or not at all, and never over what the user had."""

import errno
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from command_cases import SMALL, refused, run

pytestmark = pytest.mark.usefixtures("undrawn")  # what pages show is asked in tests/pages

OLD = b"what the user had"


def no_training(*args: object, **kwargs: object) -> None:
    raise AssertionError("training began although the output could not be written")


@pytest.fixture
def idle(monkeypatch: pytest.MonkeyPatch) -> None:
    """No work may begin in this test."""
    from memorycell.jobs.forecasting.task import Forecaster

    monkeypatch.setattr(Forecaster, "fit", no_training)
    monkeypatch.setattr(Forecaster, "load", no_training)


COMMANDS: dict[str, Callable[[Path, Path, Path], tuple[object, ...]]] = {
    "fit": lambda model, data, out: ("fit", "forecast", data, "--target", "temp", "-o", out / "new.safetensors"),
    "fit --report": lambda model, data, out: (
        "fit", "forecast", data, "-o", model.with_name("other.safetensors"), "--report", out / "new.html",
    ),
    "fit --log": lambda model, data, out: (
        "fit", "forecast", data, "-o", model.with_name("other.safetensors"), "--log", out / "new.jsonl",
    ),
    "predict": lambda model, data, out: ("predict", model, data, "-o", out / "new.csv"),
    "report": lambda model, data, out: ("report", model, data, "-o", out / "new.html"),
    "explain": lambda model, data, out: ("explain", model, data, "-o", out / "new.html"),
}  # fmt: skip


@pytest.mark.usefixtures("idle")
@pytest.mark.parametrize("name", COMMANDS)
def test_outputs_are_asked_for_before_work_begins(name: str, model: Path, weather: Path, tmp_path: Path) -> None:
    assert "there is no folder" in refused(run(*COMMANDS[name](model, weather, tmp_path / "nowhere")))
    command = COMMANDS[name](model, weather, tmp_path)
    path = Path(str(command[-1]))
    path.write_bytes(OLD)
    assert "--force" in refused(run(*command))
    assert path.read_bytes() == OLD
    wrong = path.with_suffix(".xyz")
    assert "expected a name that ends in" in refused(run(*command[:-1], wrong))
    path.unlink()
    path.mkdir()
    assert "is a folder" in refused(run(*command, "--force"))


@pytest.fixture
def locked(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder that may not be written to: the machine's, if it has one that even root may not, or one that says so."""
    if Path("/proc/self").is_dir():
        return Path("/proc/self")
    folder, opened = tmp_path / "locked", os.open
    folder.mkdir()

    def refusing(path: Any, flags: int, *more: Any, **options: Any) -> int:
        if flags & os.O_CREAT and Path(os.fsdecode(path)).parent == folder:
            raise PermissionError(errno.EACCES, os.strerror(errno.EACCES), str(path))
        return opened(path, flags, *more, **options)

    monkeypatch.setattr("os.open", refusing)
    return folder


@pytest.mark.usefixtures("idle")
@pytest.mark.parametrize("name", COMMANDS)
def test_a_folder_that_cannot_be_written_to(name: str, model: Path, weather: Path, locked: Path) -> None:
    assert f"cannot write {locked / 'new'}" in refused(run(*COMMANDS[name](model, weather, locked)))


@pytest.mark.usefixtures("idle")
def test_inputs_are_not_written_over(model: Path, weather: Path, tmp_path: Path) -> None:
    link = tmp_path / "link.csv"
    link.symlink_to(weather)
    for path in (weather, link):
        assert "would be read" in refused(run("predict", model, weather, "-o", path, "--force"))


@pytest.mark.usefixtures("idle")
def test_two_outputs_in_one_file(weather: Path, tmp_path: Path) -> None:
    path = tmp_path / "a.safetensors"
    said = refused(run("fit", "forecast", weather, "-o", path, "--checkpoint", path))
    assert "two outputs" in said


@pytest.mark.usefixtures("idle")
def test_a_checkpoint_is_not_begun_afresh_without_a_word(weather: Path, tmp_path: Path) -> None:
    path = tmp_path / "progress.ckpt"
    path.write_bytes(OLD)
    command = ("fit", "forecast", weather, "-o", tmp_path / "a.safetensors", "--checkpoint", path)
    assert "--resume" in refused(run(*command))
    assert "--resume" in refused(run(*command, "--force"))
    assert path.read_bytes() == OLD
    assert "--checkpoint" in refused(run(*command[:-2], "--resume"))


def fail_to_sync(descriptor: int) -> None:
    raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))


def test_a_full_disk_while_a_forecast_is_written(
    model: Path, weather: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "forecast.csv"
    path.write_bytes(OLD)
    monkeypatch.setattr(os, "fsync", fail_to_sync)
    line = refused(run("predict", model, weather, "-o", path, "--force"))
    assert "No space left on device" in line
    assert path.read_bytes() == OLD
    assert [file.name for file in tmp_path.iterdir()] == ["forecast.csv"]


def test_a_full_disk_while_a_model_is_saved(weather: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The old model survives, and so does the new one: somewhere else, and the line says where."""
    path, rescues = tmp_path / "a.safetensors", tmp_path / "rescues"
    rescues.mkdir()
    path.write_bytes(OLD)
    monkeypatch.setattr("tempfile.tempdir", str(rescues))
    sync, failures = os.fsync, iter([fail_to_sync])
    monkeypatch.setattr(os, "fsync", lambda descriptor: next(failures, sync)(descriptor))
    line = refused(run("fit", "forecast", weather, "--target", "temp", "-o", path, "--force", "-q", *SMALL))
    assert "No space left on device" in line
    assert "unchanged" in line
    assert path.read_bytes() == OLD
    (rescue,) = rescues.rglob("*.safetensors")
    assert str(rescue) in line
    assert run("predict", rescue, weather).code == 0


def test_a_full_disk_while_the_report_is_written(
    weather: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_: object, **__: object) -> None:
        raise OSError(errno.ENOSPC, "No space left on device", "page.html")

    monkeypatch.setattr("memorycell.pages.report.write_report", full)
    output = tmp_path / "model.safetensors"
    ran = run(
        "fit", "forecast", weather, "--target", "temp", "-o", output, "--report", tmp_path / "page.html", "-q", *SMALL
    )
    assert ran.code == 2 and output.is_file()
    said, error = ran.err.splitlines()
    assert str(output) in said and "No space left" in error


# Where there is no device that is always full, a stdout that says so.
FULL = """
import errno, io, os, runpy, sys
class Full(io.RawIOBase):
    def writable(self):
        return True
    def write(self, data):
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
sys.stdout = io.TextIOWrapper(io.BufferedWriter(Full()))
try:
    runpy.run_module("memorycell", run_name="__main__", alter_sys=True)
except SystemExit as end:
    sys.stderr.flush()
    os._exit(end.code)  # nothing more is written to what is full
"""


def test_a_full_disk_behind_stdout(model: Path) -> None:
    device = Path("/dev/full")
    command = ["-m", "memorycell"] if device.exists() else ["-c", FULL]
    with (device if device.exists() else Path(os.devnull)).open("w") as full:
        ran = subprocess.run(
            [sys.executable, *command, "info", model],
            stdout=full,
            stderr=subprocess.PIPE,
            text=True,
            check=False,
        )
    assert (ran.returncode, ran.stderr) == (2, "memorycell: No space left on device\n")


def test_a_reader_that_has_seen_enough(model: Path, weather: Path) -> None:
    """`memorycell … | head -1` ends in silence."""
    command = [sys.executable, "-m", "memorycell", "predict", model, weather]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
        process.stdout.close()
        assert process.stderr.read() == ""
        assert process.wait() == 141
