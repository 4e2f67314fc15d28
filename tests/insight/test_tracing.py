"""A model is traced in the run that it makes anyway, whatever it is made of, and is as it was afterwards."""

from __future__ import annotations

import threading

import pytest
import torch
from torch import nn

from memorycell import GRU, LSTM, Trace, accelerate, trace_network
from memorycell.insight.tracing import replaced_forward


class Chain(nn.Module):
    """A decoder that starts from its encoder's state and runs twice, and something that is not recurrent."""

    def __init__(self):
        super().__init__()
        self.encoder = LSTM(3, 4, batch_first=True)
        self.decoder = LSTM(2, 4, batch_first=True)
        self.out = nn.Linear(4, 1)

    def forward(self, x):
        _, state = self.encoder(x)
        output, state = self.decoder(x[..., :2], state)
        output, _ = self.decoder(x[:, :2, :2], state)
        return self.out(output)


@pytest.fixture
def model():
    torch.manual_seed(0)
    return Chain().eval()


X = torch.randn(2, 5, 3, generator=torch.Generator().manual_seed(1))


def test_every_run_of_every_layer_is_recorded(model):
    trace = trace_network(model, lambda: model(X))
    assert list(trace.layers) == ["encoder", "decoder", "decoder (2)"]
    assert [layer.sizes["time"] for layer in trace.layers.values()] == [5, 5, 2]
    torch.testing.assert_close(trace.output, model(X).detach())
    expected = model.decoder.trace(X[..., :2], model.encoder(X)[1])
    torch.testing.assert_close(trace.layers["decoder"]["forget"], expected["forget"].detach())
    assert trace.inputs["decoder (2)"].shape == (2, 2, 2)


def test_what_is_asked_by_name_is_that_of_the_trunk(model):
    trace = trace_network(model, lambda: model(X), trunk=[model.encoder])
    assert trace.trunk == ("encoder",) and trace.top is trace.layers["encoder"]
    assert list(trace) == list(model.encoder.trace(X)) and len(trace) == 6
    torch.testing.assert_close(trace["cell"], trace.layers["encoder"]["cell"])
    stacked = nn.ModuleList([GRU(3, 4), GRU(4, 4)])
    found = trace_network(stacked, lambda: stacked[1](stacked[0](X)[0]))
    assert found["update"].shape == (2, 1, 5, 2, 4)
    uneven = nn.ModuleList([GRU(3, 4), GRU(4, 6)])
    found = trace_network(uneven, lambda: uneven[1](uneven[0](X)[0]))
    with pytest.raises(ValueError, match=r"expected layers of one size to stack, got 0: .*, 1: "):
        found["update"]
    with pytest.raises(KeyError, match="expected one of"):
        trace["reset"]


def test_the_model_is_as_it_was_even_after_an_error(model):
    before = model(X)
    trace_network(model, lambda: model(X))

    def fails():
        model(X)
        raise RuntimeError("on the way")

    with pytest.raises(RuntimeError, match="on the way"):
        trace_network(model, fails)
    assert "forward" not in vars(model.encoder)
    after = model(X)
    torch.testing.assert_close(after, before, rtol=0, atol=0)
    assert after.requires_grad  # gradients are recorded again


def test_other_threads_see_nothing_of_it(model):
    """Four threads trace or just run the same model, each many times: every one gets its own."""
    expected = model(X).detach()
    failed = []

    def work(traced):
        try:
            for _ in range(40):
                found = trace_network(model, lambda: model(X)) if traced else None
                output = model(X).detach() if found is None else found.output
                torch.testing.assert_close(output, expected)
                assert found is None or list(found.layers) == ["encoder", "decoder", "decoder (2)"]
        except BaseException as error:  # a thread of its own would swallow it
            failed.append(error)

    threads = [threading.Thread(target=work, args=(number % 2 == 0,)) for number in range(4)]
    for each in threads:
        each.start()
    for each in threads:
        each.join()
    assert not failed, failed[0]
    assert "forward" not in vars(model.encoder)


def test_threads_whose_traces_overlap_leave_torch_compile_switched_on():
    """The one who began first is the first to end, so each gives back what it did not find."""
    with torch.no_grad():
        torch.compile(nn.Linear(1, 1), backend="eager")(torch.zeros(1, 1))
    stance = torch._dynamo.eval_frame._stance.stance
    first, second = threading.Event(), threading.Event()

    def begin():
        with replaced_forward({}):
            first.set()
            second.wait(60)

    def end():
        first.wait(60)
        with replaced_forward({}):
            second.set()
            thread.join(60)
            assert torch._dynamo.eval_frame._stance.stance == "force_eager"

    thread = threading.Thread(target=begin)
    thread.start()
    end()
    assert torch._dynamo.eval_frame._stance.stance == stance
    torch.compiler.reset()


def test_a_forward_of_the_users_own_stays(model):
    calls = []
    own = model.encoder.forward
    model.encoder.forward = lambda *args, **options: (calls.append(1), own(*args, **options))[1]
    mine = vars(model.encoder)["forward"]
    trace_network(model, lambda: model(X))
    assert vars(model.encoder)["forward"] is mine
    model(X)
    assert calls


