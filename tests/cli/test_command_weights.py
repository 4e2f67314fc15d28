"""Weights of samples on the command."""

import pytest
from command_cases import refused, run

QUICK = ("--hidden-size", "4", "--epochs", "1", "--threads", "1")
ROWS = [("1", "warm soup", "g"), ("2", "cold soup", "b"), ("0", "fine tea", "g"), ("1", "bad tea", "b")] * 6


def test_a_column_of_weights(tmp_path):
    data, out = tmp_path / "a.csv", tmp_path / "m.safetensors"
    data.write_text("w,text,label\n" + "".join(",".join(row) + "\n" for row in ROWS))
    fit = ("fit", "classify", data, "--target", "label", "-o", out, *QUICK)
    assert "Samples are weighted, from 0 to 2" in run(*fit, "--weight", "w").err
    assert '"accuracy"' in run("evaluate", out, data, "--folds", "2", "--json", "-q").out
    assert "'v'" in refused(run(*fit, "--force", "-q", "--weight", "v"))
    data.write_text(data.read_text().replace("\n2,", "\n-2,", 1))
    assert "got -2 in line 3" in refused(run(*fit, "--force", "-q", "--weight", "w"))


@pytest.mark.parametrize("value, code", [("2", 0), ("x", 2)])
def test_a_column_of_weights_beside_words(tmp_path, value, code):
    data = tmp_path / "a.tsv"
    data.write_text(f"a\t{value}\tDET\ndog\t1\tNOUN\n\n" * 12)
    ran = run("fit", "tag", data, "--weight", "1", "-o", tmp_path / "m.safetensors", *QUICK, "--no-characters")
    assert ran.code == code
    assert ("Words are weighted" in ran.err) if code == 0 else ("line 1: expected a weight" in ran.err)
