"""Entity spans and their F1 against the package seqeval, whose definition they follow."""

import random
import warnings
from itertools import pairwise

import pytest

from memorycell.data.labels.label_schemes import may_follow, scheme_of, span_scheme, split_label
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
        (["O", "I-a"], "IO"),
        (["O", "B_a", "I_a"], "BIO"),
        (["O", "B-a", "I-a", "L-a", "U-a"], "BILOU"),
        (["O", "B-a", "U-b"], "BILOU"),
        (["O", "B-a", "M-a", "E-a", "W-a"], "BMEWO"),
        (["O", "B-a", "M-a", "E-a", "S-a"], "BMES"),
        (["B", "M", "E", "S"], "BMES"),
        (["O", "M", "W"], None),
        (["O", "U"], None),
        (["B", "E"], None),
        (["O", "B-a", "L-a", "E-a"], None),
        (["O", "B-", "I-"], None),
        (["O", "B-a", "E-a"], "BIOES"),
        (["O", "B.a", "I.a"], "BIO"),
        (["O", "B:a", "I:a", "E:a"], "BIOES"),
        (["O", "PER-B", "PER-I"], "BIO"),
        (["O", "LOC_U", "LOC_L", "LOC_B"], "BILOU"),
        (["o", "b-per", "i-per"], "BIO"),
        (["b", "m", "e", "s"], "BMES"),
        (["i", "o"], None),
        (["o", "per-x"], None),
        (["O", "a.-B"], "BIO"),
        (["O", "N/S", "V/NN"], None),
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
    assert split_label("geo-political-B") == ("B", "geo-political")


@pytest.mark.parametrize("written", ["{0}-{1}", "{0}_{1}", "{0}.{1}", "{0}:{1}", "{0}/{1}", "{1}-{0}", "{1}_{0}"])
@pytest.mark.parametrize("small", [False, True])
def test_spans_are_the_same_however_labels_are_written(written: str, small: bool) -> None:
    plain = ["B-PER", "I-PER", "O", "B-LOC", "B-PER", "I-PER", "I-PER"]
    labels = [label if label == "O" else written.format(*label.split("-")) for label in plain]
    labels = [label.lower() for label in labels] if small else labels
    assert [(each.start, each.stop) for each in entities(labels)] == [(0, 2), (3, 4), (4, 7)]
    assert scheme_of([labels]) == "BIO"


@pytest.mark.parametrize(
    "labels",
    [
        ["B-a", "I-a", "E-a", "O", "S-b", "B-b", "E-b"],
        ["B-a", "I-a", "L-a", "O", "U-b", "B-b", "L-b"],
        ["B-a", "M-a", "E-a", "O", "W-b", "B-b", "E-b"],
        ["B-a", "M-a", "E-a", "O", "S-b", "B-b", "E-b"],
        ["B-a", "I-a", "I-a", "O", "B-b", "B-b", "I-b"],
        ["I-a", "I-a", "I-a", "O", "I-b", "B-b", "I-b"],
    ],
)
def test_the_same_spans_in_every_scheme(labels: list[str]) -> None:
    assert entities(labels) == [Entity("a", 0, 3), Entity("b", 4, 5), Entity("b", 5, 7)]
    scheme = scheme_of([labels])
    assert scheme is not None
    assert all(may_follow(*pair, scheme) for pair in pairwise([None, *labels, None]))


def test_words_that_are_cut_by_bmes() -> None:
    assert [(span.start, span.stop) for span in entities(list("SBEBMMES"))] == [(0, 1), (1, 3), (3, 7), (7, 8)]


@pytest.mark.parametrize(
    ("rows", "scheme"),
    [
        ([["I-a", "O"], ["I-a", "B-a"]], "IOB1"),
        ([["B-a", "O"], ["I-a", "B-a"]], "BIO"),  # neither: as before, and said
        ([["B-a", "I-a"], ["O"]], "BIO"),
        ([["I-a", "I-b"], ["O"]], "IO"),
        ([["A"]], None),
    ],
)
def test_iob1_is_told_by_what_stands_beside_what(rows: list[list[str]], scheme: str | None) -> None:
    assert scheme_of(rows) == scheme


@pytest.mark.parametrize(
    ("first", "second", "iob1", "bilou"),
    [
        (None, "I-a", True, False),
        ("O", "B-a", False, True),
        ("I-a", "B-a", True, False),
        ("I-b", "B-a", False, False),
        ("B-a", None, True, False),
        ("B-a", "L-a", True, True),
        ("B-a", "L-b", True, False),
        ("U-a", "O", True, True),
    ],
)
def test_what_may_follow_in_iob1_and_bilou(first: str | None, second: str | None, iob1: bool, bilou: bool) -> None:
    assert may_follow(first, second, "IOB1") is iob1
    assert may_follow(first, second, "BILOU") is bilou
