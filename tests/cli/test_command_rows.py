"""Rows as the user's file counts them, and the user's columns beside answers, on the command."""

import csv
import io
import json

import pytest
from command_cases import refused, run

TEXT = 'id,text,label\n7,"so\ngood",g\n\n008,so bad,b\n9,fine tea,g\n10,bad tea,b\n'


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    folder = tmp_path_factory.mktemp("rows")
    data, model = folder / "a.csv", folder / "m.safetensors"
    data.write_text(TEXT)
    quick = ("--hidden-size", "4", "--epochs", "1", "--threads", "1", "--embedding-size", "4")
    assert run("fit", "classify", data, "--target", "label", "-o", model, "-q", *quick).code == 0
    return data, model


def rows(ran):
    assert ran.code == 0, ran.err
    return list(csv.DictReader(io.StringIO(ran.out)))


def test_the_id_comes_along_and_rows_are_lines(made):
    data, model = made
    found = rows(run("predict", model, data, "-q"))
    assert list(found[0]) == ["row", "id", "text", "label", "p_b", "p_g"]
    assert [(row["row"], row["id"]) for row in found] == [("2", "7"), ("5", "008"), ("6", "9"), ("7", "10")]


@pytest.mark.parametrize(
    "options, names",
    [
        (["--keep", "none"], ["row"]),
        (["--keep", "all"], ["row", "id", "given_label"]),
        (["--keep", "label,id"], ["row", "given_label", "id"]),
        (["--keep", "label", "--keep", "id"], ["row", "given_label", "id"]),
    ],
)
def test_columns_that_are_kept(made, options, names):
    found = rows(run("predict", made[1], made[0], "-q", *options))
    assert list(found[0]) == [*names, "text", "label", "p_b", "p_g"]


def test_a_row_is_named_by_its_line(made):
    data, model = made
    lines = json.loads(run("explain", model, data, "--row", "6", "--json", "-q").out)
    assert [step["step"] for step in lines["steps"]] == ["fine", "tea"]
    assert "samples stand in lines 2, 5, 6" in refused(run("explain", model, data, "--row", "3", "--json", "-q"))
    assert "got 'price'" in refused(run("predict", model, data, "-q", "--keep", "price"))


def test_a_table_of_reasons(made, tmp_path):
    data, model = made
    found = rows(run("explain", model, data, "--rows", "2,6-7", "-q"))
    assert [row["row"] for row in found] == ["2", "6", "7"] and [row["id"] for row in found] == ["7", "9", "10"]
    assert all(row["why"] for row in found) and [row["true"] for row in found] == ["g", "g", "b"]
    out = tmp_path / "why.csv"
    ran = run("explain", model, data, "--worst", "2", "--most", "1", "-o", out)
    assert ran.code == 0 and "wrote" in ran.err and len(out.read_text().splitlines()) == 3
    assert "--force" in refused(run("explain", model, data, "--worst", "2", "-o", out))
    assert len(json.loads(run("explain", model, data, "--worst", "3", "--json", "-q").out)) == 3


@pytest.mark.parametrize(
    "options, problem",
    [
        (["--rows", "3"], "samples stand in lines 2, 5, 6"),
        (["--rows", "two"], "expected numbers of rows, such as 3,17"),
        (["--rows", "2", "--worst", "1"], "got both"),
        (["--rows", "2", "-o", "why.html"], ".csv or .json"),
        (["--rows", "2", "--row", "5"], "--row is for the page"),
        (["--worst", "0"], "--worst"),
    ],
)
def test_tables_that_cannot_be_made(made, options, problem):
    assert problem in refused(run("explain", made[1], made[0], *options))
