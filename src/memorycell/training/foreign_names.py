"""Names in checkpoints of torch: where the state dict lies, and what wrappers made of the names in it."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from typing import Any

from torch import Tensor, strided

# Where programs are wont to put a state dict: torch's examples, Lightning, fastai, averaged models.
NESTED = ("state_dict", "model_state_dict", "model", "module", "network", "net", "weights", "params", "model_state")
# What lies beside it and holds tensors that are no weights.
_BESIDE = re.compile(r"(?i)opt|sched|callback|loop|hyper|rng|scaler|history|config|args|ema|averag|swa")
_DEPTH = 4
_MOST_PARTS = 100  # modules side by side
# AWD-LSTM (Merity et al. 2018) and fastai keep the parameter that weight drop acts on as ``weight_hh_l0_raw``; what is
# called ``weight_hh_l0`` beside it is the copy of the last step, with weights dropped.
_RAW = re.compile(r"(?P<where>(?:.*\.)?)(?P<kind>weight_(?:ih|hh))_l(?P<layer>\d+)(?P<reverse>_reverse)?_raw")


def state_dict(content: Any, depth: int = _DEPTH) -> dict[str, Tensor]:
    """The tensors of a checkpoint by name, wherever programs are wont to put them; none where there are none.

    Several modules side by side, ``{"encoder": …, "decoder": …}``, are one whose parts have these names.

    Example
    -------
    >>> import torch
    >>> weight = torch.ones(2)
    >>> sorted(state_dict({"step": torch.tensor(3), "model": {"a": weight}, "opt": {"state": [{"mom": weight}]}}))
    ['a']
    >>> sorted(state_dict({"encoder": {"a": weight}, "decoder": {"a": weight}, "optimizer": {"m": weight}}))
    ['decoder.a', 'encoder.a']
    """
    if not isinstance(content, Mapping) or depth < 1:
        return {}
    for name in NESTED:
        if found := state_dict(content.get(name), depth - 1):
            return found
    tensors = {name: value for name, value in content.items() if isinstance(name, str) and _dense(value)}
    if tensors or len(content) > _MOST_PARTS:
        return tensors
    return {
        f"{name}.{part}": value
        for name, inner in content.items()
        if isinstance(name, str) and not _BESIDE.search(name)
        for part, value in state_dict(inner, 1).items()
    }


def _dense(value: Any) -> bool:
    return isinstance(value, Tensor) and value.layout == strided and not value.is_quantized


def plain_names(names: Iterable[str]) -> dict[str, str]:
    """Names without what wrappers added, each with the one that stands in the file.

    ``_orig_mod.`` of torch.compile and the ``module.`` that DataParallel puts before all of them are left out; the raw
    weights of weight drop take the place of its dropped-out copies (see `dropped`).

    Example
    -------
    >>> plain_names(["module.rnn.weight_ih_l0", "module.rnn.weight_hh_l0_raw", "module.rnn.weight_hh_l0"])
    {'rnn.weight_ih_l0': 'module.rnn.weight_ih_l0', 'rnn.weight_hh_l0': 'module.rnn.weight_hh_l0_raw'}
    >>> plain_names(["0.rnns.0.weight_hh_l0_raw", "0.rnns.0.module.weight_ih_l0"])["0.rnns.0.module.weight_hh_l0"]
    '0.rnns.0.weight_hh_l0_raw'
    """
    given = list(names)
    everywhere = bool(given) and all(name.startswith("module.") for name in given if name != "n_averaged")
    plain = {stripped(name, everywhere): name for name in given}
    for name, source in list(plain.items()):
        match = _RAW.fullmatch(name)
        if match is None:
            continue
        del plain[name]
        tail = f"_l{match['layer']}{match['reverse'] or ''}"
        other = "weight_ih" if match["kind"] == "weight_hh" else "weight_hh"
        # fastai's wrapper holds the raw weight itself, and the layer with all the others in its `module`.
        inside = f"{match['where']}module."
        beside = any(f"{inside}{part}{tail}{raw}" in plain for part in (other, "bias_ih") for raw in ("", "_raw"))
        plain[f"{inside if beside else match['where']}{match['kind']}{tail}"] = source
    return plain


def stripped(name: str, everywhere: bool = True) -> str:
    """A name without torch.compile's and, where they are `everywhere`, DataParallel's additions."""
    plain = name.replace("_orig_mod.", "")
    return plain.removeprefix("module.") if everywhere and name.startswith("module.") else plain


def dropped(names: Mapping[str, str]) -> list[str]:
    """Of `plain_names`, the names in the file of raw weights."""
    return [source for source in names.values() if source.endswith("_raw")]
