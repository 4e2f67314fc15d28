"""The registry of jobs: what is computed, on which shapes, and in which ways each kind of contestant does it."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import asdict, dataclass
from typing import Any, NamedTuple

GATES = {"LSTM": 4, "GRU": 3, "RNN": 1}


class Shape(NamedTuple):
    """B rows of T steps of I features, through L layers of H units."""

    batch: int
    steps: int
    inputs: int
    hidden: int
    layers: int = 1

    def __str__(self) -> str:
        return ",".join(map(str, self[: 5 if self.layers > 1 else 4]))


@dataclass(frozen=True)
class Job:
    """One thing to compute: `kind` is "forward", "training" (forward and all gradients) or "memory" (of training)."""

    family: str  # of WAYS
    cell: str
    shape: Shape
    kind: str
    purpose: str = ""
    variant: str = ""  # of VARIANTS

    @property
    def title(self) -> str:
        what = self.variant or self.purpose if self.family != "sequence" else ""
        return f"{self.cell}{f', {what},' if what else ''} {self.shape}"

    def __str__(self) -> str:
        return f"{self.title} · {self.kind}"

    @property
    def draws(self) -> bool:
        """Whether training draws random masks."""
        return self.variant in ("recurrent dropout", "zoneout")

    @property
    def unit(self) -> str:
        """Of what is measured."""
        return "bytes" if self.kind == "memory" else "seconds"

    def operations(self, steps: float) -> float:
        """Floating-point operations of the products, over `steps` steps of all rows together."""
        shape = self.shape
        widths = shape.inputs + shape.hidden + (shape.layers - 1) * 2 * shape.hidden
        return 2 * steps * GATES[self.cell] * shape.hidden * widths * (1 if self.kind == "forward" else 3)

    def to_dict(self) -> dict[str, Any]:
        return asdict(self) | {"shape": list(self.shape)}

    @staticmethod
    def from_dict(values: dict[str, Any]) -> Job:
        return Job(**(values | {"shape": Shape(*values["shape"])}))


# By family and role of the contestant: the ways in which it does the job. A role that is missing does not take part.
WAYS: dict[str, dict[str, tuple[str, ...]]] = {
    "sequence": {"ours": ("",), "torch": ("",), "native": ("",), "jax": ("",), "onnx": ("",)},
    "one step": {
        "ours": ("stream", "stream bfloat16", "stream int8", "step"),
        "torch": ("layer", "cell"),
        "jax": ("",),
        "onnx": ("",),
    },
    "variant": {"ours": ("",), "torch": ("loop",)},
    "ragged": {"ours": ("lengths", "padded"), "torch": ("packed",)},
    "last step": {"ours": ("last step", "every step"), "torch": ("last step",), "flushed": ("last step",)},
    "step loop": {"ours": ("step",), "torch": ("cell",)},
    "memory": {"ours": ("",), "torch": ("",)},
}
# Our ways that compute something else than the peers: only our own other way is compared with them.
YARDSTICKS = {"padded": "of the padded time", "every step": "of the time with a loss at every step"}
VARIANTS: dict[str, dict[str, Any]] = {
    "recurrent dropout": {"recurrent_dropout": 0.3},
    "layer norm": {"layer_norm": True},
    "zoneout": {"zoneout": (0.1, 0.1)},
    "peephole": {"peephole": True},
}


def ways(job: Job, role: str) -> tuple[str, ...]:
    """In which ways a contestant of this role does the job; empty: it does not take part."""
    if (role == "onnx" and job.kind != "forward") or (role == "native" and job.cell != "LSTM"):
        return ()  # the runtimes of ONNX do not train; of torch's cells only the LSTM goes through oneDNN
    return WAYS[job.family].get(role, ())


SEQUENCES = {
    Shape(1, 100, 64, 128): "one row",
    Shape(32, 24, 8, 64): "small forecaster",
    Shape(32, 100, 128, 128): "middle",
    Shape(64, 100, 256, 256): "middle",
    Shape(128, 50, 64, 512): "middle",
    Shape(20, 35, 650, 650, 2): "language model, PTB medium",
    Shape(20, 35, 1500, 1500, 2): "language model, PTB large",
    Shape(80, 70, 400, 1150): "first layer of AWD-LSTM",
}


def registry() -> Iterator[Job]:
    """Every job, the small and special ones first."""
    for cell in ("LSTM", "GRU"):
        yield Job("one step", cell, Shape(1, 1, 64, 128), "forward", "one step of a stream")
    yield Job("step loop", "LSTM", Shape(32, 50, 128, 128), "training", "steps with gradients")
    for variant in VARIANTS:
        yield Job("variant", "LSTM", Shape(32, 100, 128, 128), "training", variant=variant)
    for steps in (100, 800):
        yield Job("ragged", "LSTM", Shape(32, steps, 64, 128), "training", "ragged batch")
    yield Job("last step", "LSTM", Shape(32, 784, 1, 128), "training", "loss on the last step")
    for cell in GATES:
        for shape, purpose in SEQUENCES.items():
            for kind in ("forward", "training"):
                yield Job("sequence", cell, shape, kind, purpose)
    for shape in list(SEQUENCES)[2:4]:
        yield Job("memory", "LSTM", shape, "memory", "peak memory")
