"""SequenceClassifier as its users meet it: what goes in, what comes out, files, scikit-learn's tools."""

import json
import subprocess
import sys

import numpy as np
import pandas as pd
import pytest
import torch
from sklearn.base import clone
from sklearn.model_selection import GridSearchCV, cross_val_score
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from memorycell import load
from memorycell.jobs.labelling.classifier import SequenceClassifier

QUICK = {"hidden_size": 8, "epochs": 12, "learning_rate": 0.02, "convolution": False, "batch_size": 16}
QUICK |= {"n_threads": 1, "verbose": False, "input_dropout": 0.0, "output_dropout": 0.0, "head_dropout": 0.0}


def waves(n=60, seed=0, ragged=True, channels=1):
    """Slow and fast waves of different lengths."""
    rng = np.random.default_rng(seed)
    x, y = [], []
    for number in range(n):
        fast = number % 2
        length = int(rng.integers(8, 16)) if ragged else 12
        phase = rng.uniform(0, 6)
        steps = np.arange(length)[:, None] * (1.5 if fast else 0.4) + phase + np.arange(channels)
        x.append(np.sin(steps) + 0.1 * rng.normal(size=steps.shape))
        y.append("fast" if fast else "slow")
    return x, y


def opinions(n=60, seed=0):
    rng = np.random.default_rng(seed)
    words = {"good": ["fine", "great", "lovely"], "bad": ["awful", "poor", "sad"]}
    x, y = [], []
    for number in range(n):
        label = ("good", "bad")[number % 2]
        text = [str(rng.choice(["the", "a", "film", "plot", "was"])) for _ in range(int(rng.integers(3, 9)))]
        text.insert(int(rng.integers(0, len(text))), str(rng.choice(words[label])))
        x.append(" ".join(text))
        y.append(label)
    return x, y


def bases(n=60, seed=0):
    rng = np.random.default_rng(seed)
    x = ["".join(rng.choice(list("ACG"), 10)) for _ in range(n)]
    return [s[:4] + "T" + s[5:] if i % 2 else s for i, s in enumerate(x)], [bool(i % 2) for i in range(n)]


def as_matrix():
    x, y = waves(ragged=False)
    return np.stack(x)[:, :, 0], y


def as_array():
    x, y = waves(ragged=False, channels=2)
    return np.stack(x), np.array(y)


INPUTS = {
    "texts": (opinions, {}),
    "array of texts": (lambda: (np.array(opinions()[0]), opinions()[1]), {}),
    "series of texts": (lambda: (pd.Series(opinions()[0]), pd.Series(opinions()[1])), {}),
    "characters": (opinions, {"unit": "character", "embedding_size": 8, "epochs": 40}),
    "ragged numbers": (waves, {}),
    "matrix": (as_matrix, {}),
    "three dimensions": (as_array, {"cell": "GRU"}),
    "tensor": (lambda: (torch.from_numpy(as_array()[0]), as_array()[1]), {}),
    "DNA": (bases, {"kind": "symbols"}),
    "lists of symbols": (lambda: ([list(s) for s in bases()[0]], bases()[1]), {}),
    "events with a separator": (
        lambda: (["/".join(s) for s in bases()[0]], bases()[1]),
        {"kind": "symbols", "separator": "/"},
    ),
    "whole numbers as symbols": (lambda: ([[ord(c) for c in s] for s in bases()[0]], bases()[1]), {"kind": "symbols"}),
    "convolution": (waves, {"convolution": True, "epochs": 4}),
    "two layers, one direction": (waves, {"num_layers": 2, "bidirectional": False, "pooling": "mean"}),
}


