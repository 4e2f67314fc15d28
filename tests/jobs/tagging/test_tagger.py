"""Tagger: words with and without spans, numeric frames, files, streams, and what it refuses."""

import random
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import torch

import memorycell
from memorycell.data.labels.label_schemes import may_follow
from memorycell.jobs.language.task import LanguageModel
from memorycell.jobs.tagging.task import Tagger
from memorycell.training.files import ModelFileError

SMALL: dict[str, Any] = {
    "hidden_size": 24, "embedding_size": 12, "character_size": 8, "character_hidden": 12, "learning_rate": 0.02,
    "n_threads": 1, "verbose": False,
}  # fmt: skip
ENDINGS = {"VERB": "ing", "NOUN": "tion", "ADJ": "ous"}


def spelt(count: int, seed: int) -> tuple[list[list[str]], list[list[str]]]:
    """Sentences of made-up words whose ending tells their tag."""
    draw = random.Random(seed)  # noqa: S311  # words, not secrets
    tags = [draw.choices(list(ENDINGS), k=draw.randrange(1, 7)) for _ in range(count)]
    words = [["".join(draw.choices("bcdklmprst", k=4)) + ENDINGS[tag] for tag in row] for row in tags]
    return words, tags


def named(count: int, seed: int, scheme: str = "BIO") -> tuple[list[list[str]], list[list[str]]]:
    """Sentences in which "in" goes before a place of one or two words, and "by" before a person."""
    draw = random.Random(seed)  # noqa: S311
    x, y = [], []
    for _ in range(count):
        words, tags = [draw.choice(["we", "they"])], ["O"]
        for _ in range(draw.randrange(1, 3)):
            mark, kind = draw.choice([("in", "place"), ("by", "person")])
            length = draw.randrange(1, 3)
            inner = {("BIO", 1): "B", ("BIO", 2): "BI", ("BIOES", 1): "S", ("BIOES", 2): "BE"}[scheme, length]
            words += [mark, *draw.choices(["Anna", "Lund", "Rosa", "Paris"], k=length), draw.choice(["now", "then"])]
            tags += ["O", *(f"{place}-{kind}" for place in inner), "O"]
        x.append(words)
        y.append(tags)
    return x, y


def frames(count: int, seed: int) -> tuple[list[np.ndarray], list[np.ndarray]]:
    """Sequences (T, 2) labelled by whether the sum of the first channel so far is above zero."""
    draw = np.random.default_rng(seed)
    x = [draw.normal(size=(draw.integers(5, 15), 2)) for _ in range(count)]
    return x, [(steps[:, 0].cumsum() > 0).astype(int) for steps in x]


@pytest.fixture(scope="module")
def speller() -> Tagger:
    return Tagger(**SMALL, epochs=5).fit(*spelt(150, 0))


@pytest.fixture(scope="module")
def finder() -> Tagger:
    return Tagger(**SMALL, epochs=8).fit(*named(150, 0))


@pytest.fixture(scope="module")
def framer() -> Tagger:
    return Tagger(**SMALL, epochs=6, causal=True).fit(*frames(80, 0))


def test_words_never_seen_are_tagged_by_their_spelling(speller: Tagger) -> None:
    scores = speller.evaluate(*spelt(50, 1))
    assert scores.accuracy > 0.95
    assert scores.words["unknown"]["accuracy"] > 0.95
    assert scores.entities is None
    assert speller.score(*spelt(50, 1)) == scores.accuracy
    assert speller.plan_["crf"] is False


@pytest.mark.parametrize("scheme", ["BIO", "BIOES"])
def test_spans_are_found_and_their_labels_keep_to_the_scheme(scheme: str, finder: Tagger) -> None:
    tagger = finder if scheme == "BIO" else Tagger(**SMALL, epochs=8).fit(*named(150, 0, scheme))
    assert tagger.plan_["crf"]
    assert tagger.plan_["scheme"] == scheme
    x, y = named(50, 1, scheme)
    scores = tagger.evaluate(x, y)
    assert scores.entities is not None
    assert scores.entities.total.f1 == scores.score == tagger.score(x, y) > 0.9
    jumbled = [list(reversed(words)) for words in x] + [["Rosa"], ["in"]]
    for labels in tagger.predict(jumbled):
        assert all(may_follow(a, b, scheme) for a, b in zip([None, *labels], [*labels, None], strict=True))
    for chances in tagger.predict_proba(jumbled):
        np.testing.assert_allclose(chances.sum(1), 1, atol=1e-6)
        forbidden = [k for k, label in enumerate(tagger.classes_) if not may_follow(None, label, scheme)]
        assert not chances[0, forbidden].any()


