"""What a language model reads: once, encoded once, and given back as columns; step by step; files of 0.1."""

import json
from pathlib import Path

import numpy as np
import pytest
from language_cases import a_text, fitted, small

import memorycell
from memorycell.data.samples import Samples
from memorycell.data.text.corpus import Corpus
from memorycell.data.text.text_codec import TextCodec
from memorycell.data.text.text_file import TextFile
from memorycell.evaluation.cross_validation import cross_validate
from memorycell.evaluation.result import Result
from memorycell.jobs.language import text as language_text
from memorycell.jobs.language.parameters import Dropouts, Modelling
from memorycell.jobs.language.plan import choose
from memorycell.jobs.language.stream import TokenStream
from memorycell.jobs.language.task import LanguageModel
from memorycell.jobs.language.text import HeldText, TextSamples, documents
from memorycell.jobs.plan import GIVEN
from memorycell.training.files import ModelFileError, load_model, save_model

pytestmark = pytest.mark.usefixtures("undrawn")  # what pages show is asked in tests/pages

FIXTURES = Path(__file__).parents[2] / "fixtures" / "0.1"
UNITS = ["word", "whitespace", "character", "subword"]


@pytest.fixture
def book(tmp_path):
    path = tmp_path / "book.txt"
    path.write_text(a_text(60, seed=3), encoding="utf-8")
    return path


@pytest.fixture
def counted(monkeypatch):
    """How many files were read, and how many characters encoded."""
    counts = {"read": 0, "encoded": 0}
    plain, read_text = TextCodec.encode, language_text.read_text

    def read(*args, **options):
        counts["read"] += 1
        return read_text(*args, **options)

    def encode(self, texts, *more, **options):
        texts = list(texts)
        counts["encoded"] += sum(map(len, texts))
        return plain(self, texts, *more, **options)

    monkeypatch.setattr(language_text, "read_text", read)
    monkeypatch.setattr(TextCodec, "encode", encode)
    return counts


def test_training_reads_and_encodes_once(book, counted, tmp_path):
    model = small("character", epochs=1)
    samples = model.read(book)
    model.fit(samples)
    assert counted == {"read": 1, "encoded": book.stat().st_size}
    memorycell.write_report(tmp_path / "page.html", model, samples, seen=True)
    # The page scores a passage by itself: the end of the text, which was held out.
    assert counted["read"] == 1 and counted["encoded"] < 1.1 * book.stat().st_size


@pytest.mark.parametrize("work", ["predict", "score", "evaluate", "measured", "report", "explain", "trace", "memory"])
def test_whoever_uses_a_model_reads_and_encodes_once(book, counted, tmp_path, work):
    model, page = fitted("character"), tmp_path / "page.html"
    before = dict(counted)
    {
        "predict": lambda: model.answers(book),
        "score": lambda: model.score(book),
        "evaluate": lambda: model.evaluate(book),
        "measured": lambda: model.measured(book),
        "report": lambda: memorycell.write_report(page, model, book, seen=False),
        "explain": lambda: memorycell.write_explanation(page, model, book),
        "trace": lambda: model.trace(book),
        "memory": lambda: model.memory(book),
    }[work]()
    assert counted["read"] - before["read"] == 1
    assert counted["encoded"] - before["encoded"] == book.stat().st_size


def test_a_file_that_is_larger_than_memory_stays_where_it_is(book, counted, monkeypatch):
    whole = small(epochs=1).fit(book)
    monkeypatch.setattr(language_text, "_HELD", 100)
    model = small(epochs=1)
    samples = model.read(book)
    assert type(samples.given) is TextFile and len(samples) == 1
    model.fit(samples)
    assert counted["read"] == 1  # the first of them: this one is gone through piece by piece
    assert model.history_[-1]["val_loss"] == whole.history_[-1]["val_loss"]
    assert model.tokens_ == whole.tokens_
    assert samples[0] == book.read_text(encoding="utf-8")


def test_a_part_of_a_text_file_is_that_part(book):
    first, rest = HeldText(book).split(0.5)
    text = book.read_text(encoding="utf-8")
    assert "".join(first) + "".join(rest) == text and 0 < len("".join(first)) < len(text)
    assert TextSamples(first)[0] == "".join(first)


def test_samples_stay_what_they_are_and_parts_of_them_are_samples(book):
    model = fitted()
    samples = model.read(book)
    assert model.read(samples) is samples and isinstance(samples, Samples)
    assert (len(samples), samples.source.file, samples.written) == (1, book, True)
    texts = model.read(["it was cold", "the cat sat", "a dog lay"])
    part = texts.take([2, 0])
    assert part.given == ["a dog lay", "it was cold"] and texts.source.name == "3 texts"
    alone = model.log_probabilities(["a dog lay", "it was cold"])
    for one, other in zip(model.log_probabilities(part), alone, strict=True):
        np.testing.assert_array_equal(one, other)
    assert texts.whole()[0] == "it was cold\nthe cat sat\na dog lay"
    assert texts.line(1).given == ["the cat sat"]


