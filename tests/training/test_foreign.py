"""Weights of torch's checkpoints: found under any name, fitted or refused with the sizes, and nothing run."""

import pickle
import zipfile

import pytest
import safetensors.torch
import torch
from torch import nn

import memorycell
from memorycell.networks.encoder import Encoder
from memorycell.training import ModelFileError, foreign
from memorycell.training.foreign import import_weights


def seeded(make, seed=0):
    torch.manual_seed(seed)
    return make()


def prefixed(prefix, module):
    return {f"{prefix}.{name}": value for name, value in module.state_dict().items()}


LAYERS = {
    "lstm": lambda kind: kind.LSTM(3, 4, num_layers=2, bidirectional=True, batch_first=True),
    "projected": lambda kind: kind.LSTM(3, 4, proj_size=2, batch_first=True),
    "gru": lambda kind: kind.GRU(3, 4, batch_first=True),
    "rnn": lambda kind: kind.RNN(3, 4, nonlinearity="relu", batch_first=True),
    "no bias": lambda kind: kind.GRU(3, 4, bias=False, batch_first=True),
}


@pytest.mark.parametrize("name", LAYERS)
@pytest.mark.filterwarnings("ignore:LSTM with projections")
@pytest.mark.parametrize("form", ["safetensors", "plain", "nested", "deep"])
def test_a_layer_of_torch_computes_the_same(tmp_path, name, form):
    theirs, ours = seeded(lambda: LAYERS[name](nn)), seeded(lambda: LAYERS[name](memorycell), 1)
    path = tmp_path / "odd.name"  # what it is, is told by its content
    state = {"embed.weight": torch.ones(5, 3), **prefixed("model.encoder.rnn", theirs)}
    if form == "safetensors":
        safetensors.torch.save_file(state, path)
    else:
        nested = {"epoch": 3, "state_dict": state}
        torch.save({"plain": state, "nested": nested, "deep": {"model": {"net": state}}}[form], path)
    imported = import_weights(path, ours)
    x = torch.randn(2, 6, 3)
    torch.testing.assert_close(ours(x)[0], theirs(x)[0], rtol=1e-5, atol=1e-5)
    assert imported["weight_hh_l0"] == "model.encoder.rnn.weight_hh_l0" and len(imported) == len(theirs.state_dict())


def test_half_precision_becomes_the_layers(tmp_path):
    theirs, ours = seeded(lambda: nn.LSTM(3, 4).bfloat16()), memorycell.LSTM(3, 4)
    torch.save(theirs.state_dict(), tmp_path / "a.pt")
    import_weights(tmp_path / "a.pt", ours)
    assert torch.equal(ours.weight_ih_l0, theirs.weight_ih_l0.float())


def test_a_layer_without_biases_is_one_with_zeros(tmp_path):
    theirs, ours = nn.LSTM(3, 4, bias=False), memorycell.LSTM(3, 4)
    torch.save(theirs.state_dict(), tmp_path / "a.pt")
    assert import_weights(tmp_path / "a.pt", ours)["bias_hh_l0"] == "(no bias)"
    x = torch.randn(5, 2, 3)
    torch.testing.assert_close(ours(x)[0], theirs(x)[0], rtol=1e-5, atol=1e-5)


def test_an_encoder_takes_the_layers_of_a_stack_and_parts_by_name(tmp_path):
    theirs = nn.ModuleDict({"emb": nn.Embedding(9, 3), "rnn": nn.LSTM(3, 4, num_layers=2), "out": nn.Linear(4, 2)})
    path, encoder, out = tmp_path / "a.pt", Encoder(9, embedding_size=3, hidden_sizes=(4, 4)), nn.Linear(4, 2)
    torch.save(theirs.state_dict(), path)
    assert import_weights(path, encoder)["layers.1.weight_ih_l0"] == "rnn.weight_ih_l1"
    import_weights(path, encoder.embedding, "emb")
    assert import_weights(path, out, prefix="out") == {"weight": "out.weight", "bias": "out.bias"}
    tokens = torch.tensor([[1, 5, 8, 0]])
    expected = theirs["out"](theirs["rnn"](theirs["emb"](tokens.T))[0]).transpose(0, 1)
    torch.testing.assert_close(out(encoder(tokens)[0]), expected, rtol=1e-5, atol=1e-5)


def test_a_whole_module_is_taken_by_its_names(tmp_path):
    first, second = (seeded(lambda: Encoder(9, embedding_size=3, hidden_sizes=(4,)), seed) for seed in (0, 1))
    torch.save({**prefixed("a", first), **prefixed("b", second)}, tmp_path / "a.pt")
    with pytest.raises(ValueError, match=r"names under a, b: choose one of them with prefix="):
        import_weights(tmp_path / "a.pt", seeded(lambda: Encoder(9, embedding_size=3, hidden_sizes=(4,)), 2))
    import_weights(tmp_path / "a.pt", first, prefix="b")
    assert all(torch.equal(ours, theirs) for ours, theirs in zip(first.parameters(), second.parameters(), strict=True))


