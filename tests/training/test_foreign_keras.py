"""Weights of Keras' files: the same numbers out, whatever layout they are kept in; hostile ones are refused."""

import io
import json
import sys
import zipfile
from pathlib import Path

import h5py
import pytest
import torch
from torch import nn

import memorycell
from memorycell.networks.encoder import Encoder
from memorycell.training import ModelFileError
from memorycell.training.foreign import import_weights

FIXTURES = Path(__file__).parent / "fixtures"
RECORDED = json.loads((FIXTURES / "recorded.json").read_text())
X, TOKENS = torch.tensor(RECORDED["x"]), torch.tensor(RECORDED["tokens"])


def close(ours, theirs):
    torch.testing.assert_close(ours, torch.tensor(theirs), rtol=1e-5, atol=1e-5)


def test_embedding_bidirectional_lstm_and_dense_compute_the_same():
    path = FIXTURES / "tagger.keras"
    encoder, head = Encoder(7, embedding_size=3, hidden_sizes=(2,), bidirectional=True), nn.Linear(4, 2)
    imported = import_weights(path, encoder)
    assert imported["layers.0.weight_ih_l0_reverse"] == "both.weight_ih_l0_reverse" and len(imported) == 8
    import_weights(path, encoder.embedding, prefix="words")
    import_weights(path, head, prefix="head")
    close(head(encoder(TOKENS)[0]), RECORDED["tagger.keras"][0])


@pytest.mark.parametrize(
    ("number", "name", "make"),
    [
        (0, "after", lambda kind: kind.GRU(3, 2, batch_first=True)),
        (1, "before", lambda kind: memorycell.GRU(3, 2, batch_first=True, reset_after=False)),
        (2, "plain", lambda kind: kind.RNN(3, 2, nonlinearity="relu", batch_first=True)),
    ],
)
@pytest.mark.parametrize("kind", [memorycell, nn])
def test_grus_and_simple_rnns_compute_the_same(kind, number, name, make):
    layer = make(kind)
    import_weights(FIXTURES / "grus.keras", layer, prefix=name)
    close(layer(X)[0], RECORDED["grus.keras"][number])


def test_layers_of_an_old_file_make_a_stack_in_the_models_order_not_the_alphabets():
    layer = memorycell.LSTM(3, 2, num_layers=2, batch_first=True)
    imported = import_weights(FIXTURES / "stacked.h5", layer)
    assert imported["weight_ih_l0"] == "zebra.weight_ih_l0" and imported["weight_ih_l1"] == "ant.weight_ih_l0"
    close(layer(X)[0], RECORDED["stacked.h5"][0])


def test_names_as_keras_2_wrote_them_are_read(tmp_path):
    path, layer = tmp_path / "old.h5", memorycell.LSTM(3, 2, num_layers=2, batch_first=True)
    path.write_bytes((FIXTURES / "stacked.h5").read_bytes())
    with h5py.File(path, "r+") as file:
        for name in ("zebra", "ant"):
            cell = file[f"model_weights/{name}/{name}/lstm_cell"]
            for key in list(cell):
                cell.move(key, f"{key}:0")
    import_weights(path, layer)
    close(layer(X)[0], RECORDED["stacked.h5"][0])


def test_weights_without_a_configuration_are_enough():
    layer = memorycell.LSTM(3, 2, batch_first=True)
    with pytest.warns(UserWarning, match="weights without a configuration"):
        assert import_weights(FIXTURES / "lstm.weights.h5", layer)["bias_hh_l0"] == "mine.bias_hh_l0"
    close(layer(X)[0], RECORDED["weights"][0])


def test_a_layer_without_bias_computes_the_same():
    for bias in (True, False):
        layer = memorycell.LSTM(3, 2, batch_first=True, bias=bias)
        import_weights(FIXTURES / "odd.keras", layer, prefix="no_bias")
        close(layer(X)[0], RECORDED["odd.keras"][0])


@pytest.mark.parametrize(
    ("file", "prefix", "make", "message"),
    [
        ("odd.keras", "sharp", lambda: memorycell.LSTM(3, 2), "has recurrent_activation='hard_sigmoid'"),
        ("odd.keras", "back", lambda: memorycell.GRU(3, 2), "reads its input backwards"),
        ("odd.keras", "summed", lambda: memorycell.GRU(3, 2, bidirectional=True), "merge_mode='sum'"),
        ("odd.keras", None, lambda: memorycell.LSTM(3, 2), r"no_bias \(LSTM 3 → 2\); sharp .* back .* choose"),
        ("grus.keras", "before", lambda: nn.GRU(3, 2), "trained with reset_after=False, the module has"),
        ("grus.keras", "after", lambda: memorycell.GRU(3, 2, reset_after=False), "trained with reset_after=True"),
        ("grus.keras", "plain", lambda: memorycell.RNN(3, 2), "trained with nonlinearity='relu'"),
        ("grus.keras", None, lambda: memorycell.LSTM(3, 2), "expected LSTM layers .* got none; .* plain"),
        ("tagger.keras", None, lambda: memorycell.LSTM(3, 5, bidirectional=True), r"\(20, .\) .* got \(8, .\)"),
        ("tagger.keras", "heads", lambda: nn.Linear(4, 2), "has no heads.weight"),
        ("tagger.keras", "words", lambda: nn.Embedding(8, 3), r"words.weight of shape \(8, 3\) .* got \(7, 3\)"),
    ],
)  # fmt: skip
def test_what_computes_something_else_is_refused(file, prefix, make, message):
    with pytest.raises(ValueError, match=message):
        import_weights(FIXTURES / file, make(), prefix)


