"""The reference's runner: directions, lengths, and what padding may hold."""

import pytest
import torch

from memorycell.kernels.reference import GATES, Cell, Noise, Weights, run
from memorycell.kernels.torch_ops import lengths_of, repack

CELLS = [
    Cell("LSTM"),
    Cell("LSTM", coupled=True),
    Cell("GRU"),
    Cell("GRU", reset_after=False),
    Cell("RNN_TANH"),
    Cell("RNN_RELU"),
]


def weights(cell, inputs=3, hidden=4):
    torch.manual_seed(0)
    rows = cell.rows * hidden
    return Weights(torch.randn(rows, inputs), torch.randn(rows, hidden), torch.randn(rows), torch.randn(rows))


def initial(cell, batch, hidden=4):
    return tuple(torch.randn(batch, hidden) for _ in range(2 if cell.mode == "LSTM" else 1))


@pytest.mark.parametrize("cell", CELLS, ids=str)
def test_the_reverse_direction_is_the_flipped_sequence(cell):
    w, state, x = weights(cell), initial(cell, 2), torch.randn(5, 2, 3)
    output, final, _ = run(cell, x, state, w, reverse=True)
    flipped, last, _ = run(cell, x.flip(0), state, w)
    torch.testing.assert_close(output, flipped.flip(0))
    torch.testing.assert_close(final, last)
    ragged, ragged_final, _ = run(cell, x, state, w, reverse=True, lengths=torch.tensor([3, 5]))
    alone, alone_final, _ = run(cell, x[:3, :1].flip(0), tuple(s[:1] for s in state), w)
    torch.testing.assert_close(ragged[:3, :1], alone.flip(0))
    torch.testing.assert_close(tuple(s[:1] for s in ragged_final), alone_final)


@pytest.mark.parametrize("cell", CELLS, ids=str)
def test_a_trace_names_what_the_cell_has(cell):
    w, state, x = weights(cell), initial(cell, 2), torch.randn(5, 2, 3)
    for steps in (5, 0):
        output, final, trace = run(cell, x[:steps], state, w, trace=True)
        assert list(trace) == [*GATES[cell.mode], "hidden", *(["cell"] if cell.mode == "LSTM" else [])]
        assert all(value.shape == (steps, 2, 4) for value in trace.values())
        assert torch.equal(trace["hidden"], output)
    torch.testing.assert_close(final, state)
    assert run(cell, x, state, w)[2] == {}


@pytest.mark.parametrize("cell", CELLS, ids=str)
def test_padding_may_hold_anything(cell):
    w, state, x = weights(cell), initial(cell, 2), torch.randn(5, 2, 3)
    lengths = torch.tensor([2, 0])
    wanted = run(cell, x, state, w, lengths=lengths)
    for poison in (float("nan"), float("inf")):
        x[2:, 0], x[:, 1] = poison, poison
        given = x.clone().requires_grad_()
        output, final, _ = run(cell, given, state, w, lengths=lengths)
        torch.testing.assert_close((output, final), wanted[:2])
        output.sum().backward()
        assert torch.isfinite(given.grad).all() and not given.grad[2:].any()


def test_backward_does_not_grow_with_the_square_of_the_steps():
    cell = Cell("RNN_TANH")
    w, state = weights(cell), initial(cell, 1)
    x = torch.randn(50, 1, 3, requires_grad=True)
    output, _, _ = run(cell, x, state, w)
    nodes, seen = [output.grad_fn], set()
    while nodes:
        node = nodes.pop()
        if node is not None and node not in seen:
            seen.add(node)
            nodes += [parent for parent, _ in node.next_functions]
    names = [type(node).__name__ for node in seen]
    assert "SelectBackward0" not in names and names.count("UnbindBackward0") == 1


def test_zoneout_of_one_keeps_everything():
    cell = Cell("LSTM")
    w, state, x = weights(cell), initial(cell, 2), torch.randn(5, 2, 3)
    output, final, _ = run(cell, x, state, w, noise=Noise(None, 1.0, 1.0))
    assert torch.equal(output, state[0].expand_as(output))
    assert all(torch.equal(a, b) for a, b in zip(final, state, strict=True))


@pytest.mark.parametrize("sort", [True, False])
def test_packing_and_its_undoing(sort):
    rows = [torch.randn(n, 2) for n in ((4, 3, 1) if sort else (3, 1, 4))]
    packed = torch.nn.utils.rnn.pack_sequence(rows, enforce_sorted=sort)
    assert lengths_of(packed).tolist() == [len(row) for row in rows]
    again = repack(torch.nn.utils.rnn.pad_packed_sequence(packed)[0], packed)
    assert torch.equal(again.data, packed.data) and torch.equal(again.batch_sizes, packed.batch_sizes)
