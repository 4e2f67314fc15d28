"""Layers, cells, streams and operators on tensors that nobody means: torch's answer, or a sentence; never a crash.

A few thousand drawn calls here and more in the long run: what torch's own layer says of the same call decides.
"""

from __future__ import annotations

import copy
import functools
import random
import warnings

import numpy as np
import pytest
import torch
from torch import nn
from torch.nn.utils.rnn import PackedSequence, pack_sequence

from memorycell import layers

pytestmark = [pytest.mark.library, pytest.mark.usefixtures("one_thread")]
FEW, MANY = 1_700, 170_000  # drawn calls of each entry
SENTENCES = (TypeError, ValueError, RuntimeError, IndexError, MemoryError, NotImplementedError)
MODES = ("LSTM", "GRU", "RNN")


@functools.cache
def pair(name: str, **kind: object) -> tuple[nn.Module, nn.Module]:
    """Ours and torch's, with the same weights; made once, as making takes longer than calling."""
    ours, theirs = getattr(layers, name)(3, 4, **kind), getattr(nn, name)(3, 4, **kind)
    theirs.load_state_dict(ours.state_dict())
    return ours, theirs


def drawn_tensor(rng: random.Random, shape: tuple[int, ...]) -> torch.Tensor:
    """A tensor of the shape, or nearly, that is usual three times in four."""
    values = torch.linspace(-2, 2, max(1, int(np.prod(shape)))).view(-1)[: int(np.prod(shape))].view(shape)
    kind = rng.randrange(24)
    makers = {
        0: lambda: values.double(),
        1: lambda: values.half(),
        2: lambda: values.to(torch.int32),
        3: lambda: torch.empty(shape, device="meta"),
        4: lambda: torch._efficientzerotensor(shape),
        5: lambda: torch._neg_view(values),
        6: lambda: values.unsqueeze(-1)[..., 0],
        7: lambda: values.flip(0) if len(shape) else values,
        8: lambda: values[..., :-1],
        9: lambda: values[:0] if len(shape) else values,
        10: lambda: values.unsqueeze(0),
        11: lambda: values.masked_fill(values > 1, float("inf")),
        12: lambda: values * float("nan"),
        13: lambda: values[:1].expand(shape) if len(shape) else values,
        14: lambda: values.to(torch.complex64),
        15: lambda: values.to_sparse() if len(shape) else values,
        16: lambda: values.transpose(0, -1).contiguous().transpose(0, -1) if len(shape) > 1 else values,
        17: lambda: torch.as_strided(torch.zeros(1), shape, (0,) * len(shape)),
    }
    return makers.get(kind, lambda: values.clone())()


def drawn_packed(rng: random.Random, width: int) -> PackedSequence:
    packed = pack_sequence([torch.randn(n, width) for n in (2, 4, 1)], enforce_sorted=False)
    data, sizes, order, _ = packed
    spoilt = {
        0: lambda t: t.to(torch.int32),
        1: lambda t: t.float(),
        2: lambda t: torch.stack([t, t], 1)[:, 0],
        3: lambda t: torch.zeros_like(t),
        4: lambda t: t + 7,
        5: lambda t: -t,
        6: lambda t: t[:-1],
        7: lambda t: t.flip(0),
        8: lambda t: t.unsqueeze(0),
        9: lambda t: torch.cat([t, t]),
        10: lambda t: torch.full_like(t, 1 << 40),
    }
    change = spoilt.get(rng.randrange(14), lambda t: t)
    which = rng.randrange(3)
    if which == 0:
        sizes = change(sizes)
    elif which == 1:
        order = change(order)
    else:
        data = drawn_tensor(rng, tuple(data.shape))
    made = packed._replace(data=data)
    return made._replace(batch_sizes=sizes, sorted_indices=order)


def flat(result: object) -> list[torch.Tensor]:
    if isinstance(result, PackedSequence):
        return [result.data]
    return [result] if isinstance(result, torch.Tensor) else [t for part in result for t in flat(part)]


def plain(value):
    """The same numbers in order: torch's own kernels misread some strides."""
    if isinstance(value, PackedSequence):
        return value._replace(data=plain(value.data))
    if isinstance(value, tuple):
        return tuple(map(plain, value))
    strided = isinstance(value, torch.Tensor) and value.layout is torch.strided and value.device.type == "cpu"
    return torch.zeros_like(value) if strided and value._is_zerotensor() else value.clone() if strided else value


def answer(run) -> list[torch.Tensor] | Exception:
    try:
        found = flat(run())
        return [t.detach() for t in found]
    except SENTENCES as error:
        assert str(error), "an error without a word"
        return error


