"""read_labelled: what a file holds is found out; what it lacks is said."""

import gzip
from pathlib import Path

import numpy as np
import pandas as pd
import polars as pl
import pytest

from memorycell.data.labels.reading import read_labelled

TWEETS = {
    "tweet_id": [11, 12, 13, 14, 15, 16],
    "sentiment": ["neg", "pos", "neg", "neg", "pos", "neg"],
    "airline": ["A", "B", "A", "B", "A", "B"],
    "text": ["so late again", "very good crew", "lost my bag", "NA", "none", "so late again"],
    "created": [f"2/24/2015 11:3{i}" for i in range(6)],
}
QUOTED = 'text,label\n"two\nlines, one row",a\n"a ""word""",b\nx y,a\nu v,b\n'


def write(path: Path, content: str | bytes) -> Path:
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    return path


def said(data) -> list[str]:
    return [entry["text"] for entry in data.notes]


@pytest.mark.parametrize("kind", ["dict", "pandas", "polars", "csv", "csv.gz", "tsv", "parquet"])
def test_a_text_in_each_row(kind: str, tmp_path: Path) -> None:
    frame = pd.DataFrame(TWEETS)
    path = tmp_path / f"tweets.{kind}"
    sources = {"dict": TWEETS, "pandas": frame, "polars": pl.DataFrame(TWEETS)}
    if kind == "parquet":
        frame.to_parquet(path)
    elif kind not in sources:
        frame.to_csv(path, index=False, sep="\t" if kind == "tsv" else ",")
    data = read_labelled(sources.get(kind, path), text="text", target="sentiment", group="airline")
    assert data.x == TWEETS["text"]  # "NA" and "none" are words
    assert data.y.tolist() == TWEETS["sentiment"]
    assert data.groups.tolist() == TWEETS["airline"]
    assert data.rows.tolist() == list(range(6))


def test_the_text_is_found_and_the_label_is_not_guessed_among_several() -> None:
    assert read_labelled(TWEETS, target="sentiment").x == TWEETS["text"]
    assert "Column 'text' was read as the text." in said(read_labelled(TWEETS, target="sentiment"))
    with pytest.raises(ValueError, match=r"could be the label \('sentiment', 'airline'\): name it with target="):
        read_labelled(TWEETS)
    with pytest.raises(ValueError, match=r"could be the text \('a', 'b'\): name it with text="):
        read_labelled({"a": ["x", "y", "z"], "b": ["u", "v", "w"], "label": [1, 0, 1]})
    data = read_labelled({"name": ["x", "y", "z"], "said": ["is it me", "no it is", "a b c"], "label": [1, 0, 1]})
    assert data.x[0] == "is it me"
    assert data.y.dtype == np.int64


@pytest.mark.parametrize(
    ("labels", "kind"),
    [
        (["1", "2", "1"], "U"),
        ([1, 2, 1], "i"),
        ([True, False, True], "b"),
        ([1.5, 2.0, 1.0], "f"),
        (["none", "?", "-"], "U"),
        ([1, "b", 2], "U"),
    ],
    ids=str,
)
def test_labels_of_frames_keep_their_type(labels: list, kind: str) -> None:
    y = read_labelled({"text": ["a b", "c d", "e f"], "label": labels}).y
    assert y.dtype.kind == kind
    assert y.tolist() == (labels if kind != "U" else [str(label) for label in labels])


def test_rows_without_label_or_text_are_left_out_and_counted(tmp_path: Path) -> None:
    rows = "text,label,who\na b,1,p\nc d,,p\n,2,q\n  ,1,q\ne f,NA,q\ng h,2,p\n"
    data = read_labelled(write(tmp_path / "a.csv", rows), text="text", target="label", group="who")
    assert (data.x, data.y.tolist(), data.groups.tolist(), data.rows.tolist()) == (
        ["a b", "g h"],
        [1, 2],
        ["p", "p"],
        [0, 5],
    )
    assert data.y.dtype == np.int64
    assert "2 of 6 rows have no label in column 'label' (first line 3): left out." in said(data)
    assert "2 of 6 rows have no text in column 'text' (first line 4): left out." in said(data)
    frame = pd.DataFrame({"text": ["a b", np.nan, "c d"], "label": ["x", "x", None]})
    assert read_labelled(frame).x == ["a b"]


