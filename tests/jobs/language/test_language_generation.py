import itertools
import warnings

import pytest
import torch
from language_cases import fitted, small

from memorycell.data.text.text_codec import PAD, UNK
from memorycell.jobs.language.generation import Speaker

UNITS = ["word", "character", "subword"]


@pytest.mark.parametrize("unit", UNITS)
def test_the_same_seed_gives_the_same_text(unit):
    model = fitted(unit)
    assert model.generate("the", 30, seed=1) == model.generate("the", 30, seed=1)
    assert model.generate("the", 30, seed=1) != model.generate("the", 30, seed=2)


@pytest.mark.parametrize("unit", UNITS)
def test_a_stream_gives_the_text_piece_by_piece(unit):
    model = fitted(unit)
    assert "".join(model.generate("the", 40, seed=3, stream=True)) == model.generate("the", 40, seed=3)
    endless = "".join(itertools.islice(model.generate("the", None, seed=3, stream=True), 50))
    assert endless.startswith(model.generate("the", 30, seed=3))
    assert "".join(model.generate("the", 9, beam=2, stream=True)) == model.generate("the", 9, beam=2)


def test_a_text_without_an_end_is_written_piece_by_piece_alone():
    for options in ({}, {"beam": 2, "stream": True}):
        with pytest.raises(ValueError, match="expected a length, got None: only with stream=True"):
            fitted().generate("the", None, **options)


@pytest.mark.parametrize("unit", UNITS)
def test_at_temperature_zero_the_best_token_of_the_whole_forward_is_taken(unit):
    model = fitted(unit)
    ids = torch.cat([torch.tensor([2]), model.codec_.encode(["the cat"])[0]])
    with torch.no_grad():
        for _ in range(15):
            features, _ = model.network_.eval().run(ids[None])
            scores = model.network_.scores(features[0, -1])
            scores[[PAD, UNK]] = -torch.inf
            ids = torch.cat([ids, scores.argmax()[None]])
    written = model.codec_.decode(ids[1:])
    assert ("the cat" + model.generate("the cat", 15, temperature=0)).split() == written.split()
    assert model.generate("the cat", 15, top_k=1) == model.generate("the cat", 15, temperature=0)


def test_words_are_joined_by_spaces_and_lines_by_line_breaks():
    model = fitted()
    text = model.generate("", 60, seed=0)
    assert not text.startswith(" ") and "  " not in text and "\n " not in text and "<" not in text
    assert model.generate("the", 5, seed=0).startswith((" ", "\n"))
    assert not model.generate("the cat\n", 5, seed=0).startswith(" ")


def test_it_stops_at_the_end_of_a_line_if_asked():
    text = fitted().generate("the cat", 100, until_end=True, temperature=0)
    assert text and "\n" not in text
    documents = small("character", epochs=6).fit(["it was cold"] * 150)
    assert documents.generate("it", 50, temperature=0, until_end=True) == " was cold"


def test_a_beam_is_at_least_as_probable_as_the_greedy_text():
    model = fitted()
    network, codec = model.network_, model.codec_

    def probability(text):
        tokens = model.token_scores(f"the {text.strip()}\n")
        return sum(token.log_probability for token in tokens)

    greedy = model.generate("the", 12, temperature=0, until_end=True)
    beam = model.generate("the", 12, beam=8)
    assert probability(beam) >= probability(greedy) - 1e-4
    assert beam == Speaker(network, codec).best("the", 12, 8)


def test_neither_padding_nor_unknown_is_ever_written():
    model = small(epochs=1).fit("the cat sat rare\n" + "zzz yyy xxx www\n" * 3 + "the cat sat on it\n" * 30)
    speaker = Speaker(model.network_, model.codec_)
    start, state = speaker.begin("the")
    scores, _ = speaker.step(start, state)
    assert scores[0, PAD] == scores[0, UNK] == -torch.inf
    assert "<unk>" not in model.generate("the", 300, temperature=3.0)


@pytest.mark.parametrize(("unit", "prompt"), [("word", "zebra crossing"), ("character", "ΩΨ")])
def test_a_prompt_of_unknown_symbols_raises(unit, prompt):
    with pytest.raises(ValueError, match=f"expected a prompt of known {unit}s, got '{prompt}'"):
        fitted(unit).generate(prompt)


def test_a_prompt_with_some_unknown_words_is_read_with_a_warning():
    with pytest.warns(UserWarning, match="the model does not know 'zebra' of the prompt"):
        text = fitted().generate("the zebra sat", 5)
    assert text
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        fitted().generate("", 5)


def test_subwords_write_characters_of_several_bytes_whole():
    model = fitted("subword")
    ids = model.codec_.encode(["größer 猫"])[0]
    pieces = list(Speaker(model.network_, model.codec_)._written(iter(ids[:, None]), False, True))
    assert "".join(pieces) == "größer 猫"
    assert all("�" not in piece for piece in pieces)


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"temperature": -1}, "expected temperature >= 0"),
        ({"top_k": 0}, "expected top_k >= 1"),
        ({"top_p": 0.0}, "expected 0 < top_p <= 1"),
        ({"length": 0}, "expected a length of at least 1"),
        ({"beam": 0}, "expected beam >= 1"),
    ],
)
def test_numbers_out_of_range_raise(options, said):
    with pytest.raises(ValueError, match=said):
        fitted().generate("the", **options)


def test_a_prompt_is_a_text():
    with pytest.raises(TypeError, match="expected a prompt that is a text, got int"):
        fitted().generate(3)
