"""Going on from a checkpoint with other data of the same shape: refused, in every task."""

import json

import numpy as np
import pytest
import torch
from toys import Line, Points, seeded

from memorycell import Forecaster, LanguageModel, SequenceClassifier, SequenceRegressor, Tagger
from memorycell.data.content import fingerprint
from memorycell.data.ragged import Ragged
from memorycell.data.sequences import SequenceDataset
from memorycell.data.streams import SampleStream
from memorycell.training import TrainingOptions, files, train

QUICK = {"epochs": 1, "random_state": 1, "hidden_size": 2, "verbose": False}
NUMBERS = np.round(np.cumsum(np.random.default_rng(0).normal(size=60)), 2)
TEXTS = ["a good one", "a bad one", "good", "bad", "one good day", "one bad day"] * 3
LABELS = ["yes", "no"] * 9
SERIES = np.random.default_rng(1).normal(size=(12, 5, 2))
WORDS, TAGS = [["Ann", "runs"], ["Bob", "sits", "down"]] * 6, [["N", "V"], ["N", "V", "P"]] * 6
BOOK = "it was a cold day, and all the clocks were late\n" * 12


def swapped(values, *places):
    found = values.copy()
    for place in places:
        found[place], found[place + 1] = values[place + 1], values[place]
    return found


def flipped(values, place, value):
    return [*values[:place], value, *values[place + 1 :]]


# What makes a task, what it is fitted on, and what is not that.
TASKS = {
    "forecast": (
        lambda: Forecaster(window=4, **QUICK),
        ({"y": NUMBERS}, "y"),
        [({"y": swapped(NUMBERS, 9)}, "y"), ({"y": 2 * NUMBERS}, "y"), ({"y": [*NUMBERS[:-1], 0.0]}, "y")],
    ),
    "forecast, carried": (
        lambda: Forecaster(state="carried", **QUICK),
        ({"y": NUMBERS}, "y"),
        [({"y": swapped(NUMBERS, 9)}, "y")],
    ),
    "classify": (
        lambda: SequenceClassifier(**QUICK),
        (TEXTS, LABELS),
        [(TEXTS, flipped(LABELS, 0, "no")), (swapped(TEXTS, 0), LABELS), (TEXTS, [each.upper() for each in LABELS])],
    ),
    "regress": (
        lambda: SequenceRegressor(**QUICK),
        (SERIES, SERIES.sum((1, 2))),
        [(2 * SERIES, SERIES.sum((1, 2))), (SERIES, 2 * SERIES.sum((1, 2))), (SERIES[::-1], SERIES.sum((1, 2)))],
    ),
    "tag": (
        lambda: Tagger(**QUICK),
        (WORDS, TAGS),
        [(WORDS, flipped(TAGS, 2, ["V", "V"])), (flipped(WORDS, 0, ["Bob", "runs"]), TAGS)],
    ),
    "language": (
        lambda: LanguageModel(unit="character", bptt=8, **QUICK),
        (BOOK,),
        [(BOOK.replace("cold", "clod", 1),), (BOOK[::-1],)],
    ),
}


@pytest.mark.parametrize("name", TASKS)
def test_other_data_of_the_same_size_are_refused(tmp_path, name):
    make, given, others = TASKS[name]
    path = tmp_path / "run"
    make().fit(*given, checkpoint=path)
    before = path.read_bytes()
    for other in others:
        with pytest.raises(ValueError, match=r"checkpoint .*run.* on other data: of the same size, but the .* differ"):
            make().fit(*other, checkpoint=path)
    assert path.read_bytes() == before
    assert make().fit(*given, checkpoint=path).history_  # itself goes on


def test_other_weights_to_begin_with_are_refused(tmp_path):
    first, other = (Forecaster(window=4, **QUICK).fit({"y": NUMBERS + add}, "y") for add in (0, np.arange(60) % 7))
    path = tmp_path / "run"
    Forecaster(window=4, **QUICK).fit({"y": NUMBERS}, "y", init_from=first, checkpoint=path)
    with pytest.raises(ValueError, match="the weights that it begins with differ"):
        Forecaster(window=4, **QUICK).fit({"y": NUMBERS}, "y", init_from=other, checkpoint=path)


def test_a_checkpoint_of_an_older_release_goes_on_with_a_note(tmp_path):
    make, given, _ = TASKS["classify"]
    path = tmp_path / "run"
    make().fit(*given, checkpoint=path)
    header, tensors = files.read_tensors(path)
    content = json.loads(header["memorycell_checkpoint"])
    content["fingerprint"] = {name: value for name, value in content["fingerprint"].items() if "content" not in name}
    del content["checksum"]
    files.write_tensors(path, tensors, {"memorycell_checkpoint": json.dumps(content)})
    model = make().fit(*given, checkpoint=path)
    assert any("older release" in note["text"] for note in model.notes_ if note["kind"] == "resume")


def test_of_many_labels_one_that_is_flipped_is_seen():
    labels = torch.zeros(1_000_000, dtype=torch.int64)
    steps = Ragged(torch.arange(1_000_000, dtype=torch.float32), torch.arange(1_000_001))
    before = fingerprint(SequenceDataset({"steps": steps}, labels).content())
    for place in (0, 524_287, 524_288, 999_999):
        labels[place] = 1
        assert fingerprint(SequenceDataset({"steps": steps}, labels).content()) != before
        labels[place] = 0
    assert fingerprint(SequenceDataset({"steps": steps}, labels).content()) == before
    bounds = torch.tensor([0, 2, *range(2, 1_000_001)])
    assert fingerprint([("steps", Ragged(steps.values, bounds))]) != fingerprint([("steps", steps)])


def test_values_are_told_from_others_by_every_byte_and_their_kind():
    rows = np.arange(12.0).reshape(3, 4)
    same = [("x", rows)], [("x", torch.from_numpy(rows))], [("x", np.asfortranarray(rows))]
    assert len({fingerprint(each) for each in same}) == 1
    other = (
        [("y", rows)],
        [("x", rows.T)],
        [("x", rows.astype(np.float32))],
        [("x", rows[::-1])],
        [("x", rows), ("y", 1)],
    )
    assert len({fingerprint(each) for each in (same[0], *other)}) == 6
    half = torch.arange(4).bfloat16()
    assert fingerprint([("x", half)]) != fingerprint([("x", half + 1)])


def test_a_data_set_that_does_not_tell_is_compared_by_its_size(tmp_path):
    class Silent:
        def __init__(self, points):
            self.points = points

        def __len__(self):
            return len(self.points)

        def gather(self, rows):
            return self.points.gather(rows)

    options = TrainingOptions(epochs=1, n_threads=1)
    for seed in (0, 1):
        train(seeded(Line), SampleStream(Silent(Points(seed=seed)), 16), options, checkpoint=tmp_path / "run")
