import math

import numpy as np
import pytest
import torch
from language_cases import a_text, fitted, small

from memorycell.data.batch import Batch
from memorycell.data.text.corpus import Corpus
from memorycell.jobs.language import running as language_running
from memorycell.jobs.language.measures import compared
from memorycell.jobs.language.running import Cache, Dynamic, log_probabilities
from memorycell.jobs.language.text import spans, spelling_bits


def ids_of(model, text):
    return torch.from_numpy(Corpus.from_texts(text, model.codec_).ids.astype(np.int64))


@pytest.mark.parametrize("unit", ["word", "character"])
@pytest.mark.parametrize("chunk", [7, 512])
def test_the_state_is_carried_through_the_whole_text(monkeypatch, unit, chunk):
    monkeypatch.setattr(language_running, "_CHUNK", chunk)
    model, text = fitted(unit), a_text(12, seed=5)
    ids = ids_of(model, text)
    with torch.no_grad():
        loss = model.network_.eval().loss(Batch({"tokens": ids[None, :-1]}, targets=ids[None, 1:]))
    assert -model.score(text) == pytest.approx(float(loss.sum) / (len(ids) - 1), rel=1e-5)


@pytest.mark.parametrize("text", ["the cat sat\n\non the mat", "a dog lay\n", "it was", "\n\ncold \n", "café the"])
@pytest.mark.parametrize("unit", ["word", "whitespace", "character", "subword"])
def test_spans_are_those_of_the_corpus_and_point_into_the_text(unit, text):
    codec = fitted(unit).codec_
    found = list(spans(codec, text))
    ids = Corpus.from_texts(text, codec).ids[1:]
    assert [token for token, _, _ in found] == [codec.vocabulary[i] for i in ids]
    assert all(0 <= start <= stop <= len(text) for _, start, stop in found)
    for token, start, stop in found:
        if unit in ("word", "whitespace") and not token.startswith("<"):
            assert text[start:stop] == token


def test_token_scores_average_to_the_score():
    model, text = fitted(), "the cat sat on\nthe zebra"
    tokens = model.token_scores(text)
    assert [token.token for token in tokens][-3:] == ["the", "<unk>", "<end>"]
    assert text[tokens[-2].start : tokens[-2].stop] == "zebra"
    assert np.mean([token.log_probability for token in tokens]) == pytest.approx(model.score(text))
    with pytest.raises(TypeError, match="expected a text, got list"):
        model.token_scores([text])


def test_bits_per_character_count_every_token_and_spell_unknown_words():
    model, text = fitted(), "the cat sat on the mat\nthe zébra sat\n"
    found = model.evaluate(text, baseline=False)
    letters = len(set("".join(model.codec_.vocabulary[3:])))
    # zébra and its end, and é (and z) named among all code points.
    strange = sum(letter not in set("".join(model.codec_.vocabulary[3:])) for letter in "zébra")
    spelled = 6 * math.log2(letters + 2) + strange * math.log2(0x110000)
    assert found.spelling_bits == pytest.approx(spelled)
    assert found.unknown == pytest.approx(1 / 11)
    assert found.characters == len(text)
    bits = -11 * model.score(text) / math.log(2) + spelled
    assert found.bits_per_character == pytest.approx(bits / len(text)) == model.bits_per_character(text)
    assert "9.09% of the tokens are unknown" in found.text


def test_the_texts_own_unk_is_no_unknown_word():
    codec = fitted("whitespace").codec_
    assert spelling_bits(codec, ["the <unk> sat"]) == 0
    assert spelling_bits(codec, ["the zzz sat"]) > 0
    assert spelling_bits(fitted("character").codec_, ["thé"]) == math.log2(0x110000)


def test_a_corpus_has_forgotten_how_unknown_words_are_spelled():
    model = fitted()
    corpus = Corpus.from_texts("the zebra sat", model.codec_)
    assert math.isnan(model.bits_per_character(corpus))
    assert model.perplexity(corpus) == model.perplexity("the zebra sat")


