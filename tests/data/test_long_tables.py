"""read_long: rows of long sequences put together; ids, times and labels that contradict themselves."""

from pathlib import Path

import numpy as np
import pandas as pd
import polars as pl
import pytest

from memorycell.data.labels.reading import read_labelled
from memorycell.data.tables.long_tables import read_long
from memorycell.data.tables.reading import read_table

COLUMNS = {
    "walk": ["b", "a", "b", "a", "b"],
    "t": [2, 0, 0, 5, 1],
    "x": [3.0, 10.0, 1.0, 11.0, 2.0],
    "z": [-3, -10, -1, -11, -2],
    "who": ["eve", "ada", "eve", "ada", "eve"],
    "kind": ["run", "sit", "run", "sit", "run"],
    "frame": ["p", "q", "r", "s", "t"],
}


def change(**columns: list) -> dict:
    return {**COLUMNS, **columns}


@pytest.mark.parametrize("kind", ["dict", "pandas", "polars", "csv", "parquet"])
def test_sequences_in_order_of_time(kind: str, tmp_path: Path) -> None:
    source = {"dict": dict, "pandas": pd.DataFrame, "polars": pl.DataFrame}.get(kind, pd.DataFrame)(COLUMNS)
    if kind in ("csv", "parquet"):
        frame, source = source, tmp_path / f"a.{kind}"
        frame.to_csv(source, index=False) if kind == "csv" else frame.to_parquet(source)
    data = read_labelled(source, id="walk", time="t", values=["x", "z"], target="kind", group="who")
    assert data.ids == ["b", "a"]
    assert [x.tolist() for x in data.x] == [[[1, -1], [2, -2], [3, -3]], [[10, -10], [11, -11]]]
    assert (data.y.tolist(), data.groups.tolist(), data.names) == (["run", "sit"], ["eve", "ada"], ["x", "z"])


def test_without_time_rows_keep_their_order() -> None:
    data = read_long(read_table(COLUMNS), "walk", values=["x"], labels="none")
    assert [x.ravel().tolist() for x in data.x] == [[3, 1, 2], [10, 11]]
    assert data.y is None


def test_a_label_at_each_step_follows_the_order() -> None:
    data = read_labelled(COLUMNS, id=0, time="t", values=["x"], target="frame", labels="step")
    assert [y.tolist() for y in data.y] == [["r", "t", "p"], ["q", "s"]]


def test_dates_as_times() -> None:
    days = ["2024-01-03", "2024-01-01", "2024-01-01", "2024-01-02", "2024-01-02"]
    data = read_labelled(change(t=days), id="walk", time="t", values=["x"], target="kind")
    assert data.x[0].ravel().tolist() == [1, 2, 3]


def test_columns_by_default_and_what_is_left_out() -> None:
    data = read_labelled(COLUMNS, id="walk", time="t", target="kind")
    assert data.names == ["x", "z"]
    assert "Left out, as they hold no numbers: columns 'who', 'frame'." in [entry["text"] for entry in data.notes]


def test_symbols() -> None:
    data = read_labelled(COLUMNS, id="walk", time="t", values=["frame"], target="kind")
    assert data.x == [["r", "t", "p"], ["q", "s"]]


def test_sequences_without_a_label_are_left_out_and_counted() -> None:
    data = read_labelled(change(kind=["run", None, None, "NaN", "run"]), id="walk", values=["x"], target="kind")
    assert (data.ids, data.y.tolist(), data.rows.tolist()) == (["b"], ["run"], [0])
    assert data.notes[-1]["text"] == "1 of 2 sequences have no label in column 'kind' (first walk 'a'): left out."


def test_numbers_as_labels() -> None:
    table = change(kind=[1.5, 2.0, 1.5, None, np.nan])
    assert read_labelled(table, id="walk", values=["x"], target="kind").y.tolist() == [1.5, 2.0]
    assert read_labelled(change(kind=[7, 8, 7, 8, 7]), id="walk", values=["x"], target="kind").y.dtype == np.int64


BAD = {
    "no such id": (COLUMNS, {"id": "wlak"}, "no id column 'wlak': did you mean 'walk'"),
    "no such place": (COLUMNS, {"id": 9}, "no id column 9: it has 7 columns"),
    "id missing": (change(walk=["a", None, "b", "b", "b"]), {}, "does not say which series row 1 belongs to"),
    "twice": (COLUMNS, {"group": "walk"}, "column 'walk' is given twice"),
    "same time": (
        change(t=[0, 1, 2, 3, 0]),
        {"time": "t"},
        "1 rows that repeat a time .* walk 'b', t 0, in row 0 and row 4",
    ),
    "time missing": (change(t=[0, 1, None, 3, 4]), {"time": "t"}, "no time in row 2"),
    "label changes": (
        change(kind=["run", "sit", "run", "sit", "sit"]),
        {},
        "'kind' of .* changes within walk 'b'.*row 4",
    ),
    "group changes": (
        change(who=["a", "b", "c", "b", "a"]),
        {"group": "who"},
        "group 'who' of .* changes within walk 'b'",
    ),
    "no label at all": (change(kind=[None] * 4 + ["NaN"]), {}, "no label in any row"),
    "step unlabelled": (change(kind=["a", "b", None, "a", "b"]), {"labels": "step"}, "no label in row 2"),
    "no target": (COLUMNS, {"target": None}, "name the column of the label with target="),
    "words as values": (COLUMNS, {"values": ["x", "frame"]}, "expected value columns of numbers, .* got 'frame'"),
    "no values": (COLUMNS, {"values": []}, "expected value columns of numbers"),
    "no symbol": (change(frame=["p", None, "r", "s", "t"]), {"values": ["frame"]}, "no symbol in row 1"),
    "text too": (COLUMNS, {"text": "frame"}, "either text= .* or id="),
    "two targets": (COLUMNS, {"target": ["x", "z"]}, "one target in long form"),
}


@pytest.mark.parametrize("case", BAD)
def test_refused(case: str) -> None:
    table, options, message = BAD[case]
    with pytest.raises(ValueError, match=message) as caught:
        read_labelled(table, **{"id": "walk", "target": "kind", "values": ["x"], **options})
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("values", [[1.0, 2.0, None, None, 3.0], ["a", "b", None, None, "c"]])
def test_sequences_of_which_nothing_is_known(values: list) -> None:
    table = read_table({"id": ["p", "p", "q", "q", "r"], "v": values, "y": ["u", "u", "w", "w", "u"]})
    data = read_long(table, "id", values=["v"], target="y")
    assert len(data) == 2 and data.ids == ["p", "r"]
    assert data.notes[-1]["text"] == "1 of 3 sequences has no value (first id 'q'): left out."
    asked = read_long(table, "id", values=["v"], labels="none")
    assert [len(each) for each in asked.x] == [2, 2 if values[0] == 1.0 else 0, 1]
    assert asked.notes[-1]["text"] == "1 of 3 sequences has no value (first id 'q'): no answer there."


def test_a_symbol_that_is_missing_among_others() -> None:
    table = read_table({"id": ["p", "p", "q", "q"], "v": ["a", None, None, None]})
    with pytest.raises(ValueError, match="has no symbol in row 1"):
        read_long(table, "id", values=["v"], labels="none")
