"""A sixth job, which a package brings, written against the contracts alone.

That it passes what every job passes is asserted by the page that adds it (docs/adding-a-job.md), of these very files.
"""

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from memorycell.checks import Case

HERE = Path(__file__).parent
PAGE = HERE.parents[2] / "docs" / "adding-a-job.md"


@pytest.fixture(scope="module")
def case(plugged, tmp_path_factory: pytest.TempPathFactory) -> Case:
    (job,) = (job for job in plugged.jobs if job.verb == "morse")
    return Case(job, Path(tmp_path_factory.mktemp("morse")))


def test_it_really_learns(case: Case) -> None:
    reader = case.new(epochs=60, hidden_size=16)
    reader.fit(case.tiny.file)
    assert reader.predict(["... --- ...", ". .- - . -."]) == ["SOS", "EATEN"]


def test_its_answers_are_of_another_length(case: Case) -> None:
    dataset = case.fitted.dataset(
        samples := case.fitted.read(case.tiny.file), case.fitted.target_codec_.encode(samples.targets)
    )
    import torch

    batch = dataset.gather(torch.arange(4))
    assert batch.lengths["targets"].tolist() == [len(text) for text in samples.targets[:4]]
    assert batch.lengths["targets"].tolist() != batch.lengths["signals"].tolist()


def test_a_fresh_process_knows_it(case: Case, installed: list[Path]) -> None:
    paths = os.pathsep.join(str(folder) for folder in installed)
    run = subprocess.run(
        [sys.executable, "-m", "memorycell", "predict", str(case.model), str(case.tiny.file)],
        env={**os.environ, "PYTHONPATH": paths}, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert run.returncode == 0, run.stderr
    assert "signal" in run.stdout.splitlines()[0]


def test_without_the_package_the_file_says_what_is_missing(case: Case) -> None:
    run = subprocess.run(
        [sys.executable, "-m", "memorycell", "info", str(case.model)], capture_output=True, text=True, check=False
    )
    assert run.returncode == 2
    assert "holds a MorseReader" in run.stderr and "install the package" in run.stderr


def test_the_page_that_adds_it_shows_these_very_files() -> None:
    page = PAGE.read_text(encoding="utf-8")
    shown = dict(re.findall(r"<!-- file: ([\w./-]+) -->\n```\w+\n(.*?)```", page, re.DOTALL))
    assert "CHECKS" in shown.pop("test_morse.py") and "$ python -m pytest -q test_morse.py" in page
    assert shown == {
        path.relative_to(HERE).as_posix(): path.read_text(encoding="utf-8")
        for path in (HERE / "pyproject.toml", *HERE.glob("morse/*.py"))
    }


def test_its_size_is_the_one_that_the_docs_tell() -> None:
    files = list(HERE.glob("morse/*.py"))
    lines = sum(len(path.read_text(encoding="utf-8").splitlines()) for path in files)
    told = (PAGE.parent / "architecture.md").read_text(encoding="utf-8")
    assert f"{len(files)} files and {lines} lines" in told