@pytest.mark.parametrize("chunk", [5, 512])
def test_the_cache_is_the_papers_formula(monkeypatch, chunk):
    monkeypatch.setattr(language_running, "_CHUNK", chunk)
    model, cache = fitted(), Cache(window=9, theta=0.8, weight=0.3)
    ids = ids_of(model, a_text(6, seed=2))
    network = model.network_.eval()
    with torch.no_grad():
        features = network.run(ids[None, :-1])[0][0].double()
        p = network.scores(features.float()).double().softmax(-1)
    expected = []
    for t, target in enumerate(ids[1:]):
        own = p[t, target]
        before = range(max(0, t - 9), t)
        if len(before):
            likeness = torch.tensor([math.exp(0.8 * float(features[t] @ features[i])) for i in before])
            same = torch.tensor([bool(ids[i + 1] == target) for i in before])
            own = 0.7 * own + 0.3 * likeness[same].sum() / likeness.sum()
        expected.append(math.log(own))
    found = torch.cat(list(log_probabilities(network, ids, cache)))
    torch.testing.assert_close(found, torch.tensor(expected), rtol=1e-4, atol=1e-5)


def test_dynamic_evaluation_adapts_and_gives_the_weights_back():
    model = fitted()
    before = {name: value.clone() for name, value in model.network_.state_dict().items()}
    text = "mat the on sat cat the\n" * 20
    found = model.evaluate(text, dynamic={"rate": 0.5, "segment": 6}, baseline=False)
    assert found.perplexity < 0.7 * model.perplexity(text)
    assert found.options == ["dynamic evaluation (rate 0.5, decay 0.001, segments of 6)"]
    assert "with dynamic evaluation" in str(found)
    for name, value in model.network_.state_dict().items():
        assert torch.equal(value, before[name])
    assert all(parameter.grad is None for parameter in model.network_.parameters())


def test_dynamic_evaluation_gives_the_weights_back_when_it_is_broken_off():
    model = fitted("character")
    before = [parameter.clone() for parameter in model.network_.parameters()]
    running = log_probabilities(model.network_, ids_of(model, a_text(5)), dynamic=Dynamic(segment=4))
    next(running), next(running)
    assert not torch.equal(next(model.network_.parameters()), before[0])
    running.close()
    for parameter, was in zip(model.network_.parameters(), before, strict=True):
        assert torch.equal(parameter, was)


def test_cache_and_dynamic_evaluation_work_together():
    found = fitted().evaluate(a_text(8, seed=3), cache=True, dynamic=True, baseline=False)
    assert len(found.options) == 2
    assert found.options[0] == "continuous cache (window 2000, theta 0.6, weight 0.2)"
    assert math.isfinite(found.perplexity)


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"cache": {"window": 0}}, "expected a cache's window of at least 1, got 0"),
        ({"cache": {"weight": 1.0}}, "expected a cache's weight"),
        ({"cache": {"size": 5}}, "expected True or a mapping of window, theta, weight"),
        ({"dynamic": {"segment": 0}}, "expected dynamic evaluation in segments of at least 1"),
        ({"dynamic": {"rate": -1}}, "expected rate > 0"),
        ({"dynamic": {"learning_rate": 1}}, "expected True or a mapping of rate, decay, segment"),
    ],
)
def test_options_out_of_range_raise(options, said):
    with pytest.raises(ValueError, match=said):
        fitted().perplexity("the cat", **options)


def test_evaluation_stands_beside_n_grams_of_the_training_text(tmp_path):
    model, text = fitted(), a_text(300, seed=8)
    found = model.evaluate(text)
    assert found.baseline == "interpolated Kneser–Ney 5-grams"
    assert found.outcome in ("better", "worse", "too few to tell")
    assert found.to_dict()["text"] == found.text
    assert model.evaluate(a_text(3)).outcome == "too few to tell"
    model.save(tmp_path / "model.safetensors")
    loaded = type(model).load(tmp_path / "model.safetensors")
    assert loaded.evaluate(text).baseline is None
    again = loaded.evaluate(text, train=a_text())
    assert again.perplexity == found.perplexity
    assert again.baseline_perplexity == pytest.approx(found.baseline_perplexity, rel=0.1)


def test_a_difference_is_told_where_the_text_is_long_enough():
    generator = np.random.default_rng(0)
    noise = generator.normal(size=20_000)
    assert compared(noise + 0.1) == "better"
    assert compared(noise - 0.1) == "worse"
    assert compared(noise - noise.mean()) == "too few to tell"
    assert compared(np.ones(100)) == "too few to tell"


def test_an_untrained_text_of_one_token_can_be_scored():
    model = small("character", epochs=1).fit(a_text(20))
    assert len(model.token_scores("t")) == 2
