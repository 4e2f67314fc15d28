"""Who looks on when an operator is called: compilers, transforms, modes; and what to do where one does."""

from __future__ import annotations

import warnings
from collections.abc import Sequence

import torch
from torch import Tensor
from torch.autograd import forward_ad

# What our checks of shapes say to a trace, as torch has it for its own layers; they are checked when it is made.
warnings.filterwarnings("ignore", category=torch.jit.TracerWarning, module=r"memorycell\.")

_PLAIN = (Tensor, torch.nn.Parameter)
_included = torch._C._dispatch_tls_local_include_set
# What every thread's calls go through. Tracing, transforms of both generations and Python's modes add keys to it.
_USUAL = _included().raw_repr()


def none(first: Sequence[Tensor | None], tensors: Sequence[Tensor]) -> bool:
    """Whether nobody looks on, so that the operators can be called on raw memory, without dispatch.

    Dispatch and its list arguments cost 20 µs a call, several times a small layer's arithmetic. It also turns tensors
    that hold something else than their numbers (a subclass, a lazily negated view) into plain ones.

    Parameters
    ----------
    first : sequence of Tensor or None
        Input, states or gradients: where autograd's own tensors of zeros without memory can stand.
    tensors : sequence of Tensor
        All others.
    """
    return (
        not torch.compiler.is_compiling()
        and _included().raw_repr() | _USUAL == _USUAL
        and not torch._C._len_torch_function_stack()
        and forward_ad._current_level < 0
        and all(t is None or (type(t) in _PLAIN and not (t.is_neg() or t._is_zerotensor())) for t in first)
        and all(type(t) in _PLAIN and not t.is_neg() for t in tensors)
    )


def plain(tensor: Tensor) -> Tensor:
    """The tensor with its numbers in memory: lists with gaps are dispatched without a look at who is lazy in them."""
    if not torch.compiler.is_compiling() and tensor._is_zerotensor():
        return torch.zeros_like(tensor)
    return tensor.resolve_neg()


def composed() -> bool:
    """Whether an onlooker wants torch's own operators: forward-mode derivatives, and `torch.func.functionalize`."""
    if torch.compiler.is_compiling():
        return False
    if forward_ad._current_level >= 0:
        return True
    if not torch._C._are_functorch_transforms_active():
        return False
    kinds = torch._C._functorch
    return any(level.key() == kinds.TransformType.Functionalize for level in kinds.get_interpreter_stack())


def traced() -> bool:
    """Whether `torch.jit.trace` records."""
    return not torch.compiler.is_compiling() and torch._C._get_tracing_state() is not None
