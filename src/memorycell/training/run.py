"""One training, from its first batch or from a checkpoint to its end."""

from __future__ import annotations

import math
import time
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from memorycell.data.batch import BatchStream
from memorycell.data.lines import counted
from memorycell.data.log import logger
from memorycell.kernels.native import why_missing
from memorycell.kernels.random import mask_stream
from memorycell.networks.base import Loss, Network, State, detach_state, map_state
from memorycell.training.checkpoint import Position, Resumed, save_checkpoint
from memorycell.training.evaluate import entering_state, evaluate_loss, on_device
from memorycell.training.files import ModelFileError
from memorycell.training.flat import FlatParameters
from memorycell.training.generators import Generators
from memorycell.training.groups import ParameterGroup
from memorycell.training.intact import check_whole, fits_state
from memorycell.training.optimizers import build_optimizer
from memorycell.training.options import DivergedError, TrainingOptions, TrainingResult
from memorycell.training.progress import Callback, Log, ProgressBar, call
from memorycell.training.schedules import plateau_patience, rate, stage
from memorycell.training.signals import Interrupts

_LOG = logger(__name__)

_LOOK_EVERY = 32  # steps between two looks at the numbers on an accelerator: each look waits for it
_SAVE_APART = 1.0  # seconds between the checkpoints of epochs that are shorter than that


class _Interrupted(Exception):
    """Ctrl-C was pressed; training stands between two steps."""


