"""Options of the commands that several jobs know. Loads no torch."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from memorycell.jobs.parameters import Option
from memorycell.jobs.values import File, Name, Names, OneOf, Switch, Value, Whole

LABELS = "Labels and language"
FILES = "Files"

ENCODING = Option("encoding", Name("NAME"), FILES, "Encoding of the file: utf-8, cp1252, …", reading=True)
# How a table is read. A fitted model remembers it: later files of the kind need not be told again.
READING = (
    Option("delimiter", Name("TEXT"), FILES, "What separates columns.", said="found by itself", reading=True),
    Option("decimal", OneOf(".", ","), FILES, "The decimal mark.", said="found by itself", reading=True),
    Option("thousands", Name("MARK"), FILES, "The mark between thousands.", said="found by itself", reading=True),
    ENCODING,
    Option("header", Switch(), FILES, "Whether a line names the columns.", said="found by itself", reading=True),
    Option("skip_rows", Whole(0), FILES, "Lines above the table.", said="found by itself", reading=True),
    Option("na_values", Names("VALUE"), FILES, "What else stands for a missing value; may be repeated.", reading=True),
    Option("sheet", Name("NAME", place=True), FILES, "Sheet of a workbook, or file of an archive.", reading=True),
)


class Reading(Value):
    """How files are read: None, or a mapping of arguments; on the command line an option each.

    Example
    -------
    >>> Reading((ENCODING,)).check("reading", {"encodin": "cp1252"})
    Traceback (most recent call last):
    ValueError: expected reading to say encoding, got 'encodin'
    """

    def __init__(self, parts: tuple[Option, ...]) -> None:
        self.parts = parts

    def check(self, name: str, value: Any) -> None:
        if value is None:
            return
        if not isinstance(value, Mapping):
            raise TypeError(f"expected {name} to be a mapping or None, got {type(value).__name__}")
        known = [option.name for option in self.parts]
        for key in value:
            if key not in known:
                raise ValueError(f"expected {name} to say {', '.join(known)}, got {key!r}")


ROW = Option(
    "row", Whole(least=None, optional=True), LABELS,
    "Which text, series or sentence: its line in the file, from 1; where there are no lines its row, from 0.",
    said="the first",
)  # fmt: skip
KEEP = Option(
    "keep", Names(optional=True), FILES,
    "Columns of DATA that come along: all, none, or names with commas between; may be repeated.", default="auto",
    said="a column id",
)  # fmt: skip
PLACE = Option(
    "place", Whole(least=None, optional=True), LABELS, "Which word is tagged, or which token written, from 0."
)
LABEL = Option("output", Name("LABEL"), LABELS, "Explain this class, label or token.", flag="--class")
AGAINST = Option("against", Name("LABEL"), LABELS, "And not that one.", said="the likeliest other")

TRAIN = Option(
    "train", File(), LABELS, "What the model was trained on: baselines are trained on it too.", reading=False
)
CURVE = Option(
    "learning_curve", Switch(), LABELS, "Train on growing parts of DATA: is more data worth it?", default=False,
    flag="--learning-curve",
)  # fmt: skip
GROUP = Option("group", Name(), LABELS, "Folds keep its groups whole: speakers, users, subjects.", reading=True)
ORDER = Option("order", Name(), LABELS, "Folds train on what is earlier there, and test on what follows.", reading=True)
FOLD_OPTIONS = (TRAIN, GROUP, ORDER, CURVE)
