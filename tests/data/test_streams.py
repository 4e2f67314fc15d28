"""Orders of samples and chunks: complete, repeatable, resumable."""

import numpy as np
import pytest
import torch

from memorycell.data.batch import Batch, BatchStream
from memorycell.data.streams import CarriedStream, SampleStream


class Numbers:
    def __init__(self, count):
        self.count, self.gathered = count, 0

    def __len__(self):
        return self.count

    def gather(self, rows):
        self.gathered += 1
        return Batch({"x": rows.float()}, rows=rows)

    def gather_steps(self, rows, lengths):
        self.gathered += 1
        return Batch({"x": rows.float()}, lengths={"x": lengths}, rows=rows)


def _rows(stream, epoch=0, start=0):
    return [batch.rows.tolist() for batch in stream.batches(epoch, start)]


@pytest.mark.parametrize("drop_last", [False, True])
@pytest.mark.parametrize("lengths", [None, np.arange(103) % 17])
@pytest.mark.parametrize("shuffle", [True, False])
def test_every_sample_once_an_epoch(shuffle, lengths, drop_last):
    stream = SampleStream(Numbers(103), 8, shuffle=shuffle, lengths=lengths, drop_last=drop_last, seed=3)
    seen = _rows(stream, epoch=2)
    assert len(seen) == len(stream) == (12 if drop_last else 13)
    flat = [row for batch in seen for row in batch]
    assert len(set(flat)) == len(flat) == (96 if drop_last else 103)
    assert all(len(batch) == 8 for batch in seen) or not drop_last
    assert isinstance(stream, BatchStream)


def test_order_is_a_function_of_seed_and_epoch():
    stream = SampleStream(Numbers(50), 7, seed=1)
    assert _rows(stream, 4) == _rows(SampleStream(Numbers(50), 7, seed=1), 4)
    assert _rows(stream, 4) != _rows(stream, 5)
    assert _rows(stream, 4) != _rows(SampleStream(Numbers(50), 7, seed=2), 4)
    assert _rows(SampleStream(Numbers(50), 7, seed=-1))
    torch.manual_seed(0)
    before = torch.get_rng_state()
    _rows(stream)
    assert torch.equal(before, torch.get_rng_state())


@pytest.mark.parametrize("lengths", [None, np.arange(50) % 5])
def test_starting_later_gathers_nothing_earlier(lengths):
    stream = SampleStream(Numbers(50), 7, lengths=lengths)
    assert _rows(stream, 1, start=5) == _rows(stream, 1)[5:]
    stream.dataset.gathered = 0
    assert _rows(stream, 1, start=len(stream)) == [] and stream.dataset.gathered == 0


def test_buckets_hold_similar_lengths():
    lengths = np.random.default_rng(0).integers(1, 500, 4000)
    stream = SampleStream(Numbers(4000), 16, lengths=lengths)
    batches = _rows(stream)
    waste = sum(lengths[rows].max() * len(rows) for rows in batches) / lengths.sum()
    assert waste < 1.05
    firsts = [lengths[rows].max() for rows in batches[:50]]
    assert firsts != sorted(firsts)


@pytest.mark.parametrize(
    "make",
    [
        lambda: SampleStream(Numbers(3), 0),
        lambda: SampleStream(Numbers(3), 2, lengths=[1, 2]),
        lambda: CarriedStream(Numbers(3), [(0, 3)], 0, 2),
        lambda: CarriedStream(Numbers(3), [(0, 3)], 1, 0),
        lambda: CarriedStream(Numbers(3), [(2, 2)], 1, 1),
        lambda: CarriedStream(Numbers(3), [], 1, 1),
    ],
)
def test_wrong_arguments_are_named(make):
    with pytest.raises(ValueError, match="expected"):
        make()


def test_no_samples_are_no_batches():
    assert _rows(SampleStream(Numbers(0), 4)) == [] and len(SampleStream(Numbers(0), 4)) == 0


RANGES = [(0, 23), (23, 24), (24, 60), (60, 67), (70, 100)]


@pytest.mark.parametrize("cut", [True, False])
@pytest.mark.parametrize("batch_size", [1, 2, 3, 8])
@pytest.mark.parametrize("length", [1, 5, 40])
def test_every_step_once_in_the_order_of_its_series(batch_size, length, cut):
    stream = CarriedStream(Numbers(100), RANGES, batch_size, length, cut=cut, seed=5)
    pieces = {start for start, _ in RANGES}
    ends, seen = {}, []
    for number, batch in enumerate(stream.batches(epoch=3)):
        for row, (steps, count, restart) in enumerate(
            zip(batch.rows.tolist(), batch.lengths["x"].tolist(), batch.restart.tolist(), strict=True)
        ):
            assert len(steps) == length and all(0 <= step < 100 for step in steps)
            assert restart or not count or steps[0] == ends[row]  # goes on where it was
            assert not (restart and not cut) or steps[0] in pieces
            assert number or restart
            if count:
                assert steps[:count] == list(range(steps[0], steps[0] + count))
                ends[row] = steps[0] + count
            seen += steps[:count]
    assert sorted(seen) == [step for start, stop in RANGES for step in range(start, stop)]
    assert number + 1 == len(stream)


def test_a_corpus_fills_its_tracks_evenly():
    stream = CarriedStream(Numbers(1000), [(0, 1000)], 4, 10, shuffle=False)
    batches = list(stream.batches(0))
    assert len(batches) == 25 and stream.batch_size == 4
    assert all(batch.lengths["x"].tolist() == [10] * 4 for batch in batches)
    assert [bool(batch.restart.any()) for batch in batches] == [True] + [False] * 24


def test_carried_order_is_repeatable_and_resumable():
    stream = CarriedStream(Numbers(100), RANGES, 2, 5, cut=False, seed=1)
    assert _rows(stream, 2) == _rows(stream, 2) and _rows(stream, 2, start=3) == _rows(stream, 2)[3:]
    assert any(_rows(stream, epoch) != _rows(stream, 0) for epoch in range(1, 5))
    assert _rows(stream, 0, start=len(stream)) == []
