"""Every variant: gradients, ragged rows, traces, steps and streams, and the equations written out by hand."""

import pytest
import torch
from recurrent_cases import VARIANTS, excite, parts, random_state
from torch.nn.utils.rnn import PackedSequence, pack_sequence, pad_packed_sequence

from memorycell.kernels.random import mask_stream
from memorycell.layers import GRU, LSTM, GRUCell, LSTMCell, RNNCell
from memorycell.layers.draws import draw

# Torch says once a process that it runs projections without oneDNN.
pytestmark = pytest.mark.filterwarnings("ignore:LSTM with projections")
ALL = pytest.mark.parametrize("case", VARIANTS)
SHAPES = {"one-layer": {}, "deep-both-ways": {"num_layers": 2, "bidirectional": True, "dropout": 0.3}}
SHAPED = pytest.mark.parametrize("shape", SHAPES.values(), ids=SHAPES)


def build(case, **kwargs):
    torch.manual_seed(0)
    layer_type, variant = VARIANTS[case]
    return excite(layer_type(3, 5, **variant, **kwargs))


@ALL
@pytest.mark.parametrize("training", [True, False])
def test_gradcheck(case, training):
    layer_type, variant = VARIANTS[case]
    torch.manual_seed(0)
    layer = layer_type(2, 4, bidirectional=True, **variant, dtype=torch.float64, backend="reference")
    excite(layer).train(training)
    names = [name for name, _ in layer.named_parameters()]
    state = random_state(layer, 2, torch.float64)

    def run(x, *values):
        values, before = values[: len(names)], values[len(names) :]
        with mask_stream(0, 0):
            given = (x, before if len(before) == 2 else before[0])
            output, final = torch.func.functional_call(
                layer, dict(zip(names, values, strict=True)), given, {"lengths": [3, 1]}
            )
        return output, *parts(final)

    x = torch.randn(3, 2, 2, dtype=torch.float64)
    inputs = [x, *layer.parameters(), *parts(state)]
    torch.autograd.gradcheck(run, [v.detach().requires_grad_() for v in inputs], fast_mode=True)


@ALL
@SHAPED
@pytest.mark.parametrize("training", [True, False])
def test_ragged_rows_equal_each_sequence_alone(case, shape, training):
    layer = build(case, **shape).train(training)
    lengths = [4, 0, 6, 1]
    x = torch.randn(6, 4, 3)
    for row, length in enumerate(lengths):
        x[length:, row] = float("nan")  # what pads a row must never be read
    x.requires_grad_()
    state = random_state(layer, 4)
    with mask_stream(0, 0):
        output, final = layer(x, state, lengths=torch.tensor(lengths))
    output.sum().backward()
    assert output.shape[:2] == (6, 4) and bool(torch.isfinite(x.grad).all())
    for row, length in enumerate(lengths):
        before = tuple(part[:, row : row + 1] for part in parts(state))
        after = tuple(part[:, row : row + 1] for part in parts(final))
        assert not output[length:, row].any() and not x.grad[length:, row].any()
        if not length:
            torch.testing.assert_close(after, before)
            continue
        with mask_stream(0, 0, row_offset=row):
            alone, last = layer(x[:length, row : row + 1], before if len(before) == 2 else before[0])
        torch.testing.assert_close(output[:length, row : row + 1], alone)
        torch.testing.assert_close(after, parts(last))


@ALL
def test_packed_equals_lengths(case):
    layer = build(case, num_layers=2, bidirectional=True, dropout=0.3)
    rows = [torch.randn(n, 3) for n in (2, 5, 1)]
    state = random_state(layer, 3)
    packed = pack_sequence(rows, enforce_sorted=False)
    padded, lengths = pad_packed_sequence(packed)
    with mask_stream(0, 0):
        output, final = layer(packed, state)
    with mask_stream(0, 0):
        wanted, last = layer(padded, state, lengths=lengths)
    assert isinstance(output, PackedSequence)
    torch.testing.assert_close(pad_packed_sequence(output)[0], wanted)
    torch.testing.assert_close(parts(final), parts(last))