def test_for_prediction_no_row_is_left_out(tmp_path: Path) -> None:
    data = read_labelled({"text": ["a b", None, "c d"], "label": ["x", None, None]}, target="label", labels="none")
    assert (data.x, data.y) == (["a b", "", "c d"], None)
    assert read_labelled({"text": ["a b", "c d"]}, text="text", target="label", labels="none").y is None
    wide = read_labelled({"a": [1, 2], "b": [3, 4]}, target="class", labels="none")
    assert (wide.x.shape, wide.y) == ((2, 2), None)


def test_another_table_is_read_the_same_way() -> None:
    pen = {"a": [1, 2, 3, 4], "b": [3, 4, 5, 6], "class": [0, 1, 0, 1]}
    data = read_labelled(pen)
    assert data.columns == {"target": "class", "values": ["a", "b"], "channels": 1}
    assert read_labelled(pen, **data.columns, labels="none").x.shape == (4, 2)
    unlabelled = {name: pen[name] for name in "ba"}
    np.testing.assert_array_equal(read_labelled(unlabelled, **data.columns, labels="none").x, data.x)
    data = read_labelled(TWEETS, target="sentiment", group="airline")
    assert data.columns == {"text": "text", "target": "sentiment", "group": "airline"}
    steps = {"id": [1, 1, 2], "at": [1, 0, 0], "v": [1.0, 2.0, 3.0], "label": ["p", "p", "q"]}
    data = read_labelled(steps, id="id", time="at", target="label")
    assert data.columns == {"id": "id", "time": "at", "target": "label", "values": ["v"]}


def test_quotes(tmp_path: Path) -> None:
    data = read_labelled(write(tmp_path / "a.csv", QUOTED))
    assert data.x == ["two\nlines, one row", 'a "word"', "x y", "u v"]
    loose = 'text\tlabel\n"never closed\t1\nplain words\t0\na "b" c\t1\n" \t0\n'
    data = read_labelled(write(tmp_path / "a.tsv", loose))
    assert data.x == ['"never closed', "plain words", 'a "b" c', '"']
    assert data.y.tolist() == [1, 0, 1, 0]
    assert any("read as part of the text" in text for text in said(data))


def test_no_header(tmp_path: Path) -> None:
    rows = "EI,  one,  CCAG\nIE,  two,  GGTA\nEI,  three,  AATT\nIE,  four,  TTTT\n"
    path = write(tmp_path / "splice.data", rows)
    data = read_labelled(path, text=2, target=0)
    assert (data.x, data.y.tolist()) == (["CCAG", "GGTA", "AATT", "TTTT"], ["EI", "IE", "EI", "IE"])
    assert data.columns == {"text": "x2", "target": "x0", "header": False}
    other = write(tmp_path / "other.data", "IE,  five,  GATT\n")
    assert read_labelled(other, **data.columns, labels="none").x == ["GATT"]
    assert read_labelled(path, text=-1, target="x0", header=False).x == data.x
    named = read_labelled(path, text="CCAG", target="EI", header=True)
    assert named.y.tolist() == ["IE", "EI", "IE"]


def test_long_texts(tmp_path: Path) -> None:
    texts = [letter * 2 + " " + letter * 1_000_000 for letter in "abc"]
    rows = "text,label\n" + "".join(f"{text},{i % 2}\n" for i, text in enumerate(texts))
    assert read_labelled(write(tmp_path / "a.csv", rows)).x == texts


def test_encodings(tmp_path: Path) -> None:
    path = write(tmp_path / "a.csv", "text,label\ncafé žižkov,1\nno,0\n".encode("cp1250"))
    with pytest.raises(ValueError, match=r"byte 0xe9 in line 2; save it as UTF-8, .*'cp1250' \(Central Europe\)"):
        read_labelled(path, text="text", target="label")
    path = write(tmp_path / "a.csv", "text,label\ncafé noir,1\nno,0\n".encode("latin-1"))
    found = read_labelled(path, text="text", target="label")
    assert found.x[0] == "café noir" and "read as cp1252" in found.notes[0]["text"]
    assert read_labelled(path, text="text", target="label", encoding="latin-1").x[0] == "café noir"
    lines = write(tmp_path / "a.txt", "A un café\nB un mot\nA une fois\nB non\n".encode("latin-1"))
    with pytest.raises(ValueError, match=r"byte 0xe9 at place 8 \(line 1\)"):
        read_labelled(lines)
    assert read_labelled(lines, encoding="latin-1").x[0] == "un café"


