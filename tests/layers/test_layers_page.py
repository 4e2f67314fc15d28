"""The examples of docs/layers.md."""

import doctest
from pathlib import Path

PAGE = Path(__file__).parents[2] / "docs" / "layers.md"


def test_the_examples_run(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)  # they write files
    failed, tried = doctest.testfile(str(PAGE), module_relative=False)
    assert tried > 20 and not failed
