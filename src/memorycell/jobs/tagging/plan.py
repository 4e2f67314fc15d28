"""What "auto" becomes in a Tagger, and why."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from memorycell.data.labels.label_schemes import may_follow, scheme_of, span_scheme
from memorycell.jobs.plan import Plan, layer_sizes
from memorycell.jobs.tagging.parameters import Tagging

# Optimiser steps that a training takes at least and epochs at most, where epochs="auto".
_STEPS, _EPOCHS = 1_000, (8, 60)
_LARGEST_BATCH = 16_384  # steps, padding included
_AUTO: dict[str, dict[str, Any]] = {
    "words": {"hidden_size": 200, "dropout": 0.3, "learning_rate": 4e-3},
    "steps": {"hidden_size": 128, "dropout": 0.2, "learning_rate": 2e-3},
}


def choose(
    parameters: Tagging, kind: str, lengths: Sequence[int], classes: Sequence[Any], labels: Sequence[Sequence[Any]]
) -> tuple[Plan, str]:
    """The plan of a training, and what is to be said of its labels; "" for nothing.

    Parameters
    ----------
    parameters : what the user told the tagger
    kind : "words" or "steps"
    lengths : of the sequences that are trained on
    classes : the labels that those have
    labels : of all sequences, those of the validation too
    """
    plan, own, samples = Plan(), _AUTO[kind], len(lengths)
    default = f"the default for {kind}"
    names = [str(label) for label in classes]
    plan.put("causal", parameters.causal)
    known = set(names)  # sequences with labels that training has not seen are left out of its loss as well
    scheme = span_scheme(names)
    seen = [] if scheme is None else [row if known.issuperset(row) else () for row in labels]
    if scheme == "BIO" and scheme_of(seen) == "IOB1":
        scheme = "IOB1"
    plan.put("scheme", scheme, "seen from the labels")
    spans = scheme is not None and not parameters.causal
    crf = plan.choose("crf", parameters.crf, spans, "where labels mark spans (BIO, BIOES, BILOU, …)")
    broken = first_breach(seen, scheme) if crf and scheme is not None else None
    keeps = crf and scheme is not None and broken is None
    plan.put("constrained", keeps, "where the training labels keep to their scheme")
    plan.put("characters", kind == "words" and parameters.characters)
    size = parameters.hidden_size
    sizes = layer_sizes(own["hidden_size"] if isinstance(size, str) else size, parameters.num_layers)
    plan.choose("hidden_size", "auto" if isinstance(size, str) else sizes, sizes, default)
    plan.choose("dropout", parameters.dropout, own["dropout"], default)
    fitting = min(32, max(1, samples // 8), rows_at_once(max(lengths)))
    batch = plan.choose("batch_size", parameters.batch_size, fitting, "by the number of samples")
    usual = min(_EPOCHS[1], max(_EPOCHS[0], -(-_STEPS * batch // samples)))
    plan.choose("epochs", parameters.epochs, usual, "so many training steps as such data usually need")
    plan.choose("learning_rate", parameters.learning_rate, own["learning_rate"], default)
    return plan, "" if broken is None else _said(scheme, *broken)


def _said(scheme: str | None, row: int, step: int, first: str, second: str) -> str:
    return (
        f"Labels do not keep to {scheme} ({second!r} follows {first!r} in sequence {row}, step {step}): "
        "the tagger may predict such orders too."
    )


def rows_at_once(longest: int) -> int:
    """Rows of a batch that bound its memory, by the length of the longest sequence."""
    return max(1, min(256, _LARGEST_BATCH // longest))


def first_breach(labels: Sequence[Sequence[Any]], scheme: str) -> tuple[int, int, str, str] | None:
    """Where labels first stand in an order that their scheme forbids: sequence, step, and the two labels.

    Example
    -------
    >>> first_breach([["O", "O"], ["O", "I-a"]], "BIO")
    (1, 1, 'O', 'I-a')
    """
    known: dict[tuple[Any, Any], bool] = {}
    for row, each in enumerate(labels):
        for step, pair in enumerate(zip([None, *each], [*each, None], strict=True)):
            if pair not in known:
                known[pair] = may_follow(*pair, scheme)
            if not known[pair]:
                return row, step, *(str(label or "the edge") for label in pair)  # type: ignore[return-value]
    return None
