"""A layer as a leaf of torch.fx's graph, as torch's own layers are: called whole, with nothing of it recorded."""

from __future__ import annotations

from typing import Any

from torch import fx, nn


def as_leaf(layer: nn.Module, x: fx.Proxy, **given: Any) -> fx.Proxy:
    """The node that calls `layer`; raises TypeError if the layer is itself what is traced."""
    tracer: Any = x.tracer
    if getattr(tracer, "root", None) is layer:
        raise TypeError(
            f"torch.fx traces models that hold a {type(layer).__name__}, not the layer alone, which is one call: "
            "trace the model, or use torch.export"
        )
    given = {name: value for name, value in given.items() if value is not None}
    node: fx.Proxy = tracer.create_proxy("call_module", tracer.path_of_module(layer), (x,), given)
    return node
