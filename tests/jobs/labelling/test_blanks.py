"""Empty sequences get no answer, and say so; whatever else is asked goes on."""

from collections.abc import Iterator

import numpy as np
import pandas as pd
import pytest

from memorycell import SequenceClassifier, SequenceRegressor
from memorycell.jobs.labelling.reading import read_input

QUICK = {"hidden_size": 4, "epochs": 1, "verbose": False, "n_threads": 1}
TEXTS, FEELINGS = ["warm soup", "cold soup", "fine tea", "bad tea"] * 10, ["g", "b"] * 20
RNG = np.random.default_rng(0)
SERIES = RNG.normal(size=(40, 9))


@pytest.fixture(scope="module")
def texts() -> SequenceClassifier:
    return SequenceClassifier(**QUICK, embedding_size=4).fit(TEXTS, FEELINGS)


@pytest.fixture(scope="module")
def series() -> SequenceClassifier:
    return SequenceClassifier(**QUICK, convolution=False).fit(SERIES, [1, 2] * 20)


@pytest.fixture(scope="module")
def fitted(texts: SequenceClassifier, series: SequenceClassifier) -> Iterator[dict]:
    walks = [each[: 5 + row % 4, None] for row, each in enumerate(SERIES)]
    symbols = [list("abba"), list("ab")] * 20
    return {
        "texts": (texts, TEXTS[:2], ["", "  ", None, float("nan"), pd.NA]),
        "series": (series, list(SERIES[:2]), [np.full(9, np.nan)]),
        "walks": (SequenceClassifier(**QUICK, convolution=False).fit(walks, FEELINGS), walks[:2],
                  [None, np.zeros((0, 1)), np.full((3, 1), np.nan), []]),
        "symbols": (SequenceClassifier(**QUICK).fit(symbols, FEELINGS), symbols[:2], [[], None]),
    }  # fmt: skip


@pytest.mark.parametrize("kind", ["texts", "series", "walks", "symbols"])
def test_no_answer_where_there_is_nothing(kind: str, fitted: dict) -> None:
    model, there, blanks = fitted[kind]
    for blank in blanks:
        given = [there[0], blank, there[1]]
        with pytest.warns(UserWarning, match=r"1 of 3 \w+ is empty \(row 1\): no answer there"):
            found = model.predict(given)
        assert found[1] is None and found.dtype == object
        assert [found[0], found[2]] == model.predict(there).tolist()
        with pytest.warns(UserWarning, match="is empty"):
            shares = model.predict_proba(given)
        assert np.isnan(shares[1]).all()
        np.testing.assert_array_equal(shares[[0, 2]], model.predict_proba(there))
        with pytest.warns(UserWarning, match="is empty"):
            assert np.isnan(model.decision_function(given)[1])


def test_nothing_at_all(texts: SequenceClassifier, series: SequenceClassifier) -> None:
    with pytest.warns(UserWarning, match=r"2 of 2 texts are empty \(rows 0 and 1\)"):
        assert texts.predict(["", None]).tolist() == [None, None]
    with pytest.warns(UserWarning, match="1 of 1 sequences is empty"):
        assert series.predict(np.full((1, 9), np.nan)).tolist() == [None]


def test_a_number_is_missing() -> None:
    model = SequenceRegressor(**QUICK, convolution=False).fit(SERIES, SERIES.sum(1))
    with pytest.warns(UserWarning, match="is empty"):
        found = model.predict(np.vstack([SERIES[:1], np.full((1, 9), np.nan)]))
    assert np.isfinite(found[0]) and np.isnan(found[1])
    # A missing step is none.
    assert np.isfinite(model.predict(np.where(np.arange(9) < 8, np.nan, SERIES[:1]))).all()


def test_several_labels() -> None:
    lists = SequenceClassifier(**QUICK, embedding_size=4).fit(TEXTS, [["a"], ["a", "b"]] * 20)
    with pytest.warns(UserWarning, match="is empty"):
        assert lists.predict(["soup", ""])[1] is None
    matrix = SequenceClassifier(**QUICK, embedding_size=4).fit(TEXTS, np.array([[1, 0], [1, 1]] * 20))
    with pytest.warns(UserWarning, match="is empty"):
        found = matrix.predict(["soup", ""])
    assert np.isnan(found[1]).all() and np.isin(found[0], (0, 1)).all()


def test_to_learn_from_or_to_measure_by_it_takes_something(texts: SequenceClassifier) -> None:
    with pytest.raises(ValueError, match=r"expected texts, got 1 empty one \(first: row 1\): leave those rows out"):
        SequenceClassifier(**QUICK).fit(["soup", ""], ["g", "b"])
    with pytest.raises(ValueError, match="leave those rows out"):
        texts.score(["soup", ""], ["g", "b"])


def test_what_is_wrong_stays_wrong(texts: SequenceClassifier, series: SequenceClassifier) -> None:
    with pytest.raises(TypeError, match="value of type int"):
        texts.predict(["soup", 3])
    with pytest.raises(ValueError, match="X has 8 features"):
        series.predict(SERIES[:, :8])
    with pytest.raises(ValueError, match="to explain, got an empty one"):
        texts.explain(["soup", ""], row=1)
    assert read_input(["a b", ""], "text", blanks=True).blank.tolist() == [False, True]
    assert read_input(["a b"], "text", blanks=True).blank is None


def test_files(tmp_path, texts: SequenceClassifier) -> None:
    table = pd.DataFrame({"t": ["warm soup", None, "bad tea", "  "], "y": ["g", "b", "b", "g"]})
    path = tmp_path / "a.csv"
    table.to_csv(path, index=False)
    model = SequenceClassifier(**QUICK, embedding_size=4, text="t", target="y").fit(
        pd.DataFrame({"t": TEXTS, "y": FEELINGS})
    )
    samples = model.read(path, labelled=False)
    assert [note["text"] for note in samples.notes if note["kind"] == "empty"] == [
        "2 of 4 rows have no text in column 't' (first line 3): no answer there."
    ]
    answers = model.answers(samples)
    assert answers.columns["row"].tolist() == [0, 1, 2, 3]
    assert [label is None for label in answers.columns["label"]] == [False, True, False, True]
    assert np.isnan(answers.columns["p_g"]).tolist() == [False, True, False, True]
    assert answers.records()[1]["label"] is None
    # Those are left out where answers are compared with what is true, and said.
    assert len(model.read(path)) == 2
    assert "2 of 4 rows have no text in column 't' (first line 3): left out." in [
        n["text"] for n in model.read(path).notes
    ]
    assert 0 <= model.score(path) <= 1