def compare(ours, run, said: str) -> None:
    """Where ours answers, torch's answer is the same, if it has one: it crashes on some of what ours refuses."""
    theirs = ours if isinstance(ours, Exception) else answer(run)
    if isinstance(theirs, Exception):
        return
    assert len(ours) == len(theirs), said
    for a, b in zip(ours, theirs, strict=True):
        if a.device.type == "cpu" and b.device.type == "cpu":
            free = b.isnan()  # of infinities torch makes NaN, ours no more of them
            a, b = a.masked_fill(free, 0), b.masked_fill(free, 0)
            assert a.shape == b.shape and torch.allclose(a.to(b.dtype), b, atol=1e-4, rtol=1e-3), said


def call_layers(seed: int) -> None:
    torch.manual_seed(seed)
    rng = random.Random(seed)  # noqa: S311 - drawn calls, no secret
    mode, both, batch_first, count = rng.choice(MODES), rng.random() < 0.3, rng.random() < 0.5, rng.choice((1, 2))
    kind = {"bidirectional": both, "batch_first": batch_first, "num_layers": count}
    ours, theirs = pair(mode, **kind)
    shape = (2, 5, 3) if batch_first else (5, 2, 3)
    x = drawn_packed(rng, 3) if rng.random() < 0.4 else drawn_tensor(rng, shape)
    rows = 3 if isinstance(x, PackedSequence) else 2
    state = None
    if rng.random() < 0.4:
        parts = [drawn_tensor(rng, (count * (1 + both), rows, 4)) for _ in range(2 if mode == "LSTM" else 1)]
        state = tuple(parts) if mode == "LSTM" else parts[0]
    if rng.random() < 0.1:
        name = rng.choice(list(ours._parameters))
        spoilt = drawn_tensor(rng, tuple(ours._parameters[name].shape))
        ours = copy.deepcopy(ours)
        theirs = getattr(layers, mode)(3, 4, **kind, backend="reference")  # torch's own kernels crash on some of these
        theirs.load_state_dict(ours.state_dict())
        ours._parameters[name] = nn.Parameter(spoilt, requires_grad=False)
        theirs._parameters[name] = nn.Parameter(plain(spoilt), requires_grad=False)
    with torch.set_grad_enabled(rng.random() < 0.5):
        compare(answer(lambda: ours(x, state)), lambda: theirs(*map(plain, (x, state))), f"seed {seed}")


def call_with_lengths(seed: int) -> None:
    torch.manual_seed(seed)
    rng = random.Random(seed)  # noqa: S311 - drawn calls, no secret
    layer = pair(rng.choice(MODES), batch_first=True)[0]
    odd = [5, 0, -1, 6, 1 << 40, True, 2.5, float("nan"), "2", None, [1], torch.tensor(3)]
    lengths = [rng.choice([*odd[:2], 3, 4] if rng.random() < 0.7 else odd) for _ in range(rng.choice((2, 2, 2, 1, 3)))]
    given = lengths
    if rng.random() < 0.5:
        try:
            given = torch.as_tensor(lengths)
        except (TypeError, ValueError, RuntimeError):
            given = lengths
    x = drawn_tensor(rng, (2, 5, 3))
    found = answer(lambda: layer(x, lengths=given))
    if not isinstance(found, Exception) and found[0].device.type == "cpu":
        for row, steps in enumerate(lengths):
            whole = (
                answer(lambda row=row, steps=steps: layer(x[row : row + 1, : int(steps)].contiguous())[0])
                if steps
                else []
            )
            if isinstance(whole, list) and steps:
                assert torch.allclose(found[0][row : row + 1, : int(steps)], whole[0], equal_nan=True), f"seed {seed}"


def call_tokens(seed: int) -> None:
    torch.manual_seed(seed)
    rng = random.Random(seed)  # noqa: S311 - drawn calls, no secret
    layer = pair(rng.choice(MODES), batch_first=True)[0]
    table = nn.Embedding(6, 3) if rng.random() < 0.5 else drawn_tensor(rng, (6, 3))
    ids = torch.tensor([[rng.choice([0, 5, 3, rng.choice([0, 6, -1, 1 << 40])]) for _ in range(4)] for _ in range(2)])
    ids = rng.choice([ids, ids, ids.int(), ids.t().contiguous().t(), ids[:, :0], ids.float(), ids.short()])
    lengths = rng.choice([None, [4, 2], [0, 0]])
    found = answer(lambda: layer(ids, embedding=table, lengths=lengths))
    if isinstance(found, list) and lengths is None:
        weight = table.weight if isinstance(table, nn.Embedding) else table
        compare(found, lambda: layer(weight[ids.long()]), f"seed {seed}")


