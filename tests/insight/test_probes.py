"""Probes: what is planted in the states is read off them, what is not is not, and the control task tells them apart."""

import json

import numpy as np
import pandas
import pytest
import torch
from sklearn.linear_model import LogisticRegression, Ridge

from memorycell.insight.probe_fits import Split
from memorycell.insight.probes import linear_probe
from memorycell.insight.states import States

RNG = np.random.default_rng(0)
VALUES = (RNG.normal(size=(3000, 6)) * [1, 5, 0.2, 1, 1, 0] + 3).astype(np.float32)
TOKENS = RNG.integers(150, size=3000)
STATES = States(VALUES, np.arange(0, 3001, 30), TOKENS.tolist())
CENTRED = VALUES - 3
LINEAR = CENTRED[:, 0] - CENTRED[:, 1] / 5 > 0


def with_tokens_in_the_states() -> States:
    """States that hold the token and nothing else: anything said of tokens can be learned by heart."""
    tokens = TOKENS % 40
    return States(np.eye(40, dtype=np.float32)[tokens], STATES.offsets, tokens.tolist())


def test_a_label_linear_in_the_states_is_read_off_and_its_control_task_is_not() -> None:
    probe = linear_probe(STATES, LINEAR)
    assert probe.measure == "accuracy" and probe.classes == [False, True]
    assert probe.accuracy > 0.97 and probe.baseline == pytest.approx(0.5, abs=0.05)
    assert probe.control == pytest.approx(probe.control_baseline, abs=0.05) and probe.control < 0.65
    assert probe.selectivity == pytest.approx(probe.accuracy - probe.control)
    assert probe.interval[0] <= probe.accuracy <= probe.interval[1]
    assert 0.3 < probe.selectivity_interval[0] <= probe.selectivity <= probe.selectivity_interval[1]
    assert probe.verdict == "the labels can be read off the states, better than the tokens by themselves tell them"


def test_its_weights_are_in_the_units_of_the_states() -> None:
    probe = linear_probe(STATES, LINEAR)
    weights = probe.weights[1] - probe.weights[0]
    assert weights[1] / weights[0] == pytest.approx(-1 / 5, rel=0.1) and weights[5] == 0
    assert np.abs(weights[2:] * VALUES.std(0)[2:]).max() < 0.05 * abs(weights[0])
    assert (probe.predict(VALUES) == LINEAR).mean() > 0.97


def test_random_labels_are_not_read_off() -> None:
    labels = RNG.choice(["a", "b", "c"], size=3000, p=[0.4, 0.3, 0.3])
    probe = linear_probe(STATES, labels)
    assert probe.accuracy == pytest.approx(probe.baseline, abs=0.05)
    assert abs(probe.selectivity) < 0.08
    assert probe.verdict == "the probe does no better than guessing"


def test_what_tokens_say_is_learned_by_heart() -> None:
    states = with_tokens_in_the_states()
    labels = RNG.integers(2, size=40)[TOKENS % 40]
    probe = linear_probe(states, labels)
    assert probe.accuracy == probe.by_token == probe.control == 1 and probe.selectivity == 0
    assert "so can random ones" in probe.verdict


@pytest.mark.parametrize("labels", [LINEAR, CENTRED[:, 0].astype(np.float64)], ids=["classes", "numbers"])
def test_what_tokens_alone_tell(labels) -> None:
    few = TOKENS % 7
    labels = np.where(few < 4, labels[few], labels)  # known from the token for four of them
    probe = linear_probe(STATES, labels, tokens=few)
    train = Split.of(STATES, np.arange(3000), labels.dtype == bool, 0.25, 20_000, np.random.default_rng(0)).train
    known = [labels[train & (few == token)] for token in range(7)]
    if labels.dtype == bool:
        expected = np.mean((np.array([each.mean() > 0.5 for each in known])[few] == labels)[~train])
    else:
        errors = (np.array([each.mean() for each in known])[few] - labels)[~train]
        expected = 1 - np.mean(errors**2) / labels[~train].var()
    assert probe.by_token == pytest.approx(expected) and probe.by_token > probe.baseline + 0.1


