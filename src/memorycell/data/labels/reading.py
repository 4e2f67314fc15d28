"""read_labelled: texts or sequences with their labels, out of whatever file or frame they come in."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

import numpy as np
import pyarrow.compute as pc
from numpy.typing import NDArray

from memorycell.data.labels.label_lines import is_label_lines, read_label_lines
from memorycell.data.labels.labelled import Column, Labelled, column_name, groups_of, labels_of, weights_of
from memorycell.data.log import note
from memorycell.data.origin import Origin
from memorycell.data.signals.ts_files import read_ts
from memorycell.data.tables.arrow import as_texts, to_numpy
from memorycell.data.tables.long_tables import read_long
from memorycell.data.tables.reading import read_table
from memorycell.data.tables.table import Table, listing

_LABEL_NAMES = ("label", "target", "class", "y")


_DATE_LIKE = r"^[\d\s:/.,TZ+-]+( ?[AaPp][Mm])?$"


def read_labelled(
    source: Any,
    *,
    text: Column | None = None,
    target: Column | Sequence[Column] | None = None,
    group: Column | None = None,
    id: Column | None = None,
    time: Column | None = None,
    values: Sequence[Column] | None = None,
    labels: Literal["sequence", "step", "none"] = "sequence",
    channels: int = 1,
    delimiter: str | None = None,
    decimal: str | None = None,
    thousands: str | None = None,
    encoding: str | None = None,
    header: bool | None = None,
    skip_rows: int | None = None,
    na_values: str | float | Sequence[str | float] = (),
    sheet: str | int | None = None,
    as_read: Mapping[str, Any] | None = None,
    weight: Column | None = None,
    optional: Sequence[str] = (),
    classes: bool = False,
) -> Labelled:
    """Read texts or sequences with their labels.

    What it is, is seen from what it holds: a ``.ts`` file (`read_ts`); lines of a label and a text (``.txt``: the
    label up to the first space or tab, or ``__label__a __label__b text``); a table in long form (`id` given,
    `read_long`); a table with a text in each row (`text` given, or one column of free text); else a table with a
    whole sequence in each row, whose numeric columns are its steps in order.

    Parameters
    ----------
    source : path, frame, array or dict of columns
        As for `read_table`.
    text, target, group, id, time : str or int, optional
        Columns by name, or by place from 0 (negative: from the end): the text, the label (several columns of numbers:
        several targets), the group that splits keep whole, and in long form the sequence that a row belongs to and
        its time. Text and target are found where only one column can be meant, and said in the notes.
    values : list of str or int, optional
        The numeric columns, by default all that are left.
    labels : str
        "sequence": one label each. Rows without one are left out, and counted in the notes. "step": one at each step
        (long form). "none": for prediction: no label is looked for, no row left out, a missing text is "", and
        each line of a ``.txt`` is a text.
    channels : int
        In a table with a sequence in each row: how many columns side by side make one step, default 1. Values
        missing at the end of a row mean that its sequence is shorter.
    delimiter, decimal, thousands, encoding, header, skip_rows, na_values, sheet, as_read
        How a file is read, see `read_table`.
    weight : str or int, optional
        Column of how much each sample counts; constant within a sequence in long form.
    optional : names of arguments
        Whose columns need not be there: ``("weight",)``.
    classes : bool
        Whether labels are names of classes: then "10%", "$5" and dates are as they are written, not numbers.

    Raises
    ------
    FileNotFoundError
        No such file.
    ValueError
        A column that is not there, more than one that could be meant, no label at all, and what `read_table`, `read_ts`
        and `read_long` refuse.

    Example
    -------
    >>> data = read_labelled({"text": ["so good", "so bad", "fine"], "label": ["pos", "neg", None]})
    >>> data.x, data.y.tolist(), [entry["text"] for entry in data.notes][-1]
    (['so good', 'so bad'], ['pos', 'neg'], "1 of 3 rows has no label in column 'label' (first row 2): left out.")
    >>> read_labelled({"a": [1, 2], "b": [3, 4], "class": ["x", "y"]}).x.tolist()
    [[1.0, 3.0], [2.0, 4.0]]
    """
    if labels not in ("sequence", "step", "none"):
        raise ValueError(f"expected labels 'sequence', 'step' or 'none', got {labels!r}")
    if isinstance(source, str | Path):
        path = Path(source)
        columns = {"text": text, "target": target, "group": group, "id": id, "time": time, "values": values}
        columns |= {} if "weight" in optional else {"weight": weight}
        if path.name.lower().removesuffix(".gz").endswith(".ts"):
            return _from_ts(path, encoding or "utf-8", columns, labels)
        plain = all(part is None for part in (*columns.values(), delimiter, decimal, thousands, header, sheet))
        if plain and not skip_rows and is_label_lines(path, encoding or "utf-8"):
            return read_label_lines(path, encoding or "utf-8", labelled=labels != "none")
    table = read_table(
        source, delimiter=delimiter, decimal=decimal, thousands=thousands, encoding=encoding, header=header,
        skip_rows=skip_rows, na_values=na_values, sheet=sheet, as_read=as_read, samples=True,
        text=[column for column in (id, group) if isinstance(column, str)],
    )  # fmt: skip
    chosen = _Chosen(table, labels, *_targets(table, target, labels), classes=classes)
    chosen.group = None if group is None else column_name(table, group, "group")
    if weight is not None and ("weight" not in optional or weight in table.columns):
        chosen.weight = column_name(table, weight, "weight")
    picked = None if values is None else [column_name(table, column, "value") for column in values]
    if id is not None:
        if text is not None:
            raise ValueError("expected either text= (a text in each row) or id= (rows of long sequences), got both")
        return _long(chosen, id, time, picked)
    if labels == "step":
        raise ValueError("labels='step' needs a table in long form: name the column of the sequences with id=")
    found = column_name(table, text, "text") if text is not None else None
    if found is None and picked is None:
        found = _find_text(table, chosen)
        if found is not None:
            chosen.notes.append(note("columns", f"Column {found!r} was read as the text."))
    if found is not None:
        return _texts(found, chosen)
    return _wide(picked, channels, chosen)


@dataclass
class _Chosen:
    """A table and which of its columns are labels and groups."""

    table: Table
    labels: Literal["sequence", "step", "none"]
    targets: list[str]
    several: bool
    group: str | None = None
    weight: str | None = None
    classes: bool = False
    notes: list[dict] = field(default_factory=list)

    def used(self) -> set[str]:
        return {name for name in (*self.targets, self.group, self.weight) if name is not None}

    def is_of_numbers(self, said: Mapping[str, Any]) -> bool:
        """Whether a note says how the numbers of a label are read, which is a name and not a number."""
        of_label = any(said["text"].startswith(f"Column {name!r} ") for name in self.targets)
        return self.classes and of_label and said["kind"] == "numbers"

    def columns(self, **others: Any) -> dict[str, Any]:
        """See `Labelled.columns`."""
        target = self.targets if self.several else self.targets[0] if self.targets else None
        header = None if self.table.header else False
        used = {"target": target, "group": self.group, "weight": self.weight, "header": header, **others}
        used["as_read"] = self.table.reading or None
        return {name: value for name, value in used.items() if value is not None}


def _targets(table: Table, target: Column | Sequence[Column] | None, labels: str) -> tuple[list[str], bool]:
    """The label columns, and whether several were asked for; where no labels are read, those that are there."""
    several = isinstance(target, Sequence) and not isinstance(target, str)
    columns: list[Any] = [] if target is None else list(target) if several else [target]  # type: ignore[arg-type]
    if several and not columns:
        raise ValueError("expected at least one target column, got an empty list")
    if labels == "none":
        columns = [column for column in columns if isinstance(column, int) or column in table.columns]
    return [column_name(table, column, "target") for column in columns], several


def _from_ts(path: Path, encoding: str, columns: dict[str, Any], labels: str) -> Labelled:
    given = [name for name, column in columns.items() if column is not None]
    if given:
        raise ValueError(f"{path.name} is a .ts file, which has no columns to choose: leave out {', '.join(given)}")
    if labels == "step":
        raise ValueError(f"{path.name} is a .ts file, which has one label a sequence: leave out labels='step'")
    data = read_ts(path, encoding)
    if labels == "sequence" and data.y is None:
        raise ValueError(f"{path.name} has no labels (@classLabel false): expected labelled sequences")
    return data


def _long(chosen: _Chosen, id: Column, time: Column | None, values: list[str] | None) -> Labelled:
    table = chosen.table
    if len(chosen.targets) > 1:
        raise ValueError(f"expected one target in long form, got {listing(chosen.targets)}")
    key = column_name(table, id, "id")
    stamp = None if time is None else column_name(table, time, "time")
    label = chosen.targets[0] if chosen.targets else None
    how = {"group": chosen.group, "weight": chosen.weight, "labels": chosen.labels, "classes": chosen.classes}
    data = read_long(table, key, time=stamp, values=values, target=label, **how)  # type: ignore[arg-type]
    data.columns = chosen.columns(id=key, time=stamp, values=data.names)
    return data


def _distinct(table: Table, name: str) -> int:
    return pc.count_distinct(table.data.column(name)).as_py()


def _date_like(table: Table, name: str) -> bool:
    head = table.data.column(name).slice(0, 1000).drop_null()
    return bool(table.is_text(name) and len(head) and pc.all(pc.match_substring_regex(head, _DATE_LIKE)).as_py())


def _find_text(table: Table, chosen: _Chosen) -> str | None:
    """The one column of free text; None when there is none."""
    free = []
    for name in table.columns:
        if name in chosen.used() or not table.is_text(name) or name.lower() in _LABEL_NAMES:
            continue
        if name.lower() == "text":
            return name
        if not _date_like(table, name) and _distinct(table, name) > 0.5 * len(table):
            free.append(name)
    if len(free) > 1:
        heads = {name: table.data.column(name).slice(0, 1000) for name in free}
        words = [n for n in free if (pc.mean(pc.count_substring(heads[n], " ")).as_py() or 0) >= 2]
        if len(words) != 1:
            raise ValueError(
                f"{table.source} has more than one column that could be the text ({listing(free)}): name it with text="
            )
        free = words
    return free[0] if free else None


def _find_target(chosen: _Chosen, taken: set[str], what: str) -> None:
    """Choose the label column when none was named: the one that is called so, or that alone can be it."""
    table = chosen.table
    rest = [name for name in table.columns if name not in taken | chosen.used()]
    named = [name for name in rest if name.lower() in _LABEL_NAMES]
    few = [n for n in rest if _distinct(table, n) <= max(2, 0.5 * len(table)) and not _date_like(table, n)]
    if what == "steps":
        few = [name for name in few if table.is_text(name)]
    candidates = named if len(named) == 1 else few
    if len(candidates) != 1:
        could = listing(candidates or rest or table.columns, 12)
        problem = "more than one column that could be the label" if len(candidates) > 1 else "no column named label"
        raise ValueError(f"{table.source} has {problem} ({could}): name it with target=")
    chosen.targets = candidates
    chosen.notes.append(note("columns", f"Column {candidates[0]!r} was taken for the label."))


def _labelled_rows(chosen: _Chosen) -> tuple[Any, NDArray[np.bool_]]:
    """The labels of all rows, and which rows have them; a note where some have none."""
    table = chosen.table
    if chosen.labels == "none":
        return None, np.ones(len(table), bool)
    parts = [labels_of(table, name, chosen.classes) for name in chosen.targets]
    valid = np.logical_and.reduce([there for _, there in parts])
    if not valid.any():
        raise ValueError(f"{table.source} has no label in any row of column {listing(chosen.targets)}")
    chosen.notes += [said for name in chosen.targets for said in _words_for_none(table, name)]
    missing = int((~valid).sum())
    if missing:
        first = table.where(int(np.argmax(~valid)))
        said = f"{missing:,} of {len(table):,} rows {'has' if missing == 1 else 'have'} no label in column "
        chosen.notes.append(note("unlabelled", f"{said}{listing(chosen.targets)} (first {first}): left out."))
    if not chosen.several:
        return parts[0][0], valid
    words = [name for (found, _), name in zip(parts, chosen.targets, strict=True) if found.dtype.kind == "U"]
    if words:
        raise ValueError(f"several targets have to be numbers, got text in column {listing(words)} of {table.source}")
    return np.stack([values.astype(np.float64) for values, _ in parts], axis=1), valid


def _words_for_none(table: Table, name: str) -> list[dict]:
    """That labels which may stand for none are labels."""
    if not table.is_text(name):
        return []
    labels = table.texts(name)
    found = []
    for word in ("NA", "N/A", "n/a", "NULL", "null", "None"):
        count = pc.sum(pc.equal(labels, as_texts([word])[0])).as_py()
        if count:
            said = f"{word!r} in column {name!r} is a label ({count:,} rows); if it stands for none, give na_values="
            found.append(note("labels", f"{said}{word!r}."))
    return found


def _finish(chosen: _Chosen, x: Any, y: Any, kept: NDArray[np.bool_], names: list[str], **columns: Any) -> Labelled:
    table, rows = chosen.table, np.flatnonzero(kept)
    whole = len(rows) == len(table)
    if not whole and isinstance(x, np.ndarray):
        x = x[rows]
    elif not whole:
        x = [x[i] for i in rows]
    y = y if y is None else y[rows]
    if isinstance(y, np.ndarray) and y.dtype.kind == "U":
        y = np.array(y.tolist())  # as wide as the longest label that is left
    groups = groups_of(table, chosen.group, rows)
    notes = [*(said for said in table.notes if not chosen.is_of_numbers(said)), *chosen.notes]
    weights = weights_of(table, None if chosen.labels == "none" else chosen.weight, rows)
    lines = None if table.lines is None else table.lines[rows]
    origin = Origin(rows, lines, table, taken=(columns["text"],) if "text" in columns else ())
    used = chosen.columns(**columns)
    return Labelled(x, y, groups, names, notes, table.source, rows, columns=used, weights=weights, origin=origin)


def _texts(name: str, chosen: _Chosen) -> Labelled:
    """A table with a text in each row."""
    table = chosen.table
    if chosen.labels != "none" and not chosen.targets:
        _find_target(chosen, {name}, "text")
    if name in chosen.used():
        raise ValueError(
            f"column {name!r} is given for the text and for the label, group or weight: expected two columns"
        )
    y, kept = _labelled_rows(chosen)
    texts = table.texts(name)
    empty = ~to_numpy(pc.utf8_length(pc.utf8_trim_whitespace(texts)), missing=0).astype(bool)
    if empty.any():
        count, first = int(empty.sum()), table.where(int(np.argmax(empty)))
    if empty.any() and chosen.labels == "none":
        said = f"{count:,} of {len(table):,} rows {'has' if count == 1 else 'have'} no text in column {name!r}"
        chosen.notes.append(note("empty", f"{said} (first {first}): no answer there."))
    elif empty.any():
        if empty.all() or not (kept & ~empty).any():
            raise ValueError(f"{table.source} has no row with both a text in column {name!r} and a label")
        said = f"{count:,} of {len(table):,} rows {'has' if count == 1 else 'have'} no text in column {name!r}"
        chosen.notes.append(note("empty", f"{said} (first {first}): left out."))
        kept = kept & ~empty
    return _finish(chosen, ["" if value is None else value for value in texts.to_pylist()], y, kept, [], text=name)


def _wide(values: list[str] | None, channels: int, chosen: _Chosen) -> Labelled:
    """A table with a whole sequence in each row."""
    table = chosen.table
    if chosen.labels != "none" and not chosen.targets:
        _find_target(chosen, set(values or ()), "steps")
    if values is None:
        values = [name for name in table.columns if name not in chosen.used() and table.is_numeric(name)]
        rest = [name for name in table.columns if name not in chosen.used() and name not in values]
        if rest:
            chosen.notes.append(note("dropped", f"Left out, as they hold no numbers: columns {listing(rest)}."))
    words = [name for name in values if not table.is_numeric(name)]
    if words or not values:
        found = f"text in column {listing(words)}" if words else f"only {listing(table.columns, 12)}"
        raise ValueError(
            f"{table.source}: expected numeric columns, the steps of each row's sequence, got {found}; "
            "for a table of texts name the column with text="
        )
    if channels < 1 or len(values) % channels:
        raise ValueError(f"expected columns in steps of {channels}, got {len(values)} value columns")
    y, kept = _labelled_rows(chosen)
    steps = np.stack([table.numbers(name).astype(np.float64) for name in values], axis=1)
    steps = steps.reshape(len(table), -1, channels)
    lengths = (~np.isnan(steps).all(axis=2) * np.arange(1, steps.shape[1] + 1)).max(axis=1)
    empty = lengths == 0
    if empty.any():
        first = table.where(int(np.argmax(empty)))
        if not (kept & ~empty).any():
            raise ValueError(f"{table.source} has rows without a value (first {first}): leave them out")
        missing = int(empty.sum())
        count = f"{missing:,} of {len(table):,} rows {'has' if missing == 1 else 'have'}"
        if chosen.labels == "none":
            lengths[empty] = steps.shape[1]
            chosen.notes.append(note("empty", f"{count} no value (first {first}): no answer there."))
        else:
            chosen.notes.append(note("empty", f"{count} no value (first {first}): left out."))
            kept = kept & ~empty
    names, columns = [f"x{j}" for j in range(channels)], {"values": values, "channels": channels}
    if (lengths[kept] == steps.shape[1]).all():
        return _finish(chosen, steps[:, :, 0] if channels == 1 else steps, y, kept, names, **columns)
    shorter = int((lengths[kept] < steps.shape[1]).sum())
    said = f"{shorter:,} rows end in missing values: their sequences are that much shorter."
    chosen.notes.append(note("ragged", said))
    ragged = [row[:length] for row, length in zip(steps, lengths, strict=True)]
    return _finish(chosen, ragged, y, kept, names, **columns)