@ALL
@pytest.mark.parametrize("batch_first", [False, True])
def test_rows_without_any_steps(case, batch_first):
    layer = build(case, bidirectional=True, batch_first=batch_first)
    state = random_state(layer, 2)
    hidden = layer.proj_size or 5
    for steps in (0, 3):
        x = torch.randn((2, steps, 3) if batch_first else (steps, 2, 3))
        output, final = layer(x, state, lengths=[0, 0])
        assert output.shape == (*x.shape[:2], 2 * hidden) and not output.any()
        torch.testing.assert_close(parts(final), parts(state))
    assert layer.trace(x[:, :0] if batch_first else x[:0], lengths=[0, 0])["hidden"].shape[3] == 0


@ALL
@SHAPED
@pytest.mark.parametrize("training", [True, False])
def test_the_backends_agree(case, shape, training):
    layer = build(case, **shape).train(training)
    x, state = torch.randn(6, 3, 3), random_state(layer, 3)
    results = []
    for backend in ("auto", "reference"):
        layer.backend = backend
        for lengths in (None, [6, 0, 2]):
            with mask_stream(0, 0):
                results.append(layer(x, state, lengths=lengths))
    torch.testing.assert_close(results[:2], results[2:])


@ALL
@SHAPED
@pytest.mark.parametrize("training", [True, False])
def test_the_trace_equals_forward(case, shape, training):
    layer = build(case, batch_first=True, **shape).train(training)
    x, state, lengths = torch.randn(3, 6, 3), random_state(layer, 3), [6, 0, 2]
    with mask_stream(0, 0):
        output, final = layer(x, state, lengths=lengths)
    with mask_stream(0, 0):
        trace = layer.trace(x, state, lengths=lengths)
    torch.testing.assert_close(trace.output, output)
    torch.testing.assert_close(parts(trace.state), parts(final))
    directions = 2 if layer.bidirectional else 1
    assert trace.dims == ("layer", "direction", "batch", "time", "unit")
    for name, value in trace.items():
        width = layer.proj_size if name == "hidden" and layer.proj_size else 5
        assert value.shape == (layer.num_layers, directions, 3, 6, width), name
        assert not value[:, :, 1].any() and not value[:, :, 2, 2:].any(), name
    torch.testing.assert_close(trace["hidden"][-1].permute(1, 2, 0, 3).flatten(2), output)
    forward_h, last = trace["hidden"][:, 0, 2, 1], parts(final)[0][::directions, 2]
    torch.testing.assert_close(forward_h, last)
    assert set(trace.to_dict()) == set(trace) and not trace.to_dict()["hidden"].requires_grad


def test_a_trace_holds_the_gates_of_the_equations():
    layer = excite(LSTM(3, 5))
    trace = layer.trace(torch.randn(6, 2, 3))
    i, f, g, o = (trace[name] for name in ("input", "forget", "candidate", "output"))
    c = trace["cell"]
    before = torch.cat([torch.zeros_like(c[..., :1, :]), c[..., :-1, :]], -2)
    torch.testing.assert_close(c, f * before + i * g)
    torch.testing.assert_close(trace["hidden"], o * torch.tanh(c))
    gru = excite(GRU(3, 5)).trace(torch.randn(6, 2, 3))
    h = gru["hidden"]
    before = torch.cat([torch.zeros_like(h[..., :1, :]), h[..., :-1, :]], -2)
    torch.testing.assert_close(h, (1 - gru["update"]) * gru["new"] + gru["update"] * before)
    coupled = excite(LSTM(3, 5, coupled=True)).trace(torch.randn(4, 3))
    torch.testing.assert_close(coupled["forget"], 1 - coupled["input"])
    assert coupled.dims == ("layer", "direction", "time", "unit") and coupled["input"].shape == (1, 1, 4, 5)
    with pytest.raises(KeyError, match="expected one of reset, update, new, hidden, got 'forget'"):
        gru["forget"]


