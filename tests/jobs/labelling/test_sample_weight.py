"""Weights of samples: those of repeated ones, in loss, gradients, scale, calibration, folds, files and the command."""

import numpy as np
import pandas as pd
import pytest
import torch
from sklearn.base import clone

from memorycell import SequenceClassifier, SequenceRegressor, cross_validate
from memorycell.data.batch import Batch
from memorycell.data.ragged import Ragged
from memorycell.data.sequences import SequenceDataset
from memorycell.data.weights import checked_step_weights, checked_weights
from memorycell.jobs.labelling.calibration import ClassCalibration
from memorycell.networks.heads.classes import ClassHead, LabelsHead, NumberHead
from memorycell.networks.heads.crf import CRFHead
from memorycell.networks.heads.quantiles import QuantileHead

TEXTS = ["warm soup", "cold soup", "fine tea", "bad tea"] * 6
LABELS = ["g", "b", "g", "b"] * 6
QUICK = {"hidden_size": 4, "epochs": 1, "verbose": False, "n_threads": 1, "embedding_size": 4}
TIMES = torch.tensor([1, 3, 2, 0, 1])
HEADS = {
    "classes": (lambda: ClassHead(3), torch.tensor([0, 2, 1, 1, 0]), (3,)),
    "smoothed": (lambda: ClassHead(3, 0.1), torch.tensor([0, 2, 1, 1, 0]), (3,)),
    "labels": (lambda: LabelsHead(2), torch.tensor([[0, 1], [1, 1], [0, 0], [1, 0], [0, 1]]), (2,)),
    "numbers": (lambda: NumberHead(2), torch.arange(10.0).reshape(5, 2), (2,)),
    "quantiles": (lambda: QuantileHead((0.1, 0.5, 0.9)), torch.arange(5.0), (4,)),
    "tags": (lambda: ClassHead(3), torch.tensor([[0, 1], [2, 1], [1, 0], [0, 0], [2, 2]]), (2, 3)),
    "crf": (lambda: CRFHead(3), torch.tensor([[0, 1], [2, 1], [1, 0], [0, 0], [2, 2]]), (2, 3)),
}


@pytest.mark.parametrize("typical", [False, True])
@pytest.mark.parametrize("name", HEADS)
def test_loss_and_gradients_of_weighted_rows_are_those_of_repeated_ones(name, typical):
    make, targets, shape = HEADS[name]
    lengths = torch.tensor([2, 1, 2, 2, 1])
    raw = torch.randn(5, *shape, generator=torch.Generator().manual_seed(0))
    step = name in ("tags", "crf")

    def mean(rows, weights):
        torch.manual_seed(0)
        head, given = make().train(), raw[rows].clone().requires_grad_()
        batch = Batch({}, {"targets": lengths[rows]} if step else {}, targets[rows], weights)
        if typical and weights is not None:
            inside = torch.arange(2) < lengths.unsqueeze(1)
            batch.typical = float(weights[inside].mean() if step else weights.mean())
        total, count = head.loss(given, batch)
        (total / count).backward()
        return total / count, given.grad, [part.grad for part in head.parameters()]

    everything = torch.arange(5)
    times = TIMES.float() if not step else TIMES.float().unsqueeze(1).expand(5, 2).contiguous()
    weighted, own, parts = mean(everything, times)
    repeated, its, others = mean(everything.repeat_interleave(TIMES), None)
    torch.testing.assert_close(weighted, repeated)
    torch.testing.assert_close(own, torch.zeros_like(own).index_add(0, everything.repeat_interleave(TIMES), its))
    torch.testing.assert_close(parts, others)


def test_a_heavy_row_takes_a_longer_step_in_whatever_batch_it_is():
    weights, head = torch.tensor([1.0, 1.0, 1.0, 97.0]), NumberHead()
    rows = Ragged.of([torch.zeros(1, 1)] * 4)
    data = SequenceDataset({"steps": rows}, torch.ones(4, 1), weights, float(weights.mean()))
    raw = torch.zeros(4, 1, requires_grad=True)
    for part in (torch.tensor([0, 1]), torch.tensor([2, 3])):
        total, count = head.loss(raw[part], data.gather(part))
        (total / count).backward()
    torch.testing.assert_close(raw.grad[3] / raw.grad[0], torch.tensor([97.0]))


