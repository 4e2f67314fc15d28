import json

import pytest
import torch

from memorycell.data.batch import Batch
from memorycell.data.ragged import Ragged
from memorycell.data.sequences import SequenceDataset
from memorycell.data.streams import SampleStream
from memorycell.jobs.labelling.network import SequenceToOne
from memorycell.kernels import native
from memorycell.kernels.native import flush_subnormals
from memorycell.networks.convolution import ConvolutionalFront
from memorycell.networks.encoder import Encoder
from memorycell.training import TrainingOptions, train, using_threads

LENGTHS = torch.tensor([9, 1, 5, 7])


@pytest.fixture(autouse=True)
def one_thread():
    """So small networks are only slower with a team."""
    with using_threads(1):
        yield


SMALL = {"hidden_sizes": (6, 5), "embedding_size": 4, "n_outputs": 3}


def batch_of(kind: str, **more) -> Batch:
    generator = torch.Generator().manual_seed(5)
    inputs = {}
    if kind in ("tokens", "both"):
        inputs["tokens"] = torch.randint(20, (4, 9), generator=generator)
    if kind in ("steps", "both"):
        inputs["steps"] = torch.randn(4, 9, 2, generator=generator)
    return Batch(inputs, dict.fromkeys(inputs, LENGTHS), **more)


def row_of(batch: Batch, row: int) -> Batch:
    """A row alone, without padding."""
    length = int(LENGTHS[row])
    inputs = {name: values[row : row + 1, :length] for name, values in batch.inputs.items()}
    return Batch(inputs, dict.fromkeys(inputs, LENGTHS[row : row + 1]))


def network_of(kind: str, **options) -> SequenceToOne:
    torch.manual_seed(0)
    sizes = {"vocabulary": 20 if kind != "steps" else None, "features": 2 if kind != "tokens" else None}
    return SequenceToOne(**sizes, **{**SMALL, **options}).eval()


KINDS = ["tokens", "steps", "both"]


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("options", [{}, {"convolution": True}, {"convolution": True, "squeeze_excite": True}])
def test_a_row_has_the_same_bits_whatever_is_beside_it(kind, options, same_bits):
    network, batch = network_of(kind, **options), batch_of(kind)
    with torch.no_grad():
        whole = network(batch)
        for row in range(4):
            alone = network(row_of(batch, row))
            if options.get("squeeze_excite"):
                torch.testing.assert_close(alone, whole[row : row + 1])
            else:
                same_bits(alone, whole[row : row + 1])


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("convolution", [False, True])
def test_a_causal_network_answers_step_by_step_with_the_same_bits(kind, convolution, same_bits):
    cell = "GRU" if kind == "both" else "LSTM"
    network, batch = network_of(kind, causal=True, convolution=convolution, cell=cell), batch_of(kind)
    with torch.no_grad():
        for row in range(4):
            alone = row_of(batch, row)
            state = network.init_state(alone)
            for t in range(int(LENGTHS[row])):
                x = alone.inputs["steps" if kind == "steps" else "tokens"][:, t]
                beside = alone.inputs["steps"][:, t] if kind == "both" else None
                raw, state = network.step(x, state, beside=beside)
                so_far = {name: values[:, : t + 1] for name, values in alone.inputs.items()}
                same_bits(raw, network(Batch(so_far)))


def test_states_of_rows_can_be_selected():
    network, batch = network_of("steps", causal=True, convolution=True), batch_of("steps")
    with torch.no_grad():
        steps = batch.inputs["steps"]
        _, state = network.step(steps[:, 0], network.init_state(batch))
        expected, _ = network.step(steps[:, 1], state)
        rows = torch.tensor([2, 0])
        found, _ = network.step(steps[rows, 1], network.select_state(state, rows))
    assert torch.equal(found, expected[rows])


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("convolution", [False, True])
def test_from_embeddings_come_the_same_numbers_and_gradients(kind, convolution):
    network, batch = network_of(kind, convolution=convolution), batch_of(kind)
    values = network.embedded(batch).detach().requires_grad_()
    raw = network.forward_embedded(values, LENGTHS)
    torch.testing.assert_close(raw, network(batch))
    (gradient,) = torch.autograd.grad(raw[:, 0].sum(), values)
    for row, length in enumerate(LENGTHS.tolist()):
        assert (gradient[row, length:] == 0).all()
        assert (gradient[row, :length] != 0).any(-1).all()


@pytest.mark.parametrize("options", [{}, {"convolution": True, "pooling": ("last", "max"), "head": "labels"}])
def test_the_configuration_rebuilds_the_network(options):
    network = network_of("both", head_dropout=0.2, between_dropout=0.1, cell="GRU", **options)
    again = SequenceToOne(**json.loads(json.dumps(network.config()))).eval()
    again.load_state_dict(network.state_dict())
    assert again.config() == network.config()
    with torch.no_grad():
        assert torch.equal(again(batch_of("both")), network(batch_of("both")))