def test_labels_that_break_the_scheme_are_learnt_as_they_are() -> None:
    x, y = named(60, 0)
    y = [[label.replace("B-", "I-") for label in labels] if row % 2 else labels for row, labels in enumerate(y)]
    tagger = Tagger(**SMALL, epochs=2).fit(x, y)
    assert not tagger.plan_["constrained"]
    assert any("do not keep to BIO ('I-" in note["text"] for note in tagger.notes_)


def test_a_sequence_is_labelled_alike_whatever_stands_beside_it(finder: Tagger) -> None:
    x, _ = named(20, 2)
    together, chances = finder.predict(x), finder.predict_proba(x)
    for row in (0, 7, 19):
        assert finder.predict([x[row]])[0] == together[row]
        np.testing.assert_allclose(finder.predict_proba([x[row]])[0], chances[row], atol=1e-6)


def test_frames_are_labelled_and_streamed_with_the_same_numbers(framer: Tagger) -> None:
    x, y = frames(20, 1)
    assert framer.score(x, y) > 0.85
    stream = framer.stream()
    for steps, labels, chances in zip(x[:3], framer.predict(x[:3]), framer.predict_proba(x[:3]), strict=True):
        stream.reset()
        for step, label, chance in zip(steps, labels, chances, strict=True):
            assert stream.step(step) == label
            np.testing.assert_allclose(stream.probabilities, chance, atol=1e-6)
        assert stream.steps == len(steps)
    assert framer.classes_.dtype.kind == "i"


def test_words_too_are_streamed() -> None:
    x, y = spelt(60, 0)
    tagger = Tagger(**SMALL, epochs=2, causal=True).fit(x, y)
    stream = tagger.stream()
    assert [stream.step(word) for word in x[0]] == tagger.predict(x[:1])[0]
    np.testing.assert_allclose(stream.probabilities, tagger.predict_proba(x[:1])[0][-1], atol=1e-6)
    with pytest.raises(TypeError, match="expected a word, got 3"):
        stream.step(3)


def test_a_causal_tagger_does_not_look_ahead(framer: Tagger) -> None:
    (steps,), _ = frames(1, 3)
    whole = framer.predict_proba([steps])[0]
    np.testing.assert_allclose(framer.predict_proba([steps[:4]])[0], whole[:4], atol=1e-6)


