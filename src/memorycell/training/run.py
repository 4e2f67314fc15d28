"""One training, from its first batch or from a checkpoint to its end."""

from __future__ import annotations

import math
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from memorycell.data.batch import Batch, BatchStream
from memorycell.kernels.random import mask_stream
from memorycell.networks.base import Loss, Network, State, detach_state
from memorycell.training.checkpoint import Position, save_checkpoint
from memorycell.training.evaluate import entering_state, evaluate_loss, on_device
from memorycell.training.flat import FlatParameters
from memorycell.training.optimizers import build_optimizer
from memorycell.training.options import DivergedError, TrainingOptions, TrainingResult
from memorycell.training.progress import Callback, Log, ProgressBar, call
from memorycell.training.schedules import plateau_patience, rate
from memorycell.training.signals import Interrupts

_LOOK_EVERY = 32  # steps between two looks at the numbers on an accelerator: each look waits for it
_SAVE_APART = 1.0  # seconds between the checkpoints of epochs that are shorter than that


class _Interrupted(Exception):
    """Ctrl-C was pressed; training stands between two steps."""


class Run:
    """The flat parameters, optimiser, averages, best weights and position of one training. Used once, by `train`."""

    def __init__(
        self,
        network: Network,
        trained: list[nn.Parameter],
        stream: BatchStream,
        options: TrainingOptions,
        *,
        validation: BatchStream | None,
        callbacks: Sequence[Callback | Any],
        interrupts: Interrupts,
    ) -> None:
        self.network, self.stream, self.options = network, stream, options
        self.validation, self.callbacks, self.interrupts = validation, callbacks, interrupts
        self.device = trained[0].device
        # Off the CPU a number is looked at long after it was ordered, so that the accelerator need not be waited for.
        self.deferred = self.device.type != "cpu"
        self.position = Position()
        self.state: State = None
        self.path: Path | None = None
        self.fingerprint: dict[str, Any] = {}
        self.n_batches = len(stream)
        self.total_steps = options.epochs * -(-self.n_batches // options.accumulate)
        self.flat = FlatParameters(trained)
        self.optimizer = build_optimizer(self.flat, options)
        self.average = self.flat.snapshot() if options.average else None
        self.best, self.best_fixed = self.flat.snapshot(), self._copy_fixed()
        self._window: list[tuple[int, Tensor | None, Loss]] = []  # since the last step: batch number, rows, loss
        self._window_rows = 0
        self._unseen: list[tuple[int, list[tuple[int, Tensor | None, Loss]], Tensor]] = []
        self._saved_at = self._ticked_at = time.perf_counter()

    def run(self, resumed: Any, log: str | Path | None, progress: bool | None) -> TrainingResult:
        """Train, and leave the network with its best weights whatever happens."""
        keep_current = False
        stopped = None
        try:
            if resumed is not None:
                self._resume(*resumed)
            self.log = Log(log, len(self.position.history))
            if self.position.stopped is None:
                self._train(progress)
            stopped = self.position.stopped
        except _Interrupted:
            self._save()
            stopped, keep_current = "interrupted", self._current_is_best()
        except KeyboardInterrupt:
            if self.interrupts.requested > 1:
                raise
            stopped, keep_current = "interrupted", self._current_is_best()
        finally:
            if not keep_current:
                self.flat.restore(self.best)
                self._restore_fixed(self.best_fixed)
            elif self.average is not None:
                self.flat.restore(self.average)
            self.flat.release()
        return self.position.result(stopped)

    def _current_is_best(self) -> bool:
        """Without a validation loss, or before the first one, more steps are taken to be better."""
        return self.validation is None or not self.position.best_epoch

    def _train(self, progress: bool | None) -> None:
        at = self.position
        self._save()  # that a place cannot be written to is better known now than after an epoch
        with ProgressBar(progress, self.options.epochs, self.n_batches, at.epoch * self.n_batches + at.batch) as bar:
            self.bar = bar
            while at.stopped is None:
                self._train_epoch()
                self._end_epoch()
                waited = time.perf_counter() - self._saved_at
                if at.stopped is not None or waited >= min(_SAVE_APART, self.options.checkpoint_seconds):
                    self._save()

    # Steps.

    def _train_epoch(self) -> None:
        network, at, accumulate = self.network, self.position, self.options.accumulate
        carries = self.stream.carries_state
        network.train()
        self._ticked_at = time.perf_counter()
        for given in self.stream.batches(at.epoch, at.batch):
            batch = on_device(given, self.device)
            state = entering_state(network, batch, self.state) if carries else None
            # Batches of one step are one big batch: their masks go on with the rows.
            with mask_stream(self.options.seed, at.step, self._window_rows):
                loss = network.loss(batch, state)
            if not self.deferred:
                self._check("loss", float(loss.sum), at.batch, batch.rows)
            loss.sum.backward()
            if carries:
                self.state = detach_state(loss.state)
            self._window.append((at.batch, batch.rows, Loss(loss.sum.detach(), loss.count)))
            self._window_rows += len(batch)
            at.batch += 1
            if len(self._window) >= accumulate or at.batch == self.n_batches:
                self._step()
                self._between_steps()
        self._look()
        self._tick()

    def _step(self) -> None:
        """One step of the optimiser with the gradients of the batches in the window."""
        at, clip = self.position, self.options.clip_norm
        window, self._window = self._window, []
        at.examples += self._window_rows
        self._window_rows = 0
        at.learning_rate = rate(self.options, at.step, self.total_steps, at.plateau)
        norm = self.flat.grad_norm()
        if self.deferred:
            count = sum(loss.count for _, _, loss in window)
            count = torch.as_tensor(count, dtype=norm.dtype, device=norm.device).clamp(min=1e-30)
            norm = norm / count
            factor = 1.0 / count if clip is None else (clip / norm).clamp(max=1.0) / count
            self._unseen.append((at.step, window, norm))
            self._update(factor)
            if len(self._unseen) >= _LOOK_EVERY:
                self._look()
            return
        total = float(sum(float(loss.count) for _, _, loss in window))
        if total > 0:  # else every target is missing: nothing to learn
            mean_norm = float(norm) / total
            self._check("gradient", mean_norm, window[-1][0], window[-1][1])
            self._note(window, mean_norm)
            self._update(1.0 / total if clip is None or mean_norm <= clip else clip / mean_norm / total)
        at.step += 1
"""
"""
