"""SymbolCodec: sequences of symbols (bases, amino acids, events, log keys) to ids and back."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Sequence
from itertools import chain
from typing import Any

import numpy as np
import torch

from memorycell.data.codec import Json, checked, is_count, is_list, is_name, register_codec
from memorycell.data.ragged import Ragged

PAD, UNK, END = 0, 1, 2
SPECIALS = ["<pad>", "<unk>", "<end>"]
_MOST = 4_000_000  # symbols that a stored state may have
_KINDS = {str: "texts", int: "whole numbers"}


@register_codec
class SymbolCodec:
    """Sequences of symbols to ids and back.

    A sequence is a text, whose characters are the symbols (or what stands between `separator`), or a list or an
    array of texts or of whole numbers. Ids 0, 1 and 2 are ``<pad>``, ``<unk>`` and ``<end>``; the others follow by
    their frequency in training, equals in their own order. A symbol that training has not seen is ``<unk>``, and so
    is one that is itself written ``<pad>``, ``<unk>`` or ``<end>``.

    Parameters
    ----------
    separator : str, optional
        What stands between the symbols of a text; nothing between two separators is no symbol.

    Example
    -------
    >>> codec = SymbolCodec().fit(["ACGT", "AACA"])
    >>> codec.vocabulary
    ['<pad>', '<unk>', '<end>', 'A', 'C', 'G', 'T']
    >>> codec.encode(["GATN"])[0].tolist(), codec.decode([5, 3, 6])
    ([5, 3, 6, 1], 'GAT')
    >>> SymbolCodec().fit([[22, 5, 5], [11]]).decode([3, 4])
    [5, 11]
    """

    def __init__(self, separator: str | None = None) -> None:
        if separator is not None and (not isinstance(separator, str) or not separator):
            raise ValueError(f"expected a separator of at least one character, got {separator!r}")
        self.separator = separator
        self._symbols: list[Any] = []
        self._from_text = False
        self._ids: dict[Any, int] = {}

    @property
    def vocabulary(self) -> list[str]:
        """The symbols by id, whole numbers as text."""
        self._fitted()
        return SPECIALS + [str(symbol) for symbol in self._symbols]

    @property
    def size(self) -> int:
        """Symbols that are told apart, ``<pad>``, ``<unk>`` and ``<end>`` included."""
        self._fitted()
        return len(SPECIALS) + len(self._symbols)

    def fit(self, sequences: Iterable[Any]) -> SymbolCodec:
        """Learns which symbols there are.

        Raises
        ------
        TypeError
            For elements that are neither texts nor whole numbers, or both kinds mixed: with the first row.
        ValueError
            For no sequence at all or no symbol in them.
        """
        rows, from_text = self._split(sequences)
        counts = Counter(chain.from_iterable(rows))
        symbols = sorted(counts.keys() - set(SPECIALS), key=lambda symbol: (-counts[symbol], symbol))
        if not symbols:
            raise ValueError(f"expected sequences with at least one symbol, got {len(rows)} without any")
        self._learn(symbols, from_text)
        return self

    def encode(self, sequences: Iterable[Any], end: bool = False) -> Ragged:
        """Ids of each sequence, int64; with `end`, each is followed by that of ``<end>``.

        Raises
        ------
        TypeError
            For what `fit` refuses, or symbols of another kind than in training.
        """
        self._fitted()
        rows, _ = self._split(sequences)
        kind = type(self._symbols[0])
        for number, row in enumerate(rows):
            if row and not isinstance(row[0], kind):
                got = _KINDS[int if kind is str else str]
                raise TypeError(f"expected symbols that are {_KINDS[kind]}, as in training, got {got} (row {number})")
        find = self._ids.get
        values = np.array(
            [find(symbol, UNK) for row in rows for symbol in row]
            if not end
            else [i for row in rows for i in (*(find(symbol, UNK) for symbol in row), END)],
            np.int64,
        )
        lengths = np.array([0, *(len(row) + end for row in rows)], np.int64)
        return Ragged(torch.from_numpy(values), torch.from_numpy(lengths.cumsum()))

    def tokens(self, sequence: Any) -> list[tuple[str, int, int]]:
        """Symbol, start and stop of each symbol: in characters of a text, in elements of a list."""
        self._fitted()
        if isinstance(sequence, str) and self.separator is not None:
            parts = re.finditer(rf"(?:(?!{re.escape(self.separator)}).)+", sequence, re.DOTALL)
            return [(self._name(part.group()), part.start(), part.end()) for part in parts]
        (row,), _ = self._split([sequence])
        return [(self._name(symbol), place, place + 1) for place, symbol in enumerate(row)]

    def decode(self, ids: Any) -> Any:
        """A text if training had texts, else a list of symbols. ``<pad>`` and ``<end>`` are left out.

        Raises
        ------
        ValueError
            For ids out of range.
        """
        self._fitted()
        ids = np.asarray(ids).reshape(-1)
        if ids.size and (ids.dtype.kind not in "iu" or ids.min() < 0 or ids.max() >= self.size):
            raise ValueError(f"expected symbol ids from 0 to {self.size - 1}, got {ids[:10].tolist()}")
        names = [*SPECIALS, *self._symbols]
        symbols = [names[i] for i in ids if i not in (PAD, END)]
        return (self.separator or "").join(symbols) if self._from_text else symbols

    def to_json(self) -> Json:
        self._fitted()
        return {
            "codec": "SymbolCodec",
            "version": 1,
            "separator": self.separator,
            "from_text": self._from_text,
            "symbols": self._symbols,
        }

    @classmethod
    def from_json(cls, state: Json) -> SymbolCodec:
        """The codec that `to_json` wrote; ValueError when the state is damaged."""
        checked(state, "version", lambda value: value == 1, "1 (a newer version wrote this file)")
        codec = cls(checked(state, "separator", lambda value: value is None or is_name(value), "a text or null"))
        from_text = checked(state, "from_text", lambda value: isinstance(value, bool), "true or false")
        expected = "texts or whole numbers, each of them once"
        symbols = checked(state, "symbols", lambda value: _are_symbols(value, from_text), expected)
        codec._learn(symbols, from_text)
        return codec

    def _learn(self, symbols: list[Any], from_text: bool) -> None:
        self._symbols, self._from_text = symbols, from_text
        self._ids = {symbol: number for number, symbol in enumerate(symbols, len(SPECIALS))}

    def _name(self, symbol: Any) -> str:
        return str(symbol) if symbol in self._ids else SPECIALS[UNK]

    def _fitted(self) -> None:
        if not self._symbols:
            raise ValueError("expected a fitted SymbolCodec, got one that has seen nothing: call fit(sequences) first")

    def _split(self, sequences: Iterable[Any]) -> tuple[list[Sequence[Any]], bool]:
        """The symbols of each sequence, all of one kind, and whether the sequences were texts."""
        if isinstance(sequences, str | bytes):
            raise TypeError("expected a list of sequences, got a single text: put it in a list, [text]")
        rows = list(sequences)
        if not rows:
            raise ValueError("expected at least one sequence, got none")
        from_text = isinstance(rows[0], str)
        for number, row in enumerate(rows):
            if isinstance(row, str) != from_text:
                what = "None" if row is None else type(row).__name__
                expected = "texts" if from_text else "lists or arrays"
                raise TypeError(f"expected only {expected}, as in row 0, got {what} (row {number}): leave it out")
            if from_text:
                rows[number] = row if self.separator is None else [part for part in row.split(self.separator) if part]
            else:
                rows[number] = _elements(row, number)
        if not from_text:
            _check_kinds(rows)
        return rows, from_text


def _elements(row: Any, number: int) -> list[Any]:
    if hasattr(row, "tolist"):
        row = row.tolist()
    if not isinstance(row, list | tuple):
        what = "None" if row is None else type(row).__name__
        raise TypeError(
            f"expected a sequence of symbols (a text, a list or an array), got {what} (row {number}): leave it out"
        )
    return [element.item() if isinstance(element, np.generic) else element for element in row]


def _check_kinds(rows: list[Any]) -> None:
    """All symbols are texts, or all are whole numbers."""
    kinds: dict[type, int] = {}
    for number, row in enumerate(rows):
        for kind in set(map(type, row)):
            kinds.setdefault(kind, number)
    for kind, number in kinds.items():
        if kind not in _KINDS:
            raise TypeError(f"expected symbols that are texts or whole numbers, got {kind.__name__} (row {number})")
    if len(kinds) > 1:
        where = " and ".join(f"{_KINDS[kind]} (first: row {number})" for kind, number in kinds.items())
        raise TypeError(f"expected symbols of one kind, got {where}: write them all as texts")


def _are_symbols(value: Any, from_text: bool) -> bool:
    if not isinstance(value, list) or not value:
        return False
    whole = is_list(lambda symbol: is_count(abs(symbol) if isinstance(symbol, int) else None), most=_MOST)(value)
    texts = is_list(is_name, most=_MOST)(value)
    if not (texts or (whole and not from_text and not any(isinstance(symbol, bool) for symbol in value))):
        return False
    return len(set(value)) == len(value) and not set(SPECIALS).intersection(value)