TWO = nn.ModuleDict({"encoder": nn.LSTM(3, 4), "decoder": nn.LSTM(4, 4, num_layers=2), "gate": nn.GRU(2, 2)})
WRONG = {
    "several": (
        memorycell.LSTM(3, 4), None,
        r"1 recurrent layer .* got: encoder .*; decoder \(LSTM .*, 2 layers\); gate .*: choose with prefix="),
    "none there": (memorycell.LSTM(3, 4), "gate", r"expected LSTM layers under 'gate' .* got none"),
    "none of the kind": (memorycell.RNN(3, 4), None, "expected RNN layers"),
    "input size": (memorycell.LSTM(5, 4), "encoder", r"encoder.weight_ih_l0 of shape \(16, 5\) .* got \(16, 3\)"),
    "hidden size": (memorycell.LSTM(3, 8), "encoder", r"of shape \(32, .\) .* got \(16, .\)"),
    "layers": (memorycell.LSTM(4, 4), "decoder", "expected 1 recurrent layer .* build as many layers"),
    "directions": (memorycell.LSTM(3, 4, bidirectional=True), "encoder", "the module has it, the file does not"),
    "biases": (memorycell.LSTM(3, 4, bias=False), "encoder", "in bias_hh_l0: the file has it, the module does not"),
    "variant": (memorycell.LSTM(3, 4, peephole=True), "encoder", "in weight_ch_l0: the module has it"),
    "no prefix": (nn.Linear(4, 4), None, "expected prefix= to name the layer"),
    "no such name": (nn.Linear(4, 4), "head", "has no head.weight"),
    "nothing to fill": (nn.Dropout(), None, "expected a module with weights"),
    "no recurrent": (nn.Conv1d(3, 4, 2), None, "expected a module with recurrent layers"),
}  # fmt: skip


@pytest.mark.parametrize("name", WRONG)
def test_what_does_not_fit_is_refused_with_the_sizes_and_changes_nothing(tmp_path, name):
    into, prefix, message = WRONG[name]
    path = tmp_path / "two.pt"
    torch.save(TWO.state_dict(), path)
    before = [value.clone() for value in into.parameters()]
    with pytest.raises(ValueError, match=message) as caught:
        import_weights(path, into, prefix)
    assert all(torch.equal(ours, theirs) for ours, theirs in zip(into.parameters(), before, strict=True))
    assert "\n" not in str(caught.value)


class Evil:
    """Runs code when it is unpickled by whoever runs what is in a file."""

    ran = False

    def __reduce__(self):
        return (setattr, (Evil, "ran", True))


