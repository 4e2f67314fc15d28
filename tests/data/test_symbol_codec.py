"""SymbolCodec: sequences of symbols to ids and back."""

from __future__ import annotations

import json
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from memorycell.data.codec import Codec, codec_from_json
from memorycell.data.symbols.symbol_codec import SPECIALS, SymbolCodec


def again(codec: SymbolCodec) -> SymbolCodec:
    return codec_from_json(json.loads(json.dumps(codec.to_json())))


@settings(max_examples=60, deadline=None)
@given(st.lists(st.lists(st.integers(-5, 50)), min_size=1))
def test_numbers_round_trip(rows: list[list[int]]) -> None:
    codec = again(SymbolCodec().fit([*rows, [0]]))
    ragged = codec.encode(rows)
    assert [codec.decode(ragged[i]) for i in range(len(rows))] == rows
    assert ragged.values.numel() == 0 or int(ragged.values.min()) >= 3


@settings(max_examples=60, deadline=None)
@given(st.lists(st.text("ACGT"), min_size=1))
def test_texts_round_trip(rows: list[str]) -> None:
    codec = again(SymbolCodec().fit([*rows, "N"]))
    ragged = codec.encode(rows, end=True)
    assert [codec.decode(ragged[i]) for i in range(len(rows))] == rows
    assert ragged.lengths.tolist() == [len(row) + 1 for row in rows]


def test_frequent_symbols_come_first() -> None:
    codec = SymbolCodec().fit(["TTTGA", "TGC"])
    assert isinstance(codec, Codec)
    assert codec.vocabulary == [*SPECIALS, "T", "G", "A", "C"]
    assert codec.size == 7
    assert codec.encode(["XT"])[0].tolist() == [1, 3]
    assert codec.decode([1, 3, 0, 2]) == "<unk>T"


def test_separated_symbols() -> None:
    codec = again(SymbolCodec(" ").fit(["E5 E22  E5", ""]))
    assert codec.vocabulary[3:] == ["E5", "E22"]
    assert codec.decode(codec.encode(["E22 E5"])[0]) == "E22 E5"
    assert codec.tokens("E5  E9") == [("E5", 0, 2), ("<unk>", 4, 6)]


def test_arrays_and_lists_of_texts() -> None:
    numbers = SymbolCodec().fit(np.array([[22, 5], [5, 11]], np.int16))
    assert numbers.vocabulary == [*SPECIALS, "5", "11", "22"]
    assert numbers.encode([[np.int64(5), 7], (11,)]).values.tolist() == [3, 1, 4]
    assert numbers.tokens([5, 7]) == [("5", 0, 1), ("<unk>", 1, 2)]
    events = SymbolCodec().fit([["open", "close"], np.array(["open"])])
    assert events.decode([3, 4, 1]) == ["open", "close", "<unk>"]


def test_special_names_are_unknown_symbols() -> None:
    codec = SymbolCodec().fit([["<pad>", "a", "<unk>", "<end>"]])
    assert codec.vocabulary == [*SPECIALS, "a"]
    assert codec.encode([["<pad>", "a", "<end>"]])[0].tolist() == [1, 3, 1]


@pytest.mark.parametrize(
    ("rows", "error", "message"),
    [
        ("ACGT", TypeError, "put it in a list"),
        ([], ValueError, "at least one sequence"),
        (["", ""], ValueError, "at least one symbol, got 2 without any"),
        (["AC", [1]], TypeError, r"expected only texts, as in row 0, got list \(row 1\)"),
        (["AC", None], TypeError, r"got None \(row 1\): leave it out"),
        ([[1], "AC"], TypeError, r"expected only lists or arrays, as in row 0, got str \(row 1\)"),
        ([None, [1]], TypeError, r"got None \(row 0\)"),
        ([1, 2], TypeError, r"got int \(row 0\)"),
        ([[1], ["a"]], TypeError, r"whole numbers \(first: row 0\) and texts \(first: row 1\)"),
        ([[1.5]], TypeError, r"got float \(row 0\)"),
        ([[True]], TypeError, r"got bool \(row 0\)"),
        ([[1, None]], TypeError, r"got NoneType \(row 0\)"),
    ],
)
def test_wrong_sequences(rows: Any, error: type[Exception], message: str) -> None:
    with pytest.raises(error, match=message):
        SymbolCodec().fit(rows)


def test_misuse() -> None:
    with pytest.raises(ValueError, match="separator"):
        SymbolCodec("")
    with pytest.raises(ValueError, match="call fit"):
        SymbolCodec().encode(["a"])
    codec = SymbolCodec().fit(["AC"])
    with pytest.raises(TypeError, match=r"texts, as in training, got whole numbers \(row 1\)"):
        codec.encode([[], [1]])
    with pytest.raises(ValueError, match="symbol ids from 0 to 4"):
        codec.decode([5])


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("version", 2),
        ("separator", 3),
        ("separator", ""),
        ("from_text", None),
        ("symbols", []),
        ("symbols", ["a", "a"]),
        ("symbols", ["a", 1]),
        ("symbols", [1, 2]),
        ("symbols", [[1]]),
        ("symbols", ["<pad>"]),
        ("symbols", {"a": 1}),
    ],
)
def test_hostile_state(key: str, value: Any) -> None:
    state = SymbolCodec().fit(["AC"]).to_json()
    with pytest.raises(ValueError, match=r"damaged|expected"):
        codec_from_json({**state, key: value})
    with pytest.raises(ValueError, match=r"damaged|expected"):
        codec_from_json({name: part for name, part in state.items() if name != key})
    with pytest.raises(ValueError, match="damaged"):
        codec_from_json({**state, "from_text": False, "symbols": [True, False]})
