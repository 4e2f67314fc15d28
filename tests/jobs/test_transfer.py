"""Transfer: what a language model learned of much text helps where few labels are known."""

import dataclasses

import numpy as np
import pytest
import torch

from memorycell.jobs import transfer
from memorycell.jobs.labelling.classifier import SequenceClassifier
from memorycell.jobs.labelling.network import SequenceToOne
from memorycell.jobs.labelling.regressor import SequenceRegressor
from memorycell.jobs.language.task import LanguageModel
from memorycell.jobs.tagging.task import Tagger

WORDS = 40


def moody(count, seed, length=12):
    """Texts of one of two moods, and their moods: which words go with which mood, only reading many texts tells."""
    draws = np.random.default_rng(seed)
    moods = draws.permutation(np.arange(count) % 2)
    numbers, shared = draws.integers(0, WORDS, (count, length)), draws.random((count, length)) < 0.2
    # 37 and 121 have no common divisor: the names of words do not show their mood.
    names = np.array([f"w{place * 37 % 121}" for place in range(2 * WORDS)])
    texts = [
        " ".join("so" if same else names[mood * WORDS + number] for number, same in zip(*row, strict=True))
        for mood, *row in zip(moods, numbers, shared, strict=True)
    ]
    return texts, moods


def language(texts, init_from=None, **changes):
    options = {
        "hidden_size": (32,), "embedding_size": 32, "epochs": 5, "batch_size": 16, "bptt": 35, "learning_rate": 0.02,
        "min_count": 1, "dropout": 0.1, "alpha": 0.0, "beta": 0.0, "n_threads": 1, "verbose": False, **changes,
    }  # fmt: skip
    return LanguageModel(**options).fit("\n".join(texts), init_from=init_from)


@pytest.fixture(scope="module")
def reader():
    return language(moody(1000, 1)[0])


def classifier(**changes):
    options = {"epochs": 24, "hidden_size": 32, "embedding_size": 32, "n_threads": 1, "verbose": False, **changes}
    return SequenceClassifier(**options)


def test_pre_training_on_unlabelled_text_helps_a_classifier_of_few_labels(reader):
    labelled, unseen = moody(4, 2), moody(300, 3)
    fresh = [classifier(random_state=seed).fit(*labelled).score(*unseen) for seed in range(2)]
    transferred = [classifier(random_state=seed, pretrained=reader).fit(*labelled).score(*unseen) for seed in range(2)]
    assert min(transferred) > 0.93 and np.mean(transferred) > np.mean(fresh) + 0.15


def test_pre_training_on_unlabelled_text_helps_a_tagger_of_few_labels(reader):
    def tagged(count, seed):
        texts, moods = moody(count, seed)
        return [text.split() for text in texts], [["AB"[mood]] * 12 for mood in moods]

    labelled, unseen = tagged(4, 4), tagged(100, 5)
    options = {
        "hidden_size": 16, "characters": False, "epochs": 30, "validation_fraction": 0.0, "word_dropout": 0.0,
        "batch_size": 4, "min_count": 1, "n_threads": 1, "verbose": False,
    }  # fmt: skip
    fresh = Tagger(**options).fit(*labelled).score(*unseen)
    tagger = Tagger(**options, pretrained=reader).fit(*labelled)
    assert tagger.score(*unseen) > max(0.9, fresh + 0.15)
    assert any("it knows" in note["text"] for note in tagger.notes_)