@pytest.mark.parametrize("name", INPUTS)
def test_every_kind_of_sequence_is_learned(name):
    make, options = INPUTS[name]
    x, y = make()
    model = SequenceClassifier(**{**QUICK, **options}).fit(x, y)
    found, probabilities = model.predict(x), model.predict_proba(x)
    assert model.score(x, y) > 0.9
    assert sorted(set(found.tolist())) == model.classes_.tolist() and found.dtype == model.classes_.dtype
    assert probabilities.shape == (60, 2) and np.allclose(probabilities.sum(axis=1), 1)
    assert np.array_equal(model.classes_[probabilities.argmax(axis=1)], found)
    assert np.array_equal(model.decision_function(x) > 0, found == model.classes_[1])


def test_a_row_has_the_same_bits_alone_and_among_others(same_bits):
    x, y = waves()
    model = SequenceClassifier(**QUICK).fit(x, y)
    together = model.predict_proba(x)
    for i, row in enumerate(x[:5]):
        same_bits(model.predict_proba([row])[0], together[i])


def test_the_same_seed_gives_the_same_model_and_leaves_generators_alone():
    x, y = waves()
    torch.manual_seed(5)
    before = torch.random.get_rng_state()
    first, second = (SequenceClassifier(**QUICK, random_state=3).fit(x, y).predict_proba(x) for _ in range(2))
    assert np.array_equal(first, second) and torch.equal(before, torch.random.get_rng_state())
    assert not np.array_equal(first, SequenceClassifier(**QUICK, random_state=4).fit(x, y).predict_proba(x))


def test_several_labels_as_sets_and_as_a_matrix():
    x, fast = waves(n=80)
    high = np.arange(80) // 2 % 2 == 1
    x = [row + 3.0 * up for row, up in zip(x, high, strict=True)]
    sets = [
        {name for name, there in (("fast", f == "fast"), ("high", up)) if there}
        for f, up in zip(fast, high, strict=True)
    ]
    model = SequenceClassifier(**{**QUICK, "epochs": 30}).fit(x, sets)
    assert model.classes_.tolist() == ["fast", "high"]
    right = [set(found) == truth for found, truth in zip(model.predict(x), sets, strict=True)]
    assert np.mean(right) == model.score(x, sets) > 0.8
    matrix = np.array([[f == "fast", up, False] for f, up in zip(fast, high, strict=True)], int)
    model = SequenceClassifier(**{**QUICK, "epochs": 30}).fit(x, matrix)
    found = model.predict(x)
    assert found.shape == (80, 3) and found.dtype.kind == "i" and (found == matrix).mean() > 0.9
    assert model.predict_proba(x).shape == model.decision_function(x).shape == (80, 3)
    assert np.array_equal(model.decision_function(x) > 0, found == 1)


def test_few_samples_are_all_trained_on_and_it_is_said():
    x, y = waves(n=12)
    model = SequenceClassifier(**QUICK).fit(x, y)
    notes = {note["kind"]: note["text"] for note in model.notes_}
    assert "Nothing is held out" in notes["validation"] and "not calibrated" in notes["calibration"]
    assert all(row["val_loss"] is None for row in model.history_)


def test_held_out_samples_stop_calibrate_and_are_trained_on_in_the_end():
    x, y = waves(n=300)
    y = [label if i % 5 else ("slow", "fast")[label == "slow"] for i, label in enumerate(y)]  # a fifth are wrong
    model = SequenceClassifier(**{**QUICK, "epochs": 5}, validation_fraction=0.4).fit(x, y)
    notes = {note["kind"]: note["text"] for note in model.notes_}
    assert "calibrated on 120 held-out samples" in notes["calibration"] and "Trained once more on all" in notes["refit"]
    assert all(row["val_loss"] > 0 for row in model.history_)
    fresh, truth = waves(n=200, seed=7)
    confidence = model.predict_proba(fresh).max(axis=1).mean()
    assert 0.65 < confidence < 0.95 and model.score(fresh, truth) > 0.9
    kept = SequenceClassifier(**{**QUICK, "epochs": 2}, validation_fraction=0.4, refit=False).fit(x, y)
    assert "refit" not in {note["kind"] for note in kept.notes_}
    given = SequenceClassifier(**{**QUICK, "epochs": 1}, refit=True).fit(x, y, validation=(x[:9], y[:9]))
    assert {note["kind"]: note["text"] for note in given.notes_}["refit"].startswith("Not trained a second time")


