"""Why answers came out, a row each, for every job; and the worst of them."""

import numpy as np
import pandas as pd
import pytest

from memorycell import Forecaster, LanguageModel, SequenceClassifier, SequenceRegressor, Tagger
from memorycell.evaluation.kinds import Classes, Labels, Numbers, Tags
from memorycell.insight.explanation import Explanation
from memorycell.jobs.reasons import said

QUICK = {"hidden_size": 4, "epochs": 1, "verbose": False, "n_threads": 1}
TEXTS = ["warm soup", "cold soup", "fine tea", "bad tea"] * 6
LABELS = ["g", "b", "g", "b"] * 6


@pytest.fixture(scope="module")
def classifier():
    options = {**QUICK, "epochs": 20, "learning_rate": 0.05, "text": "text", "target": "label"}
    return SequenceClassifier(**options).fit(pd.DataFrame({"text": TEXTS, "label": LABELS}))


def test_words_that_counted_come_with_their_sign(classifier):
    found = classifier.why(TEXTS, rows=[0, 3, -1], most=1)
    frame = found.to_frame()
    assert frame["row"].tolist() == [0, 3, 23] and len(found) == 3
    assert frame["label"].tolist() == ["g", "b", "b"]
    assert [why.split()[0] for why in frame["why"]] == ["warm", "bad", "bad"]
    assert all(" +" in why and ";" not in why for why in frame["why"])
    assert "why 3 answers came out" in repr(found)


def test_the_worst_are_the_wrong_ones_that_were_surest(classifier):
    data = pd.DataFrame({"no": range(4), "text": TEXTS[:4], "label": ["g", "b", "g", "g"]})
    found = classifier.why(data, worst=2, keep="no").to_frame()
    assert found["text"][0] == "bad tea" and found["true"].tolist()[0] == "g" and found["label"][0] == "b"
    assert found["no"][0] == 3
    with pytest.raises(ValueError, match="to find the worst answers by"):
        classifier.why(data[["text"]].assign(label=None)["text"].tolist(), worst=1)


@pytest.mark.parametrize(
    "options, problem",
    [({"rows": [24]}, "rows from 0 to 23, got 24"), ({"worst": 0}, "at least 1"), ({"rows": [1], "worst": 2}, "both")],
)
def test_rows_that_are_not_there(classifier, options, problem):
    with pytest.raises(ValueError, match=problem):
        classifier.why(TEXTS, **options)


def test_what_cannot_be_explained_is_noted(classifier):
    found = classifier.why(["warm soup", ""], rows=[0, 1])
    assert found.rows[1]["why"] == "" and "row 1 is not explained" in found.notes[0]


JOBS = {
    "regressor": lambda: (
        SequenceRegressor(**QUICK).fit(np.random.default_rng(0).normal(size=(20, 9)), np.arange(20.0)),
        np.random.default_rng(1).normal(size=(4, 9)),
    ),
    "channels": lambda: (
        SequenceClassifier(**QUICK).fit(np.random.default_rng(0).normal(size=(20, 9, 2)), [0, 1] * 10),
        np.random.default_rng(1).normal(size=(4, 9, 2)),
    ),
    "tagger": lambda: (
        Tagger(**QUICK, characters=False).fit([["a", "dog", "barks"]] * 20, [["DET", "NOUN", "VERB"]] * 20),
        [["a", "dog"], ["a", "cat", "barks"], ["dog"]],
    ),
    "language": lambda: (LanguageModel(**QUICK, unit="character").fit("one two\nthree four\n" * 60), "one two\n\nsix"),
    "forecaster": lambda: (
        Forecaster(**QUICK, window=6).fit({"y": np.sin(np.arange(120) / 3), "x": np.arange(120) % 5}, target="y"),
        {"y": np.sin(np.arange(40) / 3), "x": np.arange(40) % 5},
    ),
}


@pytest.mark.parametrize("job", JOBS)
def test_every_job_gives_reasons(job):
    model, data = JOBS[job]()
    places = [30, 39] if job == "forecaster" else [0, 1]
    frame = model.why(data, rows=places).to_frame()
    assert len(frame) == 2 and frame.columns[0] == "row" and {"output", "value", "why"} <= set(frame.columns)
    for why, number in zip(frame["why"], frame["value"], strict=True):
        assert why and np.isfinite(number)
        assert all(part.split()[-1][0] in "+-" for part in why.split("; "))
    if job in ("channels", "forecaster"):
        assert " at " in frame["why"][0]


def test_a_reason_in_words():
    scores = np.array([[0.0, -2.0], [1.0, 0.5]])
    found = Explanation("", "", 1.0, [4, 5], scores.sum(1), {}, scores, ["temp", "rain"])
    assert said(found, 3) == "rain at 4 -2; temp at 5 +1; rain at 5 +0.5"
    assert said(Explanation("", "", 1.0, [4, 5], scores.sum(1), {})) == "step 4 -2; step 5 +1.5"


@pytest.mark.parametrize(
    "kind, answers, worst",
    [
        (Classes(["a", "b", "a"]), {"labels": np.array([0, 0, 1])}, [1, 2]),
        (
            Classes(["a", "b", "a"]),
            {"labels": np.array([0, 0, 1]), "probabilities": np.array([[0.9, 0.1], [0.6, 0.4], [0.2, 0.8]])},
            [2, 1],
        ),
        (Labels([["a"], ["b"], ["a", "b"]]), {"labels": np.array([[1, 0], [1, 0], [1, 0]], bool)}, [1, 2]),
        (Numbers([1.0, 2.0, 3.0]), {"numbers": np.array([[1.0], [5.0], [1.0]])}, [1, 2]),
        (Tags([["x"], ["x", "y"]], [["A"], ["A", "B"]]), {"tags": [np.array([1]), np.array([1, 0])]}, [1, 0]),
    ],
)
def test_losses_order_answers(kind, answers, worst):
    losses = kind.losses(np.arange(len(kind.y)), answers)
    assert np.argsort(-losses, kind="stable")[:2].tolist() == worst