LINES = {
    "space": ("NUM How far ?\nHUM Who is it ?\n\nNUM How long, then ?\nHUM Who ?\n", ["NUM", "HUM", "NUM", "HUM"]),
    "tab": ('ham\tSo "it is\nspam\tBuy, now\nham\tok\nspam\tx\n', ["ham", "spam", "ham", "spam"]),
    "tab, label last": ("So it is\t1\nBuy now\t0\nok then\t1\nno\t0\n", [1, 0, 1, 0]),
    "numbers": ("0.5 low\n2.5 high\n0.5 low again\n2.5 high again\n", [0.5, 2.5, 0.5, 2.5]),
    "leading zeros": ("01 low\n02 high\n01 low again\n02 a\n", ["01", "02", "01", "02"]),
    "fastText": ("__label__a one text\n__label__b two\n", ["a", "b"]),
    "several labels": ("__label__a __label__b one text\n__label__b two\n", [["a", "b"], ["b"]]),
}


@pytest.mark.parametrize("case", LINES)
def test_lines_of_a_label_and_a_text(case: str, tmp_path: Path) -> None:
    lines, labels = LINES[case]
    data = read_labelled(write(tmp_path / "a.txt.gz", gzip.compress(lines.encode())))
    assert list(data.y) == labels
    assert data.x[1] in ("Who is it ?", "Buy, now", "Buy now", "high", "two")


def test_lines_without_a_text_and_lines_for_prediction(tmp_path: Path) -> None:
    path = write(tmp_path / "a.txt", "A one\nB\nA three\nB four\n")
    data = read_labelled(path)
    assert (data.x, data.rows.tolist()) == (["one", "three", "four"], [0, 2, 3])
    assert said(data) == ["1 of 4 lines have no text beside the label (first line 2): left out."]
    data = read_labelled(path, labels="none")
    assert (data.x[0], data.y) == ("A one", None)
    table = write(tmp_path / "b.txt", "label\ttext\na\tone two\nb\tthree four\na\tfive\nb\tsix\n")
    assert read_labelled(table).x == ["one two", "three four", "five", "six"]


def test_a_sequence_in_each_row(tmp_path: Path) -> None:
    rows = "c1, c2,c3,c4,class\n47, 100, 27, 81, 8\n 0,89,27,100,2\n 1,2,3,4,8\n"
    path = write(tmp_path / "pen.tra", rows)
    data = read_labelled(path)
    assert (data.x.tolist()[0], data.y.tolist()) == ([47, 100, 27, 81], [8, 2, 8])
    pairs = read_labelled(path, channels=2)
    assert (pairs.x.shape, pairs.x[0].tolist(), pairs.names) == ((3, 2, 2), [[47, 100], [27, 81]], ["x0", "x1"])
    assert read_labelled(path, values=["c1", "c3"], target="class").x[0].tolist() == [47, 27]
    several = read_labelled(path, values=["c1", "c2"], target=["c3", "c4"])
    assert several.y.tolist()[0] == [27, 81]


def test_rows_that_end_early_are_shorter_sequences() -> None:
    nan = np.nan
    data = read_labelled({"a": [1.0, 2.0, nan], "b": [nan, 4.0, nan], "c": [5.0, nan, nan], "label": ["x", "y", "x"]})
    assert [x.shape for x in data.x] == [(3, 1), (2, 1)]
    assert said(data)[-2:] == [
        "1 of 3 rows has no value (first row 2): left out.",
        "1 rows end in missing values: their sequences are that much shorter.",
    ]


def test_more_steps_than_a_table_has_columns(tmp_path: Path) -> None:
    head = ",".join([*(f"t{i}" for i in range(1500)), "label"])
    row = ",".join(["1.5"] * 1500)
    assert read_labelled(write(tmp_path / "a.csv", f"{head}\n{row},a\n{row},b\n")).x.shape == (2, 1500)


def test_ts_files(tmp_path: Path) -> None:
    path = write(tmp_path / "a.TS", "@classLabel true a b\n@data\n1,2:a\n3:b\n")
    assert read_labelled(path).y.tolist() == ["a", "b"]
    with pytest.raises(ValueError, match="no columns to choose: leave out text, target"):
        read_labelled(path, text="text", target="label")
    with pytest.raises(ValueError, match="has one label a sequence"):
        read_labelled(path, labels="step")
    with pytest.raises(ValueError, match="has no labels"):
        read_labelled(write(tmp_path / "b.ts", "@classLabel false\n@data\n1,2\n"))


