import gzip
import math

import pytest
import torch
from language_cases import a_text, fitted, small

import memorycell
from memorycell.data.text.corpus import Corpus
from memorycell.data.text.text_codec import TextCodec
from memorycell.jobs.language import plan
from memorycell.jobs.language import text as language_text
from memorycell.jobs.language.network import LanguageNetwork
from memorycell.jobs.language.task import LanguageModel
from memorycell.jobs.plan import GIVEN
from memorycell.training import TrainingOptions
from memorycell.training.files import ModelFileError, save_model


@pytest.mark.parametrize(("unit", "reach"), [("word", 2.0), ("whitespace", 2.0), ("character", 2.0), ("subword", 6.0)])
def test_it_learns_to_predict(unit, reach):
    model = fitted(unit)
    unseen = a_text(40, seed=9)
    assert model.perplexity(unseen) < reach
    assert model.history_[-1]["loss"] < model.history_[0]["loss"]
    assert model.score(unseen) == pytest.approx(-math.log(model.perplexity(unseen)))


def test_the_global_generators_are_left_alone():
    torch.manual_seed(3)
    before = torch.get_rng_state()
    model = small(epochs=1).fit(a_text(20))
    model.generate("the", 5)
    assert torch.equal(torch.get_rng_state(), before)


def test_files_texts_documents_and_a_corpus_are_read_alike(tmp_path):
    text = a_text(60)
    (tmp_path / "book.txt").write_text(text, encoding="utf-8")
    (tmp_path / "book.txt.gz").write_bytes(gzip.compress(text.encode()))
    codec = TextCodec(min_count=2).fit([text])
    given = [
        tmp_path / "book.txt",
        str(tmp_path / "book.txt.gz"),
        text,
        text.splitlines(),
        Corpus.from_texts(text, codec),
    ]
    losses = {small(epochs=1).fit(each, codec=codec).history_[-1]["val_loss"] for each in given}
    assert len(losses) == 1


def test_the_ids_of_a_file_can_be_kept(tmp_path):
    (tmp_path / "book.txt").write_text(a_text(60), encoding="utf-8")
    runs = [small(epochs=1).fit(tmp_path / "book.txt", cache=tmp_path / "book.ids") for _ in range(2)]
    assert (tmp_path / "book.ids").exists()
    assert runs[0].history_[0]["loss"] == runs[1].history_[0]["loss"]


def test_what_is_held_out_comes_from_the_end_and_teaches_no_words():
    text = a_text(90) + "zebra zebra zebra\n" * 10
    model = small(validation_fraction=0.2, epochs=1).fit(text)
    assert "zebra" not in model.codec_.vocabulary
    assert "mat" in model.codec_.vocabulary
    corpus = Corpus.from_texts(text, model.codec_)
    assert model.tokens_ == len(corpus) - int(0.2 * len(corpus))


def test_without_anything_held_out_it_says_so_and_trains_to_the_end():
    model = small(validation_fraction=0.0, epochs=2).fit(a_text(40))
    assert len(model.history_) == 2
    assert any("does not stop early" in note["text"] for note in model.notes_)


def test_auto_choices_have_reasons():
    model = LanguageModel(epochs=1, verbose=False, n_threads=1).fit(a_text(60))
    plan = model.plan_
    assert plan["tied"] and plan["softmax"] == "full"
    assert plan["embedding_size"] == plan["hidden_size"][-1]
    auto = {choice.name for choice in plan if choice.reason != GIVEN}
    assert {"hidden_size", "dropout", "batch_size", "bptt"} <= auto and "epochs" not in auto
    assert "reasons" not in plan and all(choice.reason for choice in plan)
    assert any("unknown" in note["text"] for note in model.notes_)


def test_the_adaptive_softmax_says_that_it_is_not_tied():
    model = small(softmax="adaptive", epochs=1).fit(a_text(60))
    assert not model.network_.tied
    assert any("adaptive" in note["text"] and "not tied" in note["text"] for note in model.notes_)
    assert model.perplexity(a_text(5)) > 1


def test_products_of_bfloat16_train_too():
    model = small(precision="bfloat16", epochs=1).fit(a_text(60))
    assert model.network_.config()["precision"] == "bfloat16"
    assert math.isfinite(model.history_[-1]["val_loss"])


def test_asgd_is_the_papers_averaged_descent():
    chosen = plan.choose(small(optimizer="asgd", learning_rate="auto").get_params(), 10_000, 500)
    options = TrainingOptions(**plan.options(chosen, 10, watched=True))
    assert (options.optimizer, options.momentum, options.schedule, options.learning_rate) == (
        "sgd",
        0.0,
        "constant",
        30.0,
    )
    assert options.average_after == 5
    assert plan.options(chosen, 10, watched=False)["patience"] is None


def test_an_interrupted_training_goes_on_to_the_same_bits(tmp_path):
    text = a_text(60)

    def stop(epoch):
        if epoch["epoch"] == 2:
            raise KeyError("the power failed")

    with pytest.raises(KeyError):
        small().fit(text, checkpoint=tmp_path / "run", callbacks=[stop])
    resumed = small().fit(text, checkpoint=tmp_path / "run")
    whole = small().fit(text)
    for ours, theirs in zip(resumed.network_.parameters(), whole.network_.parameters(), strict=True):
        assert torch.equal(ours, theirs)


