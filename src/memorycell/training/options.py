"""What a training is told, what it tells, and how it fails."""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from typing import Any, Literal

from memorycell.data.figures import Figures
from memorycell.kernels.limits import MOST_THREADS, said

OPTIMIZERS = ("adam", "adamw", "sgd", "rmsprop", "nadam", "radam", "adagrad")
SCHEDULES = ("constant", "cosine", "one_cycle", "plateau", "slanted_triangular")


@dataclass(frozen=True)
class TrainingOptions:
    """How to train. The defaults suit recurrent networks of every size.

    Parameters
    ----------
    epochs : int
        At most so many passes over the data.
    optimizer : str
        "adam", "adamw" (decoupled weight decay, Loshchilov & Hutter 2019), "sgd", "rmsprop", "nadam", "radam" or
        "adagrad".
    learning_rate : float
        Its highest value.
    weight_decay : float
        Not applied to biases and norm gains (parameters of fewer than two dimensions).
    momentum : float
        For "sgd" and "rmsprop"; the others have their own.
    schedule : str
        "constant"; "cosine" down to zero over all epochs (Loshchilov & Hutter 2017, eq. 5); "one_cycle" up
        for 30 % of the steps, then down (Smith & Topin 2019); "plateau", halved when the loss has not
        improved for a third of `patience`; "slanted_triangular", up for 10 % of the steps from a 32nd, then
        straight down again (Howard & Ruder 2018, eq. 3), anew whenever a group of parameters is unfrozen.
    warmup_steps : int
        The rate rises linearly from zero over so many optimiser steps first.
    clip_norm : float or None
        Largest norm of the whole gradient (Pascanu et al. 2013, algorithm 1); None does not clip.
    patience : int or None
        Stop after so many epochs in which the validation loss has not improved; None never stops early.
    min_delta : float
        What counts as an improvement of the loss.
    average : float
        Decay of an exponential moving average of the weights, for example 0.999; validation and result then
        use the average. 0 keeps none.
    average_after : int or None
        Averaging triggered by no improvement (NT-ASGD, Merity et al. 2017, algorithm 1; there 5, with "sgd" of momentum
        0 and a constant rate): once the validation loss is no lower than the lowest of all but the last so many epochs,
        or `patience` is at its end, validation and result use the plain mean of the weights after every later step, and
        `patience` counts anew. Not together with `average`.
    accumulate : int
        Batches whose gradients make one step.
    seed : int
        Of every random mask.
    n_threads : int or None
        At most 256; None: chosen from the shapes (see `choose_threads`).
    checkpoint_seconds : float
        Longest time between two checkpoints within an epoch.

    Raises
    ------
    ValueError
        For a value out of its range.

    Example
    -------
    >>> TrainingOptions(epochs=5, optimizer="sgd", momentum=0.8).schedule
    'cosine'
    """

    epochs: int = 100
    optimizer: str = "adamw"
    learning_rate: float = 1e-3
    weight_decay: float = 0.0
    momentum: float = 0.9
    schedule: str = "cosine"
    warmup_steps: int = 0
    clip_norm: float | None = 1.0
    patience: int | None = 10
    min_delta: float = 0.0
    average: float = 0.0
    average_after: int | None = None
    accumulate: int = 1
    seed: int = 0
    n_threads: int | None = None
    checkpoint_seconds: float = 60.0

    def __post_init__(self) -> None:
        for name, choices in (("optimizer", OPTIMIZERS), ("schedule", SCHEDULES)):
            if getattr(self, name) not in choices:
                raise ValueError(f"expected {name} to be one of {', '.join(choices)}, got {getattr(self, name)!r}")
        for name in ("epochs", "accumulate", "n_threads", "patience", "average_after"):
            self._check(name, 1, integer=True, optional=name in ("n_threads", "patience", "average_after"))
        if self.n_threads is not None and self.n_threads > MOST_THREADS:
            raise ValueError(said(self.n_threads))
        self._check("warmup_steps", 0, integer=True)
        self._check("seed", -math.inf, integer=True)
        for name in ("weight_decay", "min_delta", "checkpoint_seconds"):
            self._check(name, 0)
        for name in ("learning_rate", "clip_norm"):
            self._check(name, 0, optional=name == "clip_norm", above=True)
        for name in ("momentum", "average"):
            self._check(name, 0)
            if getattr(self, name) >= 1:
                raise ValueError(f"expected {name} to be below 1, got {getattr(self, name)}")
        if self.average and self.average_after is not None:
            raise ValueError(
                f"expected average or average_after, got both ({self.average} and {self.average_after}): "
                "the first averages from the start, the second when the loss no longer improves"
            )

    def _check(
        self, name: str, least: float, *, integer: bool = False, optional: bool = False, above: bool = False
    ) -> None:
        value = getattr(self, name)
        if optional and value is None:
            return
        kind = int if integer else (int, float)
        fits = isinstance(value, kind) and not isinstance(value, bool)
        if not fits or not (value > least if above else value >= least) or value == math.inf:
            bound = "" if least == -math.inf else f" {'above' if above else 'of at least'} {least}"
            what = "a whole number" if integer else "a number"
            raise ValueError(f"expected {name} to be {what}{bound}{' or None' if optional else ''}, got {value!r}")