WRONG = [
    (np.ones(23), "each of 24 samples, got weights of shape (23,)"),
    (np.ones((24, 2)), "each of 24 samples, got weights of shape (24, 2)"),
    ([1.0] * 23 + [-0.5], "at least 0, got -0.5 (first: row 23)"),
    ([1.0] * 5 + [np.nan] + [1.0] * 18, "finite weights, got nan (first: row 5)"),
    ([np.inf] * 24, "finite weights, got inf"),
    (np.zeros(24), "are zero"),
    (["a"] * 24, "expected a number as weight"),
    ("w", "names a column"),
    (3.0, "shape ()"),
]


@pytest.mark.parametrize("weights, said", WRONG)
def test_weights_that_cannot_be_used_are_refused_in_a_sentence(weights, said):
    with pytest.raises((ValueError, TypeError)) as raised:
        SequenceClassifier(**QUICK).fit(TEXTS, LABELS, sample_weight=weights)
    assert said in str(raised.value) and "\n" not in str(raised.value)


@pytest.mark.parametrize("make", [list, np.array, pd.Series, lambda x: torch.tensor(x), lambda x: np.array(x, int)])
def test_what_weighs_nothing_is_left_out_as_if_it_were_not_there(make):
    weights = [1, 0, 2, 1] * 6
    kept = [i for i, weight in enumerate(weights) if weight]
    all_of_it = SequenceClassifier(**QUICK).fit(TEXTS, LABELS, sample_weight=make(weights))
    part = SequenceClassifier(**QUICK).fit(
        [TEXTS[i] for i in kept], [LABELS[i] for i in kept], sample_weight=[weights[i] for i in kept]
    )
    assert np.array_equal(all_of_it.predict_proba(TEXTS), part.predict_proba(TEXTS))
    notes = " ".join(note["text"] for note in all_of_it.notes_)
    assert "6 of 24 samples weigh 0: left out." in notes and "from 0 to 2" in notes


def test_equal_weights_change_nothing_and_others_do():
    plain = SequenceClassifier(**QUICK).fit(TEXTS, LABELS).predict_proba(TEXTS)
    same = SequenceClassifier(**QUICK).fit(TEXTS, LABELS, sample_weight=np.full(24, 8.0)).predict_proba(TEXTS)
    np.testing.assert_allclose(plain, same, rtol=1e-4)


@pytest.mark.parametrize("share", [0.75, 0.2])
def test_a_probability_becomes_the_share_of_the_weights(share):
    quick = {**QUICK, "epochs": 25, "learning_rate": 0.1, "head_dropout": 0.0, "batch_size": 8}
    weights = np.where(np.array(LABELS) == "g", share, 1 - share)
    model = SequenceClassifier(**quick).fit(["the same"] * 24, LABELS, sample_weight=weights)
    assert model.predict_proba(["the same"])[0, 1] == pytest.approx(share, abs=0.05)


@pytest.mark.parametrize("several", [False, True])
def test_class_weights_and_sample_weights_multiply(several):
    x, y = TEXTS, LABELS
    weights = np.linspace(0.5, 2, 24)
    by_class = {"g": 3.0}
    both = SequenceClassifier(**QUICK, class_weight=by_class).fit(x, y, sample_weight=weights)
    one = SequenceClassifier(**QUICK).fit(x, y, sample_weight=weights * np.where(np.array(y) == "g", 3.0, 1.0))
    np.testing.assert_allclose(both.predict_proba(x), one.predict_proba(x), rtol=1e-5)
    if several:
        lists = [[label] for label in y[:-1]] + [["g", "b"]]
        SequenceClassifier(**QUICK).fit(x, lists, sample_weight=weights)
        with pytest.raises(ValueError, match="class_weight"):
            SequenceClassifier(**QUICK, class_weight="balanced").fit(x, lists, sample_weight=weights)


def test_balanced_class_weights_balance_the_weights():
    weights = np.where(np.array(LABELS) == "g", 9.0, 1.0)
    model = SequenceClassifier(**QUICK, class_weight="balanced").fit(TEXTS, LABELS, sample_weight=weights)
    found = model._class_weights
    assert found[1] * 9 == pytest.approx(found[0])