def test_a_given_encoder_is_taken_and_configured():
    encoder = Encoder(vocabulary=20, embedding_size=4, hidden_sizes=(6,), layer_norm=True)
    network = SequenceToOne(encoder=encoder, n_outputs=3, causal=True)
    assert network.encoder is encoder
    assert network.config()["layer_norm"] and network.config()["hidden_sizes"] == [6]
    groups = network.parameter_groups()
    assert groups[0] == [encoder.embedding.weight]
    assert {id(p) for group in groups for p in group} == {id(p) for p in network.parameters()}
    assert sum(map(len, groups)) == len(list(network.parameters()))


@pytest.mark.parametrize("squeeze_excite", [False, True])
def test_padding_changes_neither_the_front_nor_what_it_learns(squeeze_excite):
    torch.manual_seed(0)
    x, lengths = torch.randn(3, 7, 2), torch.tensor([7, 2, 4])
    wide = torch.cat([x, torch.randn(3, 5, 2)], dim=1)
    gradients, statistics = [], []
    for given in (x, wide):
        torch.manual_seed(1)
        front = ConvolutionalFront(2, ((4, 5), (3, 3)), squeeze_excite=squeeze_excite)
        front(given, lengths).square().sum().backward()
        gradients.append(torch.cat([p.grad.flatten() for p in front.parameters()]))
        statistics.append(torch.cat([b.flatten() for b in front.buffers()]))
    torch.testing.assert_close(*gradients)
    torch.testing.assert_close(*statistics)
    assert not torch.equal(statistics[0], torch.cat([torch.zeros(4), torch.ones(4), torch.zeros(3), torch.ones(3)]))


def test_the_convolutions_are_those_of_torch():
    torch.manual_seed(0)
    front = ConvolutionalFront(2, ((4, 4),)).eval()
    x = torch.randn(2, 6, 2)
    padded = torch.nn.functional.pad(x.transpose(1, 2), (1, 2))
    plain = torch.nn.functional.conv1d(padded, front.blocks[0].weight) / (1 + 1e-3) ** 0.5
    expected = torch.relu(plain).mean(-1)
    torch.testing.assert_close(front(x), expected)
    with torch.no_grad():
        torch.testing.assert_close(front(x), expected)


def test_it_learns_what_only_the_first_step_tells():
    torch.manual_seed(0)
    labels = torch.arange(60) % 3
    sequences = [torch.cat([labels[i : i + 1] + 3, torch.randint(6, 9, (2 + i % 5,))]) for i in range(60)]
    stream = SampleStream(SequenceDataset({"tokens": Ragged.of(sequences)}, labels), 10)
    network = SequenceToOne(vocabulary=9, n_outputs=3, embedding_size=4, hidden_sizes=(8,))
    result = train(network, stream, TrainingOptions(epochs=25, learning_rate=0.02, schedule="constant"), progress=False)
    assert result.history[-1]["loss"] < 0.1


@pytest.mark.parametrize("n_threads", [1, 2])
@pytest.mark.parametrize("backend", ["auto", "torch"])
def test_a_loss_on_the_last_of_many_steps_meets_no_subnormal_numbers_in_the_loop(backend, n_threads):
    torch.manual_seed(0)
    network = SequenceToOne(features=1, hidden_sizes=(32,), bidirectional=False, pooling=("last",))
    network.encoder.layers[0].backend = backend
    x = torch.randn(8, 784, 1, requires_grad=True)
    batch = Batch({"steps": x}, targets=torch.zeros(8, dtype=torch.int64))

    def subnormal_gradients() -> int:
        gradient = torch.autograd.grad(network.loss(batch).sum, x)[0]
        return int(((gradient != 0) & (gradient.abs() < torch.finfo(torch.float32).tiny)).sum())

    with using_threads(n_threads):
        plain = subnormal_gradients()
        with flush_subnormals():  # as in `train`: every thread, whoever computes
            assert subnormal_gradients() == 0
    # The fused kernels flush by themselves; torch's operators show that there is something to flush.
    assert (plain > 0) == (backend == "torch" or not native.available())


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"head": "quantiles"}, "expected head to be classes, labels, number, got 'quantiles'"),
        ({"causal": True, "bidirectional": True}, "bidirectional=False with causal=True"),
        ({"causal": True, "convolution": True, "squeeze_excite": True}, "looks at the whole sequence"),
        ({"pooling": ()}, "pooling of one or more"),
        ({"n_outputs": 1}, "at least 2 classes"),
    ],
)
def test_arguments_that_make_no_sense_raise(options, message):
    with pytest.raises(ValueError, match=message):
        network_of("tokens", **options)


def test_what_a_network_cannot_do_raises():
    network, batch = network_of("tokens", pooling=("last",)), batch_of("tokens")
    with pytest.raises(ValueError, match="expected causal=True to run step by step"):
        network.step(batch.inputs["tokens"][:, 0], None)
    with pytest.raises(ValueError, match="batch with targets"):
        network.loss(batch)
    with pytest.raises(ValueError, match="pooling with attention"):
        network.attention(batch)
