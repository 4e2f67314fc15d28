"""Methods: the ways to take a number apart, by their names."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from typing import Any

from memorycell.insight.attribution import integrated_gradients
from memorycell.insight.contextual import contextual_decomposition
from memorycell.insight.decomposition import decomposition
from memorycell.insight.explained import Explained
from memorycell.insight.explanation import Explanation
from memorycell.insight.occlusion import occlusion

METHODS: dict[str, Callable[..., Explanation]] = {
    "integrated gradients": integrated_gradients,
    "occlusion": occlusion,
    "decomposition": decomposition,
    "contextual decomposition": contextual_decomposition,
}


def explain_by(explained: Explained, method: str = "integrated gradients", **options: Any) -> Explanation:
    """What each step adds to a number, by one of `METHODS`.

    Parameters
    ----------
    explained : Explained
    method : {"integrated gradients", "occlusion", "decomposition", "contextual decomposition"}
    options
        Of the method: `tolerance`, `width`, none, `steps`.

    Raises
    ------
    ValueError
        For an unknown method, an option that it has not, and what the method refuses.

    Example
    -------
    >>> import torch
    >>> x = torch.tensor([[1.0], [2.0]])
    >>> square = Explained(lambda v: v.sum((1, 2)) ** 2, x, 0 * x, (), "square", ["a", "b"], "numbers")
    >>> explain_by(square, "occlusion", width=2).scores
    array([4.5, 4.5])
    """
    if method not in METHODS:
        raise ValueError(f"expected a method of {', '.join(map(repr, METHODS))}, got {method!r}")
    known = list(inspect.signature(METHODS[method]).parameters)[1:]
    unknown = [name for name in options if name not in known]
    if unknown:
        raise ValueError(f"expected options of {method!r}: {', '.join(known) or 'it has none'}, got {unknown[0]!r}")
    return METHODS[method](explained, **options)
