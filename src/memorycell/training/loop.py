"""The training loop of every task."""

from __future__ import annotations

import contextlib
import functools
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import torch

from memorycell.data.batch import BatchStream
from memorycell.data.memory import remedied
from memorycell.kernels.native import flush_subnormals
from memorycell.networks.base import Network
from memorycell.training.checkpoint import describe, describe_content, load_checkpoint
from memorycell.training.evaluate import keep_modes
from memorycell.training.generators import Generators, may_draw
from memorycell.training.groups import ParameterGroup, check_groups
from memorycell.training.lock import holding
from memorycell.training.options import TrainingOptions, TrainingResult
from memorycell.training.progress import Callback
from memorycell.training.run import Run
from memorycell.training.signals import Interrupts
from memorycell.training.threads import choose_threads, flops_per_step, using_threads


@remedied("to train", "give a smaller batch_size=, a smaller hidden_size=, or shorter or fewer sequences")
def train(
    network: Network,
    stream: BatchStream,
    options: TrainingOptions | None = None,
    *,
    validation: BatchStream | None = None,
    checkpoint: str | Path | None = None,
    callbacks: Sequence[Callback | Any] = (),
    log: str | Path | None = None,
    progress: bool | None = None,
    what: str = "fitting",
    fingerprint: Mapping[str, Any] | None = None,
    groups: Sequence[ParameterGroup] = (),
) -> TrainingResult:
    """Train `network` in place on the batches of `stream`; it ends with its best weights.

    The loss of a step is Σ sum / Σ count over its batches, so ragged batches and accumulation average
    exactly. A stream that carries state is trained by truncated backpropagation through time: the final state
    of a batch, cut from the graph, is the initial state of the next. Random masks are a function of (seed,
    step). With the same seed, threads and versions a training repeats bit for bit, also beside others in other threads.
    The global generators are left alone; to a network or data of your own they are lent while they run, because
    `torch.nn.Dropout` and the like draw from nothing else.

    Ctrl-C stops after the current step, writes the checkpoint and keeps the best weights (without validation, the
    current ones); a second one raises KeyboardInterrupt at once. SIGTERM and SIGHUP do the same, and then end the
    process (SystemExit with 128 and the signal's number). Handlers of your own are left alone.

    Parameters
    ----------
    network : Network
        Its parameters with requires_grad are trained, and are the same Parameter objects afterwards.
    stream : BatchStream
        For example a `SampleStream`.
    options : TrainingOptions, optional
    validation : BatchStream, optional
        Its loss, in evaluation mode, decides which weights are best and when to stop. Without it the last are
        kept.
    checkpoint : str or Path, optional
        A file to go on from if it exists, and to write to. However training was ended, the same call goes on
        where the file was written, and ends with the same bits as if it had never been ended. What the data hold is
        compared, all of it, where a stream has `content()`, as those of this package have for their data sets; of
        others their sizes and `fingerprint`.
    callbacks : functions or objects with `on_epoch_end`
        Called with a dict after each epoch: the row of the history, ``"history"`` and ``"network"``.
        Answering ``"stop"`` ends the training.
    log : str or Path, optional
        A file that gets the row of each epoch appended as a line of JSON.
    progress : bool, optional
        Show a progress bar. None: on stderr, if that is a terminal, and in a notebook.
    what : str
        What the bar says that this is.
    fingerprint : mapping, optional
        Plain JSON that must be the same when going on from a checkpoint, beside the options and the shapes.
    groups : sequence of ParameterGroup, optional
        Parameters with learning rates of their own, or frozen at first; parameters in no group have the schedule's
        rate from the beginning. Training does not stop early before every group is trained.

    Returns
    -------
    TrainingResult

    Raises
    ------
    ValueError
        If there is nothing to train (no parameters, no batches, no weighted targets), the groups do not divide the
        parameters, or the checkpoint belongs to another training.
    DivergedError
        If a loss or a gradient is NaN or infinite.
    OSError
        If another training writes the checkpoint, or it or the log cannot be written. The network has its best weights
        so far then, too.

    Example
    -------
    >>> import torch
    >>> from torch import nn
    >>> from memorycell.data.batch import Batch
    >>> from memorycell.data.streams import SampleStream
    >>> from memorycell.networks.base import Loss
    >>> class Line(Network):
    ...     def __init__(self):
    ...         super().__init__()
    ...         self.slope = nn.Parameter(torch.zeros(1))
    ...     def loss(self, batch, state=None):
    ...         error = self.slope * batch.inputs["x"] - batch.targets
    ...         return Loss(error.square().sum(), error.numel())
    >>> class Points:
    ...     def __len__(self):
    ...         return 64
    ...     def gather(self, rows):
    ...         x = rows / 64
    ...         return Batch({"x": x}, targets=3 * x, rows=rows)
    >>> line = Line()
    >>> result = train(line, SampleStream(Points(), 8), TrainingOptions(epochs=30, learning_rate=0.1))
    >>> result.stopped, round(line.slope.item(), 2)
    ('finished', 3.0)
    """
    options = TrainingOptions() if options is None else options
    trained = [parameter for parameter in network.parameters() if parameter.requires_grad]
    if not trained:
        raise ValueError("expected a network with parameters to train, got none with requires_grad")
    if not len(stream):
        raise ValueError("expected at least one batch to train on, got none: more rows or a smaller batch_size")
    check_groups(groups, trained, options.epochs)
    draws = may_draw(network, stream, validation)
    generators = functools.partial(Generators, options.seed, trained[0].device, draws)
    path = None if checkpoint is None else Path(checkpoint)
    described = describe(network, stream, validation, options, fingerprint, groups)
    with contextlib.nullcontext() if path is None else holding(path):
        resumed = None
        if path is not None:
            described |= describe_content(stream, validation)
            resumed = load_checkpoint(path, described)
        if options.n_threads is not None:
            n_threads = options.n_threads
        elif resumed is not None:
            n_threads = resumed.position.n_threads
        else:
            with generators().lent():
                n_threads = choose_threads(flops_per_step(network, next(iter(stream.batches(0)))))
        with (
            torch.inference_mode(False),  # whatever the caller is in: gradients are wanted
            torch.enable_grad(),
            using_threads(n_threads),
            flush_subnormals(),
            keep_modes(network),
            Interrupts() as interrupts,
        ):
            run = Run(
                network,
                trained,
                stream,
                options,
                validation=validation,
                callbacks=callbacks,
                interrupts=interrupts,
                groups=groups,
            )
            run.generators = generators()
            run.position.n_threads = n_threads
            run.path, run.fingerprint = path, described
            return run.run(resumed, log, progress, what)