@dataclass(frozen=True, repr=False)
class TrainingResult(Figures):
    """What `train` returns.

    Attributes
    ----------
    history : list of dict
        One an epoch: ``epoch`` (from 1), ``loss``, ``val_loss`` (None without validation), ``lr`` (last one),
        ``grad_norm`` (mean, before clipping), ``seconds``, ``examples_per_second``.
    best_epoch : int
        The epoch whose weights the network has now; 0 if none was finished.
    best_loss : float or None
        Its validation loss, or its training loss without validation.
    stopped : str
        "finished" (all epochs), "early" (no improvement, or a callback asked) or "interrupted" (Ctrl-C).
    n_threads : int
        Threads that were used.
    seconds : float
        Training time, resumed parts included.
    examples_per_second : float
        Over all epochs, validation not counted.
    average_epoch : int or None
        With `average_after`: the epoch after which averaging began; None: it did not.
    notes : list of dict
        "kind" and "text" of what is to be known of it, such as that an older release wrote the checkpoint.
    """

    history: list[dict[str, Any]]
    best_epoch: int
    best_loss: float | None
    stopped: Literal["finished", "early", "interrupted"]
    n_threads: int
    seconds: float
    examples_per_second: float
    average_epoch: int | None = None
    notes: list[dict[str, Any]] = field(default_factory=list)

    def _said(self) -> tuple[str, str]:
        loss = "" if self.best_loss is None else f", loss {self.best_loss:.4g}"
        return f"{len(self.history)} epochs in {self.seconds:.3g} s, {self.stopped}; best {self.best_epoch}{loss}", ""

    def table(self) -> list[dict[str, Any]]:
        """`history`: a row per epoch."""
        return self.history


class DivergedError(RuntimeError):
    """The loss or the gradient became NaN or infinite; the network has its best weights so far again.

    Attributes
    ----------
    which : "loss", "gradient" or "validation loss"
    epoch : int, from 1
    step : int
        Optimiser steps taken before.
    batch : int or None
        Number of the batch in its epoch, from 0.
    rows : list of int or None
        Samples of that batch, as far as the data set names them.
    """

    def __init__(self, which: str, epoch: int, step: int, batch: int | None, rows: list[int] | None) -> None:
        self.which, self.epoch, self.step, self.batch, self.rows = which, epoch, step, batch, rows
        where = f"epoch {epoch}, step {step}" + ("" if batch is None else f", batch {batch}")
        if rows:
            shown = ", ".join(str(row) for row in rows[:8])
            where += f" (rows {shown}{', …' if len(rows) > 8 else ''})"
            look = "look for NaN, infinite or huge values in those rows, "
        else:
            look = "look for NaN, infinite or huge values in the data, "
        super().__init__(
            f"the {which} is not a finite number at {where}: {look}"
            "lower learning_rate, or lower clip_norm. The best weights so far were restored."
        )