def test_a_compiled_model_is_traced(model):
    model.encoder.compile(backend="eager")
    with torch.no_grad():
        before = model(X)
        trace = trace_network(model, lambda: model(X))
        torch.testing.assert_close(trace.output, before)
        assert "encoder" in trace.layers
        torch.testing.assert_close(model(X), before)
    torch.compiler.reset()


def test_ragged_packed_and_token_inputs_pass_through():
    layer = LSTM(3, 4, bidirectional=True)
    packed = nn.utils.rnn.pack_sequence([X[0], X[1, :2]])
    trace = trace_network(layer, lambda: layer(packed))
    torch.testing.assert_close(trace.output[0].data, layer(packed)[0].data.detach())
    table, ids = nn.Embedding(7, 3), torch.randint(7, (5, 2))
    trace = trace_network(layer, lambda: layer(ids, lengths=[5, 0], embedding=table))
    assert trace.layers[""].lengths.tolist() == [5, 0]


def test_to_files_the_next_layer_reads_what_the_one_before_gave(model, tmp_path):
    whole = trace_network(model, lambda: model(X))
    filed = trace_network(model, lambda: model(X), path=tmp_path / "made")
    torch.testing.assert_close(filed.output, whole.output)
    for name, layer in whole.layers.items():
        torch.testing.assert_close(filed.layers[name]["cell"], layer["cell"])
    assert sorted(path.stem for path in (tmp_path / "made").iterdir()) == ["decoder", "decoder (2)", "encoder"]
    with pytest.raises(FileExistsError):
        trace_network(model, lambda: model(X), path=tmp_path / "made")
    trace_network(model, lambda: model(X), path=tmp_path / "made", force=True)


def test_a_trace_that_cannot_be_kept_leaves_nothing_behind(model, tmp_path):
    (tmp_path / "taken").mkdir()
    (tmp_path / "taken" / "decoder.safetensors").write_bytes(b"mine")
    with pytest.raises(FileExistsError, match=r"decoder\.safetensors exists already"):
        trace_network(model, lambda: model(X), path=tmp_path / "taken")
    (tmp_path / "file").write_bytes(b"mine")
    with pytest.raises(NotADirectoryError, match="got the file"):
        trace_network(model, lambda: model(X), path=tmp_path / "file")
    with pytest.raises(ValueError, match="ran"):
        trace_network(model, lambda: None, path=tmp_path / "new")
    assert sorted(path.name for path in tmp_path.rglob("*")) == ["decoder.safetensors", "file", "taken"]
    odd = nn.ModuleDict({"a/b": LSTM(3, 2)})
    trace_network(odd, lambda: odd["a/b"](X), path=tmp_path / "odd")
    assert [path.name for path in (tmp_path / "odd").iterdir()] == ["a.b.safetensors"]


def test_the_steps_of_a_single_row_have_their_names(model, tmp_path):
    trace = trace_network(model, lambda: model(X[:1]), labels=[list("abcde")])
    part = trace.layers["encoder"].select(time=slice("b", "c"))
    torch.testing.assert_close(part["cell"], trace.layers["encoder"]["cell"][:, :, :, 1:3])
    assert not trace.layers["decoder (2)"].coords  # it has other steps
    trace.save(tmp_path / "kept", ".parquet")
    again = Trace.load(tmp_path / "kept" / "encoder.parquet")
    assert again.coords["time"] == list("abcde") and torch.equal(again["forget"], trace.layers["encoder"]["forget"])
    with pytest.raises(FileExistsError):
        trace.save(tmp_path / "kept", ".parquet")
    assert not trace_network(model, lambda: model(X), labels=[list("abcde")] * 2).layers["encoder"].coords


def test_a_backward_direction_goes_to_files_too(tmp_path):
    model = nn.ModuleList([LSTM(3, 4, bidirectional=True), GRU(8, 2, batch_first=True)])

    def run():
        return model[1](model[0](X.transpose(0, 1))[0].transpose(0, 1))[0]

    torch.testing.assert_close(trace_network(model, run, path=tmp_path).output, run().detach())


def test_models_that_cannot_be_traced_say_why():
    linear = nn.Linear(3, 2)
    with pytest.raises(ValueError, match="with a recurrent layer to trace, got a Linear without one"):
        trace_network(linear, lambda: linear(X))
    theirs = nn.Sequential(nn.LSTM(3, 2))
    with pytest.raises(ValueError, match=r"got torch\.nn\.LSTM.*memorycell\.accelerate"):
        trace_network(theirs, lambda: theirs(X))
    assert trace_network(accelerate(theirs), lambda: theirs(X))["forget"].shape == (1, 1, 5, 2, 2)
    idle = Chain()
    with pytest.raises(ValueError, match="none of encoder, decoder ran"):
        trace_network(idle, lambda: None)


def test_a_sequence_without_steps_is_refused_or_empty():
    layer = LSTM(3, 2)
    with pytest.raises(ValueError, match="expected at least one step"):
        trace_network(layer, lambda: layer(X[:0]))
    trace = trace_network(layer, lambda: layer(torch.zeros(0, 2, 3), lengths=[0, 0]))
    assert trace["cell"].shape == (1, 1, 2, 0, 2)
