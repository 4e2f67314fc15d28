"""memorycell evaluate for labels and language: held-out data or folds, beside baselines; and the learning curve."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

from memorycell.cli.errors import say

Progress = Callable[[str], None] | None
_SEEN = "the model was asked about all of it: if it was trained on some of that, these figures flatter; see --folds"


class Rows(NamedTuple):
    """What a file holds, as cross-validation takes it."""

    x: Any
    y: Any
    groups: Any
    order: Any


def evaluate_learner(
    model: Any,
    data: Path,
    *,
    folds: int | None,
    train: Path | None,
    group: str | None,
    order: str | None,
    curve: bool,
    jobs: int,
    progress: Progress,
) -> Any:
    """A result with `summary` and `to_dict`: of the model on `data`, or of its settings trained on folds of it."""
    if folds is not None or curve:
        if train is not None:
            raise ValueError("--train is for a model measured as it is; --folds trains on parts of DATA: choose one")
        rows = _rows(model, data, group, order)
        given = {"groups": rows.groups, "order": rows.order, "folds": folds or 5, "jobs": jobs, "progress": progress}
        if curve:
            from memorycell.evaluation.learning_curve import learning_curve

            return learning_curve(model, rows.x, rows.y, **given)
        from memorycell.evaluation.cross_validation import cross_validate

        return cross_validate(model, rows.x, rows.y, **given)
    if order is not None:
        raise ValueError("--order says how folds follow time: add --folds N, or leave it out")
    if train is None and progress is not None:
        say(f"{data}: {_SEEN}")
    if type(model).__name__ == "LanguageModel":
        return model.evaluate(data, train=train, baseline=train is not None)
    from memorycell.evaluation.cross_validation import evaluate_held_out

    rows = _rows(model, data, group, None)
    before = None if train is None else _rows(model, train, None, None)
    return evaluate_held_out(
        model,
        rows.x,
        rows.y,
        groups=rows.groups,
        train=None if before is None else (before.x, before.y),
        progress=progress,
    )


def _rows(model: Any, data: Path, group: str | None, order: str | None) -> Rows:
    name = type(model).__name__
    if name in ("Tagger", "LanguageModel") and (group or order):
        raise ValueError("--group and --order name columns of a table, and this model reads none: leave them out")
    if name == "LanguageModel":
        from memorycell.data.text.text_file import read_text

        return Rows(read_text(data), None, None, None)
    if name == "Tagger":
        from memorycell.data.text.tagged_files import read_tagged

        tagged = read_tagged(data, model.word, model.tag)
        return Rows(tagged.words, tagged.tags, None, None)
    given = model.read_file(data, labelled=True, group=group)
    return Rows(given.x, given.y, given.groups, None if order is None else _column(data, order, given))


def _column(data: Path, name: str, given: Any) -> Any:
    """Dates or numbers of a column, in the rows that were kept."""
    from memorycell.data.tables.columns import stamps_of
    from memorycell.data.tables.roles import require
    from memorycell.data.tables.table import read_table

    table = read_table(str(data), samples=True)
    require(table, [name], "order")
    stamps = stamps_of(table, [name], None)
    return stamps if given.rows is None else stamps[given.rows]
