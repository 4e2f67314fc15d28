"""What SequenceClassifier and SequenceRegressor cannot use: one clear line each, and nothing lost."""

import numpy as np
import pandas as pd
import pytest
import torch

from memorycell import load
from memorycell.jobs.labelling.classifier import SequenceClassifier
from memorycell.jobs.labelling.regressor import SequenceRegressor
from memorycell.training import ModelFileError
from memorycell.training.files import load_model, save_model

QUICK = {"hidden_size": 4, "epochs": 1, "convolution": False, "n_threads": 1, "verbose": False}
TEXTS = ["one two", "two three", "three one", "one one"]
NUMBERS = np.arange(24.0).reshape(4, 6)

BAD_X = {
    "empty text": (["a", " ", "b", ""], "got 2 empty ones (first: row 1): leave those rows out"),
    "missing text": (["a", None, "b", float("nan")], "got 2 missing ones (first: row 1): leave those rows out"),
    "a number among texts": (["a", "b", 3, "c"], "got 1 value of type int (first: row 2)"),
    "empty symbols": ([["a"], ["b"], [], ["c"]], "got 1 empty one (first: row 2)"),
    "no sequence": ([], "at least one sequence"),
    "single numbers": ([1.0, 2.0, 3.0, 4.0], "one sequence goes in a list"),
    "one axis": (np.arange(4.0), "Reshape your data"),
    "no step": (np.empty((4, 0)), "0 feature(s)"),
    "infinite": (np.where(NUMBERS == 7, np.inf, NUMBERS), "sequence 1, step 1, channel 0 is infinite"),
    "other widths": ([np.ones((3, 2)), np.ones((3, 2)), np.ones((3, 1)), np.ones((3, 2))], "got 1 in sequence 2"),
    "complex": (NUMBERS + 1j, "Complex data not supported"),
    "a single text": ("one two", "no file"),
    "nothing": (None, "expected a list of sequences"),
}


@pytest.mark.parametrize("name", BAD_X)
def test_sequences_that_cannot_be_used(name):
    x, message = BAD_X[name]
    for task, y in ((SequenceClassifier, ["a", "b", "a", "b"]), (SequenceRegressor, [1.0, 2.0, 3.0, 4.0])):
        with pytest.raises((ValueError, TypeError, FileNotFoundError)) as error:
            task(**QUICK).fit(x, y)
        said = str(error.value)
        assert "\n" not in said and (message in said or name == "a single text")


BAD_LABELS = {
    "one class": (["a"] * 4, "one class"),
    "missing": (["a", None, "b", None], "2 missing ones (rows 1, 3): leave those rows out"),
    "missing number": ([0.0, 1.0, float("nan"), 1.0], "1 missing one (rows 2)"),
    "mixed": (["a", 1, "a", 1], "one type, got texts (first: row 0) and numbers (first: row 1)"),
    "continuous": ([0.5, 1.5, 2.5, 0.5], "Unknown label type"),
    "too few": (["a", "b"], "a label for each of 4 sequences, got 2"),
    "no labels": (None, "requires y to be passed, but the target y is None"),
    "a matrix of other numbers": (np.arange(8).reshape(4, 2), "zeros and ones"),
    "three axes": (np.zeros((4, 2, 2)), "1d array"),
    "a number": (3, "1d array"),
}


@pytest.mark.parametrize("name", BAD_LABELS)
def test_labels_that_cannot_be_used(name):
    y, message = BAD_LABELS[name]
    with pytest.raises((ValueError, TypeError)) as error:
        SequenceClassifier(**QUICK).fit(NUMBERS, y)
    assert message in str(error.value) and "\n" not in str(error.value)


BAD_TARGETS = {
    "missing": ([1.0, None, 2.0, 3.0], "missing in 1 rows (first: row 1)"),
    "NaN": ([1.0, 2.0, float("nan"), 3.0], "missing (NaN) in 1 rows (first: row 2)"),
    "infinite": ([1.0, 2.0, 3.0, float("inf")], "infinite in 1 rows (first: row 3)"),
    "texts": (["a", "b", "c", "d"], "SequenceClassifier"),
    "too few": ([1.0, 2.0], "for each of 4 sequences"),
    "no targets": (None, "requires y to be passed"),
    "complex": ([1j, 2j, 3j, 4j], "Complex data not supported"),
}


