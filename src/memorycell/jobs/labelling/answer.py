"""What a classifier or regressor answered: the beginning of the page that explains it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from memorycell.data.lines import visible
from memorycell.insight.asking import checked_row, class_index
from memorycell.insight.explained import Explained
from memorycell.jobs.labelling.reading import SequenceSamples
from memorycell.pages.explaining.answers import MOST_CHOICES, Answer, choices
from memorycell.pages.wording import percent, significant


def classified(model: Any, samples: SequenceSamples, explained: Explained, where: Mapping[str, Any]) -> Answer:
    """See `Job.answer`."""
    row = checked_row(where.get("row", 0), len(samples))
    shares = model.served(model.raw(samples.take([row])))[0]
    names = [visible(name, 60) for name in model.classes_]
    said = where.get("output")
    k = int(shares.argmax()) if said is None else class_index(model.classes_.tolist(), said)
    order = np.argsort(-shares, kind="stable")[:MOST_CHOICES]
    true = _truth(samples, row)
    lead = f"The model gives “{names[k]}” {percent(float(shares[k]), 1)} to {samples.where(row)}."
    if true is not None:
        lead += f" In the data it is “{visible(true, 60)}”" + (
            "." if visible(true, 60) == names[k] else ": that is not what the model says."
        )
    cards = {"answer": names[int(shares.argmax())], "probability": percent(float(shares.max()), 1)}
    cards |= {"in the data": visible(true, 60)} if true is not None else {}
    return Answer(f"Why “{names[k]}”?", lead, cards, [choices([(names[c], float(shares[c])) for c in order], names[k])])


def predicted(model: Any, samples: SequenceSamples, explained: Explained, where: Mapping[str, Any]) -> Answer:
    """See `Job.answer`."""
    row = checked_row(where.get("row", 0), len(samples))
    values = model.served(model.raw(samples.take([row]))).reshape(-1)
    value = float(values[where.get("output") or 0])
    true = _truth(samples, row)
    lead = f"The model predicts {significant(value)} for {samples.where(row)}."
    cards = {"prediction": significant(value)}
    if true is not None and np.size(true) == 1:
        lead += f" In the data it is {significant(float(np.ravel(true)[0]))}."
        cards["in the data"] = significant(float(np.ravel(true)[0]))
    return Answer(f"Why {significant(value)}?", lead, cards)


def _truth(samples: SequenceSamples, row: int) -> Any:
    """The label in the data; None where there is none."""
    return None if samples.targets is None else np.asarray(samples.targets, object)[row]
