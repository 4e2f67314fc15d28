"""Reports on language models."""

import numpy as np
import pytest

from memorycell.jobs.language.page import passage_of
from memorycell.jobs.language.task import LanguageModel
from pages import HOSTILE, page_of

SECTIONS = ["accuracy", "surprise", "samples", "data", "learning", "memory", "model", "reproduce"]
TEXT = "the cat sat on the mat\nand the dog sat on the log\n" * 30
OTHER = "the dog sat on the cat\nand the zebra sat <b>down</b>\n" * 6


def small(unit="word", **options):
    given = {"hidden_size": (8,), "embedding_size": 8, "epochs": 1, "bptt": 8, "batch_size": 4}
    return LanguageModel(unit, **{**given, "n_threads": 1, "verbose": False, **options})


@pytest.fixture(scope="module")
def fitted():
    return small().fit(TEXT)


def test_every_section_is_there(tmp_path, fitted):
    found = fitted.evaluate(OTHER)
    page = page_of(tmp_path, fitted, OTHER, evaluation=found, command=f"echo '{HOSTILE}'", drawn=True, phone=True)
    assert page.sections == SECTIONS and HOSTILE in page.text
    assert found.text in page.text
    for words in (
        "Kneser–Ney",
        "bits per character",
        "Temperature 0.5",
        "unknown word",
        "zebra",
        "that it had not seen",
    ):
        assert words in page.text, words
    assert page.marks and all(mark.startswith("against") for mark in page.marks)


def test_a_text_that_was_trained_on_gives_no_headline_but_its_held_out_end(tmp_path, fitted):
    page = page_of(tmp_path, fitted, TEXT, seen=True)
    assert "How well it predicts new text was not measured here" in page.text
    assert "The end of the text, which was held out" in page.text and "validation perplexity" in page.text
    passage = passage_of(fitted, fitted.read(TEXT), True)
    assert TEXT.endswith(passage.text) and len(passage.text) <= 0.05 * len(TEXT)


@pytest.mark.parametrize("seen, said", [(None, "not recorded"), (False, "that it had not seen")])
def test_what_is_known_of_a_text_is_said(tmp_path, fitted, seen, said):
    page = page_of(tmp_path, fitted, OTHER, seen=seen)
    assert said in page.text
    assert ("Perplexity" in page.text[: page.text.index("What surprises it")]) == (seen is False)


def test_the_shades_and_the_list_are_the_model_s_own_surprise(tmp_path, fitted):
    nats = [-token.log_probability for token in fitted.token_scores(OTHER)]
    page = page_of(tmp_path, fitted, OTHER)
    assert f"{np.mean(nats):.2f} nats" in page.text and f"{max(nats):.2f}" in page.text


def test_samples_are_those_of_the_seed(tmp_path, fitted):
    page = page_of(tmp_path, fitted, OTHER)
    for temperature in (0.5, 1.0):
        written = fitted.generate("", 60, temperature=temperature, seed=0)
        assert " ".join(written.split()) in page.text


@pytest.mark.parametrize("unit", ["character", "subword"])
def test_other_units_and_hostile_text(tmp_path, unit):
    text = (HOSTILE + " \u202eabc\u0007 日本語\n") * 40
    model = small(unit, vocabulary_size=300 if unit == "subword" else None).fit(text)
    page = page_of(tmp_path, model, text, seen=True)
    assert page.sections == SECTIONS and f"of {unit}s" in page.text


def test_files_are_read_and_named(tmp_path, fitted):
    source = tmp_path / "book.txt"
    source.write_text(TEXT, encoding="utf-8")
    page = page_of(tmp_path, fitted, source, seen=True)
    assert "book.txt" in page.text and "SHA-256" in page.text and f"model.fit({str(source)!r})" in page.text
    assert page_of(tmp_path, fitted, "one line of text").sections == SECTIONS


def test_an_empty_text_is_refused(tmp_path, fitted):
    with pytest.raises(ValueError, match="empty"):
        page_of(tmp_path, fitted, "  ")