def _rewritten(path, change):
    """The file of weights that `change` makes of a sound one."""
    path.write_bytes((FIXTURES / "lstm.weights.h5").read_bytes())
    with h5py.File(path, "r+") as file:
        change(file, file["layers/lstm/cell/vars"])


def _replace(weights, name, **how):
    del weights[name]
    return weights.create_dataset(name, **how)


def _packed(file, weights):
    _replace(weights, "0", shape=(3000, 3000), dtype="f4", compression="gzip", data=torch.zeros(3000, 3000).numpy())


HDF5 = {
    "external link": (lambda f, w: w.__setitem__("3", h5py.ExternalLink("/etc/hostname", "/")), "leads elsewhere"),
    "soft link": (lambda f, w: f.__setitem__("layers/more", h5py.SoftLink("/layers/lstm")), "leads elsewhere"),
    "loop": (lambda f, w: w.__setitem__("loop", f["layers"]), "too many groups, or too deep"),
    "huge": (lambda f, w: _replace(w, "0", shape=(10**7, 10**5), dtype="f4", chunks=(1000, 10)), "claims more"),
    "packed": (_packed, "claims more numbers"),
    "other file": (
        lambda f, w: _replace(w, "0", shape=(3, 8), dtype="f4", external=[("/etc/hostname", 0, 96)]), "in another"),
    "virtual": (lambda f, w: _virtual(w), "in another file"),
    "strings": (lambda f, w: _replace(w, "0", data=[[b"a"] * 8] * 3), "of floating-point numbers, got"),
    "objects": (lambda f, w: _replace(w, "0", data=[["a"] * 8] * 3, dtype=h5py.string_dtype()), "of floating-point"),
    "integers": (lambda f, w: _replace(w, "0", data=[[1] * 8] * 3), "of floating-point numbers, got int64"),
    "NaN": (lambda f, w: w["1"].__setitem__((0, 0), float("nan")), "mine.weight_hh_l0 holds NaN"),
    "kernel": (lambda f, w: _replace(w, "1", shape=(2, 9), dtype="f4"), "expected kernels"),
    "flat kernel": (lambda f, w: _replace(w, "1", shape=(16,), dtype="f4"), "expected kernels"),
    "bias": (lambda f, w: _replace(w, "2", shape=(9,), dtype="f4"), r"expected a bias of shape \(8,\)"),
}  # fmt: skip


def _virtual(weights):
    layout = h5py.VirtualLayout(shape=(3, 8), dtype="f4")
    layout[:] = h5py.VirtualSource("/etc/hostname", "x", shape=(3, 8))
    del weights["0"]
    weights.create_virtual_dataset("0", layout)


@pytest.mark.filterwarnings("ignore:.*weights without a configuration")
@pytest.mark.parametrize("name", HDF5)
def test_hostile_hdf5_gets_one_line(tmp_path, name):
    change, message = HDF5[name]
    path, layer = tmp_path / "hostile.h5", memorycell.LSTM(3, 2)
    _rewritten(path, change)
    before = layer.weight_hh_l0.clone()
    with pytest.raises(ModelFileError, match=message) as caught:
        import_weights(path, layer)
    assert "\n" not in str(caught.value) and torch.equal(layer.weight_hh_l0, before)


def _archive(members, packing=zipfile.ZIP_STORED):
    data = io.BytesIO()
    with zipfile.ZipFile(data, "w", packing) as archive:
        for name, content in members:
            archive.writestr(name, content)
    return data.getvalue()


def _members():
    with zipfile.ZipFile(FIXTURES / "tagger.keras") as archive:
        return {name: archive.read(name) for name in archive.namelist()}


ZIPS = {
    "truncated": (lambda m: _archive(m.items())[:-200], "damaged or truncated"),
    "half": (lambda m: (FIXTURES / "stacked.h5").read_bytes()[:9000], "damaged or truncated"),
    "traversal": (lambda m: _archive([*m.items(), ("../../evil.py", "x")]), "outside of its folder"),
    "absolute": (lambda m: _archive([*m.items(), ("/tmp/evil.py", "x")]), "outside of its folder"),  # noqa: S108
    "no weights": (lambda m: _archive([("config.json", "{}")]), "neither a torch checkpoint nor a .keras"),
    "empty weights": (lambda m: _archive([("model.weights.h5", b"")]), "damaged or truncated"),
    "text": (lambda m: _archive([("model.weights.h5", b"hello" * 99)]), "damaged or truncated"),
    "bomb": (lambda m: _archive([("model.weights.h5", bytes(3 * 10**7))], zipfile.ZIP_DEFLATED), "would unpack to"),
    "wrong sum": (lambda m: _archive(m.items()).replace(b"\x89HDF", b"\x89HDX"), "damaged or truncated"),
}