def test_a_transferred_classifier_says_what_it_is_and_is_a_model_like_any_other(reader, tmp_path):
    texts, moods = moody(10, 2)
    texts[0] += " unheard word"
    reader.save(tmp_path / "language.safetensors")
    model = classifier(pretrained=tmp_path / "language.safetensors", epochs=4).fit(texts, moods)
    (note,) = (note["text"] for note in model.notes_ if note["kind"] == "pretrained")
    tokens = len({word for text in texts for word in text.split()})
    assert f"it knows {tokens - 2} of {tokens} tokens of the training texts; the 2 others begin with its mean" in note
    assert "reads in one direction" in note and not model.network_.encoder.bidirectional
    assert model.codec_.vocabulary == [*reader.codec_.vocabulary, "unheard", "word"]
    assert model.network_.encoder.hidden_sizes == (32,) and model.plan_["hidden_size"] == [32]
    model.save(tmp_path / "model.safetensors")
    again = SequenceClassifier.load(tmp_path / "model.safetensors")
    assert np.array_equal(again.predict_proba(texts), model.predict_proba(texts))


def test_stages_are_frozen_from_the_head_down_and_the_rest_learns_slowly(reader):
    names, moved = ("layers.0.weight_hh_l0", "embedding.weight"), []
    before = {name: reader.network_.encoder.state_dict()[name].clone() for name in names}

    def watch(event):
        now = event["network"].encoder.state_dict()
        moved.append([not torch.equal(now[name][: len(value)], value) for name, value in before.items()])

    model = classifier(pretrained=reader, epochs=12, refit=False).fit(*moody(10, 2), callbacks=[watch])
    layer, embedding = zip(*moved, strict=True)
    assert layer == (False,) + (True,) * 11 and embedding == (False,) * 2 + (True,) * 10
    rates = [row["lr"] for row in model.history_]
    assert 2e-3 < max(rates) <= 5e-3 and rates[-1] < rates[5]


def test_groups_of_a_network():
    network = SequenceToOne(vocabulary=9, embedding_size=4, hidden_sizes=(4, 4), bidirectional=False)
    made = transfer.groups(network, 40)
    assert [group.unfreeze_epoch for group in made] == [0, 3, 6, 9]
    assert [group.rate for group in made] == pytest.approx([1, 1 / 2.6, 2.6**-2, 2.6**-3])
    assert sum(len(group.parameters) for group in made) == len(list(network.parameters()))
    assert made[-1].parameters == (network.encoder.embedding.weight,)
    assert [group.unfreeze_epoch for group in transfer.groups(network, 2)] == [0, 1, 1, 1]
    assert [group.unfreeze_epoch for group in transfer.groups(network, 1)] == [0, 0, 0, 0]
    assert [group.unfreeze_epoch for group in transfer.groups(network, 40, gradual=False)] == [0, 0, 0, 0]


def test_a_language_model_goes_on_with_other_text(reader):
    task = [text.replace("so", "thus") for text in moody(60, 6)[0]]
    unseen = "\n".join(text.replace("so", "thus") for text in moody(60, 7)[0])
    options = {"epochs": 8, "batch_size": 4, "bptt": 12, "learning_rate": 0.03}
    fresh, tuned = language(task, **options), language(task, **options, init_from=reader)
    assert tuned.codec_.vocabulary == [*reader.codec_.vocabulary, "thus"]
    assert tuned.network_.encoder.hidden_sizes == (32,) and tuned.network_.tied
    assert tuned.score(unseen) > reader.score(unseen) + 0.3 and tuned.score(unseen) > fresh.score(unseen) + 0.15
    assert classifier(pretrained=tuned, epochs=2).fit(*moody(10, 2)).codec_.size == tuned.codec_.size


@pytest.mark.parametrize("unit", ["character", "subword"])
def test_other_units_and_untied_or_adaptive_models_go_on_too(unit):
    text = "\n".join(moody(40, 1)[0])
    softmax = "adaptive" if unit == "subword" else "full"
    first = LanguageModel(
        unit, vocabulary_size=300 if unit == "subword" else None, hidden_size=(8, 16), embedding_size=5, epochs=1,
        tied=False, softmax=softmax, cell="GRU", n_threads=1, verbose=False,
    ).fit(text)  # fmt: skip
    second = LanguageModel(n_threads=1, epochs=1, verbose=False, training={"learning_rate": 1e-30}).fit(
        text.replace("so", "Ü!" if unit == "character" else "so"), init_from=first
    )
    assert second.codec_.size == first.codec_.size + 2 * (unit == "character")
    for name, value in first.network_.state_dict().items():
        assert torch.equal(second.network_.state_dict()[name][: len(value)], value)
    model = classifier(pretrained=first, epochs=1).fit(*moody(10, 2))
    assert model.network_.encoder.cell == "GRU" and model.codec_.unit == unit