def _hostile(kind, path):
    state = nn.LSTM(3, 4).state_dict()
    if kind == "code":
        torch.save({"state_dict": state, "extra": Evil()}, path)
    elif kind == "old pickle":
        path.write_bytes(pickle.dumps(Evil()))
    elif kind == "whole model":
        torch.save(nn.LSTM(3, 4), path)
    elif kind in ("nan", "inf"):
        state["weight_hh_l0"][2, 1] = float(kind)
        torch.save(state, path)
    elif kind == "integers":
        torch.save({name: value.long() for name, value in state.items()}, path)
    elif kind == "huge view":
        torch.save({**state, "bias_ih_l0": torch.zeros(1).expand(10**6, 10**6)}, path)
    elif kind == "no tensors":
        torch.save({"state_dict": {"a": "b"}}, path)
    elif kind == "list":
        torch.save([torch.ones(2)], path)
    elif kind in ("traversal", "bomb", "other zip", "twice"):
        torch.save(state, path)
        with zipfile.ZipFile(path, "a", zipfile.ZIP_DEFLATED) as archive:
            archive.writestr({"traversal": "archive/../../evil.txt"}.get(kind, "archive/more"), b"\0" * 5_000_000)
        if kind == "other zip":
            with zipfile.ZipFile(path, "w") as archive:
                archive.writestr("readme.txt", "hello")
    else:
        torch.save(state, path)
        data = path.read_bytes()
        half = data[: len(data) // 2]
        path.write_bytes({"truncated": half, "empty": b"", "text": b"hello, this is not it", "start": b"PK"}[kind])


@pytest.mark.parametrize(
    ("kind", "message"),
    [
        ("code", "more than tensors"), ("old pickle", "is a pickle, which can hold code"),
        ("whole model", "more than tensors"), ("nan", "weight_hh_l0 holds NaN"), ("inf", "weight_hh_l0 holds NaN"),
        ("integers", "of floating-point numbers, got torch.int64"), ("huge view", "claims .* more than it holds"),
        ("no tensors", "holds no state dict"), ("list", "holds no state dict"), ("traversal", "outside of its folder"),
        ("bomb", "no checkpoint as torch writes it"), ("other zip", "neither a torch checkpoint nor"),
        ("truncated", "damaged or truncated"), ("empty", "is empty"), ("text", "not a model file"),
        ("start", "damaged or truncated"),
    ],
)  # fmt: skip
def test_hostile_and_damaged_files_get_one_line_and_run_nothing(tmp_path, kind, message):
    path, layer = tmp_path / "hostile.pt", memorycell.LSTM(3, 4)
    _hostile(kind, path)
    before = layer.weight_hh_l0.clone()
    with pytest.raises(ModelFileError, match=message) as caught:
        import_weights(path, layer)
    assert "\n" not in str(caught.value) and "hostile.pt" in str(caught.value)
    assert not Evil.ran and torch.equal(layer.weight_hh_l0, before)
    assert [file.name for file in tmp_path.iterdir()] == ["hostile.pt"]


def test_sizes_are_bounded_before_anything_is_read(tmp_path, monkeypatch):
    path = tmp_path / "a.pt"
    torch.save(nn.LSTM(3, 4).state_dict(), path)
    monkeypatch.setattr(foreign, "MOST_BYTES", 1000)
    with pytest.raises(ModelFileError, match="more than the 1,000 that are read"):
        import_weights(path, memorycell.LSTM(3, 4))


def test_a_missing_file_is_said(tmp_path):
    with pytest.raises(FileNotFoundError, match="no file of weights at"):
        import_weights(tmp_path / "nothing.pt", memorycell.LSTM(3, 4))
    with pytest.raises(FileNotFoundError, match="a folder, not a file"):
        import_weights(tmp_path, memorycell.LSTM(3, 4))


def _own(module, prefix=""):
    return {prefix + name: value for name, value in module.state_dict().items()}


def _raw(state, drop=True):
    """As weight drop names them: the parameter `…_raw`, and beside it what was left of it in the last step."""
    found = {}
    for name, value in state.items():
        raw = "weight_hh" in name
        found[name + "_raw" if raw else name] = value
        if raw and drop:
            found[name] = value * (torch.arange(value.numel()).reshape(value.shape) % 2)
    return found


WRAPPED = {
    "AWD-LSTM": lambda m: {"encoder.weight": torch.ones(5, 3), **_raw(_own(m, "rnns.0.module."), drop=False)},
    "fastai": lambda m: {
        "0.encoder.weight": torch.ones(5, 3),
        **_own(m, "0.rnns.0.module."),
        **{k: v for k, v in _raw(_own(m, "0.rnns.0.")).items() if k.endswith("_raw")},
        "0.rnns.0.module.weight_hh_l0": torch.zeros_like(m.weight_hh_l0),
    },
    "raw and dropped": lambda m: _raw(_own(m, "module.rnn.")),
    "fastai's learner": lambda m: {
        "model": {"1.rnns.0.weight_hh_l0_raw": m.weight_hh_l0, **_own(m, "1.rnns.0.module.")},
        "opt": {"state": [{"avg": torch.ones(3)}], "hypers": [{"lr": 1e-3}]},
    },
    "Lightning": lambda m: {"epoch": 3, "state_dict": _own(m, "net.rnn."), "optimizer_states": [{"state": {}}]},
    "a step as tensor": lambda m: {"step": torch.tensor(7), "model": _own(m, "rnn.")},
    "parts": lambda m: {"encoder": _own(m, "rnn."), "head": _own(nn.Linear(2, 2)), "optimizer": {"m": torch.ones(2)}},
    "DataParallel": lambda m: _own(m, "module.rnn."),
    "compiled": lambda m: _own(m, "_orig_mod.body._orig_mod.rnn."),
    "averaged": lambda m: {"n_averaged": torch.tensor(9), **_own(m, "module.rnn.")},
}


@pytest.mark.parametrize("form", WRAPPED)
def test_names_of_wrappers_are_read_and_raw_weights_are_the_parameters(tmp_path, form, caplog):
    theirs, ours, path = seeded(lambda: nn.LSTM(3, 4)), seeded(lambda: memorycell.LSTM(3, 4), 1), tmp_path / "a.pt"
    torch.save(WRAPPED[form](theirs), path)
    with caplog.at_level("INFO", logger="memorycell"):
        imported = import_weights(path, ours)
    for name, value in theirs.state_dict().items():
        assert torch.equal(getattr(ours, name), value), name
    raw = form in ("AWD-LSTM", "fastai", "raw and dropped", "fastai's learner")
    assert imported["weight_hh_l0"].endswith("_raw") == raw == ("raw weights" in caplog.text)


@pytest.mark.parametrize("prefix", ["module.enc", "enc"])
def test_a_prefix_may_be_given_with_or_without_the_wrappers(tmp_path, prefix):
    theirs = {"enc": nn.LSTM(3, 4), "dec": nn.LSTM(3, 4)}
    torch.save({f"module.{name}": value for name, value in nn.ModuleDict(theirs).state_dict().items()}, tmp_path / "a")
    ours = memorycell.LSTM(3, 4)
    assert import_weights(tmp_path / "a", ours, prefix)["bias_ih_l0"] == "module.enc.bias_ih_l0"
    assert torch.equal(ours.weight_hh_l0, theirs["enc"].weight_hh_l0)