@pytest.mark.parametrize("unit", UNITS)
def test_each_text_of_several_is_read_from_nothing(unit):
    model, texts = fitted(unit), ["it was cold", "the cat sat\non the mat", "a dog"]
    for ids, text in zip(documents(model.read(texts).corpus(model.codec_)), texts, strict=True):
        np.testing.assert_array_equal(ids, Corpus.from_texts(text, model.codec_).ids)
    for logs, text in zip(model.log_probabilities(texts), texts, strict=True):
        assert logs.tolist() == [token.log_probability for token in model.token_scores(text)]


@pytest.mark.parametrize("unit", UNITS)
def test_answers_are_a_row_a_token_and_plain_json(unit):
    model, text = fitted(unit), "the cat sat\non the zebra"
    answers, tokens = model.answers(text), model.token_scores(text)
    assert list(answers.columns) == ["token", "start", "probability", "surprise"]
    assert answers.columns["token"].tolist() == [token.token for token in tokens]
    assert answers.columns["start"].tolist() == [token.start for token in tokens]
    np.testing.assert_array_equal(answers.columns["surprise"], [-token.log_probability for token in tokens])
    np.testing.assert_array_equal(answers.predictions[0], [token.log_probability for token in tokens])
    assert json.loads(json.dumps(answers.records()))[0]["token"] == tokens[0].token
    several = model.answers([text, "it was"])
    assert several.columns["row"].tolist() == [0] * len(tokens) + [1] * (len(several) - len(tokens))
    of_ids = model.answers(Corpus.from_texts(text, model.codec_))
    assert list(of_ids.columns) == ["token", "probability", "surprise"]


def test_token_ids_cannot_be_measured_on_folds_nor_explained():
    model = fitted()
    corpus = Corpus.from_texts(a_text(40), model.codec_)
    for ask in (lambda: model.measured(corpus, folds=2), lambda: model.explained(corpus)):
        with pytest.raises(ValueError, match="expected texts, got token ids, which have forgotten them"):
            ask()
    assert model.trace(corpus).labels is None


def test_folds_of_samples_are_those_of_the_text(book):
    model = small("character", epochs=1)
    of_samples = cross_validate(model, model.read(book), folds=2)
    of_text = cross_validate(model, book.read_text(encoding="utf-8"), folds=2)
    assert of_samples.score == of_text.score and of_samples.noun == "stretches of text"
    assert [row["model"] for row in of_samples.table()] == [row["model"] for row in of_text.table()]


def test_what_it_was_trained_on_is_remembered(book, tmp_path):
    model = small(epochs=1).fit(book)
    known = model.trained_on_
    assert known["source"] == "book.txt" and known["characters"] == book.stat().st_size
    assert (known["rows"], known["noun"]) == (len(Corpus.from_file(book, model.codec_)), "tokens")
    assert model.was_trained_on(model.read(book)) is True
    model.save(tmp_path / "model.safetensors")
    other = tmp_path / "other.txt"
    other.write_text("it was cold\n", encoding="utf-8")
    assert memorycell.load(tmp_path / "model.safetensors").was_trained_on(model.read(other)) is False
    assert model.headline() == f"predicts a text word by word, from {model.tokens_:,} tokens"


def test_an_evaluation_is_a_result_like_any_other():
    found = fitted().evaluate(a_text(300, seed=8))
    assert isinstance(found, Result)
    assert found.to_frame()["perplexity"].tolist() == [found.perplexity, found.baseline_perplexity]
    assert found.summary() == found.text == str(found) and repr(found).startswith("LanguageEvaluation: ")
    assert found.cells()[0] == ["", "perplexity", "nats per token", "bits per character"]
    assert found._repr_html_().count("<tr>") == 3
    forgotten = fitted().evaluate(Corpus.from_texts("the zebra sat", fitted().codec_))
    assert json.loads(json.dumps(forgotten.to_dict(), allow_nan=False))["spelling_bits"] is None


def test_measured_as_it_is_is_evaluated_beside_n_grams_of_its_training():
    model, said = fitted(), []
    alone = model.measured(a_text(20, seed=4), progress=said.append)
    assert alone.baseline is None and "these figures flatter" in said[0]
    beside = model.measured(a_text(20, seed=4), train=a_text(30), progress=said.append)
    assert beside.baseline is not None and len(said) == 1 and alone.perplexity == beside.perplexity
    with pytest.raises(ValueError, match="--train is for a model measured as it is"):
        model.measured(a_text(20), train=a_text(30), folds=2)


# ---------------------------------------------------------------------- step by step


@pytest.mark.parametrize("unit", ["word", "whitespace", "character"])
def test_a_stream_has_the_numbers_of_the_whole_text(unit):
    model, text = fitted(unit), "the cat sat\non the mat"
    stream, vocabulary = model.stream(), model.codec_.vocabulary
    assert isinstance(stream, TokenStream)
    for again in range(2):
        for number, token in enumerate(model.token_scores(text)[:-1]):
            chance = stream.probabilities[vocabulary.index(token.token)]
            assert np.log(chance) == pytest.approx(token.log_probability, abs=1e-5)
            written = text[token.start : token.stop]
            np.testing.assert_array_equal(stream.step(written), stream.probabilities)
            assert stream.steps == number + 1
        stream.reset()
        assert stream.steps == 0 and again < 2


