"""What `memorycell predict` gives for texts, series and tagged words: labels, numbers, tags, or surprise."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import numpy as np

from memorycell.cli.errors import say
from memorycell.cli.output import FORECAST, check_output, print_json, print_notes, write_forecast

TAGGED = (".tsv", ".txt", ".conll", ".conllu")


def predict_with(model: Any, data: Path, output: Path | None, *, as_json: bool, quiet: bool) -> None:
    """Print or write what `model` says of the file `data`."""
    if type(model).__name__ == "Tagger":
        _tag(model, data, output, as_json=as_json, quiet=quiet)
        return
    columns = _surprise(model, data) if type(model).__name__ == "LanguageModel" else _answers(model, data, quiet)
    from memorycell.data.records import as_csv, as_records, as_table

    if output is not None:
        write_forecast(output, columns)
        _said(output, len(next(iter(columns.values()))), "row", quiet)
    if as_json:
        print_json(as_records(columns))
    elif output is None:
        sys.stdout.write(as_table(columns) + "\n" if sys.stdout.isatty() else as_csv(columns))


def check_predictions(kind: str, output: Path | None, *, force: bool, inputs: tuple[Path | None, ...]) -> None:
    """Make sure that predictions of this kind of model can be written, before anything is computed."""
    if output is not None:
        check_output(output, TAGGED if kind == "Tagger" else FORECAST, force=force, inputs=inputs)


def _answers(model: Any, data: Path, quiet: bool) -> dict[str, Any]:
    """A row a sequence: where it was, the text where there is one, the answer, and the probabilities."""
    given = model.read_file(data)
    print_notes(given.notes, quiet=quiet)
    columns: dict[str, Any] = {}
    if given.ids is not None:
        columns["id"] = np.array(given.ids, object)
    else:
        columns["row"] = np.arange(len(given.x)) if given.rows is None else np.asarray(given.rows)
    if model.input_["kind"] == "text":
        columns["text"] = np.array([" ".join(text.split()) for text in given.x], object)
    if not hasattr(model, "predict_proba"):
        answers = np.asarray(model.predict(given.x))
        names = ["prediction"] if answers.ndim == 1 else [f"prediction_{k + 1}" for k in range(answers.shape[1])]
        return columns | dict(zip(names, answers.reshape(len(answers), -1).T, strict=True))
    probabilities = model.predict_proba(given.x)
    named = [str(label) for label in model.classes_.tolist()]
    if model.labels_.kind == "several":
        chosen = [[name for name, p in zip(named, row, strict=True) if p > 0.5] for row in probabilities]
        columns["labels"] = np.array(["|".join(labels) for labels in chosen], object)
    else:
        columns["label"] = np.array([named[k] for k in probabilities.argmax(1)], object)
    return columns | {f"p_{name}": probabilities[:, k] for k, name in enumerate(named)}


def _surprise(model: Any, data: Path) -> dict[str, Any]:
    """A row a token of the text: what it is, its probability, and its surprise in nats."""
    from memorycell.data.text.text_file import read_text

    scores = model.token_scores(read_text(data))
    logs = np.array([token.log_probability for token in scores])
    tokens = np.array([token.token for token in scores], object)
    return {"token": tokens, "start": np.array([token.start for token in scores]),
            "probability": np.exp(logs), "surprise": -logs}  # fmt: skip


def _tag(model: Any, data: Path, output: Path | None, *, as_json: bool, quiet: bool) -> None:
    """The file with a column of tags."""
    from memorycell.data.text.tagged_files import format_tagged, read_tagged
    from memorycell.training.files import write_atomically

    if model.input_ != "words":
        raise ValueError("expected a tagger of words to tag a file, got one of numbers: use it from Python")
    given = read_tagged(data, model.word, model.tag, labelled=False)
    print_notes(given.notes, quiet=quiet)
    tags = model.predict(given.words)
    if as_json:
        print_json([{"words": words, "tags": found} for words, found in zip(given.words, tags, strict=True)])
    text = format_tagged(given, tags)
    if output is not None:
        write_atomically(output, text.encode())
        _said(output, len(given), "sentence", quiet)
    elif not as_json:
        sys.stdout.write(text)


def _said(output: Path, count: int, noun: str, quiet: bool) -> None:
    if not quiet:
        say(f"wrote {output} ({count:,} {noun if count == 1 else noun + 's'})")