TEXT = {"text": ["a b", "c d"], "label": ["x", "y"]}
BAD = {
    "no such text": (TEXT, {"text": "txet"}, "no text column 'txet': did you mean 'text'"),
    "no such target": (TEXT, {"target": "lable"}, "no target column 'lable': did you mean 'label'"),
    "no such group": (TEXT, {"group": "who"}, "no group column 'who'"),
    "text as target": (TEXT, {"text": "text", "target": "text"}, "for the text and for the label, group or weight"),
    "no label": ({"text": ["a b", "c d"]}, {}, "no column named label"),
    "no labels": ({"text": ["a b", "c d"], "label": [None, np.nan]}, {}, "no label in any row of column 'label'"),
    "no texts": ({"text": [None, ""], "label": [1, 2]}, {"text": "text"}, "no row with both a text in column 'text'"),
    "group missing": ({**TEXT, "who": ["p", None]}, {"group": "who"}, "'who' of .* does not say which .* row 1"),
    "group missing below": (
        {"text": ["a", "b", "c"], "label": [None, "x", "y"], "who": [None, "p", None]},
        {"group": "who"},
        "'who' of .* does not say which group row 2",
    ),
    "infinite": ({"text": ["a b", "c d"], "label": [1.5, np.inf]}, {}, "target 'label' of .* is infinite in row 1"),
    "dates": ({**TEXT, "day": pd.to_datetime(["2024-01-01"] * 2)}, {"target": "day"}, "'day' of .* holds dates"),
    "words as values": (TEXT, {"values": ["text"], "target": "label"}, "expected numeric columns.*got text in column"),
    "no numbers": ({"a": ["x", "x"], "label": ["p", "q"]}, {}, "expected numeric columns.*got only 'a', 'label'"),
    "channels": (
        {"a": [1, 2], "b": [1, 2], "c": [1, 2], "label": [0, 1]},
        {"channels": 2},
        "steps of 2, got 3 value col",
    ),
    "empty rows": (
        {"a": [np.nan, np.nan], "label": [0, 1]},
        {"labels": "none", "target": "label", "values": ["a"]},
        "rows without a value",
    ),
    "labels": (TEXT, {"labels": "all"}, "expected labels 'sequence', 'step' or 'none'"),
    "a label a step": (TEXT, {"labels": "step"}, "needs a table in long form"),
    "targets of text": ({**TEXT, "n": [1, 2]}, {"text": "text", "target": ["label", "n"]}, "have to be numbers"),
    "no target": (TEXT, {"target": []}, "at least one target column"),
}


@pytest.mark.parametrize("case", BAD)
def test_refused(case: str) -> None:
    table, options, message = BAD[case]
    with pytest.raises(ValueError, match=message) as caught:
        read_labelled(table, **options)
    assert "\n" not in str(caught.value)


def test_files_that_are_refused(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError, match="no file"):
        read_labelled(tmp_path / "none.csv")
    with pytest.raises(FileNotFoundError, match="no file"):
        read_labelled(tmp_path / "none.txt")
    with pytest.raises(ValueError, match="is a folder"):
        read_labelled(tmp_path)
    with pytest.raises(ValueError, match="is empty"):
        read_labelled(write(tmp_path / "a.txt", ""))
    with pytest.raises(ValueError, match="4 of 4 first words differ"):
        read_labelled(write(tmp_path / "b.txt", "just some\nlines of\ntext here\nand more\n"))
    with pytest.raises(ValueError, match="expected lines of a label, a space or tab and a text, got 'word'"):
        read_labelled(write(tmp_path / "c.txt", "word\nword\nword\nword\n"))
    with pytest.raises(TypeError, match="expected a path"):
        read_labelled(object())


@pytest.mark.parametrize(
    ("first", "second"),
    [("10%", "20%"), ("$5", "$10"), ("1,0", "2"), ("2024-01-31", "2024-02-29"), ("1.000", "985"), ("1200", "1,300")],
)
def test_labels_of_classes_are_as_they_are_written(tmp_path, first, second):
    path = tmp_path / "a.csv"
    rows = "".join(f'text {k} here,"{(first, second)[k % 2]}"\n' for k in range(20))
    path.write_text(f"text,label\n{rows}")
    data = read_labelled(path, classes=True)
    assert set(data.y.tolist()) == {first, second}
    assert not [each for each in data.notes if "label' holds" in each["text"] or "label' writes" in each["text"]]


@pytest.mark.parametrize("kind", ["datetime64[ns]", "datetime64[s]"])
def test_dates_as_labels_are_days(kind):
    frame = pd.DataFrame({"text": ["so good", "so bad"], "label": np.array(["2024-01-31", "2024-02-29"], kind)})
    assert read_labelled(frame, text="text", target="label", classes=True).y.tolist() == ["2024-01-31", "2024-02-29"]
    with pytest.raises(ValueError, match="column 'label' of the pandas frame holds dates: expected numbers"):
        read_labelled(frame, text="text", target="label")
