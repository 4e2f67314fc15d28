"""LabelCodec: labels to class numbers and back."""

from __future__ import annotations

import json
from typing import Any

import numpy as np
import pandas
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from memorycell.data.codec import Codec, codec_from_json
from memorycell.data.labels.label_codec import LabelCodec


def again(codec: LabelCodec) -> LabelCodec:
    return codec_from_json(json.loads(json.dumps(codec.to_json())))


@pytest.mark.parametrize(
    ("labels", "dtype"),
    [
        (["b", "a", "b"], "U"),
        (np.array(["b", "a"], object), "O"),
        (np.array([3, -1, 3], np.int32), "i"),
        ([2, 1], "i"),
        ([True, False], "b"),
        ([2.0, 1.0, 2], "f"),
        (np.array([0, 7], np.uint8), "u"),
    ],
)
def test_labels_keep_their_type(labels: Any, dtype: str) -> None:
    codec = LabelCodec().fit(labels)
    assert isinstance(codec, Codec)
    assert codec.classes_.dtype.kind == dtype
    if isinstance(labels, np.ndarray):
        assert codec.classes_.dtype == labels.dtype
    assert codec.classes_.tolist() == sorted(set(list(labels)))
    assert codec.counts_.tolist() == [list(labels).count(label) for label in codec.classes_.tolist()]
    other = again(codec)
    ids = other.encode(labels)
    assert ids.dtype == torch.int64
    assert other.classes_.dtype == codec.classes_.dtype
    assert other.decode(ids).tolist() == list(labels)


@settings(max_examples=50, deadline=None)
@given(st.lists(st.sets(st.sampled_from(["a", "b", "c c", "δ"]))).filter(any))
def test_several_labels_round_trip(rows: list[set[str]]) -> None:
    codec = again(LabelCodec("several").fit(rows))
    encoded = codec.encode(rows)
    assert encoded.shape == (len(rows), codec.size)
    assert encoded.dtype == torch.float32
    assert [set(labels) for labels in codec.decode(encoded)] == rows
    assert codec.encode(["|".join(sorted(row)) for row in rows]).equal(encoded)
    assert codec.counts_.tolist() == encoded.sum(0).tolist()


def test_several_labels_as_zeros_and_ones() -> None:
    table = np.array([[1, 0, 1], [0, 0, 1]])
    codec = again(LabelCodec("several").fit(table))
    assert codec.classes_.tolist() == [0, 1, 2]
    assert codec.counts_.tolist() == [1, 0, 2]
    assert codec.encode(table).tolist() == table.tolist()
    assert codec.decode([[0.5, 0.4, 0.9]]) == [[0, 2]]
    with pytest.raises(ValueError, match="zeros and ones"):
        codec.fit(table * 2)


def test_columns_of_frames() -> None:
    codec = LabelCodec().fit(pandas.Series(["x", "y"], index=[4, 9]))
    assert codec.encode(pandas.Series(["y"])).tolist() == [1]
    assert LabelCodec().fit(pandas.Series(["x", "y"], dtype="category")).classes_.tolist() == ["x", "y"]
    with pytest.raises(ValueError, match=r"1 missing one \(rows 1\)"):
        LabelCodec().fit(pandas.Series([1, None], dtype="Int64"))


def test_labels_not_seen_in_training() -> None:
    codec = LabelCodec().fit(["neg", "pos"])
    assert codec.encode(["pos", "new"], unknown="ignore").tolist() == [1, -1]
    with pytest.raises(ValueError, match=r"\('neg', 'pos'\), got 'new' \(2 rows, first: row 1\): leave"):
        codec.encode(["pos", "new", "new"])
    with pytest.raises(ValueError, match="'a' and 1 other unseen labels"):
        codec.encode(["a", "b"])
    several = LabelCodec("several").fit([["a", "b"]])
    assert several.encode([["a", "z"]], unknown="ignore").tolist() == [[1.0, 0.0]]
    with pytest.raises(ValueError, match=r"got 'z' \(1 row, first: row 0\)"):
        several.encode([["a", "z"]])
    with pytest.raises(ValueError, match="'error' or 'ignore'"):
        codec.encode(["neg"], unknown="skip")
    many = LabelCodec().fit(list(range(1000)))
    with pytest.raises(ValueError, match="1000 in all"):
        many.encode([5000])