WRONG = {
    "number": ({"pretrained": 3}, TypeError, "a fitted LanguageModel or its file, got 3"),
    "nowhere": ({"pretrained": "nowhere.safetensors"}, FileNotFoundError, "no model file at nowhere"),
    "not fitted": ({"pretrained": LanguageModel()}, ValueError, "got one that is not: call its fit first"),
    "another task": ({"pretrained": Tagger()}, TypeError, r"got Tagger\("),
}


@pytest.mark.parametrize("name", WRONG)
def test_what_is_no_language_model_is_refused(name):
    changes, error, message = WRONG[name]
    with pytest.raises(error, match=message):
        classifier(**changes).fit(*moody(10, 2))


def test_what_a_language_model_cannot_do_is_refused(reader, tmp_path):
    numbers, moods = np.zeros((10, 12)), moody(10, 2)[1]
    with pytest.raises(ValueError, match=r"expected texts with pretrained=, .* got numbers"):
        classifier(pretrained=reader).fit(numbers, moods)
    with pytest.raises(ValueError, match="a language model reads in one direction"):
        classifier(pretrained=reader, bidirectional=True).fit(*moody(10, 2))
    regressor = SequenceRegressor(pretrained=reader, epochs=1, verbose=False, n_threads=1)
    regressor.fit(moody(10, 2)[0], moods.astype(float)).save(tmp_path / "regressor.safetensors")
    with pytest.raises(TypeError, match=r"got a SequenceRegressor in .*regressor\.safetensors"):
        classifier(pretrained=str(tmp_path / "regressor.safetensors")).fit(*moody(10, 2))
    with pytest.raises(ValueError, match="expected codec= or init_from=, got both"):
        LanguageModel(verbose=False).fit("a b c " * 100, init_from=reader, codec=reader.codec_)


def test_a_copy_for_cross_validation_keeps_the_fitted_language_model(reader):
    from sklearn.base import clone

    copy = clone(classifier(pretrained=reader, epochs=3))
    assert copy.pretrained is reader and copy.epochs == 3
    assert clone(reader).get_params() == reader.get_params() and not hasattr(clone(reader), "network_")


def test_the_card_of_a_job_says_whether_it_lends_a_text_encoder(reader):
    class Novelist(LanguageModel):
        """Another class of the same card."""

    class Miser(LanguageModel):
        """One whose card lends nothing."""

        JOB = dataclasses.replace(LanguageModel.JOB, lends=())

    for kind in (Novelist, Miser):
        model = kind()
        vars(model).update(vars(reader))
        if kind is Novelist:
            assert transfer.language_model(model) is model
        else:
            with pytest.raises(TypeError, match=r"expected pretrained to be a fitted LanguageModel or its file, got"):
                transfer.language_model(model)


def test_the_file_of_a_language_model_is_read_once(reader, tmp_path, monkeypatch):
    path, loaded = tmp_path / "language.safetensors", []
    reader.save(path)
    plain = transfer.load
    monkeypatch.setattr(transfer, "load", lambda path: loaded.append(path) or plain(path))
    x = [text.split() for text in moody(6, 2)[0]]
    options = {"hidden_size": 4, "characters": False, "epochs": 1, "n_threads": 1, "verbose": False}
    Tagger(**options, pretrained=path).fit(x, [["A", "B"] * 6] * 6)
    assert loaded == [path]