def test_numbers_are_scaled_by_the_weighted_mean_and_scored_by_weights():
    rng = np.random.default_rng(0)
    x, y, times = rng.normal(size=(30, 5)), rng.normal(size=30), rng.integers(1, 4, 30)
    model = SequenceRegressor(**QUICK).fit(x, y, sample_weight=times)
    again = np.repeat(np.arange(30), times)
    assert model.scale_["center"] == pytest.approx([y[again].mean()])
    assert model.scale_["scale"] == pytest.approx([y[again].std()])
    assert model.score(x, y, times) == pytest.approx(model.score(x[again], y[again]))
    assert model.score(x, y, sample_weight=times) != pytest.approx(model.score(x, y))


def test_accuracy_is_the_share_of_the_weights():
    model = SequenceClassifier(**QUICK).fit(TEXTS, LABELS)
    times = np.arange(24) % 3
    again = np.repeat(np.arange(24), times)
    expected = model.score([TEXTS[i] for i in again], [LABELS[i] for i in again])
    assert model.score(TEXTS, LABELS, times) == pytest.approx(expected)


def test_calibration_is_that_of_repeated_samples():
    rng = np.random.default_rng(0)
    raw, targets, times = rng.normal(size=(150, 3)), rng.integers(0, 3, 150), rng.integers(0, 4, 150)
    again = np.repeat(np.arange(150), times)
    one, other = ClassCalibration.fit(raw, targets, times), ClassCalibration.fit(raw[again], targets[again])
    # The prior weighs one sample in both.
    np.testing.assert_allclose(one.slope, other.slope, atol=0.02)
    np.testing.assert_allclose(one.bias, other.bias, atol=0.02)


def test_held_out_samples_a_refit_and_a_checkpoint_keep_to_the_weights(tmp_path):
    weights, path = np.linspace(0, 2, 24), tmp_path / "fit.ckpt"
    options = {**QUICK, "validation_fraction": 0.25, "refit": True}
    model = SequenceClassifier(**options).fit(TEXTS, LABELS, sample_weight=weights, checkpoint=path)
    assert model.history_[0]["val_loss"] is not None
    again = SequenceClassifier(**options).fit(TEXTS, LABELS, sample_weight=weights, checkpoint=path)
    assert np.array_equal(model.predict_proba(TEXTS), again.predict_proba(TEXTS))
    with pytest.raises(ValueError, match="checkpoint"):
        SequenceClassifier(**options).fit(TEXTS, LABELS, sample_weight=weights[::-1] + 0.1, checkpoint=path)


def test_validation_may_be_weighted():
    def loss(*more):
        model = SequenceClassifier(**QUICK).fit(TEXTS, LABELS, validation=(["warm", "bad tea"], ["g", "b"], *more))
        return model.history_[0]["val_loss"]

    ends = loss([1, 0]), loss([0, 1])
    assert loss() == pytest.approx(np.mean(ends), rel=1e-5)
    assert loss([3, 1]) == pytest.approx((3 * ends[0] + ends[1]) / 4, rel=1e-5)


def frame():
    return pd.DataFrame({"w": [1.0, 2, 0, 1] * 6, "text": TEXTS, "label": LABELS})


@pytest.mark.parametrize("form", ["parameter", "argument", "array", "file"])
def test_a_column_says_the_weights(form, tmp_path):
    by_hand = SequenceClassifier(**QUICK).fit(TEXTS, LABELS, sample_weight=frame()["w"]).predict_proba(TEXTS)
    named = {"text": "text", "target": "label", **({} if form in ("argument", "array") else {"weight": "w"})}
    model, data = SequenceClassifier(**QUICK, **named), frame()
    if form == "file":
        data.to_csv(tmp_path / "a.csv", index=False)
        data = tmp_path / "a.csv"
    more = {"argument": {"sample_weight": "w"}, "array": {"sample_weight": frame()["w"]}}.get(form, {})
    model.fit(data, **more)
    assert np.array_equal(model.predict_proba(TEXTS), by_hand)
    # Data without that column are asked about, and measured, all the same.
    assert len(model.predict(frame()[["text"]])) == 24
    assert 0 <= model.score(frame()[["text", "label"]]) <= 1


