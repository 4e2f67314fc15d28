"""Scores of labels at each step: by label, for known and unknown words, and by entities."""

import json

import pytest

from memorycell.jobs.tagging.measures import tag_scores

TRUE = [["O", "B-a", "I-a"], ["B-b", "O"]]
GUESS = [["O", "B-a", "O"], ["B-b", "B-b"]]


def test_accuracy_by_label_and_entity() -> None:
    scores = tag_scores(TRUE, GUESS, ["B-a", "B-b", "I-a", "O"], [[True, True, False], [False, True]])
    assert scores.accuracy == pytest.approx(3 / 5)
    assert scores.words == {
        "known": {"count": 3, "accuracy": pytest.approx(2 / 3)},
        "unknown": {"count": 2, "accuracy": pytest.approx(1 / 2)},
    }
    outside = next(row for row in scores.measures.per_class if row["class"] == "O")
    assert (outside["precision"], outside["recall"], outside["support"]) == (0.5, 0.5, 2)
    assert scores.entities is not None
    assert scores.entities.total.f1 == pytest.approx(2 * 1 / (2 + 3))
    assert scores.score == scores.entities.total.f1
    told = json.loads(json.dumps(scores.to_dict()))
    assert told["entity_types"]["b"]["precision"] == 0.5
    assert "entities: precision 0.333" in str(scores)


def test_labels_that_training_has_not_seen_are_wrong_and_named() -> None:
    scores = tag_scores([["A", "C", "C"]], [["A", "A", "A"]], ["A", "B"])
    assert scores.accuracy == scores.score == pytest.approx(1 / 3)
    assert scores.unseen == {"C": 2}
    assert scores.entities is None
    assert "always wrong: C (2)" in str(scores)


@pytest.mark.parametrize(
    ("true", "predicted", "said"), [([["A"]], [["A", "A"]], "the lengths of the true ones"), ([], [], "got none")]
)
def test_wrong_labels(true: list[list[str]], predicted: list[list[str]], said: str) -> None:
    with pytest.raises(ValueError, match=said):
        tag_scores(true, predicted, ["A"])
