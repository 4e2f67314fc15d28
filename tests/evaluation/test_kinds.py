"""What there is to be answered is seen from the estimator and its targets; texts are cut into stretches."""

from typing import Any

import numpy as np
import pytest
from sklearn.base import BaseEstimator
from sklearn.linear_model import LinearRegression, LogisticRegression

from memorycell.evaluation.kinds import join, kind_of, stretches_of


@pytest.mark.parametrize(
    ("task", "y", "kind"),
    [
        (LogisticRegression(), ["a", "b"], "classes"),
        (LogisticRegression(), np.array([1.0, 2.0]), "classes"),
        (LogisticRegression(), np.eye(2), "labels"),
        (LogisticRegression(), [["a"], ["a", "b"]], "labels"),
        (LinearRegression(), [1, 2], "numbers"),
        (LinearRegression(), np.zeros((2, 3)), "numbers"),
        (BaseEstimator(), [["D", "N"], ["V", "V"]], "tags"),
        (BaseEstimator(), [np.array(["D", "N"]), np.array(["V", "V"])], "tags"),
        (BaseEstimator(), ["a", "b"], "classes"),
        (BaseEstimator(), np.array([0.5, 1.5]), "numbers"),
        (BaseEstimator(), None, "language"),
    ],
)
def test_kind_of(task: Any, y: Any, kind: str) -> None:
    assert kind_of(task, ["wx", "yz"], y).name == kind


@pytest.mark.parametrize(
    "text", ["one\ntwo\n\nthree", "\n\na\n", "a b  c d\te", "abcdefgh", "x", "line one\n" * 50, ""]
)
@pytest.mark.parametrize("most", [2, 5, 300])
def test_stretches_lose_nothing(text: str, most: int) -> None:
    stretches = stretches_of(text, most)
    assert "".join(stretches) == text
    assert len(stretches) <= most and all(stretches)


def test_stretches_are_of_about_one_length() -> None:
    lengths = [len(stretch) for stretch in stretches_of("a line of text\n" * 1000, 50)]
    assert len(lengths) == 50 and max(lengths) - min(lengths) <= 15


def test_answers_are_joined_in_the_order_of_rows() -> None:
    parts = [{"labels": np.array([1, 2]), "tags": ["b", "c"]}, {"labels": np.array([0]), "tags": ["a"]}]
    joined = join(parts, np.array([2, 0, 1]))
    assert joined["labels"].tolist() == [0, 1, 2] and joined["tags"] == ["a", "b", "c"]
    assert "probabilities" not in join(
        [{"probabilities": np.ones((1, 2)), "labels": np.ones(1)}, {"labels": np.ones(1)}]
    )
