"""The operators under torch's two vmaps: sample by sample. An ensemble's weights differ, and so do its gradients."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor
from torch.utils._pytree import tree_flatten, tree_leaves, tree_unflatten


def one_by_one(operator: Any, info: Any, in_dims: Any, *arguments: Any) -> tuple[list[Tensor], list[int]]:
    """The rule of `torch.vmap`."""

    def pick(argument: Any, dim: Any, i: int) -> Any:
        if isinstance(dim, (list, tuple)):
            return [pick(one, d, i) for one, d in zip(argument, dim, strict=True)]
        return argument if dim is None else argument.select(dim, i)

    results = [
        operator(*(pick(argument, dim, i) for argument, dim in zip(arguments, in_dims, strict=True)))
        for i in range(info.batch_size)
    ]
    stacked = [torch.stack(parts) for parts in zip(*results, strict=True)]
    return stacked, [0] * len(stacked)


def legacy(operator: Any, *arguments: Any) -> list[Tensor]:
    """What the dispatch key "Batched" stands for: the vmap of `autograd.grad(is_grads_batched=True)` and its kin.

    Takes the innermost level that any of the tensors has, and leaves the rest to the operator. An operator that is an
    autograd function is to be called by way of this where `is_legacy`: torch keeps its graph of plain tensors alone.
    """
    level = torch._C._vmapmode_increment_nesting() - 1
    torch._C._vmapmode_decrement_nesting()
    flat, form = tree_flatten(arguments)
    batched = [place for place, value in enumerate(flat) if _is_batched(value)]
    mine: dict[int, Tensor] = {}
    while not mine:
        # Of tensors without this level, torch makes one of as many samples as it is told: none.
        opened = {place: torch._remove_batch_dim(flat[place], level, 0, 0) for place in batched}
        mine = {place: value for place, value in opened.items() if value.shape[0]}
        level -= 1
    size = len(next(iter(mine.values())))
    results = []
    for i in range(size):
        picked = [mine[place].select(0, i) if place in mine else value for place, value in enumerate(flat)]
        results.append(operator(*tree_unflatten(picked, form)))
    return [torch._add_batch_dim(torch.stack(parts), 0, level + 1) for parts in zip(*results, strict=True)]


def is_legacy(*arguments: Any) -> bool:
    """Whether any of the tensors is a batch of the older vmap."""
    return not torch.compiler.is_compiling() and any(map(_is_batched, tree_leaves(arguments)))


def _is_batched(value: Any) -> bool:
    return isinstance(value, Tensor) and torch._C._functorch.is_legacy_batchedtensor(value)
