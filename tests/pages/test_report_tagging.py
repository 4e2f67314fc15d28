"""Reports on taggers."""

import numpy as np
import pytest

from memorycell.evaluation.cross_validation import cross_validate
from memorycell.jobs.tagging.task import Tagger
from pages import HOSTILE, REVERSED, page_of

SECTIONS = ["accuracy", "labels", "mistakes", "data", "learning", "memory", "model", "reproduce"]


def small(**options):
    given = {"hidden_size": 4, "embedding_size": 4, "character_size": 4, "character_hidden": 4, "epochs": 1}
    return Tagger(**{**given, "n_threads": 1, "verbose": False, **options})


def sentences():
    x = [["a", "dog", "barks"], ["the", "cat", "sleeps", "here"], ["a", "cat"], ["birds", "sing"]] * 6
    tags = {"a": "DET", "the": "DET", "barks": "VERB", "sleeps": "VERB", "sing": "VERB", "here": "ADV"}
    return x, [[tags.get(word, "NOUN") for word in words] for words in x]


@pytest.fixture(scope="module")
def fitted():
    return small(epochs=2, min_count=7).fit(*sentences())


def test_every_section_is_there_and_wrong_labels_are_marked(tmp_path, fitted):
    found = fitted.evaluate(*sentences())
    page = page_of(tmp_path, fitted, sentences(), evaluation=found, seen=False, drawn=True, phone=True)
    assert page.sections == SECTIONS
    for words in ("66 words that it had not seen", "known words", "unknown words", "Each label", "what is most often"):
        assert words.lower() in page.text.lower(), words
    flat = [[label for labels in rows for label in labels] for rows in (sentences()[1], fitted.predict(sentences()[0]))]
    assert flat[0] != flat[1] and "s" in page.tags


def test_what_it_does_on_training_data_is_no_headline(tmp_path, fitted):
    page = page_of(tmp_path, fitted, sentences(), seen=True)
    assert "was not measured here" in page.text and "the ones that it was trained on" in page.text
    page = page_of(tmp_path, fitted, sentences(), evaluation=fitted.evaluate(*sentences()))
    assert "not recorded" in page.text and "had not seen" not in page.text


def test_folds_are_shown_beside_baselines(tmp_path, fitted):
    folds = cross_validate(small(), *sentences(), folds=2)
    page = page_of(tmp_path, fitted, sentences(), evaluation=folds)
    assert folds.outcome in page.text and "most frequent tag per word" in page.text
    assert "each asked only about those it was not trained on" in page.text


def test_entities_have_a_table(tmp_path):
    x = [["Ada", "Lovelace", "met", "Paris"], ["in", "Lima"]] * 8
    y = [["B-PER", "I-PER", "O", "B-LOC"], ["O", "B-LOC"]] * 8
    model = small().fit(x, y)
    page = page_of(tmp_path, model, (x, y), evaluation=model.evaluate(x, y), seen=False)
    assert "Whole entities" in page.text and "Entity F1" in page.text and "BIO" in page.text


def test_numeric_sequences_have_a_page(tmp_path):
    x = [np.sin(np.arange(12.0) * k) for k in range(1, 13)]
    y = [["up" if value > 0 else "down" for value in series] for series in x]
    page = page_of(tmp_path, small().fit(x, y), (x, y), seen=False)
    assert page.sections == SECTIONS and "144 steps" in page.text


def test_hostile_words_and_labels_are_only_text(tmp_path):
    x = [[HOSTILE, REVERSED, "w" * 300], ["fine"] * 200] * 4
    y = [[HOSTILE, REVERSED, "a"], ["a"] * 200] * 4
    page = page_of(tmp_path, small().fit(x, y), (x, y), seen=False, command=HOSTILE, drawn=True)
    assert HOSTILE in page.text and "w" * 41 not in page.text and "(150 more)" in page.text


def test_a_file_of_tagged_words_is_read(tmp_path, fitted):
    source = tmp_path / "tags.tsv"
    rows = ["\n".join(f"{w}\t{t}" for w, t in zip(*pair, strict=True)) for pair in zip(*sentences(), strict=True)]
    source.write_text("\n\n".join(rows) + "\n", encoding="utf-8")
    page = page_of(tmp_path, fitted, source, seen=True)
    assert "tags.tsv" in page.text and "SHA-256" in page.text and f"tagger.fit({str(source)!r})" in page.text