@pytest.mark.parametrize("name", BAD_TARGETS)
def test_numbers_that_cannot_be_targets(name):
    y, message = BAD_TARGETS[name]
    with pytest.raises((ValueError, TypeError)) as error:
        SequenceRegressor(**QUICK).fit(NUMBERS, y)
    assert message in str(error.value) and "\n" not in str(error.value)


@pytest.mark.parametrize(
    "options, message",
    [
        ({"kind": "sound"}, "kind"),
        ({"hidden_size": 0}, "hidden_size"),
        ({"num_layers": 1.5}, "num_layers"),
        ({"epochs": "many"}, "epochs"),
        ({"batch_size": -1}, "batch_size"),
        ({"max_length": 0}, "max_length"),
        ({"head_dropout": 1.0}, "head_dropout"),
        ({"embedding_dropout": "much"}, "embedding_dropout"),
        ({"validation_fraction": 1.5}, "validation_fraction"),
        ({"learning_rate": 0}, "learning_rate"),
        ({"bidirectional": "both"}, "bidirectional"),
        ({"causal": True, "bidirectional": True}, "looks ahead"),
        ({"pooling": "median"}, "pooling"),
        ({"cell": "QRNN"}, "cell"),
        ({"device": "cuda:9"}, "cuda:9"),
        ({"training": {"optimizer": "magic"}}, "optimizer"),
        ({"class_weight": {"z": 1.0}}, "none of the classes"),
        ({"class_weight": {"a": -1.0}}, "class weights"),
        ({"class_weight": "heavy"}, "class_weight"),
        ({"word_vectors": "vectors.txt"}, "expected texts"),
        ({"pretrained": "model.safetensors"}, "expected texts"),
    ],
    ids=str,
)
def test_parameters_out_of_range(options, message):
    with pytest.raises((ValueError, TypeError), match=message) as error:
        SequenceClassifier(**{**QUICK, **options}).fit(NUMBERS, ["a", "b", "a", "b"])
    assert "\n" not in str(error.value)


def test_predicting_before_fit_and_with_other_data():
    with pytest.raises(ValueError, match="not fitted"):
        SequenceClassifier().predict(NUMBERS)
    model = SequenceClassifier(**QUICK).fit(NUMBERS, ["a", "b", "a", "b"])
    with pytest.raises(ValueError, match="X has 5 features, but SequenceClassifier is expecting 6"):
        model.predict(NUMBERS[:, :5])
    with pytest.raises(TypeError, match="expected sequences of numbers, got the text"):
        model.predict(TEXTS)
    with pytest.raises(TypeError, match="expected texts"):
        SequenceClassifier(**QUICK).fit(TEXTS, ["a", "b", "a", "b"]).predict(NUMBERS)


def test_a_label_unseen_in_training_counts_as_wrong_and_is_said():
    model = SequenceClassifier(**QUICK).fit(NUMBERS, ["a", "b", "a", "b"])
    truth = model.predict(NUMBERS).tolist()
    assert model.score(NUMBERS, truth) == 1.0
    with pytest.warns(UserWarning, match=r"1 of 4 labels that were never seen in training \(such as 'new' in row 3\)"):
        assert model.score(NUMBERS, [*truth[:3], "new"]) == 0.75


def test_a_text_of_a_million_characters_is_cut_and_it_is_said():
    long = "word " * 200_000
    model = SequenceClassifier(**QUICK).fit([*TEXTS, long], ["a", "b", "a", "b", "a"])
    said = next(note["text"] for note in model.notes_ if note["kind"] == "length")
    assert "1 of 5 sequences are longer than 1000 steps" in said
    with pytest.warns(UserWarning, match="longer than 1000 steps"):
        probabilities = model.predict_proba([long, TEXTS[0]])
    assert np.array_equal(probabilities, model.predict_proba(["word " * 1000, TEXTS[0]]))
    whole = SequenceClassifier(**QUICK, max_length=None, pooling="last").fit([*TEXTS, "word " * 3000], [*"abab", "a"])
    assert "length" not in {note["kind"] for note in whole.notes_}


def test_a_text_without_known_words_still_has_an_answer():
    model = SequenceClassifier(**QUICK).fit(TEXTS, ["a", "b", "a", "b"])
    assert np.isfinite(model.predict_proba(["entirely unknown", "\u200b"])).all()


