"""What a tagger is given in Python: dictionaries, frames whose cells hold lists, pairs, marked texts."""

from typing import Any

import pandas as pd
import polars as pl
import pytest

from memorycell.jobs.tagging.reading import read_samples

WORDS, TAGS = [["Ann", "Lee", "saw", "Rome"], ["Nobody", "came"]], [["B-per", "I-per", "O", "B-loc"], ["O", "O"]]
ROWS = [{"tokens": words, "ner_tags": tags} for words, tags in zip(WORDS, TAGS, strict=True)]
GIVEN: dict[str, Any] = {
    "dicts": ROWS,
    "pandas": pd.DataFrame(ROWS),
    "polars": pl.DataFrame(ROWS),
    "pairs": [list(zip(words, tags, strict=True)) for words, tags in zip(WORDS, TAGS, strict=True)],
    "triples": [[(word, "NN", tag) for word, tag in zip(*each, strict=True)] for each in zip(WORDS, TAGS, strict=True)],
    "marked": [("Ann Lee saw Rome", {"entities": [(0, 7, "per"), (12, 16, "loc")]}), ("Nobody came", {"entities": []})],
}


@pytest.mark.parametrize("labelled", [True, False, None])
@pytest.mark.parametrize("name", GIVEN)
def test_sentences_with_their_tags_in_one(name: str, labelled: bool | None) -> None:
    samples = read_samples(GIVEN[name], word=None, tag=None, labelled=labelled)
    assert [list(words) for words in samples.given] == WORDS
    assert samples.targets == (None if labelled is False else TAGS)


def test_a_frame_with_a_word_a_row_is_read_as_such() -> None:
    frame = pd.DataFrame({"sentence": [1, 1, 2], "word": ["a", "b", "c"], "tag": ["X", "Y", "X"]})
    assert read_samples(frame, word=None, tag=None, labelled=True).given == [["a", "b"], ["c"]]


def test_an_object_without_words_is_named() -> None:
    with pytest.raises(ValueError, match="X, object 1: expected a list of words, got 'body': name it with word="):
        read_samples([ROWS[0], {"body": 3}], word=None, tag=None, labelled=True)