def test_a_finished_checkpoint_gives_the_same_model_without_training_again(tmp_path):
    x, y = waves(n=100)
    options = {**QUICK, "epochs": 3, "validation_fraction": 0.2}
    plain = SequenceClassifier(**options).fit(x, y).predict_proba(x)
    path = tmp_path / "training"
    first = SequenceClassifier(**options).fit(x, y, checkpoint=path)
    assert (tmp_path / "training.refit").exists()
    epochs = []
    second = SequenceClassifier(**options).fit(x, y, checkpoint=path, callbacks=[epochs.append])
    assert np.array_equal(first.predict_proba(x), plain) and np.array_equal(second.predict_proba(x), plain)
    assert epochs == []
    with pytest.raises(ValueError, match="another training"):
        SequenceClassifier(**{**options, "hidden_size": 9}).fit(x, y, checkpoint=path)


def test_an_interrupted_second_training_leaves_the_first_model():
    x, y = waves(n=100)
    options = {**QUICK, "epochs": 2, "validation_fraction": 0.2}
    kept = SequenceClassifier(**options, refit=False).fit(x, y)
    seen = []

    def interrupt(row):
        seen.append(row)
        if len(seen) == 3:
            raise KeyboardInterrupt

    model = SequenceClassifier(**options).fit(x, y, callbacks=[interrupt])
    assert model.stopped_ == "interrupted" and np.array_equal(model.predict_proba(x), kept.predict_proba(x))
    assert any("interrupted" in note["text"] for note in model.notes_)


def test_a_validation_set_of_the_users_own():
    x, y = waves()
    model = SequenceClassifier(**{**QUICK, "epochs": 2}).fit(x, y, validation=waves(n=20, seed=1))
    assert all(row["val_loss"] > 0 for row in model.history_)
    with pytest.raises(ValueError, match=r"seen in training.*'other'"):
        SequenceClassifier(**QUICK).fit(x, y, validation=(x[:2], ["slow", "other"]))


def test_rare_classes_weigh_more_if_asked():
    x, y = waves(n=120)
    noise = np.random.default_rng(0)
    x = [noise.normal(size=(4, 1)) + (1.0 if label == "fast" else 0.0) for label in y]
    keep = [i for i, label in enumerate(y) if label == "slow" or i % 10 == 1]
    x, y = [x[i] for i in keep], [y[i] for i in keep]
    shares = []
    for weights in (None, "balanced", {"fast": 50.0}):
        found = SequenceClassifier(**{**QUICK, "epochs": 6}, class_weight=weights).fit(x, y).predict(x)
        shares.append((found == "fast").mean())
    assert shares[0] < shares[1] < shares[2]


def test_groups_are_kept_whole():
    from memorycell.jobs.labelling.plan import hold_out

    groups, classes = np.repeat(np.arange(20), 10), np.tile([0, 1], 100)
    train, held_out = hold_out(200, 0.2, 0, classes, groups)
    assert not set(groups[train]) & set(groups[held_out]) and 20 <= len(held_out) <= 60
    x, y = waves(n=40)
    model = SequenceClassifier(**{**QUICK, "epochs": 1}, validation_fraction=0.3)
    model.fit(x, y, groups=np.repeat(np.arange(10), 4))
    assert model.history_[0]["val_loss"] is not None
    with pytest.raises(ValueError, match="at least two groups"):
        model.fit(x, y, groups=np.zeros(40))
    with pytest.raises(ValueError, match="a group for each of 40 samples"):
        model.fit(x, y, groups=[1, 2])


