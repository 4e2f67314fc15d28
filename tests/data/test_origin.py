"""Where samples stand in what was read, as the user counts, and the columns beside them."""

import numpy as np
import pandas as pd
import pytest

from memorycell import SequenceClassifier, read_labelled
from memorycell.data.tables.files.record_lines import record_lines

QUICK = {"hidden_size": 4, "epochs": 1, "verbose": False, "n_threads": 1, "embedding_size": 4}


@pytest.mark.parametrize(
    "body, lines",
    [
        ("a,1\nb,2\n", [2, 3]),
        ("a,1\nb,2", [2, 3]),
        ("\na,1\n\n\nb,2\n", [3, 6]),
        ("a,1\r\n\r\nb,2\r\n", [2, 4]),
        ('"x\ny\n",1\nb,2\n', [2, 5]),
        ('"say ""no""\n\nagain",1\n\n"b",2\n', [2, 6]),
    ],
)
def test_lines_of_records(body, lines):
    assert record_lines(body.encode(), 2).tolist() == lines


def test_lines_of_a_single_column_may_be_empty():
    assert record_lines(b"a\n\nb\n", 1, skip_empty=False).tolist() == [1, 2, 3]
    assert record_lines(b'5"\n6\n7"\n', 1, quoted=False).tolist() == [1, 2, 3]


TEXT = '\ntext,label\n"so\ngood",g\n\nso bad,b\n,g\nfine,\nfine tea,g\n'


def test_a_table_counts_its_file_s_lines(tmp_path):
    path = tmp_path / "a.csv"
    path.write_text(TEXT)
    data = read_labelled(path, text="text", target="label")
    assert data.x == ["so\ngood", "so bad", "fine tea"]
    assert data.origin.numbers.tolist() == [3, 6, 9]
    assert [data.origin.where(place) for place in range(3)] == ["line 3", "line 6", "line 9"]
    assert any("first line 7" in note["text"] for note in data.notes)  # no text there
    assert any("first line 8" in note["text"] for note in data.notes)  # no label
    assert data.origin.place(6) == 1 and data.origin.take(np.array([2])).where(0) == "line 9"
    with pytest.raises(ValueError, match=r"expected a line with a sample, got 7: samples stand in lines 3, 6, 9 to 9"):
        data.origin.place(7)


def test_lines_of_label_and_text_and_rows_of_frames(tmp_path):
    path = tmp_path / "a.txt"
    path.write_text("\nNUM How far ?\n\nHUM Who ?\nNUM How long ?\nHUM Who was it ?\n")
    assert read_labelled(path).origin.numbers.tolist() == [2, 4, 5, 6]
    assert read_labelled(path, labels="none").origin.where(0) == "line 2"
    frame = read_labelled(pd.DataFrame({"text": ["a b", "", "c d"], "label": ["x", "y", "y"]}), text="text")
    assert [frame.origin.where(place) for place in range(2)] == ["row 0", "row 2"]


FRAME = pd.DataFrame({
    "order_id": ["007", "008", "009", "010"], "text": ["a b", "c d", "a c", "b d"], "label": ["x", "y", "x", "y"],
    "price": [1.5, 2.0, np.nan, 4.0], "when": pd.date_range("2024-01-01", periods=4), "row": [9, 8, 7, 6],
})  # fmt: skip


@pytest.fixture(scope="module")
def model():
    return SequenceClassifier(**QUICK, text="text", target="label").fit(pd.concat([FRAME] * 5, ignore_index=True))


@pytest.mark.parametrize(
    "keep, names",
    [
        (None, []),
        ("none", []),
        ("auto", ["order_id"]),
        ("price", ["price"]),
        (["price", "order_id"], ["price", "order_id"]),
        (["price,order_id", "when"], ["price", "order_id", "when"]),
        ("all", ["order_id", "given_label", "price", "when", "given_row"]),
    ],
)
def test_answers_keep_the_user_s_columns(model, keep, names):
    found = model.answers(FRAME, keep=keep).to_frame()
    assert list(found.columns) == ["row", *names, "text", "label", "p_x", "p_y"]
    if "order_id" in names:
        assert found["order_id"].tolist() == ["007", "008", "009", "010"]
    if "when" in names:
        assert found["when"].dt.day.tolist() == [1, 2, 3, 4]
    if "price" in names:
        assert found["price"].isna().tolist() == [False, False, True, False]


def test_what_cannot_be_kept_is_said(model):
    with pytest.raises(ValueError, match="got 'prize': it has order_id, text"):
        model.answers(FRAME, keep="prize")
    with pytest.raises(ValueError, match="expected keep= beside a file or frame"):
        model.answers(["a b"], keep="all")
    assert next(iter(model.answers(["a b"], keep="auto").columns)) == "row"


def test_an_id_is_one_of_different_values(model):
    twice = FRAME.assign(order_id="007")
    assert "order_id" not in model.answers(twice, keep="auto").columns
    assert "uuid" in model.answers(twice.assign(uuid=list("abcd")), keep="auto").columns


def test_a_long_table_keeps_what_is_constant_within_a_sequence():
    steps = pd.DataFrame({"walk": np.repeat(["a", "b"] * 10, 3) + np.repeat(np.arange(20).astype(str), 3)})
    steps = steps.assign(x=np.arange(60.0), who=np.repeat(np.arange(20) % 3, 3), y=np.repeat([0, 1] * 10, 3))
    how = {"target": "y", "reading": {"id": "walk", "values": ["x"]}}
    model = SequenceClassifier(**QUICK, **how).fit(steps)
    assert model.answers(steps, keep="who").columns["who"].tolist() == (np.arange(20) % 3).tolist()
    assert set(model.answers(steps, keep="all").columns) == {"id", "walk", "who", "given_y", "label", "p_0", "p_1"} - {
        "given_y"
    } | {"y"}
    with pytest.raises(ValueError, match="constant within a sequence to keep, got 'x'"):
        model.answers(steps, keep="x")