def call_cells(seed: int) -> None:
    torch.manual_seed(seed)
    rng = random.Random(seed)  # noqa: S311 - drawn calls, no secret
    mode = rng.choice(MODES) + "Cell"
    ours, theirs = pair(mode)
    x = drawn_tensor(rng, (2, 3))
    parts = [drawn_tensor(rng, (2, 4)) for _ in range(2 if mode == "LSTMCell" else 1)]
    state = None if rng.random() < 0.5 else tuple(parts) if mode == "LSTMCell" else parts[0]
    with torch.set_grad_enabled(rng.random() < 0.5):
        compare(answer(lambda: ours(x, state)), lambda: theirs(*map(plain, (x, state))), f"seed {seed}")


def call_streams(seed: int) -> None:
    torch.manual_seed(seed)
    rng = random.Random(seed)  # noqa: S311 - drawn calls, no secret
    layer = pair(rng.choice(MODES))[0]
    stream = layer.stream(2, rng.choice([None, None, "bfloat16", "int8"]))
    x = drawn_tensor(rng, (2, 3))
    out = rng.choice([None, None, drawn_tensor(rng, (2, 4))])
    if rng.random() < 0.3:
        state = tuple(drawn_tensor(rng, (1, 2, 4)) for _ in range(2 if layer.mode == "LSTM" else 1))
        answer(lambda: setattr(stream, "state", state if len(state) == 2 else state[0]) or [])
    before = stream.state
    found = answer(lambda: stream.step(x, out))
    if isinstance(found, list) and stream._precision is None and x.device.type == "cpu":
        compare(found, lambda: layer.step(x, before)[0], f"seed {seed}")


def call_operators(seed: int) -> None:
    """torch.ops.memorycell.*, with one of its arguments spoilt."""
    torch.manual_seed(seed)
    rng = random.Random(seed)  # noqa: S311 - drawn calls, no secret
    layer = pair("LSTM", bidirectional=rng.random() < 0.5)[0]
    packed = pack_sequence([torch.randn(n, 3) for n in (2, 4, 1)], enforce_sorted=False)
    spec = [*layer.fused_spec, 0, 1, 0, 4, 3, 7, 0, *layer.fused_variant]
    ragged = [packed.batch_sizes, packed.sorted_indices]
    arguments = [spec, [0.0, 0.0], packed.data, [], ragged, [p.detach() for p in layer.parameters()], []]
    results = torch.ops.memorycell.forward(*arguments, True)
    outputs, final, reserve = results[:1], results[1:-1], results[-1]
    back = [*arguments, outputs, reserve, [torch.ones_like(t) for t in (outputs[-1], *final)], [True, False, True]]
    whole = back if rng.random() < 0.5 else [*arguments, True]
    place = rng.randrange(len(whole))
    value = whole[place]

    def spoil(value):
        if isinstance(value, list) and value and isinstance(value[0], torch.Tensor):
            at = rng.randrange(len(value))
            changed = (
                drawn_tensor(rng, tuple(value[at].shape))
                if value[at].is_floating_point()
                else rng.choice(
                    [value[at].int(), value[at] + 5, -value[at], value[at][:-1], value[at].flip(0), value[at] * 0]
                )
            )
            return rng.choice([[*value[:at], changed, *value[at + 1 :]], value[:-1], [*value, value[0]]])
        if isinstance(value, torch.Tensor):
            return drawn_tensor(rng, tuple(value.shape))
        if isinstance(value, list) and value and not isinstance(value[0], float):
            at = rng.randrange(len(value))
            return [*value[:at], rng.choice([0, 1, 2, -1, 5, 7, 1 << 40]), *value[at + 1 :]]
        return value

    whole = [*whole[:place], spoil(value), *whole[place + 1 :]]
    operator = torch.ops.memorycell.backward if len(whole) > 8 else torch.ops.memorycell.forward
    with torch.no_grad():
        try:
            operator(*whole)
        except (*SENTENCES, AssertionError, KeyError) as error:
            assert not isinstance(error, (AssertionError, KeyError)), f"seed {seed}: {error!r}"


@pytest.fixture
def one_thread():
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)


ENTRIES = (call_layers, call_with_lengths, call_tokens, call_cells, call_streams, call_operators)


@pytest.mark.parametrize("entry", ENTRIES, ids=lambda entry: entry.__name__)
def test_hostile_calls(entry) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        for seed in range(FEW):
            entry(seed)


@pytest.mark.long
@pytest.mark.parametrize("entry", ENTRIES, ids=lambda entry: entry.__name__)
def test_many_hostile_calls(entry) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        for seed in range(FEW, MANY):
            entry(seed)