@pytest.mark.parametrize("samples", [20, 57, 1000])
def test_held_out_samples_are_stratified_and_seeded(samples):
    from memorycell.jobs.labelling.plan import hold_out

    classes = np.random.default_rng(0).choice(3, samples, p=[0.6, 0.3, 0.1])
    train, held_out = hold_out(samples, 0.1, 0, classes)
    assert sorted([*train, *held_out]) == list(range(samples)) and len(held_out) == round(0.1 * samples)
    assert set(classes[train]) == set(classes)
    for number in range(3):
        assert abs((classes[held_out] == number).sum() - 0.1 * (classes == number).sum()) <= 1
    assert np.array_equal(held_out, hold_out(samples, 0.1, 0, classes)[1])
    assert not np.array_equal(held_out, hold_out(samples, 0.1, 1, classes)[1])


# ---------------------------------------------------------------------- step by step


@pytest.mark.parametrize(
    "make, options",
    [
        (waves, {"num_layers": 2}),
        (waves, {"convolution": True, "epochs": 2}),
        (as_array, {"cell": "GRU"}),
        (opinions, {}),
        (bases, {"kind": "symbols"}),
        (lambda: ([list(s) for s in bases()[0]], bases()[1]), {}),
    ],
)
def test_a_stream_says_what_predict_proba_says_of_the_prefix(make, options):
    x, y = make()
    model = SequenceClassifier(causal=True, **{**QUICK, "epochs": 3, **options}).fit(x, y)
    stream = model.stream()
    sequence = x[0].split() if make is opinions else x[0]
    for number, value in enumerate(sequence, 1):
        prefix = " ".join(sequence[:number]) if make is opinions else sequence[:number]
        assert np.allclose(stream.step(value), model.predict_proba([prefix])[0], rtol=0, atol=1e-6)
    assert stream.steps == len(sequence)
    stream.reset()
    assert np.allclose(stream.step(sequence[0]), model.stream().step(sequence[0]), rtol=0, atol=0)


def test_only_a_causal_model_streams():
    x, y = waves(n=12)
    model = SequenceClassifier(**{**QUICK, "epochs": 1}).fit(x, y)
    with pytest.raises(ValueError, match="causal=True"):
        model.stream()
    with pytest.raises(ValueError, match="looks ahead"):
        SequenceClassifier(causal=True, bidirectional=True).fit(x, y)


def test_a_stream_refuses_a_step_of_nothing_and_of_another_width():
    x, y = waves(n=12)
    stream = SequenceClassifier(causal=True, **{**QUICK, "epochs": 1}).fit(x, y).stream()
    with pytest.raises(ValueError, match="1 values a step"):
        stream.step([1.0, 2.0])
    texts = SequenceClassifier(causal=True, **{**QUICK, "epochs": 1}).fit(*opinions(n=12)).stream()
    with pytest.raises(ValueError, match="expected a step"):
        texts.step("  ")


# ---------------------------------------------------------------------- files


@pytest.mark.parametrize(
    "make, options", [(waves, {"convolution": True}), (opinions, {}), (bases, {"kind": "symbols"})]
)
def test_a_saved_model_says_the_same(make, options, tmp_path):
    x, y = make()
    model = SequenceClassifier(**{**QUICK, "epochs": 2, **options}, class_weight={y[0]: 2.0}).fit(x, y)
    path = tmp_path / "model.safetensors"
    model.save(path)
    for again in (load(path), SequenceClassifier.load(path)):
        assert np.array_equal(again.predict_proba(x), model.predict_proba(x))
        assert np.array_equal(again.predict(x), model.predict(x)) and again.classes_.dtype == model.classes_.dtype
        assert again.class_weight == {y[0]: 2.0} and again.notes_ == model.notes_ and again.plan_ == model.plan_
    with pytest.raises(FileExistsError):
        model.save(path)


def test_several_labels_survive_a_file(tmp_path):
    x, _ = waves(n=20)
    matrix = np.arange(60).reshape(20, 3) % 2
    model = SequenceClassifier(**{**QUICK, "epochs": 1}).fit(x, matrix)
    model.save(tmp_path / "m.safetensors")
    assert np.array_equal(load(tmp_path / "m.safetensors").predict(x), model.predict(x))


