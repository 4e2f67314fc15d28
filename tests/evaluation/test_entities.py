"""Entity spans and their F1 against the package seqeval, whose definition they follow."""

import random
import warnings

import pytest

from memorycell.data.labels.label_schemes import may_follow, span_scheme, split_label
from memorycell.evaluation.entities import Entity, entities, entity_scores

LABELS = ["O", "B-a", "I-a", "B-b", "I-b", "E-a", "S-a", "E-b", "S-b"]


def sequences(labels: list[str], seed: int, count: int = 200) -> list[list[str]]:
    draw = random.Random(seed)  # noqa: S311  # labels, not secrets
    return [draw.choices(labels, k=draw.randrange(7)) for _ in range(count)]


@pytest.mark.parametrize("labels", [LABELS[:5], LABELS, ["O", "B", "I"]])
def test_spans_are_seqevals(labels: list[str]) -> None:
    from seqeval.metrics.sequence_labeling import get_entities

    for row in sequences(labels, 0):
        assert entities(row) == [(kind, start, stop + 1) for kind, start, stop in get_entities(row)]


@pytest.mark.parametrize("labels", [LABELS[:5], LABELS])
def test_scores_are_seqevals(labels: list[str]) -> None:
    from seqeval.metrics import classification_report, f1_score

    true = sequences(labels, 1)
    draw = random.Random(2)  # noqa: S311
    guess = [[draw.choice(labels) if draw.random() < 0.3 else label for label in row] for row in true]
    scores = entity_scores(true, guess)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # seqeval's own, of old numpy names
        report = classification_report(true, guess, output_dict=True, zero_division=0)
        f1 = f1_score(true, guess)
    assert scores.total.f1 == pytest.approx(f1)
    assert scores.macro_f1 == pytest.approx(report["macro avg"]["f1-score"])
    for kind, each in scores.kinds.items():
        expected = [report[kind][name] for name in ("precision", "recall", "f1-score", "support")]
        assert [each.precision, each.recall, each.f1, each.true] == pytest.approx(expected)


@pytest.mark.parametrize(
    ("labels", "expected"),
    [
        ([], []),
        (["O", "O"], []),
        (["I-a", "I-a"], [("a", 0, 2)]),
        (["B-a", "I-b"], [("a", 0, 1), ("b", 1, 2)]),
        (["B-a", "E-a", "E-a", "S-a"], [("a", 0, 2), ("a", 2, 3), ("a", 3, 4)]),
        (["B-a-b", "I-a-b"], [("a-b", 0, 2)]),
    ],
)
def test_spans(labels: list[str], expected: list[tuple[str, int, int]]) -> None:
    assert entities(labels) == [Entity(*span) for span in expected]


def test_nothing_found_is_zero_and_no_error() -> None:
    scores = entity_scores([["O"]], [["O"]])
    assert (scores.total.f1, scores.total.precision, scores.total.recall, scores.macro_f1) == (0, 0, 0, 0)
    assert scores.total.to_json()["true"] == 0


@pytest.mark.parametrize(
    ("true", "predicted", "said"),
    [
        ([["O"]], [], "as many predicted sequences as true ones, got 0 and 1"),
        ([["O"], ["O", "O"]], [["O"], ["O"]], "expected 2 predicted labels in sequence 1, got 1"),
        ([["NOUN"]], [["O"]], "got 'NOUN'"),
        ([["B-"]], [["O"]], "got 'B-'"),
        ([[None]], [["O"]], "got None"),
    ],
)
def test_wrong_labels(true: list, predicted: list, said: str) -> None:
    with pytest.raises(ValueError, match=said):
        entity_scores(true, predicted)


@pytest.mark.parametrize(
    ("labels", "scheme"),
    [
        (["O", "B-a", "I-a"], "BIO"),
        (["O", "I-a"], "BIO"),
        (["O", "B-a", "E-a"], "BIOES"),
        (["O"], None),
        (["B-a", "I-a"], None),
        (["O", "X-a", "B-a"], None),
        (["O", 1], None),
        (["ADJ", "NOUN"], None),
    ],
)
def test_schemes(labels: list, scheme: str | None) -> None:
    assert span_scheme(labels) == scheme


@pytest.mark.parametrize(
    ("first", "second", "bio", "bioes"),
    [
        (None, "O", True, True),
        (None, "I-a", False, False),
        ("O", "B-a", True, True),
        ("B-a", "I-a", True, True),
        ("B-a", "I-b", False, False),
        ("B-a", "O", True, False),
        ("B-a", None, True, False),
        ("I-a", "E-a", True, True),
        ("E-a", "I-a", False, False),
        ("S-a", "S-a", True, True),
        ("S-a", None, True, True),
    ],
)
def test_what_may_follow(first: str | None, second: str | None, bio: bool, bioes: bool) -> None:
    assert may_follow(first, second, "BIO") is bio
    assert may_follow(first, second, "BIOES") is bioes


def test_a_hyphen_within_a_name_belongs_to_it() -> None:
    assert split_label("B-geo-political") == ("B", "geo-political")
