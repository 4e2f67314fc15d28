"""Weights of sentences and of words: in fit, validation, score and files."""

import numpy as np
import pytest

from memorycell import Tagger
from memorycell.evaluation.entities import entity_scores

X = [["a", "dog", "barks"], ["the", "cat"], ["it", "sleeps"]] * 5
Y = [["DET", "NOUN", "VERB"], ["DET", "NOUN"], ["PRON", "VERB"]] * 5
QUICK = {
    "hidden_size": 4, "embedding_size": 4, "characters": False, "epochs": 1, "verbose": False, "n_threads": 1,
    "min_count": 1,
}  # fmt: skip
SPANS = [["B-x", "I-x", "O"], ["O", "B-x"], ["O", "O"]] * 5


def fitted(x=X, y=Y, weights=None, **more):
    return Tagger(**{**QUICK, **more}).fit(x, y, sample_weight=weights)


@pytest.mark.parametrize("form", ["sentences", "words"])
@pytest.mark.parametrize("crf", [False, True])
def test_what_weighs_nothing_is_left_out_as_if_it_were_not_there(form, crf):
    weights = [1, 0, 2] * 5
    kept = [i for i, weight in enumerate(weights) if weight]
    given = weights if form == "sentences" else [[w] * len(x) for w, x in zip(weights, X, strict=True)]
    one = fitted(weights=given, crf=crf)
    other = fitted([X[i] for i in kept], [Y[i] for i in kept], [weights[i] for i in kept], crf=crf)
    for a, b in zip(one.predict_proba(X), other.predict_proba(X), strict=True):
        np.testing.assert_allclose(a, b, rtol=1e-6)
    assert "5 of 15 sentences weigh 0: left out." in " ".join(note["text"] for note in one.notes_)


def test_words_without_weight_are_read_but_not_learned_from():
    weights = [[1.0, 0.0, 1.0][: len(x)] for x in X]
    one = fitted(weights=weights)
    changed = [[labels[0], "VERB", *labels[2:]] for labels in Y]
    other = fitted(y=changed, weights=weights)
    assert set(one.classes_) == {"DET", "NOUN", "PRON", "VERB"}
    shared = [one.classes_.tolist().index(name) for name in other.classes_]
    assert len(other.classes_) < 4 or np.allclose(one.predict_proba(X)[0][:, shared], other.predict_proba(X)[0])


def test_validation_is_weighted():
    def loss(*more):
        model = Tagger(**QUICK).fit(X, Y, validation=([["a", "dog"], ["it", "sleeps"]], [Y[1], Y[2]], *more))
        return model.history_[0]["val_loss"]

    ends = loss([1, 0]), loss([0, 1])
    assert loss() == pytest.approx(np.mean(ends), rel=1e-5)
    assert loss([[3, 3], [1, 1]]) == pytest.approx((3 * ends[0] + ends[1]) / 4, rel=1e-5)


def test_a_crf_weighs_sequences_alone():
    with pytest.raises(ValueError, match="a CRF weighs sequences; crf=False weighs steps"):
        fitted(y=SPANS, weights=[[1, 2, 3][: len(x)] for x in X])
    fitted(y=SPANS, weights=[[1, 2, 3][: len(x)] for x in X], crf=False)


def test_numeric_sequences_are_weighted_too():
    rng = np.random.default_rng(0)
    x, y = [rng.normal(size=(4, 2)) for _ in range(20)], [[0, 1, 1, 0]] * 20
    model = Tagger(hidden_size=4, epochs=1, verbose=False).fit(x, y, sample_weight=rng.random(20))
    assert "Sequences are weighted" in model.notes_[0]["text"]


def test_scores_are_those_of_repeated_sentences():
    times, model = [3, 0, 1] * 5, fitted(epochs=3)
    again = [i for i, count in enumerate(times) for _ in range(count)]
    assert model.score(X, Y, times) == pytest.approx(model.score([X[i] for i in again], [Y[i] for i in again]))
    found = [["B-x", "O"], ["B-y"]]
    assert entity_scores([["B-x", "O"], ["O"]], found, weights=[2, 1]).total.precision == pytest.approx(2 / 3)
    spans = fitted(y=SPANS)
    assert spans.score(X, SPANS, times) == spans.score([X[i] for i in again], [SPANS[i] for i in again])
    with pytest.raises(ValueError, match="one weight for each sequence"):
        spans.score(X, SPANS, [[1.0] * len(x) for x in X])


def written(path, weights):
    rows = [
        "\n".join(f"{w}\t{weight}\t{t}" for w, t in zip(x, y, strict=True))
        for x, y, weight in zip(X, Y, weights, strict=True)
    ]
    path.write_text("\n\n".join(rows) + "\n")
    return path


def test_a_column_of_the_file_says_the_weights(tmp_path):
    weights = [1, 0.5, 2] * 5
    path = written(tmp_path / "a.tsv", weights)
    model = Tagger(**QUICK, weight=1).fit(path)
    by_hand = fitted(weights=weights)
    assert np.array_equal(model.predict_proba(X)[0], by_hand.predict_proba(X)[0])
    assert model.evaluate(path).score == by_hand.evaluate(X, Y).score


@pytest.mark.parametrize("value", ["-1", "nan", "much", "inf", ""])
def test_a_column_of_wrong_weights_is_refused_with_its_line(tmp_path, value):
    path = written(tmp_path / "a.tsv", [1, value, *[1] * 13])
    with pytest.raises(ValueError, match=r"line 5: expected a weight of at least 0 in column 1"):
        Tagger(**QUICK, weight=1).fit(path)


@pytest.mark.parametrize(
    "weights, said",
    [
        (np.ones(14), "each of 15 sequences, got weights of shape"),
        ([[1.0]] * 15, "expected 3 weights for sequence 0"),
        ([[1.0, -1, 1], [1.0, 1], [1.0, 1]] * 5, "at least 0, got -1.0"),
        (np.zeros(15), "are zero"),
    ],
)
def test_weights_that_cannot_be_used_are_refused(weights, said):
    with pytest.raises(ValueError, match=said):
        fitted(weights=weights)