@pytest.mark.parametrize("name", ZIPS)
def test_hostile_archives_get_one_line(tmp_path, monkeypatch, name):
    make, message = ZIPS[name]
    path = tmp_path / "hostile.keras"
    path.write_bytes(make(_members()))
    monkeypatch.setattr("memorycell.training.foreign.MOST_BYTES", 10**7)
    with pytest.raises(ModelFileError, match=message) as caught:
        import_weights(path, memorycell.LSTM(3, 2, bidirectional=True))
    assert "\n" not in str(caught.value)
    assert [file.name for file in tmp_path.iterdir()] == ["hostile.keras"]


LAMBDA = b'{"config": {"layers": [1, {"class_name": "Lambda"}, {"class_name": "Lambda", "config": {"function": "x"}}]}}'


@pytest.mark.parametrize("config", [b"", b"{", b"[1]", LAMBDA, b"[" * 9999])
def test_what_a_broken_configuration_does_not_describe_is_refused_and_nothing_of_it_is_run(tmp_path, config):
    path, layer = tmp_path / "model.keras", memorycell.LSTM(3, 2, bidirectional=True)
    path.write_bytes(_archive({**_members(), "config.json": config}.items()))
    with pytest.raises(ValueError, match=r"both .* cannot be checked: .* does not describe it; .*save_weights"):
        import_weights(path, layer)


CHANGES = {
    "units": ('"units": 2', '"units": 3', "to be LSTM of 3 units, with bias, .* got weights of LSTM of 2 units"),
    "no bias": ('"use_bias": true', '"use_bias": false', "without bias, as its configuration says, .* with bias"),
    "class": ('"class_name": "LSTM"', '"class_name": "GRU"', "to be GRU of 2 units"),
    "renamed": ('"name": "both"', '"name": "other"', "cannot be checked: it is of the class Bidirectional"),
    "no activation": ('"activation": "tanh"', '"activation": {"class_name": "Mine"}', "has activation='Mine'"),
    "no direction": ('"go_backwards": true', '"go_backwards": false', "reads its input backwards"),
}


@pytest.mark.parametrize("name", CHANGES)
def test_a_configuration_that_contradicts_its_weights_is_refused(tmp_path, name):
    old, new, message = CHANGES[name]
    path, members = tmp_path / "model.keras", _members()
    assert old in members["config.json"].decode()
    members["config.json"] = members["config.json"].decode().replace(old, new).encode()
    path.write_bytes(_archive(members.items()))
    with pytest.raises(ValueError, match=message):
        import_weights(path, memorycell.LSTM(3, 2, bidirectional=True))


def test_a_module_that_has_the_files_names_is_checked_too():
    class Own(nn.Module):
        def __init__(self, **options):
            super().__init__()
            self.after = memorycell.GRU(3, 2, **options)

    import_weights(FIXTURES / "grus.keras", Own())
    with pytest.raises(ValueError, match="trained with reset_after=True, the module has reset_after=False"):
        import_weights(FIXTURES / "grus.keras", Own(reset_after=False))


def test_an_encoder_is_a_stack():
    import_weights(FIXTURES / "stacked.h5", Encoder(None, features=3, hidden_sizes=(2, 2)))
    beside = Encoder(None, features=3, cell="GRU", hidden_sizes=(2, 2))
    with pytest.raises(ValueError, match=r"for one stack, got after and before: before does not read after|stands"):
        import_weights(FIXTURES / "grus.keras", beside)


def test_without_h5py_it_says_what_to_install(monkeypatch):
    monkeypatch.setitem(sys.modules, "h5py", None)
    with pytest.raises(ImportError, match=r'needs the h5py package: pip install "memorycell\[keras\]"'):
        import_weights(FIXTURES / "stacked.h5", memorycell.LSTM(3, 2))


@pytest.mark.parametrize("packing", [zipfile.ZIP_BZIP2, zipfile.ZIP_LZMA])
def test_an_archive_that_keras_would_not_pack_is_refused(packing, tmp_path):
    path = tmp_path / "packed.keras"
    with zipfile.ZipFile(FIXTURES / "tagger.keras") as intact, zipfile.ZipFile(path, "w", packing) as archive:
        for name in intact.namelist():
            archive.writestr(name, intact.read(name))
    with pytest.raises(ModelFileError, match="is damaged: Keras does not pack"):
        import_weights(path, nn.LSTM(3, 2))


def test_a_stream_that_cannot_be_unpacked_is_damage(tmp_path):
    path = tmp_path / "torn.keras"
    with zipfile.ZipFile(FIXTURES / "tagger.keras") as intact:
        entry = intact.getinfo("config.json")
    content = bytearray((FIXTURES / "tagger.keras").read_bytes())
    begin = entry.header_offset + 30 + len(entry.filename)
    content[begin : begin + 40] = b"\xff" * 40  # no block of deflate begins so
    path.write_bytes(content)
    with pytest.raises(ModelFileError, match=r"is damaged or truncated .*decompress"):
        import_weights(path, nn.LSTM(3, 2))
