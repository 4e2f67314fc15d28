"""Folds: every row is tested once, classes are shared out, groups and times stay apart."""

from itertools import pairwise

import numpy as np
import pytest

from memorycell.evaluation.folds import make_folds, missing_rows, take


def test_every_row_is_tested_once_and_never_trained_on_in_its_fold() -> None:
    labels = np.random.default_rng(0).integers(0, 3, 53)
    for arguments in ({}, {"labels": labels}, {"groups": np.arange(53) % 11}, {"blocks": True}):
        folds = make_folds(53, 5, **arguments)
        assert sorted(np.concatenate([test for _, test in folds.splits]).tolist()) == list(range(53))
        for train, test in folds.splits:
            assert sorted([*train, *test]) == list(range(53))
            assert train.dtype == test.dtype == np.int64


def test_classes_are_shared_out() -> None:
    labels = np.array(["rare"] * 10 + ["common"] * 90)
    folds = make_folds(100, 5, labels=labels)
    assert folds.kind == "stratified"
    assert [(labels[test] == "rare").sum() for _, test in folds.splits] == [2] * 5


def test_no_group_is_on_both_sides() -> None:
    generator = np.random.default_rng(1)
    groups, labels = generator.choice(["ann", "bob", "cid", "dee", "eve", "fay"], 80), generator.integers(0, 2, 80)
    for given, kind in ((None, "grouped"), (labels, "stratified and grouped")):
        folds = make_folds(80, 3, labels=given, groups=groups.tolist())
        assert folds.kind == kind
        for train, test in folds.splits:
            assert not set(groups[train]) & set(groups[test])


def test_time_goes_forward_and_ties_are_not_parted() -> None:
    times = np.random.default_rng(2).integers(0, 12, 100)
    folds = make_folds(100, 4, order=times)
    assert folds.kind == "time-ordered"
    for train, test in folds.splits:
        assert times[train].max() < times[test].min()
        assert 5 <= len(test) <= 40
    for (_, before), (train, _) in pairwise(folds.splits):
        assert set(before) <= set(train)
    assert max(times[folds.splits[-1][1]]) == times.max()


def test_dates_and_one_heavy_tie() -> None:
    dates = np.array(["2024-01-01"] * 20 + ["2024-01-02", "2024-01-03", "2024-01-04"], "datetime64[D]")
    folds = make_folds(23, 3, order=dates)
    assert [(len(train), len(test)) for train, test in folds.splits] == [(20, 1), (21, 1), (22, 1)]


def test_the_seed_decides() -> None:
    first, again, other = (make_folds(40, 4, labels=np.arange(40) % 2, seed=seed).splits for seed in (0, 0, 1))
    assert all((a[1] == b[1]).all() for a, b in zip(first, again, strict=True))
    assert any((a[1] != b[1]).any() for a, b in zip(first, other, strict=True))


def test_a_rare_class_means_fewer_folds_and_says_so() -> None:
    folds = make_folds(23, 5, labels=["a"] * 20 + ["b"] * 3)
    assert len(folds) == 3
    assert folds.notes == ["3 folds instead of 5: class 'b' has 3 rows only"]


def test_a_class_of_one_group_is_named() -> None:
    folds = make_folds(8, 2, labels=list("aaaaaabb"), groups=[1, 1, 2, 2, 3, 3, 4, 4])
    assert folds.notes == ["class 'b' is found in one group only: where that group is tested, training has none of it"]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"folds": 1}, "at least 2 folds, got 1"),
        ({"folds": 2.5}, "at least 2 folds, got 2.5"),
        ({"folds": 9}, r"as folds \(9\), got 6"),
        ({"labels": list("aaaaaa")}, "at least two classes, got only 'a'"),
        ({"labels": list("aaaaab")}, "got 1 of class 'b'"),
        ({"labels": list("aaaabc")}, "got 1 of class 'b' and 1 more"),
        ({"labels": ["a", None, "a", "b", "b", None]}, r"got 2 missing \(first: row 1\): leave those rows out"),
        ({"labels": [1.0, 0.0, float("nan"), 1.0, 0.0, 1.0]}, r"got 1 missing \(first: row 2\)"),
        ({"labels": ["a", "a", "b", 1, 1, "b"]}, "one type, got numbers and text"),
        ({"labels": list("ab")}, "a label for each of 6 rows, got 2"),
        ({"folds": 3, "groups": [1, 1, 1, 2, 2, 2]}, "at least 3 groups for 3 folds, got 2"),
        ({"groups": [1, 1, 1, 2, 2, None]}, "expected a group in each row, got 1 missing"),
        ({"groups": [1, 1, 2, 2, 3, 3], "labels": list("aaaaaa")}, "at least two classes"),
        ({"groups": range(6), "order": range(6)}, "groups or order, got both"),
        ({"folds": 3, "order": [1, 1, 2, 2, 3, 3]}, r"more different times than folds \(3\), got 3"),
        ({"order": [1, 2, 3, None, 5, 6]}, "expected a time in each row"),
    ],
)
def test_wrong_input(arguments: dict, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        make_folds(6, **{"folds": 2, **arguments})


def test_take_keeps_the_kind_of_thing() -> None:
    import pandas as pd

    assert take(("a", "b", "c"), np.array([2])) == ("c",)
    assert take(np.zeros((4, 3, 2)), [0, 3]).shape == (2, 3, 2)
    assert take(pd.Series(["x", "y"], index=[7, 3]), [1]).tolist() == ["y"]
    ragged = [np.zeros(3), np.ones(2)]
    assert take(ragged, [1])[0] is ragged[1]


def test_what_is_missing() -> None:
    assert missing_rows(np.array([1, 2])).tolist() == []
    assert missing_rows([np.datetime64("NaT"), np.datetime64("2024-01-01"), " ", 0, False]).tolist() == [0, 2]