def test_missing_numbers_are_filled_and_marked():
    x = np.where(NUMBERS == 7, np.nan, NUMBERS)
    model = SequenceClassifier(**QUICK).fit(x, ["a", "b", "a", "b"])
    assert model.codec_.features_ == 2 and np.isfinite(model.predict_proba(x)).all()


# ---------------------------------------------------------------------- word vectors


def test_word_vectors_are_begun_with(tmp_path):
    path = tmp_path / "vectors.txt"
    path.write_text("one 1 2 3\ntwo 4 5 6\nelsewhere 7 8 9\n")
    options = {**QUICK, "word_vectors": str(path), "learning_rate": 1e-12}
    model = SequenceClassifier(**options).fit(TEXTS, ["a", "b", "a", "b"])
    weight, ids = model.network_.encoder.embedding.weight, model.codec_.encode(["one two"])[0]
    expected = torch.tensor([[1.0, 2, 3], [4, 5, 6]])
    assert torch.allclose(weight[ids] / weight[ids][0, 0], expected, atol=1e-3)
    said = next(note["text"] for note in model.notes_ if note["kind"] == "vectors")
    assert "2 of 3 words" in said


@pytest.mark.parametrize(
    "content, options, message",
    [
        ("one 1 2 3\ntwo 4 5\n", {}, "line 2"),
        ("one 1 2 3\ntwo 4 x 6\n", {}, "line 2"),
        ("one 1 2 3\ntwo 4 nan 6\n", {}, "finite"),
        ("", {}, "an empty file"),
        ("one 1 2 3\n", {"embedding_size": 50}, "expected word vectors of 50 numbers"),
        ("one 1 2 3\n", {"unit": "character"}, 'unit="word"'),
    ],
)
def test_word_vectors_that_cannot_be_used(tmp_path, content, options, message):
    path = tmp_path / "vectors.txt"
    path.write_text(content)
    with pytest.raises(ValueError, match=message):
        SequenceClassifier(**QUICK, **options, word_vectors=path).fit(TEXTS, ["a", "b", "a", "b"])
    with pytest.raises(FileNotFoundError, match="expected a file of word vectors"):
        SequenceClassifier(**QUICK, word_vectors=tmp_path / "none.txt").fit(TEXTS, ["a", "b", "a", "b"])


# ---------------------------------------------------------------------- files


@pytest.fixture
def saved(tmp_path):
    path = tmp_path / "model.safetensors"
    SequenceClassifier(**QUICK).fit(NUMBERS, ["a", "b", "a", "b"]).save(path)
    return path


def _huge(config):
    config["network"]["hidden_sizes"] = [10**7]


DAMAGE = {
    "a huge network": _huge,
    "an unknown network": lambda config: config["network"].update(network="os.system"),
    "an unknown parameter": lambda config: config["parameters"].update(spell="x"),
    "a parameter out of range": lambda config: config["parameters"].update(head_dropout=7),
    "another codec": lambda config: config["codecs"]["codec_"].update(codec="TextCodec"),
    "no codec": lambda config: config["codecs"].update(codec_=None),
    "labels of a third class": lambda config: config["codecs"]["target_codec_"].update(
        classes=["a", "b", "c"], counts=[1, 1, 1]
    ),
    "no labels": lambda config: config["codecs"].update(target_codec_=None),
    "no learned attributes": lambda config: config.pop("learned"),
    "what was read is no record": lambda config: config["learned"].update(input_=[1, 2]),
    "an unknown kind of sequences": lambda config: config["learned"]["input_"].update(kind="sound"),
    "steps that are no number": lambda config: config["learned"]["input_"].update(steps="six"),
    "threads that are no number": lambda config: config["learned"].update(n_threads_="many"),
    "a plan that is none": lambda config: config.update(plan=3),
    "a longest length that is none": lambda config: config["plan"].append(["max_length", -4, "so"]),
}


@pytest.mark.parametrize("name", DAMAGE)
def test_a_hostile_configuration_is_refused(saved, tmp_path, name):
    file = load_model(saved)
    DAMAGE[name](file.config)
    other = tmp_path / "other.safetensors"
    save_model(other, file.kind, file.config, file.tensors)
    with pytest.raises(ModelFileError) as error:
        load(other)
    assert "\n" not in str(error.value)


