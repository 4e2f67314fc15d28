import numpy as np
import pytest
import torch

from memorycell.data.text.language_stream import LanguageStream


def counted(batch):
    """The targets that count."""
    return batch.targets if batch.weights is None else batch.targets[batch.weights > 0]


@pytest.mark.parametrize("count", [2, 3, 17, 100, 103, 500])
@pytest.mark.parametrize(("rows", "length"), [(1, 1), (1, 7), (4, 7), (7, 3), (100, 5)])
@pytest.mark.parametrize("vary", [False, True])
def test_every_token_but_the_first_is_a_target_once_an_epoch(count, rows, length, vary):
    stream = LanguageStream(torch.arange(count), rows, length, vary=vary, seed=5)
    for epoch in range(4):
        batches = list(stream.batches(epoch))
        assert len(batches) == len(stream)
        assert sorted(torch.cat([counted(batch).flatten() for batch in batches]).tolist()) == list(range(1, count))


@pytest.mark.parametrize("vary", [False, True])
def test_rows_go_on_where_they_ended_and_targets_are_the_next_tokens(vary):
    stream = LanguageStream(torch.arange(1000), 4, 9, vary=vary)
    last = None
    for batch in stream.batches(epoch=2):
        tokens = batch.inputs["tokens"]
        assert bool(batch.restart.all()) == bool(batch.restart.any()) == (last is None)
        if last is not None:
            assert torch.equal(tokens[:, 0], last)
        steps = torch.ones_like(tokens) if batch.weights is None else batch.weights
        assert torch.equal(batch.targets[steps > 0], tokens[steps > 0] + 1)
        last = batch.targets[:, -1]


def test_lengths_vary_about_the_length_and_from_epoch_to_epoch():
    stream = LanguageStream(torch.arange(40_001), 4, 35, seed=1)
    lengths = [[batch.targets.shape[1] for batch in stream.batches(epoch)] for epoch in (0, 1)]
    assert lengths[0] != lengths[1]
    assert sum(lengths[0]) == sum(lengths[1]) == 10_000
    assert 33 < np.median(lengths[0]) < 38
    assert min(lengths[0]) < 25 and max(lengths[0]) < 60
    short = np.mean([length < 25 for length in [*lengths[0], *lengths[1]]])
    assert 0.01 < short < 0.1


def test_an_epoch_is_a_pure_function_of_seed_and_epoch_and_can_be_entered_anywhere():
    def targets(seed, epoch, start=0):
        stream = LanguageStream(torch.arange(500), 3, 8, seed=seed)
        return [batch.targets.tolist() for batch in stream.batches(epoch, start)]

    assert targets(1, 4) == targets(1, 4)
    assert targets(1, 4) != targets(2, 4)
    assert targets(1, 4, start=5) == targets(1, 4)[5:]


def test_a_memory_mapped_file_is_read_chunk_by_chunk(tmp_path):
    path = tmp_path / "ids.bin"
    np.arange(300, dtype="<u2").tofile(path)
    mapped = LanguageStream(np.memmap(path, "<u2", "r"), 3, 10)
    whole = LanguageStream(torch.arange(300), 3, 10)
    for ours, theirs in zip(mapped.batches(1), whole.batches(1), strict=True):
        assert ours.targets.dtype == torch.int64
        assert torch.equal(ours.targets, theirs.targets)


@pytest.mark.parametrize(
    ("count", "rows", "length", "said"),
    [
        (1, 1, 1, "at least 2 tokens to predict one from another, got 1"),
        (9, 0, 1, "batch_size of at least 1, got 0"),
        (9, 1, 0, "length of at least 1, got 0"),
    ],
)
def test_texts_and_sizes_that_are_too_small_raise(count, rows, length, said):
    with pytest.raises(ValueError, match=said):
        LanguageStream(torch.arange(count), rows, length)
