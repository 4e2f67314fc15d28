"""SequenceRegressor: texts, readings or symbols to a number, or to several."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from memorycell.data.forms import NUMBER, field, several
from memorycell.data.samples import Answers, Samples
from memorycell.data.weights import checked_weights
from memorycell.jobs.card import Job
from memorycell.jobs.labelling import REGRESS
from memorycell.jobs.labelling.estimator import SequenceEstimator
from memorycell.jobs.labelling.parameters import Regressing
from memorycell.jobs.parameters import documented


@documented
@dataclass(kw_only=True, eq=False, repr=False)
class SequenceRegressor(SequenceEstimator, Regressing):
    """Sequences of words, numbers or symbols to one number each, or to several, by an LSTM network.

    It estimates means: the loss is the squared error of the standardised numbers.

    Attributes
    ----------
    scale_ : dict: mean ("center") and deviation ("scale") of the training numbers
    codec_, network_, plan_ : what was fitted and chosen
    n_features_in_, feature_names_in_ : of numbers: columns of a matrix X, or numbers a step
    history_ : list of dict, one an epoch; `best_epoch_`, `train_seconds_`, `n_parameters_`, `n_threads_`
    notes_ : list of dict: what was decided, and why, in sentences

    Examples
    --------
    >>> import numpy as np
    >>> x = np.random.default_rng(0).normal(size=(60, 5))
    >>> y = 100 + 10 * x.sum(axis=1)
    >>> regressor = SequenceRegressor(hidden_size=16, convolution=False, epochs=60, verbose=False).fit(x, y)
    >>> regressor.score(x, y) > 0.9, regressor.predict(x).shape
    (True, (60,))
    """

    JOB: ClassVar[Job] = REGRESS
    LEARNED: ClassVar[tuple[str, ...]] = ("input_", "columns_", "scale_")

    # ------------------------------------------------------------------ training

    def _take_outcomes(self, y: Any, n: int, weights: NDArray[Any] | None = None) -> NDArray[np.float64]:
        numbers = _numbers(y, n)
        self.scale_: dict[str, Any] = {"one": np.ndim(y) == 1 if hasattr(y, "ndim") else np.ndim(np.asarray(y)) == 1}
        return numbers

    def _known_outcomes(self, y: Any, n: int, where: Callable[[int], str]) -> NDArray[np.float64]:
        numbers = _numbers(y, n)
        expected = len(self.scale_["center"]) if "center" in self.scale_ else numbers.shape[1]
        if numbers.shape[1] != expected:
            raise ValueError(f"expected {expected} numbers for each sequence, as in training, got {numbers.shape[1]}")
        return numbers

    def _learn_scale(self, outcomes: Any, weights: NDArray[Any] | None) -> None:
        center = np.average(outcomes, axis=0, weights=weights)
        spread = np.sqrt(np.average(np.square(outcomes - center), axis=0, weights=weights))
        spread = np.where(spread > 1e-12 * np.abs(outcomes).max(axis=0), spread, 1.0)
        self.scale_ = {**self.scale_, "center": center.tolist(), "scale": spread.tolist()}

    def _targets(self, outcomes: Any) -> Tensor:
        return torch.from_numpy((outcomes - self.scale_["center"]) / self.scale_["scale"]).float()

    def _head(self) -> dict[str, Any]:
        return {"head": "number", "n_outputs": len(self.scale_["center"])}

    # ------------------------------------------------------------------ answering

    def predict(self, X: Any) -> NDArray[np.float64]:
        """The numbers of each sequence in their units: (n,), or (n, K) where y was a matrix."""
        return self._shaped(self.served(self._answered(X)))

    def _shaped(self, numbers: NDArray[np.float64]) -> NDArray[np.float64]:
        return numbers[:, 0] if self.scale_["one"] else numbers

    def served(self, raw: NDArray[Any]) -> NDArray[np.float64]:
        """Raw answers (n, K) in the units of the targets."""
        return raw * self.scale_["scale"] + self.scale_["center"]

    def _told(self, columns: dict[str, Any], raw: NDArray[Any], brief: bool = False) -> Answers:
        numbers = self._shaped(self.served(raw))
        names = ["prediction"] if numbers.ndim == 1 else [f"prediction_{k + 1}" for k in range(numbers.shape[1])]
        return Answers(numbers, columns | dict(zip(names, numbers.reshape(len(numbers), -1).T, strict=True)))

    def kind_of(self, samples: Samples) -> Any:
        """What there is to be answered of these samples, and how it is measured."""
        from memorycell.evaluation.kinds import Numbers

        return Numbers(samples.targets, inputs=samples.given.kind)

    def headline(self) -> str:
        """ "a number for series of numbers"."""
        outputs = len(self.scale_["center"])
        return f"{'a number' if outputs == 1 else f'{outputs} numbers'} for {self.reads()}"

    def score(self, X: Any, y: Any = None, sample_weight: Any = None) -> float:
        """R² of the numbers, averaged over outputs; 1 is perfect, 0 as good as the mean of y. Of weighted samples."""
        self.check_fitted()
        samples = self.read(X, y)
        found = self.served(self.raw(samples))
        truth = self._known_outcomes(samples.targets, len(found), samples.where)
        weights = np.ones(len(found)) if sample_weight is None else checked_weights(sample_weight, len(found))
        center = np.average(truth, axis=0, weights=weights)
        wrong, spread = weights @ np.square(truth - found), weights @ np.square(truth - center)
        # Without spread there is nothing to explain: 1 where all is right, else 0, as scikit-learn has it.
        parts = np.where(spread > 0, 1 - wrong / np.where(spread > 0, spread, 1), np.where(wrong > 0, 0.0, 1.0))
        return float(parts.mean())

    def _check_loaded(self) -> None:
        super()._check_loaded()
        outputs = self.network_.head.n_outputs
        for name in ("center", "scale"):
            field(self.scale_, name, several(NUMBER, "a list of numbers"), "scale_")
            values = np.asarray(self.scale_[name], np.float64)
            if values.shape != (outputs,) or not np.isfinite(values).all():
                raise ValueError(f"expected {outputs} finite numbers as {name} of the targets, got others")
        if not isinstance(self.scale_["one"], bool) or (self.scale_["one"] and outputs != 1):
            raise ValueError("expected the shape of the targets to fit the network, got another")

    def __sklearn_tags__(self) -> Any:
        from sklearn.utils import RegressorTags

        tags = super().__sklearn_tags__()
        tags.estimator_type = "regressor"
        tags.regressor_tags = RegressorTags()
        tags.target_tags.multi_output = True
        return tags


def _numbers(y: Any, n: int) -> NDArray[np.float64]:
    """y as (n, K), finite."""
    values = np.asarray(y)
    if values.dtype.kind == "c":
        raise ValueError("Complex data not supported: expected real numbers as targets")
    if values.dtype.kind not in "fiub":
        missing = np.array([value is None for value in values.ravel()])
        if missing.any():
            raise ValueError(
                f"targets are missing in {missing.sum():,} rows (first: row {missing.argmax()}): leave those rows out"
            )
        try:
            values = values.astype(np.float64)
        except (TypeError, ValueError):
            raise ValueError(
                f"expected numbers as targets, got {values.ravel()[0]!r:.40}: SequenceClassifier takes labels"
            ) from None
    values = values.astype(np.float64)
    if values.ndim not in (1, 2) or values.shape[0] != n or 0 in values.shape:
        raise ValueError(
            f"expected a number, or (K,) numbers, for each of {n} sequences, got y of shape {values.shape}"
        )
    values = values.reshape(n, -1)
    wrong = ~np.isfinite(values).all(axis=1)
    if wrong.any():
        what = "missing (NaN)" if np.isnan(values).any() else "infinite"
        raise ValueError(
            f"targets are {what} in {wrong.sum():,} rows (first: row {wrong.argmax()}): leave those rows out"
        )
    return values