def test_predicting_with_a_saved_model_loads_nothing_heavy(tmp_path):
    x, y = as_matrix()
    SequenceClassifier(**{**QUICK, "epochs": 1}).fit(x, y).save(tmp_path / "m.safetensors")
    np.save(tmp_path / "x.npy", x)
    code = (
        "import sys, json, numpy, memorycell; model = memorycell.load(sys.argv[1] + '/m.safetensors'); "
        "model.predict_proba(numpy.load(sys.argv[1] + '/x.npy')); "
        "print(json.dumps([n for n in ('sklearn', 'pandas', 'scipy', 'tokenizers', 'pyarrow') if n in sys.modules]))"
    )
    ran = subprocess.run([sys.executable, "-c", code, str(tmp_path)], capture_output=True, text=True, check=True)
    assert json.loads(ran.stdout) == []


# ---------------------------------------------------------------------- tables


def test_files_and_frames_with_named_columns(tmp_path):
    x, y = opinions()
    frame = pd.DataFrame({"id": range(len(x)), "comment": x, "mood": y})
    frame.to_csv(tmp_path / "opinions.csv", index=False)
    options = {**QUICK, "text": "comment", "target": "mood"}
    from_file = SequenceClassifier(**options).fit(tmp_path / "opinions.csv")
    from_frame = SequenceClassifier(**options).fit(frame)
    named = SequenceClassifier(**QUICK, text="comment").fit(frame, "mood")
    from_lists = SequenceClassifier(**QUICK).fit(x, y)
    expected = from_lists.predict_proba(x)
    for model in (from_file, from_frame, named):
        assert np.array_equal(model.predict_proba(x), expected)
    assert np.array_equal(from_file.predict_proba(frame.drop(columns="mood")), expected)
    assert from_file.score(tmp_path / "opinions.csv") == from_lists.score(x, y)


def test_a_frame_of_text_alone_is_texts_and_one_of_more_wants_a_name():
    x, y = opinions(n=12)
    model = SequenceClassifier(**{**QUICK, "epochs": 1}).fit(pd.DataFrame({"said": x}), y)
    assert model.input_["kind"] == "text"
    with pytest.raises(ValueError, match="with text="):
        SequenceClassifier(**QUICK).fit(pd.DataFrame({"said": x, "by": x}), y)


def test_a_matrix_with_names_is_checked_for_its_names():
    x, y = as_matrix()
    frame = pd.DataFrame(x, columns=[f"t{i}" for i in range(x.shape[1])])
    model = SequenceClassifier(**{**QUICK, "epochs": 1}).fit(frame, y)
    assert model.feature_names_in_.tolist() == list(frame.columns) and model.n_features_in_ == 12
    with pytest.raises(ValueError, match="feature names should match"):
        model.predict(frame[frame.columns[::-1]])


# ---------------------------------------------------------------------- scikit-learn's tools


def test_pipeline_search_cross_validation_and_clone():
    x, y = as_matrix()
    pipe = make_pipeline(StandardScaler(), SequenceClassifier(**{**QUICK, "epochs": 6})).fit(x, y)
    assert pipe.score(x, y) > 0.8
    search = GridSearchCV(SequenceClassifier(**{**QUICK, "epochs": 6}), {"hidden_size": [4, 8]}, cv=2, n_jobs=2)
    search.fit(x, y)
    assert search.best_estimator_.hidden_size in (4, 8) and search.best_score_ > 0.6
    assert cross_val_score(SequenceClassifier(**{**QUICK, "epochs": 6}), *opinions(), cv=2).shape == (2,)
    model = SequenceClassifier(hidden_size=5, class_weight={"fast": 2.0}, pooling=["mean"])
    assert clone(model).get_params() == model.get_params()
    assert repr(SequenceClassifier(hidden_size=5)) == "SequenceClassifier(hidden_size=5)"
