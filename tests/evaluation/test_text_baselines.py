"""What a user would try first, on data where it is known what it should find."""

import numpy as np
import pytest
import torch

from memorycell.data.ragged import Ragged
from memorycell.evaluation import text_baselines as naive

GOOD, BAD = "what a good flight :)", "what a bad flight :("


def test_the_majority_knows_its_share() -> None:
    model = naive.Majority().fit(range(4), ["b", "b", "b", "a"])
    assert model.predict([0, 0]).tolist() == ["b", "b"]
    assert model.predict_proba([0]).tolist() == [[0.25, 0.75]]
    assert naive.Majority().fit(range(3), [True, False, True]).predict([0]).tolist() == [True]


def test_labels_of_most_rows_and_the_mean() -> None:
    truth = np.array([[1, 0], [1, 1], [1, 0]], bool)
    assert naive.FrequentLabels().fit(range(3), truth).predict([0]).tolist() == [[True, False]]
    assert naive.MeanValue().fit(range(2), [1.0, 3.0]).predict([0, 0]).tolist() == [2.0, 2.0]
    assert naive.MeanValue().fit(range(2), [[1.0, 0.0], [3.0, 4.0]]).predict([0]).tolist() == [[2.0, 2.0]]


def test_summary_statistics_of_ragged_channels() -> None:
    rising, nan = np.arange(5.0), float("nan")
    sequences = [np.stack([rising, -2 * rising], 1), np.array([[1.0, nan], [nan, nan], [3.0, nan]])]
    rows = naive.SummaryStatistics().fit(sequences).transform(sequences)
    assert rows.shape == (2, 2 * 12 + 1)
    mean, deviation, least, greatest, *_, first, last, slope = rows[0, :12]
    assert (mean, least, greatest, first, last) == (2, 0, 4, 0, 4)
    assert slope == pytest.approx(1) and deviation == pytest.approx(np.sqrt(2))
    assert rows[0, 23] == pytest.approx(-2)
    assert rows[:, -1].tolist() == [5, 3]
    assert rows[1, [0, 9, 10, 11]].tolist() == [2, 1, 3, pytest.approx(1)]  # NaN left out, steps counted
    assert rows[1, 12:24].tolist() == [0] * 12
    assert naive.SummaryStatistics().transform([np.zeros(0), [7.0]])[:, -1].tolist() == [0, 1]


@pytest.mark.parametrize(
    ("X", "kind"),
    [
        ([GOOD, BAD], "text"),
        (["ACGT", "ACGA"], "symbols"),
        ([["open", "close"], ["open"]], "symbols"),
        ([[3, 1], [2]], "symbols"),
        ([[3.0, 1.0], [2.0]], "numbers"),
        ([np.zeros((3, 2)), np.zeros((1, 2))], "numbers"),
        (np.zeros((3, 4), int), "numbers"),
        (np.array([GOOD, BAD]), "text"),
    ],
)
def test_what_sequences_are_made_of(X: object, kind: str) -> None:
    assert naive.kind_of_inputs(X) == kind


@pytest.mark.parametrize(
    ("X", "names"),
    [
        ([GOOD, BAD] * 10, ["majority class", "TF-IDF + logistic regression"]),
        (
            ["ACGT", "TGCA"] * 10,
            ["majority class", "TF-IDF of k-mers + logistic regression", "logistic regression on positions"],
        ),
        (["AC", "TGCA"] * 10, ["majority class", "TF-IDF of k-mers + logistic regression"]),
        (
            [np.zeros((4, 2)), np.ones((4, 2))] * 10,
            ["majority class", "logistic regression on summary statistics", "logistic regression on all values"],
        ),
        ([[0.5], [3.5, 3.0]] * 10, ["majority class", "logistic regression on summary statistics"]),
    ],
)
def test_classifiers_learn_what_is_plain_to_see(X: list, names: list[str]) -> None:
    y = ["good", "bad"] * 10
    models = naive.baselines_for_classes(X)
    assert list(models) == names
    for model in list(models.values())[1:]:
        assert model.fit(X, y).predict(X).tolist() == y
        assert model.predict_proba(X).shape == (20, 2)


def test_what_the_task_says_goes_before_what_it_looks_like() -> None:
    assert "TF-IDF + logistic regression" in naive.baselines_for_classes(["yes", "no"], "text")


def test_regressors_and_several_labels() -> None:
    generator = np.random.default_rng(0)
    X = generator.normal(size=(60, 6))
    for name, model in naive.baselines_for_numbers(X).items():
        error = np.abs(model.fit(X, X[:, 0]).predict(X) - X[:, 0]).max()
        assert bool(error < 0.1) is (name != "mean"), name
    truth = np.array([["flight" in text, ":)" in text] for text in [GOOD, BAD, "nothing here"] * 5])
    (_, model) = naive.baselines_for_labels([GOOD, BAD, "nothing here"] * 5).values()
    assert (model.fit([GOOD, BAD, "nothing here"] * 5, truth).predict([GOOD, BAD]) == [[1, 1], [1, 0]]).all()


def test_signs_are_words_too() -> None:
    model = naive.baselines_for_classes(["a :)", "a :("])["TF-IDF + logistic regression"]
    assert model.fit(["a :)", "a :("] * 5, [1, 0] * 5).predict(["b :)"]).tolist() == [1]


def test_k_mers_of_longer_symbols() -> None:
    assert list(naive.k_mers(["open", "read"])) == ["open", "read", "open read"]


def test_the_most_frequent_tag() -> None:
    model = naive.MostFrequentTag().fit([["a", "run"], ["run", "run"]], [["D", "N"], ["V", "V"]])
    assert model.predict([["run", "a", "new"], []]) == [["V", "D", "V"], []]
    frames = [np.zeros((3, 2)), np.zeros((1, 2))]
    assert naive.MostFrequentTag().fit(frames, [["x", "y", "y"], ["y"]]).predict(frames[1:]) == [["y"]]
    assert naive.MostFrequentTag().fit([["a"]], [[1]]).predict([["a"]]) == [[1]]


class Letters:
    """A codec of the letters a to d, as text codecs behave."""

    unit = "character"
    size = 7

    def encode(self, texts: list[str], end: bool = False) -> Ragged:
        rows = [torch.tensor([3 + "abcd".index(letter) for letter in text] + [2] * end) for text in texts]
        return Ragged.of(rows, torch.int64)

    def to_json(self) -> dict:
        return {}


def test_n_grams_over_a_codec() -> None:
    model = naive.KneserNeyText(Letters(), 2).fit(["abab", "abab"])
    likely, unlikely = model.log_probabilities(["abab", "bbbb"])
    assert len(likely) == len(unlikely)
    assert likely.mean() > unlikely.mean()
    (joined,) = model.log_probabilities("abab")
    assert joined.tolist() == likely.tolist()