@pytest.mark.parametrize("unit", ["word", "character"])
def test_a_saved_model_is_the_same_model(tmp_path, unit):
    model, text = fitted(unit), a_text(10, seed=4)
    model.save(tmp_path / "model.safetensors")
    again = memorycell.load(tmp_path / "model.safetensors")
    assert isinstance(again, LanguageModel)
    assert again.score(text) == model.score(text)
    assert again.generate("the cat", 20) == model.generate("the cat", 20)
    assert again.plan_ == model.plan_ and again.get_params()["hidden_size"] == (24,)


def test_hostile_and_truncated_files_raise_one_line(tmp_path):
    model = fitted()
    model.save(tmp_path / "model.safetensors")
    raw = (tmp_path / "model.safetensors").read_bytes()
    (tmp_path / "half.safetensors").write_bytes(raw[: len(raw) // 2])
    with pytest.raises(ModelFileError):
        LanguageModel.load(tmp_path / "half.safetensors")
    file = memorycell.training.files.load_model(tmp_path / "model.safetensors")
    for change in (
        {"network": {**file.config["network"], "hidden_sizes": [200_000_000]}},
        {"network": {**file.config["network"], "vocabulary": 10**12}},
        {"codecs": {"codec_": {"codec": "TextCodec"}}},
        {"learned": {}},
    ):
        path = tmp_path / "hostile.safetensors"
        save_model(path, "LanguageModel", {**file.config, **change}, file.tensors, force=True)
        with pytest.raises(ModelFileError, match="damaged or was tampered with"):
            LanguageModel.load(path)


@pytest.mark.parametrize(
    ("text", "error", "said"),
    [
        ("", ValueError, "expected a text, got an empty one"),
        (" \n ", ValueError, "expected a text, got an empty one"),
        ([], ValueError, "expected a text, got an empty one"),
        (["a text", None, 3.0], TypeError, r"got 2 that are none, the first a NoneType \(row 1\)"),
        (7, TypeError, "expected a path, a text or a list of texts, got int"),
        ("nowhere.txt", FileNotFoundError, "nowhere.txt"),
        ("one two one two", ValueError, "expected a text of at least 40 tokens"),
        ("each word stands alone here", ValueError, "expected texts with at least one word that occurs 2 times"),
        ("half a \ud83d pair " * 30, ValueError, "surrogate"),
    ],
)
def test_texts_that_cannot_be_learned_raise(text, error, said):
    with pytest.raises(error, match=said) as raised:
        small().fit(text)
    assert "\n" not in str(raised.value)


def test_bytes_that_are_no_utf_8_raise_with_their_place(tmp_path):
    (tmp_path / "latin.txt").write_bytes("the café ".encode() * 5 + "caf\xe9".encode("latin-1"))
    with pytest.raises(ValueError, match="0xe9"):
        small().fit(tmp_path / "latin.txt")


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"validation_fraction": 1.0}, "expected validation_fraction to be at least 0 and under 1, got 1.0"),
        ({"epochs": 0}, "expected epochs to be a whole number of at least 1"),
        ({"dropout": {"middle": 0.1}}, "expected dropout for embedding, input, between, output, weight"),
        ({"dropout": {"input": 1.0}}, "expected dropout of input to be at least 0 and under 1, got 1.0"),
        ({"hidden_size": (8, 9), "num_layers": 3}, "expected hidden_size of 3 layers"),
        ({"alpha": -1}, "expected alpha to be a number at least 0"),
        ({"dropout": 1.0}, "expected dropout to be at least 0 and under 1"),
        ({"tied": True, "softmax": "adaptive"}, "expected tied=False"),
        ({"tied": True, "embedding_size": 5}, "expected the last of hidden_size to be the embedding's 5"),
        ({"unit": "letter"}, "expected unit to be word, character, subword, whitespace, got 'letter'"),
        ({"optimizer": "newton"}, "expected optimizer to be asgd, adamw, adam, sgd"),
    ],
)
def test_parameters_out_of_range_raise(options, said):
    with pytest.raises(ValueError, match=said):
        small(**options).fit(a_text(30))


def test_a_corpus_needs_the_codec_that_made_it():
    codec = TextCodec().fit([a_text(5)])
    with pytest.raises(ValueError, match="expected codec= with a Corpus"):
        small().fit(Corpus.from_texts(a_text(30), codec))
    with pytest.raises(ValueError, match="vocabulary of"):
        fitted().perplexity(Corpus.from_texts("a b c", TextCodec().fit(["a b c"])))


def test_an_unfitted_model_says_so():
    for ask in (lambda m: m.perplexity("a"), lambda m: m.generate(), lambda m: m.save("x"), lambda m: m.evaluate("a")):
        with pytest.raises(ValueError, match="not fitted yet"):
            ask(LanguageModel())


def test_the_network_is_the_one_that_was_planned():
    network = fitted().network_
    assert isinstance(network, LanguageNetwork)
    assert network.config()["weight_dropout"] == 0.1
    assert network.vocabulary == fitted().codec_.size


def test_a_long_text_of_one_line_is_no_path() -> None:
    assert language_text.read_samples("ab" * 400).given == ["ab" * 400]