@pytest.mark.parametrize(
    ("kind", "labels", "error", "message"),
    [
        ("single", [], ValueError, "at least one label"),
        ("single", "abc", TypeError, "single text"),
        ("single", ["a", None, float("nan")], ValueError, r"2 missing ones \(rows 1, 2\): leave those rows out"),
        ("single", [None] * 9, ValueError, r"9 missing ones \(rows 0, 1, 2, 3, 4, …\)"),
        ("single", np.array([1.0, np.nan]), ValueError, r"1 missing one \(rows 1\)"),
        ("single", ["a", 1], TypeError, r"texts \(first: row 0\) and numbers \(first: row 1\): write them all as"),
        ("single", [True, 1], TypeError, r"truth values \(first: row 0\) and numbers"),
        ("single", [0.5, 1.0], ValueError, "Unknown label type: .* got the number 0.5: predict numbers"),
        ("single", [np.inf, 1.0], ValueError, "Unknown label type"),
        ("single", [1, 2**80], ValueError, "64 bits"),
        ("single", [["a"], ["b"]], TypeError, "got list"),
        ("single", np.zeros((3, 1)), ValueError, r"shape \(n,\), got shape \(3, 1\)"),
        ("several", [["a"], None], ValueError, r"1 missing one \(rows 1\)"),
        ("several", [["a"], ["b", None]], ValueError, r"1 missing one \(rows 1\)"),
        ("several", [["a"], 3], TypeError, r"got int 3 \(row 1\)"),
        ("several", [["a"], [1]], TypeError, r"texts \(first: row 0\) and numbers \(first: row 1\)"),
        ("several", [[], ""], ValueError, "at least one label"),
    ],
)
def test_wrong_labels(kind: str, labels: Any, error: type[Exception], message: str) -> None:
    with pytest.raises(error, match=message):
        LabelCodec(kind).fit(labels)


def test_misuse() -> None:
    with pytest.raises(ValueError, match="'single' or 'several'"):
        LabelCodec("many")
    with pytest.raises(ValueError, match="separator"):
        LabelCodec(separator="")
    with pytest.raises(ValueError, match="at least two classes, got one class only: 'a'"):
        LabelCodec().fit(["a", "a"], require_two=True)
    assert LabelCodec().fit(["a", "a"]).size == 1
    with pytest.raises(ValueError, match="call fit"):
        LabelCodec().encode(["a"])
    codec = LabelCodec().fit(["a", "b"])
    for wrong in ([2], [-1], [0.5], [[0]]):
        with pytest.raises(ValueError, match="class numbers"):
            codec.decode(wrong)
    with pytest.raises(ValueError, match=r"shape \(n, 1\)"):
        LabelCodec("several").fit([["a"]]).decode([[1, 0]])


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("version", None),
        ("kind", "both"),
        ("kind", []),
        ("separator", ""),
        ("dtype", "datetime64"),
        ("dtype", "int64"),
        ("dtype", 3),
        ("classes", []),
        ("classes", ["b", "a"]),
        ("classes", ["a", "a"]),
        ("classes", ["a", 1]),
        ("classes", "ab"),
        ("counts", [1]),
        ("counts", [1, -1]),
    ],
)
def test_hostile_state(key: str, value: Any) -> None:
    state = LabelCodec().fit(["a", "b"]).to_json()
    with pytest.raises(ValueError, match=r"damaged|expected"):
        codec_from_json({**state, key: value})
    with pytest.raises(ValueError, match=r"damaged|expected"):
        codec_from_json({name: part for name, part in state.items() if name != key})


@pytest.mark.parametrize(
    ("dtype", "classes"),
    [("int8", [1, 1000]), ("int64", [1, 2**80]), ("int64", [1.0, 2.0]), ("float64", [0.5, 1]), ("bool", [0, 1])],
)
def test_hostile_classes(dtype: str, classes: list[Any]) -> None:
    state = LabelCodec().fit(["a", "b"]).to_json()
    with pytest.raises(ValueError, match="damaged"):
        codec_from_json({**state, "dtype": dtype, "classes": classes})