@pytest.mark.parametrize("share", [0.0, 0.3, 0.9, 0.999])
def test_a_truncated_file_is_refused(saved, share):
    content = saved.read_bytes()
    saved.write_bytes(content[: int(share * len(content))])
    with pytest.raises(ModelFileError):
        load(saved)


@pytest.mark.parametrize("name", ["slope", "bias"])
def test_a_hostile_calibration_is_refused(saved, tmp_path, name):
    for value in (torch.zeros(1), torch.full((2,), -1.0), torch.zeros(0)):
        file = load_model(saved)
        if name == "bias" and value.shape == (2,):
            continue
        tensors = {**file.tensors, f"learned.{name}": value}
        path = tmp_path / f"{name}{len(value)}.safetensors"
        save_model(path, file.kind, file.config, tensors)
        with pytest.raises(ModelFileError, match="calibration"):
            load(path)


def test_a_file_of_another_task_is_refused(saved):
    with pytest.raises(ModelFileError, match="holds a SequenceClassifier, expected a SequenceRegressor"):
        SequenceRegressor.load(saved)


@pytest.mark.parametrize("given", [list, np.array, pd.Series])
def test_texts_and_labels_that_are_exchanged_are_refused(given):
    texts = [f"a film that I saw {row} times" for row in range(40)]
    with pytest.raises(
        ValueError, match=r"look exchanged: 2 different texts \(such as 'good'\) have 40 different labels"
    ):
        SequenceClassifier(**QUICK).fit(given(["good", "bad"] * 20), given(texts))
    frame = pd.DataFrame({"label": texts, "text": ["good", "bad"] * 20})
    with pytest.raises(ValueError, match="name their columns with text= and target="):
        SequenceClassifier(**QUICK).fit(frame, "label")


def test_labels_that_are_few_because_rows_have_none_are_said(tmp_path):
    path = tmp_path / "a.csv"
    path.write_text("text,label\n" + "so good,x\nso bad,nan\nso so,\n" * 3)
    with pytest.raises(
        ValueError, match=r"one class only: 'x' \(6 of 9 rows have no label in column 'label' \(first line 3\)"
    ):
        SequenceClassifier(**QUICK).fit(path)


def test_an_unseen_label_of_validation_is_told_with_its_line(tmp_path):
    train, validation = tmp_path / "a.csv", tmp_path / "v.csv"
    train.write_text("text,label\n" + "so good,x\nso bad,y\n" * 10)
    validation.write_text("text,label\nso good,x\n,y\nso so,z\n")
    with pytest.raises(ValueError, match=r"such as 'z' in line 4\): leave those rows out"):
        SequenceClassifier(**QUICK).fit(train, validation=validation)


def test_a_frame_alone_is_read_as_a_file_is():
    frame = pd.DataFrame({"id": range(20), "review": [f"so good {row}" for row in range(20)], "label": ["x", "y"] * 10})
    model = SequenceClassifier(**QUICK).fit(frame)
    assert set(model.predict(frame)) <= {"x", "y"} and len(model.predict(frame["review"])) == 20
    with pytest.raises(ValueError, match="more than one column that could be the label"):
        SequenceClassifier(**QUICK).fit(frame.rename(columns={"label": "a"}).assign(b=["u", "v"] * 10))


@pytest.mark.parametrize("columns", [["x"], ["x", "y"]])
@pytest.mark.parametrize("cell", [np.array, pd.Series, list])
def test_columns_of_sequences_are_channels(columns, cell):
    generator = np.random.default_rng(0)
    lengths = generator.integers(4, 9, 8)
    frame = pd.DataFrame({name: [cell(generator.normal(size=length)) for length in lengths] for name in columns})
    model = SequenceClassifier(**QUICK).fit(frame, ["a", "b"] * 4)
    assert model.n_features_in_ == len(columns) and len(model.predict(frame)) == 8
    stacked = [np.stack([np.asarray(part) for part in row], axis=1) for row in frame.to_numpy()]
    assert np.array_equal(model.predict_proba(stacked), model.predict_proba(frame))


def test_columns_of_sequences_of_other_lengths_are_refused():
    frame = pd.DataFrame({"x": [np.zeros(3), np.zeros(4)], "y": [np.zeros(3), np.zeros(5)]})
    with pytest.raises(ValueError, match=r"as many steps in each column, got 4 steps in 'x', 5 steps in 'y' \(row 1\)"):
        SequenceClassifier(**QUICK).fit(frame, ["a", "b"])
