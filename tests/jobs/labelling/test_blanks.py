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
    nothing = np.where(np.arange(40)[:, None] == 7, np.nan, SERIES)
    for given in (nothing, list(nothing)):
        with pytest.raises(ValueError, match=r"got 1 missing one \(first: row 7\): leave those rows out"):
            SequenceClassifier(**QUICK).fit(given, FEELINGS)
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
    assert answers.columns["row"].tolist() == [2, 3, 4, 5]
    assert [label is None for label in answers.columns["label"]] == [False, True, False, True]
    assert np.isnan(answers.columns["p_g"]).tolist() == [False, True, False, True]
    assert answers.records()[1]["label"] is None
    # Those are left out where answers are compared with what is true, and said.
    assert len(model.read(path)) == 2
    assert "2 of 4 rows have no text in column 't' (first line 3): left out." in [
        n["text"] for n in model.read(path).notes
    ]
    assert 0 <= model.score(path) <= 1


ODD = {
    "one step": (np.zeros((40, 1, 9)), "Each sequence is one step of 9 numbers"),
    "channels first": (
        RNG.normal(size=(40, 3, 50)),
        "If these are 50 steps of 3 channels, exchange the axes: X.transpose",
    ),
    "a list": (list(RNG.normal(size=(40, 2, 30))), "exchange the axes: [x.T for x in X]"),
    "letters": (["A B C", "b a C A"] * 20, 'if these are symbols, give kind="symbols", separator=" "'),
    "DNA": (["".join(RNG.choice(list("ACGT"), 30)) for _ in range(40)], "their characters are read"),
    "surnames": ([f"Sato{n}ko" for n in range(40)], "their characters are read"),
}
PLAIN = {
    "texts": TEXTS,
    "words that come again": ["good", "bad"] * 20,
    "steps first": RNG.normal(size=(40, 50, 3)),
    "few steps and few numbers": RNG.normal(size=(40, 5, 8)),
    "one step of one number": RNG.normal(size=(40, 1, 1)),
    "a matrix": SERIES,
    "Chinese": [f"我爱{name}" for name in "北京天气很好你他" * 5],
}


@pytest.mark.parametrize("kind", ODD)
def test_what_looks_odd_is_said(kind: str) -> None:
    given, text = ODD[kind]
    model = SequenceClassifier(**QUICK, convolution=False).fit(given, FEELINGS)
    assert text in " ".join(note["text"] for note in model.notes_)
    # It is learned with the model: the same is read the same way later.
    assert len(model.predict(given[:2])) == 2


@pytest.mark.parametrize("kind", PLAIN)
def test_what_does_not_look_odd_is_not_said(kind: str) -> None:
    model = SequenceClassifier(**QUICK, convolution=False).fit(PLAIN[kind], FEELINGS)
    assert not {"doubt", "kind"} & {note["kind"] for note in model.notes_}


def test_what_was_said_by_the_user_is_not_doubted() -> None:
    texts = ODD["DNA"][0]
    assert SequenceClassifier(**QUICK, kind="text").fit(texts, FEELINGS).input_["kind"] == "text"
    assert SequenceClassifier(**QUICK, unit="character").fit(texts, FEELINGS).input_["kind"] == "text"
    model = SequenceClassifier(**QUICK, separator=",").fit(["A,B", "B,A,C"] * 20, FEELINGS)
    assert model.input_["kind"] == "symbols" and model.codec_.size == 6
    with pytest.raises(ValueError, match=r"its 3 steps of 50 numbers look like axes that are exchanged"):
        SequenceClassifier(**QUICK).fit(PLAIN["steps first"], FEELINGS).predict(ODD["channels first"][0])
    with pytest.raises(ValueError, match=r"exchange the axes: x\.T for each"):
        SequenceClassifier(**QUICK).fit([np.zeros((3, 20 + n)) for n in range(40)], FEELINGS)


def test_labels_that_look_odd_are_said() -> None:
    labels = ["Good", "good", "bad", "rare"] + ["bad", "good"] * 17 + ["bad", " good"]
    notes = [note["text"] for note in SequenceClassifier(**QUICK).fit(TEXTS, labels).notes_ if note["kind"] == "labels"]
    assert notes[0].startswith(
        "' good', 'Good' and 'good' differ by case or spaces alone: they are learned as different"
    )
    assert notes[1].startswith("' good', 'Good' and 'rare' occur once: nothing can be held out of them")
