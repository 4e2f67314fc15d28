"""The mask stream: statistics, reproducibility, independence of the batch."""

import asyncio
import threading

import pytest
import torch

from memorycell.kernels import random as masks
from memorycell.kernels.random import bernoulli, keep_mask, mask_stream

PARTS = {"float32": torch.float32, "float64": torch.float64, "bfloat16": torch.bfloat16}


@pytest.mark.parametrize("p", [0.0, 0.1, 0.5, 0.9, 1.0])
def test_keep_mask_drops_with_probability_p_and_has_mean_one(p):
    torch.manual_seed(3)
    mask = keep_mask(400, 500, p, dtype=torch.float64)
    assert mask.shape == (400, 500)
    assert (mask == 0).double().mean().item() == pytest.approx(p, abs=4 * (p * (1 - p) / 2e5) ** 0.5)
    assert torch.unique(mask).numel() == (1 if p in (0.0, 1.0) else 2)
    if p < 1:
        assert mask.max().item() == pytest.approx(1 / (1 - p))


def test_rows_columns_and_calls_are_uncorrelated():
    with mask_stream(seed=1, step=2):
        first, second = bernoulli(256, 512, 0.5) - 0.5, bernoulli(256, 512, 0.5) - 0.5
    with mask_stream(seed=1, step=3):
        later = bernoulli(256, 512, 0.5) - 0.5
    with mask_stream(seed=2, step=2):
        other = bernoulli(256, 512, 0.5) - 0.5
    bound = 4 * 0.25 / (256 * 512) ** 0.5
    for a, b in [
        (first[1:], first[:-1]),
        (first[:, 1:], first[:, :-1]),
        (first, second),
        (first, later),
        (first, other),
    ]:
        assert abs((a * b).mean().item()) < bound
    assert first.mean(0).std().item() == pytest.approx(0.5 / 256**0.5, rel=0.2)
    assert first.mean(1).std().item() == pytest.approx(0.5 / 512**0.5, rel=0.2)


def test_a_stream_depends_on_seed_step_layer_and_row_alone():
    with mask_stream(5, 9):
        whole = [keep_mask(8, 6, 0.3), keep_mask(8, 4, 0.3)]
    torch.manual_seed(123)
    with mask_stream(5, 9):
        again = [keep_mask(3, 6, 0.3), keep_mask(3, 9, 0.3)]
    assert torch.equal(whole[0][:3], again[0])
    assert torch.equal(whole[1][:3], again[1][:, :4])
    with mask_stream(5, 9, row_offset=4):
        part = [keep_mask(4, 6, 0.3), keep_mask(4, 4, 0.3)]
    assert torch.equal(whole[0][4:], part[0]) and torch.equal(whole[1][4:], part[1])


def test_shared_masks_ignore_the_row_offset():
    with mask_stream(5, 9):
        whole = keep_mask(4, 6, 0.5, shared=True)
    with mask_stream(5, 9, row_offset=100):
        assert torch.equal(whole, keep_mask(4, 6, 0.5, shared=True))


def test_manual_seed_governs_masks_outside_a_stream_and_streams_leave_the_generator_alone():
    torch.manual_seed(11)
    first, second = keep_mask(4, 5, 0.5), keep_mask(4, 5, 0.5)
    torch.manual_seed(11)
    before = torch.get_rng_state()
    with mask_stream(0, 0):
        keep_mask(4, 5, 0.5)
    assert torch.equal(before, torch.get_rng_state())
    assert torch.equal(first, keep_mask(4, 5, 0.5)) and torch.equal(second, keep_mask(4, 5, 0.5))
    assert not torch.equal(first, second)


def test_streams_nest_and_close_after_an_exception():
    with mask_stream(0, 0):
        a = keep_mask(4, 8, 0.5)
        with mask_stream(0, 1):
            inner = keep_mask(4, 8, 0.5)
        b = keep_mask(4, 8, 0.5)
    with mask_stream(0, 0):
        assert torch.equal(a, keep_mask(4, 8, 0.5)) and torch.equal(b, keep_mask(4, 8, 0.5))
    with mask_stream(0, 1):
        assert torch.equal(inner, keep_mask(4, 8, 0.5))
    with pytest.raises(RuntimeError, match="inside"), mask_stream(0, 0):
        raise RuntimeError("inside")
    assert masks._current.get() is None


def test_streams_belong_to_their_thread_and_task():
    seen = []

    def look():
        seen.append(masks._current.get())

    async def look_from_tasks():
        async def one(step):
            with mask_stream(0, step):
                await asyncio.sleep(0)
                return keep_mask(2, 16, 0.5)

        return await asyncio.gather(one(0), one(1), one(0))

    with mask_stream(0, 0):
        thread = threading.Thread(target=look)
        thread.start()
        thread.join()
    assert seen == [None]
    a, b, c = asyncio.run(look_from_tasks())
    assert torch.equal(a, c) and not torch.equal(a, b)


def test_the_words_are_splitmix64():
    # The first numbers of the reference implementation from seed 0, and our tensor arithmetic beside it.
    assert masks._mix(masks._GOLDEN) == 0xE220A8397B1DCDAF
    assert masks._mix(2 * masks._GOLDEN) == 0x6E789E6AA1B965F4
    z = torch.tensor([masks._signed(k * masks._GOLDEN) for k in range(1, 200)])
    upper = [masks._mix(k * masks._GOLDEN) >> 33 for k in range(1, 200)]
    assert ((masks._mix_(z) >> 33) & ((1 << 31) - 1)).tolist() == upper


@pytest.mark.parametrize("dtype", PARTS.values(), ids=PARTS)
def test_masks_take_the_dtype_and_the_default_dtype(dtype):
    assert keep_mask(2, 3, 0.5, dtype=dtype).dtype is dtype
    assert bernoulli(2, 3, 1.0, dtype=dtype).dtype is dtype
    assert keep_mask(2, 3, 0.5).dtype is torch.get_default_dtype()


@pytest.mark.parametrize(("rows", "width"), [(0, 3), (3, 0), (0, 0)])
def test_empty_masks(rows, width):
    assert keep_mask(rows, width, 0.5).shape == (rows, width)


@pytest.mark.parametrize("p", [-0.1, 1.1, float("nan")])
def test_a_probability_outside_0_to_1_is_refused(p):
    for draw in (keep_mask, bernoulli):
        with pytest.raises(ValueError, match=r"expected a probability p from 0 to 1"):
            draw(2, 2, p)