@ALL
@pytest.mark.parametrize("num_layers", [1, 2])
def test_steps_and_streams_equal_forward(case, num_layers):
    layer = build(case, num_layers=num_layers).eval()
    x, state = torch.randn(6, 2, 3), random_state(layer, 2)
    output, final = layer(x, state)
    stream = layer.stream(batch_size=2)
    stream.state = state
    carried, steps, streamed = state, [], []
    for now in x:
        y, carried = layer.step(now, carried)
        steps.append(y)
        streamed.append(stream.step(now))
    torch.testing.assert_close(torch.stack(steps), output)
    torch.testing.assert_close(torch.stack(streamed), output)
    torch.testing.assert_close(parts(carried), parts(final))
    torch.testing.assert_close(parts(stream.state), parts(final))
    assert not streamed[0].requires_grad and steps[0].requires_grad
    stream.reset()
    torch.testing.assert_close(stream.step(x[0]), layer(x[:1])[0][0])


def test_a_step_is_differentiable_and_draws_in_training():
    layer = LSTM(2, 4, num_layers=2, dropout=0.5, zoneout=(0.2, 0.2), weight_dropout=0.2, dtype=torch.float64)

    def two_steps(x, h, c):
        with mask_stream(0, 0):
            y, state = layer.step(x, (h, c))
            y, (h, c) = layer.step(x, state)
        return y, h, c

    kind = {"dtype": torch.float64, "requires_grad": True}
    state = [torch.randn(2, 3, 4, **kind) for _ in range(2)]
    torch.autograd.gradcheck(two_steps, [torch.randn(3, 2, **kind), *state])


def test_a_stream_owns_its_weights_and_its_state():
    layer = GRU(3, 5)
    stream, x = layer.stream(), torch.randn(3)
    first = stream.step(x)
    kept = stream.state
    with torch.no_grad():
        for parameter in layer.parameters():
            parameter.zero_()
    second = stream.step(x)
    assert first.shape == (5,) and second.any()
    assert torch.equal(kept[0, 0], first)
    stream.reset()
    assert torch.equal(stream.step(x), first)


def by_hand(layer, x, draws):
    """Layer 0, forward, one row and one unit of arithmetic at a time, straight from the papers."""
    w, noise = draws.masked(layer.weights())[0], draws.noise[0]
    steps, batch, _ = x.shape
    hidden, lstm = layer.hidden_size, isinstance(layer, LSTM)
    zone = [z if isinstance(z, torch.Tensor) else torch.full((steps, batch, 1), z or 0.0) for z in noise[1:]]
    keep = torch.ones(batch, w.w_hh.shape[1]) if noise.keep_h is None else noise.keep_h
    rows = []
    for b in range(batch):
        h, c, outputs = torch.zeros(w.w_hh.shape[1]), torch.zeros(hidden), []
        for t in range(steps):
            a, u = w.w_ih @ x[t, b] + w.b_ih, w.w_hh @ (h * keep[b]) + w.b_hh
            if lstm:
                i, f, g, o = (a + u).view(4, hidden)
                new_c = torch.sigmoid(f) * c + torch.sigmoid(i) * torch.tanh(g)
                new_h = torch.sigmoid(o) * torch.tanh(new_c)
                c = torch.where(zone[1][t, b] == 1, c, new_c)
            else:
                r, z = torch.sigmoid((a + u)[: 2 * hidden]).view(2, hidden)
                n = torch.tanh(a[2 * hidden :] + r * u[2 * hidden :])
                new_h = (1 - z) * n + z * h
            h = torch.where(zone[0][t, b] == 1, h, new_h)
            outputs.append(h)
        rows.append(torch.stack(outputs))
    return torch.stack(rows, 1)


@pytest.mark.parametrize(
    ("layer_type", "variant"),
    [
        (LSTM, {"recurrent_dropout": 0.4}),
        (LSTM, {"weight_dropout": 0.4}),
        (LSTM, {"zoneout": (0.5, 0.3)}),
        (LSTM, {"recurrent_dropout": 0.4, "weight_dropout": 0.4, "zoneout": (0.5, 0.3)}),
        (GRU, {"recurrent_dropout": 0.4}),
        (GRU, {"weight_dropout": 0.4, "zoneout": 0.5}),
    ],
)
def test_noise_against_a_loop_by_hand(layer_type, variant):
    torch.manual_seed(0)
    layer = excite(layer_type(3, 5, **variant))
    x = torch.randn(7, 4, 3)
    with mask_stream(3, 4):
        draws = draw(layer, 7, 4, x)
    with mask_stream(3, 4):
        output, _ = layer(x)
    torch.testing.assert_close(output, by_hand(layer, x, draws))


