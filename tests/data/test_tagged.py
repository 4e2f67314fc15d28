"""Words and their spelling as ids, and batches that hold each form once."""

import json
import os
import subprocess
import sys
from typing import Any

import pytest
import torch

from memorycell.data.codec import codec_from_json
from memorycell.data.text.tagged import TaggedDataset, WordCodec

SENTENCES = [["The", "cat", "the"], ["Cat", "ÉTÉ"]]


def test_words_are_known_in_lower_case_from_a_count_on() -> None:
    codec = WordCodec(min_count=2).fit(SENTENCES)
    assert codec.vocabulary == ["<pad>", "<unk>", "<end>", "the", "cat"]
    assert codec.encode([["THE", "dog"]]).tokens.values.tolist() == [3, 1]
    assert codec.decode(torch.tensor([3, 1])) == ["the", "<unk>"]
    assert codec.knows("CAT")
    assert not codec.knows("été")
    assert codec.size == 5


def test_spelling_keeps_the_case_and_both_ends_of_long_words() -> None:
    codec = WordCodec(min_count=1, longest=4).fit([["abcdefgh", "A"]])
    words = codec.encode([["abcdefgh", "A", "a", "?"]])
    spelt = ["".join(codec.characters[i] for i in form.tolist()) for form in (words.characters[k] for k in range(4))]
    assert spelt == ["abgh", "A", "a", "<unk>"]


def test_composed_and_decomposed_letters_are_one_word() -> None:
    codec = WordCodec(min_count=1).fit([["été"]])
    composed, apart = codec.encode([["été"]]), codec.encode([["e\u0301te\u0301"]])
    assert composed.tokens.values.tolist() == apart.tokens.values.tolist() == [3]
    assert composed.characters.values.tolist() == apart.characters.values.tolist()


def test_what_only_looks_like_a_special_word_is_unknown() -> None:
    codec = WordCodec(min_count=1).fit([["a"]])
    assert codec.encode([["<pad>", "<end>", "a"]]).tokens.values.tolist() == [1, 1, 3]


def test_a_vocabulary_can_be_given() -> None:
    codec = WordCodec().fit(SENTENCES, vocabulary=["<pad>", "<unk>", "<end>", "cat", "dog"])
    assert codec.encode([["Dog", "the", "cat"]]).tokens.values.tolist() == [4, 1, 3]


def test_a_batch_has_each_of_its_forms_once() -> None:
    words = WordCodec(min_count=1).fit(SENTENCES).encode(SENTENCES)
    dataset = TaggedDataset(words)
    batch = dataset.gather(torch.tensor([1, 0]))
    assert batch.inputs["forms"].shape == (2, 3)
    forms, characters = batch.inputs["forms"], batch.inputs["characters"]
    assert characters.shape == (5, 3)
    for row, sentence in enumerate([1, 0]):
        for step in range(int(batch.lengths["tokens"][row])):
            form = int(forms[row, step])
            spelt = characters[form, : int(batch.lengths["characters"][form])]
            assert torch.equal(spelt, words.characters[int(words.forms[sentence][step])])
    alone = dataset.take(torch.tensor([1])).gather(torch.tensor([0]))
    assert alone.inputs["characters"].shape == (2, 3)
    assert torch.equal(alone.inputs["tokens"][0], batch.inputs["tokens"][0, :2])


def test_empty_sentences_make_a_batch() -> None:
    words = WordCodec(min_count=1).fit(SENTENCES).encode([[], []])
    batch = TaggedDataset(words).gather(torch.tensor([0, 1]))
    assert batch.lengths["tokens"].tolist() == [0, 0]
    assert batch.inputs["characters"].shape == (1, 1)


def test_the_state_is_json_and_comes_back() -> None:
    codec = WordCodec(min_count=1, lowercase=False, longest=7).fit(SENTENCES)
    again = codec_from_json(json.loads(json.dumps(codec.to_json())))
    assert again.to_json() == codec.to_json()
    assert again.encode(SENTENCES).tokens.values.tolist() == codec.encode(SENTENCES).tokens.values.tolist()


@pytest.mark.parametrize(
    "change",
    [{"min_count": 0}, {"lowercase": 1}, {"longest": 1}, {"words": [1]}, {"words": None}, {"characters": "abc"}],
)
def test_a_damaged_state_is_refused(change: dict[str, Any]) -> None:
    state = {**WordCodec().fit(SENTENCES).to_json(), **change}
    with pytest.raises(ValueError, match="the stored codec is damaged"):
        codec_from_json(state)


@pytest.mark.parametrize("options", [{"min_count": 0}, {"longest": 1}])
def test_wrong_parameters(options: dict[str, int]) -> None:
    with pytest.raises(ValueError, match="expected"):
        WordCodec(**options)


def test_a_part_of_encoded_sentences_is_what_encoding_that_part_gives() -> None:
    sentences = [["b", "a", "c"], ["d"], ["c", "a", "c", "b"], ["d", "e"]]
    codec = WordCodec(min_count=1).fit(sentences)
    for rows in ([2, 3], [0], [1, 2], [3, 2, 1], []):
        part = codec.encode(sentences).take(torch.tensor(rows, dtype=torch.int64))
        alone = codec.encode([sentences[row] for row in rows])
        for one, other in zip(part, alone, strict=True):
            assert one.values.tolist() == other.values.tolist() and one.offsets.tolist() == other.offsets.tolist()


def test_ids_are_the_same_in_every_process() -> None:
    seed = "2" if os.environ.get("PYTHONHASHSEED") == "1" else "1"  # another than ours
    code = (
        "from memorycell.data.text.tagged import WordCodec\n"
        "print(''.join(WordCodec().fit([['thequickbrownfox', 'jumpsoverthelazydog']]).characters))"
    )
    found = subprocess.run(
        [sys.executable, "-c", code], env={"PYTHONHASHSEED": seed, "OMP_NUM_THREADS": "1"}, check=True,
        capture_output=True,
    ).stdout  # fmt: skip
    ours = "".join(WordCodec().fit([["thequickbrownfox", "jumpsoverthelazydog"]]).characters)
    assert found.decode().strip() == ours.strip()