def test_a_long_table_has_a_weight_for_each_sequence(tmp_path):
    steps = pd.DataFrame({"id": np.repeat(np.arange(20), 4), "x": np.arange(80.0) % 7, "y": np.repeat([0, 1] * 10, 4)})
    steps["w"] = np.repeat(np.arange(20.0), 4)
    how = {"target": "y", "reading": {"id": "id"}, "weight": "w"}
    model = SequenceClassifier(**QUICK, **how).fit(steps)
    assert model.trained_on_["rows"] == 19
    assert model.codec_.channels_ == 1  # the weight is no channel
    steps.loc[1, "w"] = 5
    with pytest.raises(ValueError, match="expected one weight a sequence"):
        SequenceClassifier(**QUICK, **how).fit(steps)


@pytest.mark.parametrize(
    "value, said",
    [(-1.0, "got -1 in row 3"), (np.nan, "got none in row 3"), ("much", "expected numbers as weights")],
)
def test_a_column_of_wrong_weights_is_refused_with_its_row(value, said):
    data = frame().astype({"w": object})
    data.loc[3, "w"] = value
    data = data if isinstance(value, str) else data.astype({"w": float})
    with pytest.raises(ValueError, match=said):
        SequenceClassifier(**QUICK, text="text", target="label", weight="w").fit(data)


def test_a_column_that_is_not_there_and_one_beside_lists():
    with pytest.raises(ValueError, match="weight"):
        SequenceClassifier(**QUICK, text="text", target="label", weight="v").fit(frame())
    with pytest.raises(ValueError, match="sample_weight="):
        SequenceClassifier(**QUICK, weight="w").fit(TEXTS, LABELS)


def test_weights_of_steps_fit_the_sequences():
    with pytest.raises(ValueError, match="expected 2 weights for sequence 0"):
        checked_step_weights([[1], [1]], [2, 1])
    with pytest.raises(ValueError, match="of 2 sequences, got those of 1"):
        checked_step_weights([[1, 2]], [2, 1])
    assert checked_weights(torch.ones(2), 2).tolist() == [1, 1]


def test_clone_and_files_keep_the_column(tmp_path):
    model = SequenceClassifier(**QUICK, text="text", target="label", weight="w").fit(frame())
    assert clone(model).weight == "w"
    model.save(tmp_path / "m.safetensors")
    assert SequenceClassifier.load(tmp_path / "m.safetensors").weight == "w"


TASKS = [
    (SequenceClassifier, LABELS),
    (SequenceClassifier, [[label] if i else ["g", "b"] for i, label in enumerate(LABELS)]),
    (SequenceRegressor, np.linspace(0, 1, 24)),
]


@pytest.mark.parametrize("task, y", TASKS)
def test_folds_slice_the_weights_for_task_and_baselines(task, y):
    seen = []

    class Seen(task):
        def fit(self, X, y=None, sample_weight=None):
            seen.append((X, sample_weight))
            return super().fit(X, y, sample_weight=sample_weight)

    weights = np.where(np.arange(24) % 2, 9.0, 1.0)
    result = cross_validate(Seen(**QUICK), TEXTS, y, folds=3, sample_weight=weights, train_score=False)
    assert len(seen) == 3 and len(result.models) > 2
    for texts, own in seen:
        assert len(own) == len(texts) == 16 and set(own) <= set(weights)
    samples = task(**QUICK).read(TEXTS, y).replaced(weights=weights)
    again = cross_validate(task(**QUICK), samples, folds=3, train_score=False)
    assert [model.measures.values for model in again.models] == [model.measures.values for model in result.models]
    plain = cross_validate(task(**QUICK), TEXTS, y, folds=3, train_score=False)
    assert any(a.measures.values != b.measures.values for a, b in zip(plain.models[1:], again.models[1:], strict=True))


def test_a_baseline_that_takes_no_weights_is_left_out_and_named():
    class Plain:
        def fit(self, X, y):
            return self

        def predict(self, X):
            return ["g"] * len(X)

    result = cross_validate(
        SequenceClassifier(**QUICK), TEXTS, LABELS, folds=2, sample_weight=np.ones(24), baselines={"plain": Plain()}
    )
    assert "plain left out: Plain takes no weights of samples" in result.notes


def test_folds_check_the_weights():
    with pytest.raises(ValueError, match="weight for each of 24"):
        cross_validate(SequenceClassifier(**QUICK), TEXTS, LABELS, folds=2, sample_weight=np.ones(3))
