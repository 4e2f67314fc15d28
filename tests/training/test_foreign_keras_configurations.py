"""What Keras 2 and 3 write of recurrent layers, in 142 configurations: the same numbers out, or a refusal."""

import functools
import json
import tarfile
from pathlib import Path

import pytest
import torch

import memorycell
from memorycell.training import foreign
from memorycell.training.foreign import import_weights

FIXTURES = Path(__file__).parent / "fixtures"


@pytest.fixture(scope="module", params=[2, 3], ids=["Keras 2", "Keras 3"])
def files(request, tmp_path_factory):
    folder = tmp_path_factory.mktemp("keras")
    with tarfile.open(FIXTURES / f"configurations-{request.param}.tar.xz") as archive:
        archive.extractall(folder, filter="data")
    return folder


def built(case):
    if isinstance(case["module"], str):
        kind, sizes = case["kind"], {"input_size": 3, "hidden_size": 2}
        both = case["prefix"] in ("lstm_other", "lstm_sum", "lstm_apart", "lstm_hard_both", "lstm_turned")
        layers = 2 if case["prefix"] in ("", "lstm_mixed", "lstm_sizes") else 1
        layers, sizes = (1, sizes) if case["files"][0] == "code.keras" else (layers, sizes)
        return getattr(memorycell, kind)(**sizes, batch_first=True, bidirectional=both, num_layers=layers)
    kind, arguments = case["module"]
    return getattr(memorycell, kind)(**arguments, batch_first=True)


def test_every_configuration_computes_the_same_or_is_refused(files, monkeypatch):
    monkeypatch.setattr(foreign, "_read", functools.cache(foreign._read))  # many layers of each file
    cases = json.loads((files / "cases.json").read_text())
    assert len(cases) >= 70
    for case in cases:
        for name in case["files"]:
            layer = built(case)
            torch.nn.init.constant_(layer.weight_hh_l0, 0.25)
            prefix = case["prefix"] or None
            if isinstance(case["module"], str):
                with pytest.raises(ValueError, match=case["module"]):
                    import_weights(files / name, layer, prefix)
                assert (layer.weight_hh_l0 == 0.25).all(), f"{name} {prefix} was refused, and the layer changed"
                continue
            import_weights(files / name, layer, prefix)
            ours, theirs = layer(torch.tensor(case["x"]))[0], torch.tensor(case["y"])
            if theirs.dim() == 2:
                half = layer.hidden_size
                ours = torch.cat([ours[:, -1, :half], ours[:, 0, half:]], -1)
            near = 0.03 if case["prefix"] == "lstm_half" else 1e-5  # Keras computed that one in bfloat16
            assert ours.shape == theirs.shape, f"{name} {prefix}"
            assert torch.allclose(ours, theirs, rtol=near, atol=near), f"{name} {prefix}"


def test_weights_alone_say_that_nothing_was_checked(files):
    [case] = [case for case in json.loads((files / "cases.json").read_text()) if case["prefix"] == "mine"]
    layer = built(case)
    with pytest.warns(UserWarning, match="holds weights without a configuration"):
        import_weights(files / "alone.weights.h5", layer)
    torch.testing.assert_close(layer(torch.tensor(case["x"]))[0], torch.tensor(case["y"]), rtol=1e-5, atol=1e-5)