def test_one_bit_of_the_past_is_more_than_few_tokens_tell() -> None:
    inside = (np.arange(3000) // 5 % 2).astype(np.float32)
    tokens = TOKENS % 3
    values = np.concatenate([np.eye(3, dtype=np.float32)[tokens], inside[:, None] + CENTRED[:, :1] / 5], 1)
    probe = linear_probe(States(values, STATES.offsets), inside > 0, tokens=tokens)
    assert probe.accuracy > 0.95 > 0.65 > probe.by_token
    assert probe.control > 0.95, "three tokens are learned by heart"
    assert probe.verdict == "the labels can be read off the states, better than the tokens by themselves tell them"
    assert "only 3 types" in probe.notes[0]


def test_the_tasks_may_have_many_classes_and_labels_by_row() -> None:
    labels = (CENTRED[:, 0] * 2).round().clip(-2, 2).astype(int)
    flat = linear_probe(STATES, labels.tolist(), C=1.0)
    nested = linear_probe(STATES, labels.reshape(100, 30).tolist(), C=1.0, tokens=torch.tensor(TOKENS).view(100, 30))
    assert flat.classes == [-2, -1, 0, 1, 2] and flat.weights.shape == (5, 6)
    assert flat.to_dict() == nested.to_dict() and flat.accuracy > 0.8 > flat.control


def test_numbers() -> None:
    labels = CENTRED[:, 0] * 3 + 7 + RNG.normal(size=3000)
    probe = linear_probe(STATES, labels)
    assert probe.measure == "R²" and probe.classes is None
    assert probe.accuracy == pytest.approx(0.9, abs=0.03) and probe.baseline == pytest.approx(0, abs=0.02)
    assert probe.control < 0.05 and probe.selectivity_interval[0] > 0.8
    assert probe.weights[0, 0] == pytest.approx(3, rel=0.1)
    assert ((probe.predict(VALUES) - labels) ** 2).mean() < 1.2
    assert probe.accuracy == pytest.approx(linear_probe(STATES, labels + 1e4).accuracy), "where zero is does not matter"
    assert linear_probe(STATES, TOKENS, kind="numbers").verdict == "the probe does no better than guessing"


@pytest.mark.parametrize("labels", [LINEAR, CENTRED[:, 0].astype(np.float64)], ids=["classes", "numbers"])
def test_rows_are_on_one_side_and_the_numbers_are_those_of_scikit_learn(labels) -> None:
    probe = linear_probe(STATES, labels, C=0.1, control=False, seed=3)
    split = Split.of(STATES, np.arange(3000), labels.dtype == bool, 0.25, 20_000, np.random.default_rng(3))
    rows = STATES.row
    assert not set(rows[split.train]) & set(rows[~split.train]) and probe.rows == (75, 25)
    assert probe.steps == (split.train.sum(), (~split.train).sum()) == (2250, 750)
    mean, deviation = VALUES[split.train].mean(0), VALUES[split.train].std(0)
    deviation[5] = 1  # never moves
    x = (VALUES - mean) / deviation
    model = LogisticRegression(C=0.1) if labels.dtype == bool else Ridge(alpha=10)
    model.fit(x[split.train], labels[split.train])
    assert probe.accuracy == pytest.approx(model.score(x[~split.train], labels[~split.train]), abs=2e-3)


def test_nothing_is_learned_from_rows_held_out() -> None:
    train = Split.of(STATES, np.arange(3000), True, 0.25, 20_000, np.random.default_rng(0)).train
    strange = States(np.where(train[:, None], VALUES, 1000 * VALUES**2), STATES.offsets, STATES.labels)
    one, two = (linear_probe(states, LINEAR ^ (~train & other)) for states, other in ((STATES, False), (strange, True)))
    assert np.array_equal(one.weights, two.weights) and np.array_equal(one.bias, two.bias)
    assert one.strength == two.strength and one.accuracy > 0.9 > two.accuracy


def test_the_strength_is_chosen_on_training_rows_of_which_some_are_set_aside() -> None:
    rng = np.random.default_rng(0)
    wide = States(rng.normal(size=(120, 60)).astype(np.float32), np.arange(0, 121, 4))
    weak = linear_probe(wide, wide.values[:, 0] + 2 * rng.normal(size=120) > 0, control=False)
    strong = linear_probe(STATES, LINEAR, control=False)
    assert weak.strength < strong.strength


def test_a_step_without_label_is_left_out() -> None:
    labels = [bool(label) if i % 3 else None for i, label in enumerate(LINEAR)]
    probe = linear_probe(STATES, labels)
    assert sum(probe.steps) == 2000 and probe.accuracy > 0.97
    numbers = np.where(np.arange(3000) % 3, CENTRED[:, 0], np.nan)
    assert sum(linear_probe(STATES, numbers).steps) == 2000


def test_a_sample_of_many_steps_is_fitted_on_and_all_are_measured() -> None:
    probe = linear_probe(STATES, LINEAR, limit=500, control=False)
    assert probe.notes == ["fitted on a sample of 500 of 2,250 training steps"] and probe.steps == (2250, 750)
    assert probe.accuracy > 0.95


def test_the_same_seed_gives_the_same_probe() -> None:
    one, two, other = (linear_probe(STATES, LINEAR, seed=seed).to_dict() for seed in (0, 0, 1))
    assert one == two and one["weights"] != other["weights"]


def test_too_few_rows_to_tell_and_few_types_of_token() -> None:
    few = States(VALUES[:600], np.arange(0, 601, 30), [i % 3 for i in range(600)])
    probe = linear_probe(few, LINEAR[:600])
    assert probe.verdict == "too few to tell: 5 held-out rows, of which at least 10 are needed"
    assert probe.notes == ["only 3 types of token: random labels of so few are easy to learn by heart"]
    two = linear_probe(States(VALUES[:40], np.array([0, 20, 40])), LINEAR[:40], control=False)
    assert two.rows == (1, 1) and two.verdict.startswith("too few to tell")


def test_an_interval_that_reaches_both_ways_is_too_few_to_tell() -> None:
    rng = np.random.default_rng(1)
    small = States(VALUES[:120], np.arange(0, 121, 3))
    labels = (CENTRED[:120, 0] + 2.5 * rng.normal(size=120)) > 0
    probe = linear_probe(small, labels, control=False)
    assert probe.gain_interval[0] < 0 < probe.gain_interval[1] and probe.verdict == "too few to tell"


def test_a_class_that_training_rows_have_not() -> None:
    labels = np.where(LINEAR, "yes", "no").astype(object)
    probe = linear_probe(STATES, labels, control=False, seed=0)
    held_out = Split.of(STATES, np.arange(3000), True, 0.25, 20_000, np.random.default_rng(0)).train
    row = STATES.row[~held_out][0]
    labels[STATES.row == row] = "rare"
    without = linear_probe(STATES, labels, control=False, seed=0)
    assert without.classes == ["no", "yes"] and without.accuracy == pytest.approx(probe.accuracy - 0.04, abs=0.01)


def test_it_is_plain_json_and_readable() -> None:
    probe = linear_probe(STATES, LINEAR)
    record = json.loads(json.dumps(probe.to_dict(), allow_nan=False))
    assert record["rows"] == [75, 25] and record["classes"] == ["False", "True"] and record["verdict"] == probe.verdict
    text = str(probe)
    assert "on 750 steps of 25 held-out rows; the most frequent class: " in text and "selectivity" in text
    assert "control" not in str(linear_probe(STATES, CENTRED[:, 0], control=False))
    with pytest.raises(ValueError, match=r"states \(steps, 6\), got \(6,\)"):
        probe.predict(VALUES[0])
    with pytest.raises(TypeError, match="a numpy array of numbers, got list"):
        probe.predict(VALUES[:2].tolist())


@pytest.mark.parametrize(
    ("labels", "options", "says"),
    [
        (LINEAR[:-1], {}, "a label for each of the 3000 steps, got 2999"),
        (LINEAR.reshape(100, 30)[:-1], {}, "labels for each of the 100 rows, got 99"),
        ([[1] * 30] * 99 + [[1] * 29], {}, "the 30 steps of row 99, got 29"),
        ([True] * 3000, {}, "at least 2 classes, got True only"),
        ([None] * 3000, {}, "none that is not None or NaN among 3000"),
        ([2.5] * 3000, {}, "numbers that differ as labels, got 2.5 only"),
        ([0.5, float("inf")] * 1500, {}, "finite numbers as labels, got inf at step 1 of all: None leaves"),
        ([np.float64("inf"), 1.0] * 1500, {}, "finite numbers as labels, got inf at step 0"),
        ([10**400, 1] * 1500, {"kind": "numbers"}, "finite numbers as labels, got inf"),
        (["a", "b"] * 1500, {"kind": "numbers"}, "numbers as labels, got 'a'"),
        (LINEAR, {"kind": "class"}, "expected kind"),
        ([True, False] + [None] * 2998, {}, "at least 2 rows, to hold some out, got 1"),
        (LINEAR, {"tokens": [1, 2]}, "a token for each of the 3000 steps, got 2"),
        (LINEAR, {"tokens": ["x"] * 3000}, "tokens of at least 2 types"),
        (LINEAR, {"test_share": 1.0}, "test_share between 0 and 1"),
        (LINEAR, {"C": 0.0}, "C above 0"),
        (LINEAR, {"C": float("nan")}, "C above 0"),
        (LINEAR, {"limit": 0}, r"limit \(steps to fit on\) of at least 2, got 0"),
        (LINEAR, {"limit": -3}, "of at least 2, got -3"),
        (LINEAR, {"seed": -1}, "seed of at least 0, got -1"),
    ],
)
def test_wrong_labels(labels, options, says) -> None:
    with pytest.raises(ValueError, match=says):
        linear_probe(STATES, labels, **options)


@pytest.mark.parametrize(
    ("labels", "options", "says"),
    [
        ([{}] * 3000, {}, r"labels that are text, .* got \{\} \(dict\) at step 0 of all"),
        (LINEAR, {"tokens": [{1}] * 3000}, r"tokens that are text, .* got \{1\} \(set\)"),
        (LINEAR.reshape(100, 30, 1), {}, "labels that are text"),
        ([1j, 2j] * 1500, {}, "can be put in order, got complex"),
        (5, {}, "labels as a sequence, one a step or one sequence for each row, got 5"),
        (None, {}, "labels as a sequence"),
        ([*LINEAR.reshape(100, 30)[:99], 7], {}, "got 7 for row 99"),
        (LINEAR, {"test_share": "a quarter"}, "test_share between 0 and 1, got 'a quarter'"),
        (LINEAR, {"C": True}, "C above 0, or None, got True"),
        (LINEAR, {"limit": 1e4}, "as a whole number, got 10000.0"),
        (LINEAR, {"limit": True}, "as a whole number, got True"),
        (LINEAR, {"seed": "0"}, "seed as a whole number, got '0'"),
        (LINEAR, {"control": "no"}, "control to be True or False, got 'no'"),
    ],
)
def test_wrong_kinds_of_labels_and_options(labels, options, says) -> None:
    with pytest.raises(TypeError, match=says):
        linear_probe(STATES, labels, **options)


@pytest.mark.parametrize("bad", [np.nan, np.inf])
def test_states_that_are_no_numbers_are_refused_where_they_have_a_label(bad: float) -> None:
    values, labels = VALUES.copy(), LINEAR.astype(object)
    values[95, 2] = bad
    broken = States(values, STATES.offsets, STATES.labels)
    with pytest.raises(ValueError, match="got NaN or infinity at step 5 of row 3 and 0 more"):
        linear_probe(broken, labels)
    labels[95] = None
    assert linear_probe(broken, labels, control=False).accuracy > 0.95


@pytest.mark.parametrize("labels", [LINEAR, CENTRED[:, 0].astype(np.float64)], ids=["classes", "numbers"])
@pytest.mark.parametrize("limit", [2, np.int64(3)])
def test_a_sample_of_very_few_steps_is_fitted_without_a_warning(labels, limit) -> None:
    for seed in range(3):
        probe = linear_probe(STATES, labels, limit=limit, control=False, seed=seed)
        assert f"fitted on a sample of {limit} of" in probe.notes[0]


def test_labels_in_tensors_and_with_the_mark_of_pandas_for_what_is_missing() -> None:
    plain = linear_probe(STATES, LINEAR[:3000].tolist(), control=False)
    rows = [torch.tensor(each) for each in LINEAR.reshape(100, 30)]
    assert linear_probe(STATES, rows, control=False).to_dict() == plain.to_dict()
    assert linear_probe(STATES, [torch.tensor(each) for each in LINEAR], control=False).to_dict() == plain.to_dict()
    gaps = [pandas.NA if i % 3 == 0 else each for i, each in enumerate(LINEAR.tolist())]
    assert sum(linear_probe(STATES, gaps, control=False).steps) == 2000


def test_one_row_only_and_no_tokens() -> None:
    with pytest.raises(ValueError, match="at least 2 rows"):
        linear_probe(States(VALUES, np.array([0, 3000])), LINEAR)
    with pytest.raises(ValueError, match="give tokens or control=False"):
        linear_probe(States(VALUES, STATES.offsets), LINEAR)