class Run:
    """Flat parameters, optimiser, averages, best weights and position of one training, for `train`."""

    generators: Generators

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
        groups: Sequence[ParameterGroup] = (),
    ) -> None:
        self.network, self.stream, self.options = network, stream, options
        self.validation, self.callbacks, self.interrupts = validation, callbacks, interrupts
        self.device = trained[0].device
        # Off the CPU a number is looked at long after it was ordered, so that the accelerator need not be
        # waited for.
        self.deferred = self.device.type != "cpu"
        self.position = Position()
        self.state: State = None
        self.path: Path | None = None
        self.fingerprint: dict[str, Any] = {}
        self.n_batches = len(stream)
        self.fixed = {name: value for name, value in network.named_parameters() if not value.requires_grad}
        self.flat = FlatParameters(trained, groups)
        self.unfreezing = {segment.unfreeze_epoch for segment in self.flat.segments}
        self.optimizer = build_optimizer(self.flat, options)
        self.average = self.flat.snapshot() if options.average else None
        self.best, self.best_fixed = self.flat.snapshot(), self._copy_fixed()
        self._window: list[tuple[int, Tensor | None, Loss]] = []  # since the last step: batch number, rows, loss
        self._window_rows = 0
        self._unseen: list[tuple[int, list[tuple[int, Tensor | None, Loss]], Tensor | float]] = []
        self._saved_at = self._ticked_at = time.perf_counter()

    def run(self, resumed: Resumed | None, log: str | Path | None, progress: bool | None, what: str) -> TrainingResult:
        """Train, and leave the network with its best weights whatever happens."""
        keep_current = False
        stopped = None
        self._tell(what)
        try:
            if resumed is not None:
                self._resume(resumed.position, resumed.tensors, resumed.state)
            self.log = Log(log, len(self.position.history), self.position.log_bytes)
            if self.position.stopped is None:
                self._train(progress, what)
            stopped = self.position.stopped
        except _Interrupted:
            self._save()
            stopped, keep_current = "interrupted", self._current_is_best()
        except KeyboardInterrupt:
            if self.interrupts.torn:
                raise
            stopped, keep_current = "interrupted", self._current_is_best()
        finally:
            if not keep_current:
                self.flat.restore(self.best)
                self._restore_fixed(self.best_fixed)
            elif self.average is not None:
                self.flat.restore(self.average)
            self.flat.release()
        result = replace(self.position.result(stopped), notes=[] if resumed is None else resumed.notes)
        ended = f"{result.stopped} after {counted(len(result.history), 'epoch')} and {result.seconds:.3g} s"
        _LOG.info("%s: %s, best %d", what, ended, result.best_epoch)
        return result

    def _tell(self, what: str) -> None:
        if self.device.type == "cpu" and why_missing():
            _LOG.info("layers run on torch's operators: %s", why_missing())
        batches = f"{self.n_batches:,} {'batch' if self.n_batches == 1 else 'batches'} an epoch"
        _LOG.info("%s: %s, %s, %s", what, batches, counted(self.position.n_threads, "thread"), self.device)

    def _current_is_best(self) -> bool:
        """Without a validation loss, or before the first one, more steps are taken to be better."""
        return self.validation is None or not self.position.best_epoch

    def _train(self, progress: bool | None, what: str) -> None:
        at = self.position
        self._save()  # that a place cannot be written to is better known now than after an epoch
        done = at.epoch * self.n_batches + at.batch
        self.bar = ProgressBar(progress, self.options.epochs, self.n_batches, done, what)
        with self.bar:
            while at.stopped is None:
                with self.generators.lent():
                    self._train_epoch()
                self._end_epoch()
                waited = time.perf_counter() - self._saved_at
                if at.stopped is not None or waited >= min(_SAVE_APART, self.options.checkpoint_seconds):
                    self._save()

    # Steps.

    def _train_epoch(self) -> None:
        network, at, accumulate = self.network, self.position, self.options.accumulate
        if len(self.unfreezing) > 1:
            self.flat.freeze(at.epoch)
        steps = -(-self.n_batches // accumulate)
        self.first_step, self.stage_steps = stage(self.options, at.epoch, steps, self.unfreezing)
        carries = self.stream.carries_state
        network.train()
        self._ticked_at = time.perf_counter()
        for given in self.stream.batches(at.epoch, at.batch):
            batch = on_device(given, self.device)
            state = entering_state(network, batch, self.state) if carries else None
            # Batches of one step are one big batch: their masks go on with the rows.
            with mask_stream(self.options.seed, at.step, self._window_rows):
                loss = network.loss(batch, state)
            summed = loss.sum.detach()
            if not self.deferred:
                self._check("loss", float(summed), at.step, at.batch, batch.rows)
            loss.sum.backward()
            if carries:
                self.state = detach_state(loss.state)
            self._window.append((at.batch, batch.rows, Loss(summed, loss.count)))
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
        at.examples += self._window_rows
        at.learning_rate = rate(self.options, at.step - self.first_step, self.stage_steps, at.plateau)
        window, self._window, self._window_rows = self._window, [], 0
        counts = [loss.count for _, _, loss in window]
        norm = self.flat.grad_norm()
        if self.deferred:
            total = torch.as_tensor(sum(counts), dtype=norm.dtype, device=norm.device).clamp(min=1e-30)
            norm = norm / total
            self._update(1.0 / total if clip is None else (clip / norm).clamp(max=1.0) / total)
            self._unseen.append((at.step, window, norm))
            if len(self._unseen) >= _LOOK_EVERY:
                self._look()
        elif (count := math.fsum(map(float, counts))) > 0:  # else every target is missing: nothing to learn
            mean_norm = float(norm) / count
            self._check("gradient", mean_norm, at.step, window[-1][0], window[-1][1])
            self._update(1.0 / count if clip is None or mean_norm <= clip else clip / (mean_norm * count))
            self._note(window, mean_norm)
        at.step += 1

    def _update(self, factor: float | Tensor) -> None:
        self.flat.scale_grads(factor)
        self.optimizer.step(self.position.learning_rate)
        self.flat.zero_grads()
        if self.average is None:
            return
        at = self.position
        if self.options.average:
            # A young average would remember the initial weights for 1 / (1 - decay) steps: it starts out
            # shorter.
            new = 1.0 - min(self.options.average, (1 + at.step) / (10 + at.step))
        else:
            at.averaged += 1
            new = 1.0 / at.averaged
        for average, values in zip(self.average, self.flat.values(), strict=True):
            average.lerp_(values, new)

    def _note(self, window: list[tuple[int, Tensor | None, Loss]], norm: float) -> None:
        at = self.position
        for _, _, loss in window:
            at.loss_sum += float(loss.sum)
            at.count += float(loss.count)
        at.norm_sum += norm
        at.norms += 1

    def _look(self) -> None:
        """Check and note the numbers of the steps that were not looked at yet."""
        unseen, self._unseen = self._unseen, []
        for step, window, norm in unseen:
            for number, rows, loss in window:
                self._check("loss", float(loss.sum), step, number, rows)
            self._check("gradient", float(norm), step, window[-1][0], window[-1][1])
            self._note(window, float(norm))

    def _check(self, which: str, value: float, step: int, batch: int | None, rows: Tensor | None) -> None:
        if not math.isfinite(value):
            named = None if rows is None else rows.flatten().tolist()
            raise DivergedError(which, self.position.epoch + 1, step, batch, named)

    def _between_steps(self) -> None:
        self._pause()
        self.generators.make_way()
        if self.path is not None and time.perf_counter() - self._saved_at >= self.options.checkpoint_seconds:
            self._save()
        if self.bar.due():
            at = self.position
            self._look()
            self._tick()
            self.bar.batch(at.epoch, at.batch, at.loss_sum / max(at.count, 1e-30), at.examples / at.train_seconds)

    def _pause(self) -> None:
        if self.interrupts.requested:
            raise _Interrupted

    def _tick(self) -> None:
        now = time.perf_counter()
        self.position.train_seconds += now - self._ticked_at
        self.position.seconds += now - self._ticked_at
        self._ticked_at = now

    # Epochs.

    def _end_epoch(self) -> None:
        """Validate, judge, and tell."""
        at = self.position
        if not at.count > 0:
            raise ValueError("expected targets to train on, got none with weight: every one is missing")
        validation_loss = None
        if self.validation is not None:
            with self.flat.holding(self.average), self.generators.lent():
                validation_loss = evaluate_loss(self.network, self.validation, pause=self._pause)
            self._check("validation loss", validation_loss, at.step, None, None)
        at.seconds += time.perf_counter() - self._ticked_at
        row = at.row(validation_loss)
        at.history.append(row)
        at.total_examples += at.examples
        at.total_train_seconds += at.train_seconds
        self._judge(row["loss"] if validation_loss is None else validation_loss)
        at.begin_epoch()
        self.state = None
        self.log.epoch(row)
        _LOG.debug("epoch %d: loss %.6g, validation %s", row["epoch"], row["loss"], validation_loss)
        self.bar.epoch(row)
        if call(self.callbacks, {**row, "history": at.history, "network": self.network}):
            at.stopped = "early"
        elif at.stopped is None and at.epoch == self.options.epochs:
            at.stopped = "finished"

    def _judge(self, loss: float) -> None:
        """Keep the best weights; lower the rate, begin to average or stop when the loss no longer improves."""
        at, options = self.position, self.options
        improved = at.lowest is None or loss < at.lowest - options.min_delta
        if improved:
            at.lowest = loss
            at.epochs_since = at.plateau_since = 0
        else:
            at.epochs_since += 1
            at.plateau_since += 1
        if at.epoch < max(self.unfreezing):  # patience is for the whole network
            at.epochs_since = at.plateau_since = 0
        if improved or self.validation is None:
            at.best_epoch, at.best_loss = at.epoch + 1, loss
            current = self.flat.values() if self.average is None else self.average
            for kept, values in zip(self.best, current, strict=True):
                kept.copy_(values)
            self.best_fixed = self._copy_fixed()
        if options.schedule == "plateau" and at.plateau_since >= plateau_patience(options):
            at.plateau *= 0.5
            at.plateau_since = 0
        late = self.validation is not None and options.patience is not None and at.epochs_since >= options.patience
        if options.average_after is not None and at.average_epoch is None:
            before = self._losses()[: -options.average_after - 1]
            if late or (before and loss >= min(before)):
                at.average_epoch, at.epochs_since = at.epoch + 1, 0
                self.average = self.flat.snapshot()
        elif late:
            at.stopped = "early"

    def _losses(self) -> list[float]:
        """What each epoch so far was judged by."""
        return [row["loss" if self.validation is None else "val_loss"] for row in self.position.history]

    # Buffers, and the checkpoint.

    def _copy_fixed(self) -> dict[str, Tensor]:
        """Copies of the network's buffers: what is no parameter but changes, as running statistics do."""
        return {name: buffer.detach().clone() for name, buffer in self.network.named_buffers()}

    def _restore_fixed(self, fixed: dict[str, Tensor]) -> None:
        for name, buffer in self.network.named_buffers():
            if name in fixed:
                buffer.copy_(fixed[name])

    def _save(self) -> None:
        if self.path is None:
            return
        self._look()
        self._tick()
        self.position.log_bytes = self.log.size
        tensors = self._held() | {f"optimizer.{name}": value for name, value in self.optimizer.state().items()}
        save_checkpoint(self.path, self.position, tensors, self.fingerprint, self.state)
        self._saved_at = time.perf_counter()

    def _held(self) -> dict[str, Tensor]:
        """All that a checkpoint holds but the optimiser's state, by name."""
        tensors = self.generators.state()
        groups = {"weights": self.flat.values(), "best": self.best, "average": self.average or []}
        for group, values in groups.items():
            tensors |= {f"{group}.{number}": value for number, value in enumerate(values)}
        tensors |= {f"buffer.{name}": value for name, value in self._copy_fixed().items()}
        tensors |= {f"best_buffer.{name}": value for name, value in self.best_fixed.items()}
        return tensors | {f"frozen.{name}": value for name, value in self.fixed.items()}

    def _resume(self, position: Position, tensors: dict[str, Tensor], state: State) -> None:
        def group(name: str) -> dict[str, Tensor]:
            return {key[len(name) + 1 :]: value for key, value in tensors.items() if key.startswith(name + ".")}

        def flat(name: str) -> list[Tensor]:
            found = group(name)
            return [found[str(number)] for number in range(len(found))]

        if position.average_epoch is not None:
            self.average = self.flat.snapshot()
        expected = self._held() | {
            f"optimizer.{name}": value for name, value in self.optimizer.expected(group("optimizer")).items()
        }
        own = {name: value for name, value in tensors.items() if not name.startswith("state.")}
        if "random.cuda" not in own:  # it began where there is no such device
            expected.pop("random.cuda", None)
        check_whole(self.path, own, expected)
        self._check_state(state)
        self.position = position
        self.flat.restore(flat("weights"))
        for kept, values in zip(self.best, flat("best"), strict=True):
            kept.copy_(values)
        for average, values in zip(self.average or [], flat("average"), strict=True):
            average.copy_(values)
        self.optimizer.load_state(group("optimizer"))
        self._restore_fixed(group("buffer"))
        self.best_fixed = {name: value.to(self.device) for name, value in group("best_buffer").items()}
        for name, parameter in self.fixed.items():
            parameter.data.copy_(tensors[f"frozen.{name}"])
        self.generators.load_state(tensors)
        self.state = map_state(lambda tensor: tensor.to(self.device), state)

    def _check_state(self, state: State) -> None:
        """Refuse a carried state that is not one of this network."""
        if state is None:
            return
        batch = next(iter(self.stream.batches(0)), None) if self.stream.carries_state else None
        if batch is None or not fits_state(state, self.network.init_state(on_device(batch, self.device))):
            raise ModelFileError(
                f"{self.path} is damaged or was altered: its carried state is not one of this network: "
                "remove it to start afresh"
            )