def test_zoneout_takes_its_expectation_in_evaluation():
    torch.manual_seed(0)
    layer = excite(LSTM(3, 5, zoneout=(0.25, 0.5))).eval()
    plain = LSTM(3, 5)
    plain.load_state_dict(layer.state_dict())
    x = torch.randn(2, 3)
    state = random_state(layer, 2)
    _, (h, c) = layer.step(x, state)
    _, (new_h, new_c) = plain.step(x, state)
    torch.testing.assert_close(c, 0.25 * state[1] + 0.75 * new_c)
    torch.testing.assert_close(h, 0.5 * state[0] + 0.5 * new_h)


def test_peepholes_norms_and_reset_before_by_hand():
    torch.manual_seed(0)
    layer = excite(LSTM(3, 5, peephole=True, layer_norm=True))
    x, (h, c) = torch.randn(2, 3), random_state(layer, 2)
    w = layer.weights()[0]

    def norm(y, gain_and_bias):
        centred = y - y.mean(-1, keepdim=True)
        scaled = centred / (y.var(-1, correction=0, keepdim=True) + 1e-5).sqrt()
        return scaled * gain_and_bias.gain + gain_and_bias.bias

    a = norm(x @ w.w_ih.T, w.norm_ih) + norm(h[0] @ w.w_hh.T, w.norm_hh) + w.b_ih + w.b_hh
    i, f, g, o = a.chunk(4, -1)
    p_i, p_f, p_o = w.w_ch.view(3, 5)
    c_new = torch.sigmoid(f + p_f * c[0]) * c[0] + torch.sigmoid(i + p_i * c[0]) * torch.tanh(g)
    h_new = torch.sigmoid(o + p_o * c_new) * torch.tanh(norm(c_new, w.norm_ch))
    y, state = layer.step(x, (h, c))
    torch.testing.assert_close((y, state[1][0]), (h_new, c_new))

    gru = excite(GRU(3, 5, reset_after=False))
    w = gru.weights()[0]
    a = x @ w.w_ih.T + w.b_ih + w.b_hh
    r, z = torch.sigmoid(a[:, :10] + h[0] @ w.w_hh[:10].T).chunk(2, -1)
    n = torch.tanh(a[:, 10:] + (r * h[0]) @ w.w_hh[10:].T)
    torch.testing.assert_close(gru.step(x, h)[0], (1 - z) * n + z * h[0])


CELLS = {
    "LSTMCell": (
        LSTMCell,
        {"peephole": True, "layer_norm": True, "coupled": True, "zoneout": (0.3, 0.2)},
        LSTM,
    ),
    "GRUCell": (GRUCell, {"reset_after": False, "layer_norm": True, "zoneout": 0.3}, GRU),
}


@pytest.mark.parametrize("case", CELLS)
@pytest.mark.parametrize("training", [True, False])
def test_the_cells_variants_are_the_layers(case, training):
    cell_type, variant, layer_type = CELLS[case]
    cell, layer = (
        excite(cell_type(3, 5, **variant)).train(training),
        layer_type(3, 5, **variant).train(training),
    )
    layer.load_state_dict({f"{name}_l0": value for name, value in cell.state_dict().items()})
    x, state = torch.randn(2, 3), random_state(layer, 2)
    inner = tuple(part[0] for part in parts(state))
    with mask_stream(0, 0):
        after = cell(x, inner if len(inner) == 2 else inner[0])
    with mask_stream(0, 0):
        _, wanted = layer.step(x, state)
    torch.testing.assert_close(parts(after), tuple(part[0] for part in parts(wanted)))


@pytest.mark.parametrize("cell_type", [LSTMCell, GRUCell, RNNCell])
def test_gradcheck_of_cells(cell_type):
    cell = excite(cell_type(2, 3, layer_norm=True, dtype=torch.float64))
    inputs = [torch.randn(2, 2, dtype=torch.float64), *cell.parameters()]
    names = [name for name, _ in cell.named_parameters()]

    def run(x, *values):
        return torch.func.functional_call(cell, dict(zip(names, values, strict=True)), (x,))

    torch.autograd.gradcheck(run, [v.detach().requires_grad_() for v in inputs])
