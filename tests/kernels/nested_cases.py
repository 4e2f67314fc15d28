"""What the tests of the cells with a second product within a step share: problems, and the comparison of backends."""

import torch
from torch import nn
from torch.nn.utils.rnn import PackedSequence, pack_padded_sequence

from memorycell.kernels.random import mask_stream

FORMS = ["rectangular", "lengths", "packed", "packed-unsorted"]
NOISE = {"recurrent_dropout": 0.4, "weight_dropout": 0.3}
SHAPES = {  # steps, batch, inputs, hidden, other arguments
    "smallest": (1, 1, 1, 2, {}),
    "one-step": (1, 33, 20, 33, {"bidirectional": True}),
    "one-row": (12, 1, 8, 65, {"num_layers": 2}),
    "two-rows": (40, 2, 33, 130, {}),
    "whole-vectors": (6, 12, 16, 32, {"batch_first": True}),
    "seventeen": (9, 13, 5, 17, {"num_layers": 2, "bidirectional": True}),
    "many-rows": (20, 40, 7, 65, {"bidirectional": True}),
    "wide": (4, 5, 10, 330, {}),
}


def parts(state):
    """The tensors of a state."""
    return state if isinstance(state, tuple) else (state,)


def build(case, inputs=3, hidden=5, dtype=torch.float64, **kwargs):
    """A layer whose parameters are away from their first values; wide ones are kept from chaos."""
    torch.manual_seed(0)
    layer_type, variant = case
    layer = layer_type(inputs, hidden, dtype=dtype, **variant, **kwargs)
    with torch.no_grad():
        for name, parameter in layer.named_parameters():
            parameter.add_(0.3 / max(hidden / 5, 1) * torch.randn_like(parameter))
            if name.startswith(("weight_hh", "norm_hh_gain")):
                parameter.mul_(0.5)
    return layer


def random_state(layer, batch, dtype=torch.float64):
    """The tensors of a state that `layer` takes."""
    return [torch.randn(layer.cells, batch, width, dtype=dtype) for width in layer.state_widths()]


def lengths_for(form, steps, batch):
    """Steps of each row as a form of raggedness wants them; None: all have all."""
    if form == "rectangular":
        return None
    found = torch.randint(0 if form == "lengths" else 1, steps + 1, (batch,)).tolist()
    found[batch // 2] = steps
    return sorted(found, reverse=True) if form == "packed" else found


def called(layer, form, x, state, lengths, **kwargs):
    """Output and final state, as plain tensors."""
    state = None if not state else tuple(state) if layer.mode == "LSTM" else state[0]
    if form == "lengths":
        kwargs["lengths"] = lengths
    elif form != "rectangular":
        x = pack_padded_sequence(x, lengths, batch_first=layer.batch_first, enforce_sorted=form == "packed")
    with mask_stream(0, 0):
        output, final = layer(x, state, **kwargs)
    return [output.data if isinstance(output, PackedSequence) else output, *parts(final)]


def leaves(tensors):
    """Copies that gradients are wanted of."""
    return [tensor.detach().clone().requires_grad_() for tensor in tensors]


def slopes_for(values):
    """The gradients that come from behind, the same at every call."""
    torch.manual_seed(1)
    return [torch.randn(value.shape, dtype=torch.float64).to(value.dtype) for value in values]


def solved(layer, backend, form, x, state, lengths):
    """Values and gradients of one backend."""
    layer.backend = backend
    sources = leaves([x, *state])
    values = called(layer, form, sources[0], sources[1:], lengths)
    return values, torch.autograd.grad(values, [*sources, *layer.parameters()], slopes_for(values))


def errors(layer, form, x, state, lengths):
    """The largest error of the fused kernels' values and of their gradients, beside the reference in float64."""
    found = solved(layer, "cpp", form, x, state, lengths)
    layer.double()
    truth = solved(layer, "reference", form, x.double(), [part.double() for part in state], lengths)
    return [
        max(((a - b).abs().max() / b.abs().max().clamp_min(1)).item() for a, b in zip(ours, wanted, strict=True))
        for ours, wanted in zip(found, truth, strict=True)
    ]


def problem_of(layer, form, steps, batch):
    """x, a state and lengths for a layer."""
    dtype = layer.weight_ih_l0.dtype
    shape = (batch, steps) if layer.batch_first else (steps, batch)
    x, lengths = torch.randn(*shape, layer.input_size, dtype=dtype), lengths_for(form, steps, batch)
    return x, random_state(layer, batch, dtype), lengths


def differentiable(layer, form, lengths, steps=3):
    """The layer as a function of x, the state and the parameters; and such."""
    names, width = [name for name, _ in layer.named_parameters()], len(layer.state_widths())

    def run(x, *tensors):
        values = dict(zip(names, tensors[width:], strict=True))
        with torch.nn.utils.stateless._reparametrize_module(layer, values):
            return tuple(called(layer, form, x, tensors[:width], lengths))

    x = torch.randn(steps, 2, layer.input_size, dtype=torch.float64)
    return run, leaves([x, *random_state(layer, 2), *layer.parameters()])


def check_traces(layer):
    """A trace of the fused kernels is the reference's."""
    x, state = torch.randn(6, 3, layer.input_size, dtype=torch.float64), random_state(layer, 3)
    traces = []
    for backend in ("cpp", "reference"):
        layer.backend = backend
        with torch.no_grad():
            traces.append(layer.trace(x, tuple(state) if layer.mode == "LSTM" else state[0], lengths=[6, 0, 4]))
    ours, truth = traces
    assert list(ours) == list(truth)
    torch.testing.assert_close([ours.output, *ours.values()], [truth.output, *truth.values()])


def check_tokens(layer):
    """Token ids give what their rows of the embedding give, gradients included."""
    embedding = nn.Embedding(11, layer.input_size, dtype=torch.float64)
    ids, results = torch.randint(11, (7, 4)), []
    for backend in ("cpp", "reference"):
        layer.backend = backend
        values = called(layer, "lengths", ids, (), [7, 3, 0, 5], embedding=embedding)
        results.append([*values, *torch.autograd.grad(values, [embedding.weight, *layer.parameters()], values)])
    torch.testing.assert_close(*results)


@torch.no_grad()
def check_company(layer, steps, batch):
    """A row has the same bits alone, among others and with two threads."""
    layer.backend = "cpp"
    x, state, lengths = problem_of(layer.eval(), "lengths", steps, batch)
    whole = []
    for threads in (1, 2):
        torch.set_num_threads(threads)
        whole.append(called(layer, "lengths", x, state, lengths))
    assert all(torch.equal(a, b) for a, b in zip(*whole, strict=True))
    for row in (0, batch // 2, batch - 1):
        one = slice(row, row + 1)
        alone = called(layer, "lengths", x[:, one], [part[:, one].clone() for part in state], [lengths[row]])
        assert all(torch.equal(a[:, 0], b[:, row]) for a, b in zip(alone, whole[0], strict=True))