@pytest.mark.parametrize("unit", UNITS)
def test_a_stream_takes_pieces_of_text(unit):
    model = fitted(unit)
    whole, pieces = model.stream(), model.stream()
    whole.step("the cat\n sat")
    for piece in ("the cat", "\n", " sat"):
        pieces.step(piece)
    assert whole.steps == pieces.steps
    np.testing.assert_array_equal(whole.probabilities, pieces.probabilities)
    assert whole.probabilities.shape == (model.codec_.size,) and whole.probabilities.sum() == pytest.approx(1)


def test_a_stream_refuses_what_is_no_text():
    stream = fitted().stream()
    with pytest.raises(TypeError, match="expected a piece of text, got int"):
        stream.step(3)
    with pytest.raises(ValueError, match="a piece of text with at least one word, got '  '"):
        stream.step("  ")
    with pytest.raises(ValueError, match="not fitted"):
        LanguageModel().stream()


# ---------------------------------------------------------------------- parameters and plan


def test_dropouts_are_read_said_and_checked():
    value = Dropouts()
    for given, text in ((0.3, "0.3"), ("auto", "auto"), ({"input": 0.4, "weight": 0.5}, "input=0.4,weight=0.5")):
        value.check("dropout", given)
        assert value.said(given) == text and value.parse(text) == given
    with pytest.raises(ValueError, match="expected a number"):
        value.parse("input=much")


def test_layers_are_one_size_or_several_or_chosen():
    given = Modelling().__dict__
    assert choose({**given, "hidden_size": 8, "num_layers": 2, "embedding_size": 8}, 900, 30)["hidden_size"] == [8, 8]
    assert choose({**given, "hidden_size": (9, 8), "embedding_size": 8}, 900, 30)["hidden_size"] == [9, 8]
    assert choose({**given, "num_layers": 3}, 900, 30)["hidden_size"] == [128] * 3
    assert choose(given, 1_000_000, 30)["hidden_size"] == [400, 400]
    assert choose({**given, "embedding_size": 50}, 1_000_000, 30)["hidden_size"] == [400, 50]


def test_what_a_model_begins_with_decides_is_said():
    first = small(epochs=1, hidden_size=(8, 6), embedding_size=6, cell="GRU").fit(a_text(30))
    second = LanguageModel(epochs=1, bptt=8, n_threads=1, verbose=False).fit(a_text(30, seed=1), init_from=first)
    reasons = {choice.name: choice.reason for choice in second.plan_}
    assert second.plan_["hidden_size"] == [8, 6] and second.plan_["cell"] == "GRU"
    for name in ("hidden_size", "embedding_size", "cell", "tied", "softmax"):
        assert reasons[name] == "that of the model that it begins with"
    assert reasons["bptt"] == reasons["epochs"] == GIVEN


# ---------------------------------------------------------------------- files


def test_a_file_of_0_1_loads_and_answers_as_it_did(tmp_path):
    known = json.loads((FIXTURES / "expected.json").read_text(encoding="utf-8"))["language"]
    model = memorycell.load(FIXTURES / "language.safetensors")
    scores = [token.log_probability for token in model.token_scores(known["data"])]
    # Each level of the kernels adds in its own order: the last digit of a float32 differs from machine to machine.
    assert scores == pytest.approx(known["log_probabilities"], rel=1e-6, abs=0)
    assert model.generate("the ", 12, seed=1) == known["text"]
    assert (model.vocabulary_size, model.hidden_size, model.seed_) == (40, (8,), 0)
    assert model.plan_["hidden_size"] == [8] and "reasons" not in model.plan_
    assert {choice.name: choice.reason for choice in model.plan_}["dropout"] == "each token is seen 2 times"
    model.save(tmp_path / "again.safetensors")
    again = memorycell.load(tmp_path / "again.safetensors")
    assert again.plan_ == model.plan_
    assert [token.log_probability for token in again.token_scores(known["data"])] == scores


@pytest.mark.parametrize("tokens", [0, -3, "many", True])
def test_a_file_that_tells_of_no_training_text_is_refused(tmp_path, tokens):
    file = load_model(FIXTURES / "language.safetensors")
    config = {**file.config, "learned": {**file.config["learned"], "tokens_": tokens}}
    save_model(tmp_path / "hostile.safetensors", "LanguageModel", config, file.tensors)
    with pytest.raises(ModelFileError, match="expected the number of tokens trained on"):
        memorycell.load(tmp_path / "hostile.safetensors")


def test_a_file_with_a_vocabulary_of_another_size_is_refused(tmp_path):
    file = load_model(FIXTURES / "language.safetensors")
    codec = file.config["codecs"]["codec_"]
    other = {**codec, "vocabulary": codec["vocabulary"][:-1]}
    save_model(tmp_path / "h.safetensors", "LanguageModel", {**file.config, "codecs": {"codec_": other}}, file.tensors)
    with pytest.raises(ModelFileError, match="expected a codec of the"):
        memorycell.load(tmp_path / "h.safetensors")
