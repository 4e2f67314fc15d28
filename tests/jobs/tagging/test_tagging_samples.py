"""What a tagger reads: once, encoded once, and given back as columns and as the file it came in; files of 0.1."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import memorycell
from memorycell.data.samples import Samples
from memorycell.data.text.tagged import WordCodec
from memorycell.data.text.tagged_files import read_tagged
from memorycell.evaluation.cross_validation import cross_validate
from memorycell.evaluation.result import Result
from memorycell.jobs.tagging import reading
from memorycell.jobs.tagging.task import Tagger

pytestmark = pytest.mark.usefixtures("undrawn")  # what pages show is asked in tests/pages

FIXTURES = Path(__file__).parents[2] / "fixtures" / "0.1"
SMALL: dict[str, Any] = {
    "hidden_size": 4, "embedding_size": 4, "character_size": 3, "character_hidden": 3, "epochs": 1, "n_threads": 1,
    "verbose": False,
}  # fmt: skip
TEXT = "Ann\tPRON\nmet\tVERB\nBob\tPRON\n\nRome\tNOUN\nis\tVERB\nold\tADJ\n\n" * 8


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "words.tsv"
    path.write_text(TEXT, encoding="utf-8")
    return path


@pytest.fixture(scope="module")
def tagger(tmp_path_factory: pytest.TempPathFactory) -> Tagger:
    path = tmp_path_factory.mktemp("tagger") / "words.tsv"
    path.write_text(TEXT, encoding="utf-8")
    return Tagger(**SMALL).fit(path)


@pytest.fixture
def counted(monkeypatch: pytest.MonkeyPatch) -> dict[str, int]:
    """How many files were read, and how many sentences encoded."""
    counts = {"read": 0, "encoded": 0}
    plain = WordCodec.encode

    def read(*args: Any, **options: Any) -> Any:
        counts["read"] += 1
        return read_tagged(*args, **options)

    def encode(self: WordCodec, sentences: Any) -> Any:
        counts["encoded"] += len(list(sentences))
        return plain(self, sentences)

    monkeypatch.setattr(reading, "read_tagged", read)
    monkeypatch.setattr(WordCodec, "encode", encode)
    return counts


def test_training_and_its_report_read_and_encode_once(file: Path, counted: dict[str, int], tmp_path: Path) -> None:
    model = Tagger(**SMALL)
    samples = model.read(file)
    model.fit(samples)
    memorycell.write_report(tmp_path / "page.html", model, samples, seen=True)
    assert counted == {"read": 1, "encoded": 16}


@pytest.mark.parametrize("work", ["predict", "evaluate", "report", "explain", "trace", "memory"])
def test_whoever_uses_a_model_reads_and_encodes_once(
    file: Path, tagger: Tagger, counted: dict[str, int], tmp_path: Path, work: str
) -> None:
    page = tmp_path / "page.html"
    {
        "predict": lambda: tagger.answers(file, probabilities=True),
        "evaluate": lambda: tagger.measured(file),
        "report": lambda: memorycell.write_report(page, tagger, file),
        "explain": lambda: memorycell.write_explanation(page, tagger, file, row=1),
        "trace": lambda: tagger.trace(file, rows=[0, 1]),
        "memory": lambda: tagger.memory(file),
    }[work]()
    assert counted == {"read": 1, "encoded": 16}


def test_folds_read_once_and_encode_each_part_once(file: Path, tagger: Tagger, counted: dict[str, int]) -> None:
    cross_validate(tagger, tagger.read(file), folds=2, train_score=False)
    # Of each fold the training part and the test part, by a codec of its own.
    assert counted == {"read": 1, "encoded": 2 * 16}


def test_samples_stay_what_they_are_and_parts_of_them_are_samples(file: Path, tagger: Tagger) -> None:
    samples = tagger.read(file)
    assert tagger.read(samples) is samples and isinstance(samples, Samples)
    assert (len(samples), samples.kind, samples.noun, samples.source.file) == (16, "words", "word", file)
    part: Any = samples.take([3, 0])
    assert part.given == [samples.given[3], samples.given[0]] and part.targets == [samples.labels[3], samples.labels[0]]
    assert part.kind == "words" and part.tagged is None
    assert tagger.predict(part) == [tagger.predict(samples)[row] for row in (3, 0)]
    assert tagger.was_trained_on(samples) is True
    assert tagger.trained_on_["rows"] == 16 and tagger.trained_on_["classes"]["VERB"] == 16


def test_labels_are_read_where_they_are_wanted_or_there(tmp_path: Path, file: Path, tagger: Tagger) -> None:
    assert tagger.read(file, labelled=False).targets is None
    assert tagger.read(file, labelled=None).labels[0] == ["PRON", "VERB", "PRON"]
    (tmp_path / "bare.tsv").write_text("Ann\nmet\n", encoding="utf-8")
    assert tagger.read(tmp_path / "bare.tsv", labelled=None).given == [["Ann", "met"]]
    assert tagger.read([["Ann"]], labelled=None).targets is None
    with pytest.raises(ValueError, match="expected labels y, one list for each sequence, got none"):
        tagger.measured(tagger.read([["Ann"], ["Bob"]], labelled=None))


def test_answers_are_columns_plain_json_and_the_file_tagged(file: Path, tagger: Tagger) -> None:
    answers = tagger.answers(tagger.read(file, labelled=False))
    tags = tagger.predict(file)
    assert answers.predictions == tags and answers.probabilities is None and answers.noun == "sentence"
    assert json.loads(json.dumps(answers.records()))[0] == {"words": ["Ann", "met", "Bob"], "tags": tags[0]}
    assert answers.text is not None and answers.text.startswith(f"Ann\tPRON\t{tags[0][0]}\nmet\tVERB\t{tags[0][1]}\n")
    assert tagger.answers([["Ann"]]).text is None
    with_chances = tagger.answers([["Ann", "met"]], probabilities=True)
    np.testing.assert_array_equal(with_chances.probabilities[0], tagger.predict_proba([["Ann", "met"]])[0])
    assert with_chances.classes == tagger.classes_.tolist()


def test_a_tagger_of_numbers_reads_no_file(file: Path) -> None:
    x = [np.random.default_rng(row).normal(size=(6, 2)) for row in range(8)]
    tagger = Tagger(hidden_size=4, epochs=1, n_threads=1, verbose=False)
    tagger.fit(x, [(steps[:, 0] > 0).astype(int) for steps in x])
    with pytest.raises(ValueError, match="expected a tagger of words to tag a file, got one of numbers"):
        tagger.answers(file)
    assert tagger.answers(x[:2]).columns.keys() == {"tags"} and tagger.answers(x[:2]).noun == "sequence"
    assert tagger.headline() == "2 labels for every step of numbers: 0 and 1"


def test_scores_are_a_result_like_any_other(file: Path, tagger: Tagger) -> None:
    scores = tagger.evaluate(file)
    assert isinstance(scores, Result)
    assert list(scores.to_frame()["class"]) == tagger.classes_.tolist()
    assert str(scores) == scores.summary() and "labels of 48 steps" in repr(scores)
    assert scores._repr_html_().count("<tr>") == 1 + 4


def test_the_plan_says_what_was_chosen_and_why(tagger: Tagger) -> None:
    reasons = {choice.name: choice.reason for choice in tagger.plan_}
    assert tagger.plan_["hidden_size"] == [4] and tagger.plan_["dropout"] == 0.3
    assert reasons["scheme"] == "seen from the labels" and reasons["dropout"] == "the default for words"
    assert reasons["epochs"] == reasons["hidden_size"] == "given by the user, or the default"
    layers = Tagger(**{**SMALL, "num_layers": 2}).fit([["a", "b"], ["b"]] * 4, [["A", "B"], ["B"]] * 4)
    assert layers.network_.encoder.hidden_sizes == (4, 4)


def test_a_file_of_0_1_loads_and_answers_to_the_bit(tmp_path: Path) -> None:
    known = json.loads((FIXTURES / "expected.json").read_text(encoding="utf-8"))["tagger"]
    tagger = memorycell.load(FIXTURES / "tagger.safetensors")
    assert tagger.predict(known["data"]) == known["labels"]
    for found, expected in zip(tagger.predict_proba(known["data"]), known["probabilities"], strict=True):
        np.testing.assert_array_equal(found, expected)
    assert (tagger.seed_, tagger.hidden_size, tagger.plan_["hidden_size"]) == (0, 4, [4])
    tagger.save(tmp_path / "again.safetensors")
    again = memorycell.load(tmp_path / "again.safetensors")
    assert again.predict(known["data"]) == known["labels"] and again.plan_ == tagger.plan_


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"learned": {"input_": "sounds"}}, "a tagger of words or steps"),
        ({"codecs": {"target_codec_": {"codec": "LabelCodec", "kind": "one", "classes": ["a", "b"]}}}, "tampered with"),
        ({"codecs": {"codec_": {"words": ["x"]}}}, "as many words, characters or numbers"),
        ({"plan": []}, "whether the network looks ahead"),
    ],
)
def test_a_file_whose_parts_do_not_fit_is_refused(tmp_path: Path, tagger: Tagger, change: Any, said: str) -> None:
    from memorycell.training.files import ModelFileError, load_model, save_model

    tagger.save(tmp_path / "model.safetensors")
    file = load_model(tmp_path / "model.safetensors")
    config = dict(file.config)
    for part, fields in change.items():
        config[part] = fields
        if isinstance(fields, dict):
            config[part] = {
                **file.config[part],
                **{k: {**file.config[part][k], **v} if isinstance(v, dict) else v for k, v in fields.items()},
            }
    save_model(tmp_path / "hostile.safetensors", "Tagger", config, file.tensors)
    with pytest.raises(ModelFileError, match=said):
        memorycell.load(tmp_path / "hostile.safetensors")
