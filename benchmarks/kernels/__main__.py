"""Recurrent layers on the CPU: memorycell beside torch, JAX, ONNX Runtime and OpenVINO.

    python benchmarks/kernels [--quick] [--only TEXT ...] [--kinds forward training memory] [--threads 1 2]
                              [--rounds 7] [--json build/kernels.json] [--picture build/kernels.svg]

    python benchmarks/kernels                              everything: most of an hour
    python benchmarks/kernels --quick                      small shapes, few rounds: some minutes
    python benchmarks/kernels --only "ragged" peephole     the jobs whose names contain one of these
    python benchmarks/kernels --only "LSTM 32,100" --threads 1 --kinds training
    pip install jax onnx onnxruntime openvino              the peers besides torch; those not installed are named

First every result and every gradient of memorycell is compared with torch.nn's (outputs to 1e-5, gradients to 1e-4,
relative to the largest value); while one of them is wrong no speed is printed, and the exit code is 1. Then the
contestants play each job in turn, A B C A B C, each in a process of its own that sleeps while others run, all on the
same processors and with the same number of threads. Times are medians over the rounds, ratios medians of the ratios
within each round. The ceiling is the machine's own, measured in the same run: a product of 2048 × 2048 matrices by
torch (sgemm), and a loop of multiply-adds in registers (fma) where the native library has one.

"memorycell v3" is restricted to AVX2 and compared with torch that is restricted in the same way. Training is the
forward pass and the gradients of x and of all weights. Memory is what a training step adds to a fresh process at its
highest. Shapes are B,T,I,H,L: batch, steps, input features, hidden units, layers.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path


def main() -> int:
    root = Path(__file__).parents[2]
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--quick", action="store_true", help="small shapes, few rounds")
    parser.add_argument("--only", nargs="+", metavar="TEXT", help="jobs whose names contain one of these")
    parser.add_argument("--kinds", nargs="+", choices=["forward", "training", "memory"], help="default: all")
    parser.add_argument("--threads", type=int, nargs="+", default=[1, 2])
    parser.add_argument("--rounds", type=int, help="rounds of each job, at most")
    parser.add_argument("--json", type=Path, default=root / "build" / "kernels.json")
    parser.add_argument("--picture", type=Path, nargs="+", default=[root / "build" / "kernels.svg"])
    arguments = parser.parse_args()
    # `python benchmarks/kernels` looks for modules in the folder itself, where the package cannot be found.
    sys.path[0] = str(Path(__file__).parents[1])
    from kernels import command

    return command.run(arguments)


if __name__ == "__main__":
    sys.exit(main())
