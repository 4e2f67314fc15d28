"""A process that trains on demand and may be killed: run by test_checkpoint, never by itself.

It imports torch once. For each line "checkpoint result" on stdin it forks a child that trains, and prints
the child's pid; when the child has ended, it prints how. Where there is no fork, the child begins anew.
"""

import json
import os
import subprocess
import sys

import torch
from safetensors.torch import save_file
from toys import Echo, Tokens, seeded, weights

from memorycell.data.streams import SampleStream
from memorycell.training import TrainingOptions, train


def run(checkpoint, result):
    """Two threads, an embedding, dropout, averages, early stopping, ragged batches, a schedule."""
    network = seeded(lambda: Echo(p=0.3, hidden=160))
    options = TrainingOptions(
        epochs=4, learning_rate=0.01, average=0.9, weight_decay=0.01, warmup_steps=3, patience=3, n_threads=2,
        checkpoint_seconds=0.0,
    )  # fmt: skip
    done = train(
        network,
        SampleStream(Tokens(300), 64, seed=4),
        options,
        validation=SampleStream(Tokens(64, seed=1), 64, shuffle=False),
        checkpoint=checkpoint,
        log=checkpoint + ".jsonl",
    )
    losses = [[row["loss"], row["val_loss"], row["lr"], row["grad_norm"]] for row in done.history]
    told = [done.stopped, done.best_epoch, done.best_loss, done.n_threads, losses]
    save_file({"weights": weights(network)}, result, {"told": json.dumps(told)})


def begin(*paths):
    """A child that trains: its pid, and a function that waits for its exit code."""
    if not hasattr(os, "fork"):
        process = subprocess.Popen([sys.executable, __file__, *paths])
        return process.pid, process.wait
    child = os.fork()
    if not child:
        run(*paths)
        os._exit(0)
    return child, lambda: os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])


if __name__ == "__main__":
    torch.set_num_threads(2)
    if sys.argv[1:]:
        run(*sys.argv[1:])
        sys.exit()
    print("ready", flush=True)
    for line in sys.stdin:
        child, ended = begin(*line.split())
        print(child, flush=True)
        print(ended(), flush=True)
