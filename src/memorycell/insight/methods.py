"""Methods: the ways to take a number apart, by their names."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from memorycell.insight.attribution import integrated_gradients_of
from memorycell.insight.contextual import contextual_decomposition
from memorycell.insight.decomposition import decomposition
from memorycell.insight.explained import Explained
from memorycell.insight.explanation import Explanation
from memorycell.insight.occlusion import occlusion

METHODS: dict[str, Callable[..., Explanation]] = {
    "integrated gradients": integrated_gradients_of,
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
        For an unknown method, and what the method refuses.
    TypeError
        For an option that it has not.

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
    return METHODS[method](explained, **options)