def test_a_saved_tagger_answers_alike(tmp_path: Path, finder: Tagger, framer: Tagger) -> None:
    for tagger, x in ((finder, named(10, 3)[0]), (framer, frames(10, 3)[0])):
        path = tmp_path / f"{tagger.input_}.safetensors"
        tagger.save(path)
        again = memorycell.load(path)
        assert again.predict(x) == tagger.predict(x)
        for one, other in zip(again.predict_proba(x), tagger.predict_proba(x), strict=True):
            np.testing.assert_array_equal(one, other)
        assert again.get_params()["hidden_size"] == 24
    data = path.read_bytes()
    path.write_bytes(data[: len(data) // 2])
    with pytest.raises(ModelFileError, match="truncated"):
        Tagger.load(path)


def test_files_of_tagged_words(tmp_path: Path, finder: Tagger) -> None:
    x, y = named(40, 0)
    for name, between in (("train.tsv", "\t"), ("train.conll", " ")):
        path = tmp_path / name
        rows = [
            "\n".join(between.join([w, "x", t]) for w, t in zip(*pair, strict=True)) for pair in zip(x, y, strict=True)
        ]
        path.write_text("\n\n".join(rows) + "\n", encoding="utf-8")
        assert finder.score(path) == finder.score(x, y)
        assert finder.predict(path) == finder.predict(x)
    tagger = Tagger(**SMALL, epochs=1, word=0, tag=2).fit(path, validation=path)
    assert sorted(tagger.classes_) == sorted({label for labels in y for label in labels})
    with pytest.raises(ValueError, match="got them beside it"):
        tagger.score(path, y)


def test_the_seed_decides_and_the_global_generators_are_left_alone() -> None:
    x, y = spelt(30, 0)
    before, numbers = torch.get_rng_state(), np.random.get_state()[1].copy()  # noqa: NPY002
    one, other, third = (
        Tagger(**SMALL, epochs=1, random_state=seed).fit(x, y).predict_proba(x[:1])[0] for seed in (0, 0, 1)
    )
    assert torch.equal(torch.get_rng_state(), before)
    assert (np.random.get_state()[1] == numbers).all()  # noqa: NPY002
    np.testing.assert_array_equal(one, other)
    assert not np.array_equal(one, third)


def test_labels_unseen_in_training_are_counted_and_said() -> None:
    x, y = spelt(30, 0)
    tagger = Tagger(**SMALL, epochs=1).fit(x, y, validation=([["oh", "no"]], [["INTJ", "ADJ"]]))
    assert any("1 validation labels do not occur in training" in note["text"] for note in tagger.notes_)
    scores = tagger.evaluate([["oh"], *x[:5]], [["INTJ"], *y[:5]])
    assert scores.unseen == {"INTJ": 1}
    assert "has not seen, always wrong: INTJ (1)" in str(scores)


def test_a_crf_where_labels_are_no_spans_and_for_validation_with_unseen_labels() -> None:
    x, y = spelt(30, 0)
    tagger = Tagger(**SMALL, epochs=1, crf=True).fit(x, y, validation=([["oh", "no"], x[0]], [["INTJ", "ADJ"], y[0]]))
    assert tagger.plan_["crf"]
    np.testing.assert_allclose(tagger.predict_proba(x[:1])[0].sum(1), 1, atol=1e-6)


def test_held_out_labels_of_no_scheme_are_no_matter() -> None:
    x, y = named(40, 0)
    tagger = Tagger(**SMALL, epochs=1).fit(x, y, validation=([["oh"], x[0]], [["?"], y[0]]))
    assert tagger.plan_["constrained"]
    assert "entities" in str(tagger.evaluate(x, y))
    assert tagger.evaluate([["oh"]], [["?"]]).entities is None


def test_everything_can_be_trained_on() -> None:
    tagger = Tagger(**SMALL, epochs=1, validation_fraction=0.0).fit(*spelt(3, 0))
    assert any("Nothing is held out" in note["text"] for note in tagger.notes_)


X, Y = [["a", "b"], ["c"]], [["A", "B"], ["A"]]


@pytest.mark.parametrize(
    ("x", "y", "error", "said"),
    [
        (X, [["A", "B"], ["A", "B"]], ValueError, "sequence 1 has 1 words, but 2 labels"),
        (X, [["A", "B"]], ValueError, "labels of 2 sequences, got those of 1"),
        (X, None, ValueError, "expected labels y"),
        (X, [["A", "A"], ["A"]], ValueError, "two different labels, got only 'A'"),
        (X, ["AB", "A"], TypeError, "a list of labels for sequence 0, got str"),
        (X, [["A", None], ["A"]], ValueError, "sequence 0 has no label at step 1"),
        (X, [["A", float("nan")], ["A"]], ValueError, "sequence 0 has no label at step 1"),
        (X, [["A", 1], ["A"]], TypeError, "labels of one type"),
        ([["a"], []], [["A"], []], ValueError, "sequence 1 is empty: leave it out"),
        ([["a", ""]], [["A", "B"]], ValueError, "word 1 of sequence 0 is empty"),
        ([["a", 2]], [["A", "B"]], TypeError, "expected a word at place 1 of sequence 0, got int"),
        (["a b", "c"], Y, TypeError, "split it into words"),
        ([], [], ValueError, "at least one sequence, got none"),
        (3, Y, TypeError, "a list of sequences or the path of a file, got int"),
        ([3, 4], Y, TypeError, "expected sequence 0 to be a list of words or an array, got int"),
        ([np.zeros((3, 2)), np.zeros((2, 3))], [[0, 1, 0], [0, 1]], ValueError, "sequence 1"),
        ([np.zeros((3, 2))], [[0, 1]], ValueError, "sequence 0 has 3 steps, but 2 labels"),
        ("nowhere.conll", None, FileNotFoundError, "nowhere.conll"),
    ],
)
def test_wrong_data(x: Any, y: Any, error: type[Exception], said: str) -> None:
    with pytest.raises(error, match=said):
        Tagger(**SMALL, epochs=1).fit(x, y)


@pytest.mark.parametrize(
    ("parameters", "said"),
    [
        ({"crf": "yes"}, 'crf to be True, False or "auto"'),
        ({"crf": True, "causal": True}, "a CRF looks at the whole sequence"),
        ({"cell": "lstm"}, "expected cell to be"),
        ({"dropout": 1.0}, "dropout to be at least 0 and under 1"),
        ({"word_dropout": "auto"}, "word_dropout to be at least 0"),
        ({"validation_fraction": 1}, "validation_fraction"),
        ({"hidden_size": "large"}, "hidden_size to be a whole number of at least 1, several of them"),
        ({"hidden_size": []}, "hidden_size to be a whole number of at least 1, several of them"),
        ({"hidden_size": (4, 5, 6), "num_layers": 2}, "hidden_size of 2 layers"),
        ({"epochs": 0}, "epochs to be a whole number"),
        ({"random_state": "a"}, "random_state to be a whole number"),
        ({"min_count": 1.5}, "min_count to be a whole number"),
        ({"training": {"rate": 1}}, "rate"),
    ],
)
def test_wrong_parameters(parameters: dict[str, Any], said: str) -> None:
    with pytest.raises((ValueError, TypeError), match=said):
        Tagger(**{**SMALL, "epochs": 1, **parameters}).fit(X, Y)


def test_what_was_not_fitted_or_fitted_on_something_else(speller: Tagger) -> None:
    with pytest.raises(ValueError, match="not fitted yet"):
        Tagger().predict(X)
    with pytest.raises(AttributeError, match="no classes_"):
        _ = Tagger().classes_
    with pytest.raises(ValueError, match="does not look ahead"):
        speller.stream()
    with pytest.raises(TypeError, match="expected lists of words, as in training, got numeric sequences"):
        speller.predict([np.zeros((3, 2))])


@pytest.mark.parametrize(
    ("pretrained", "error", "said"),
    [
        ("nowhere.safetensors", FileNotFoundError, "no model file"),
        (3, TypeError, "a fitted LanguageModel or its file, got 3"),
    ],
)
def test_wrong_pretrained_models(pretrained: Any, error: type[Exception], said: str) -> None:
    with pytest.raises(error, match=said):
        Tagger(**SMALL, pretrained=pretrained).fit(X, Y)


def test_the_encoder_of_a_language_model_goes_below(tmp_path: Path) -> None:
    x, y = named(60, 0)
    text = "\n".join(" ".join(words) for words in x)
    language = LanguageModel(
        unit="whitespace", embedding_size=8, hidden_size=(10, 8), epochs=1, n_threads=1, verbose=False
    ).fit(text)
    tagger = Tagger(**SMALL, epochs=4, pretrained=language).fit(x, y)
    assert tagger.codec_.vocabulary == list(language.codec_.vocabulary)
    assert tagger.network_.encoder.hidden_sizes == (10, 8)
    assert tagger.network_.above is not None
    assert tagger.score(*named(20, 1)) > 0.7
    language.save(tmp_path / "language.safetensors")
    tagger.set_params(pretrained=str(tmp_path / "language.safetensors"), training={"learning_rate": 1e-12}).fit(x, y)
    for name, value in language.network_.encoder.state_dict().items():
        torch.testing.assert_close(tagger.network_.encoder.state_dict()[name], value)
    tagger.save(tmp_path / "tagger.safetensors")
    assert Tagger.load(tmp_path / "tagger.safetensors").predict(x) == tagger.predict(x)


def test_a_language_model_of_characters_is_refused() -> None:
    language = LanguageModel(
        unit="character", embedding_size=4, hidden_size=4, epochs=1, n_threads=1, verbose=False
    ).fit("abba\n" * 100)
    with pytest.raises(ValueError, match=r"got one of characters: train it with LanguageModel\(unit="):
        Tagger(**SMALL, pretrained=language).fit(X, Y)


BLANK = {"hidden_size": 4, "embedding_size": 4, "characters": False, "epochs": 1, "verbose": False, "n_threads": 1}


def test_empty_sequences_get_no_labels() -> None:
    tagger = Tagger(**BLANK).fit([["a", "dog"], ["the", "cat"]] * 10, [["DET", "NOUN"]] * 20)
    there = tagger.predict([["a", "cat"]])
    assert tagger.predict([["a", "cat"], [], None]) == [*there, [], []]
    assert tagger.predict([[]]) == [[]]
    shares = tagger.predict_proba([[], ["a", "cat"]])
    assert [each.shape for each in shares] == [(0, 2), (2, 2)]
    with pytest.raises(ValueError, match="sequence 1 is empty: leave it out"):
        tagger.evaluate([["a"], []], [["DET"], []])


def test_steps_of_which_nothing_is_known_get_no_labels() -> None:
    steps = np.random.default_rng(0).normal(size=(20, 6, 2))
    tagger = Tagger(**BLANK).fit(steps, [["a", "b"] * 3] * 20)
    found = tagger.predict([steps[0], np.full((3, 2), np.nan), np.zeros((0, 2))])
    assert found == [tagger.predict(steps[:1])[0], [None] * 3, []]
    assert np.isnan(tagger.predict_proba([np.full((3, 2), np.nan)])[0]).all()
    with pytest.raises(ValueError, match=r"2 steps, but 6 labels.*axes look exchanged: expected \(6, 2\)"):
        Tagger(**BLANK).fit(steps.transpose(0, 2, 1), [["a", "b"] * 3] * 20)


@pytest.mark.parametrize(
    ("labels", "scheme"),
    [
        (["B-PER", "L-PER", "O", "U-LOC"], "BILOU"),
        (["B-PER", "E-PER", "O", "S-LOC"], "BIOES"),
        (["B-PER", "E-PER", "O", "W-LOC"], "BMEWO"),
        (["I-PER", "B-PER", "O", "I-LOC"], "IOB1"),
        (["I-PER", "I-PER", "O", "I-LOC"], "IO"),
    ],
)
def test_every_scheme_is_learned_and_comes_back(labels: list[str], scheme: str, tmp_path: Path) -> None:
    x = [["Anna", "Smith", "in", "Rome"], ["Anna", "Smith", "in", "Oslo"]] * 2
    quick = {"epochs": 12, "learning_rate": 0.1, "min_count": 1, "dropout": 0.0, "word_dropout": 0.0}
    tagger = Tagger(**BLANK | quick, validation_fraction=0.0, random_state=0).fit(x, [labels] * 4)
    wide = "BMEWO" if "W-LOC" in labels else scheme
    assert tagger.plan_["scheme"] == wide and tagger.plan_["crf"] and tagger.plan_["constrained"]
    assert tagger.predict(x[:1]) == [labels]
    assert tagger.evaluate(x, [labels] * 4).entities.total.f1 == 1.0
    tagger.save(tmp_path / "a.safetensors")
    again = Tagger.load(tmp_path / "a.safetensors")
    assert again.predict(x[:1]) == [labels]
    assert again.network_.head.scheme == ("IOB1" if scheme == "IOB1" else None)


def test_a_frame_with_a_word_a_row() -> None:
    frame = pd.DataFrame({"Sentence #": ["1", None] * 20, "Word": ["a", "dog"] * 20, "Tag": ["DET", "NOUN"] * 20})
    frame["Sentence #"] = [f"Sentence: {row // 2}" if row % 2 == 0 else None for row in range(40)]
    tagger = Tagger(**BLANK).fit(frame)
    assert len(tagger.predict(frame)) == 20
    assert tagger.evaluate(frame).accuracy >= 0
