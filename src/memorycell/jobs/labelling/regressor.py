"""SequenceRegressor: texts, readings or symbols to a number, or to several."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from typing import Any, ClassVar

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from memorycell.jobs.labelling import building as sequence_network
from memorycell.jobs.labelling.estimator import SequenceEstimator


class SequenceRegressor(SequenceEstimator):
    """Sequences of words, numbers or symbols to one number each, or to several, by an LSTM network.

    It estimates means: the loss is the squared error of the standardised numbers.

    Parameters
    ----------
    kind, unit, …, verbose
        Those of `SequenceClassifier`, which says what each is and what "auto" becomes; here without `label_smoothing`
        and `class_weight`, and below 300 samples nothing is held out.

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

    LEARNED: ClassVar[tuple[str, ...]] = ("input_", "columns_", "scale_")

    scale_: dict[str, Any]

    def __init__(
        self,
        *,
        kind: str = "auto",
        unit: str = "word",
        vocabulary_size: int | None = None,
        min_count: int | str = "auto",
        lowercase: bool = True,
        separator: str | None = None,
        max_length: int | str | None = "auto",
        embedding_size: int | str = "auto",
        hidden_size: int | str = "auto",
        num_layers: int = 1,
        cell: str = "LSTM",
        bidirectional: bool | str = "auto",
        pooling: str | Sequence[str] = ("last", "mean", "max", "attention"),
        convolution: bool | str = "auto",
        n_grams: int | str = "auto",
        causal: bool = False,
        layer_norm: bool = False,
        embedding_dropout: float | str = "auto",
        input_dropout: float | str = "auto",
        between_dropout: float | str = "auto",
        output_dropout: float | str = "auto",
        weight_dropout: float = 0.0,
        recurrent_dropout: float = 0.0,
        head_dropout: float | str = "auto",
        word_vectors: str | os.PathLike[str] | None = None,
        pretrained: Any = None,
        text: str | None = None,
        target: str | None = None,
        group: str | None = None,
        reading: Mapping[str, Any] | None = None,
        validation_fraction: float | str = "auto",
        refit: bool | str = "auto",
        epochs: int | str = "auto",
        batch_size: int | str = "auto",
        learning_rate: float | str = "auto",
        patience: int | None = 8,
        training: Mapping[str, Any] | None = None,
        seed: int = 0,
        device: str = "auto",
        n_threads: int | None = None,
        verbose: bool | None = None,
    ) -> None:
        self._store(locals())

    # ------------------------------------------------------------------ training

    def _take_outcomes(self, y: Any, n: int) -> NDArray[np.float64]:
        numbers = _numbers(y, n)
        self.scale_ = {"one": np.ndim(y) == 1 if hasattr(y, "ndim") else np.ndim(np.asarray(y)) == 1}
        return numbers

    def _known_outcomes(self, y: Any, n: int) -> NDArray[np.float64]:
        numbers = _numbers(y, n)
        expected = len(self.scale_["center"]) if "center" in self.scale_ else numbers.shape[1]
        if numbers.shape[1] != expected:
            raise ValueError(f"expected {expected} numbers for each sequence, as in training, got {numbers.shape[1]}")
        return numbers

    def _learn_scale(self, outcomes: Any) -> None:
        spread = outcomes.std(axis=0)
        spread = np.where(spread > 1e-12 * np.abs(outcomes).max(axis=0), spread, 1.0)
        self.scale_ = {**self.scale_, "center": outcomes.mean(axis=0).tolist(), "scale": spread.tolist()}

    def _targets(self, outcomes: Any) -> Tensor:
        return torch.from_numpy((outcomes - self.scale_["center"]) / self.scale_["scale"]).float()

    def _head(self) -> dict[str, Any]:
        return {"head": "number", "n_outputs": len(self.scale_["center"])}

    # ------------------------------------------------------------------ answering

    def predict(self, X: Any) -> NDArray[np.float64]:
        """The numbers of each sequence in their units: (n,), or (n, K) where y was a matrix."""
        self._check_fitted()
        numbers = self._served(self._answers(X))
        return numbers[:, 0] if self.scale_["one"] else numbers

    def _served(self, raw: NDArray[Any]) -> NDArray[np.float64]:
        return raw * self.scale_["scale"] + self.scale_["center"]

    def score(self, X: Any, y: Any = None) -> float:
        """R² of the numbers, averaged over outputs; 1 is perfect, 0 as good as the mean of y."""
        self._check_fitted()
        data = sequence_network.from_source(self, X, y, labelled=True)
        X, y = data.x, data.y
        found = self._served(self._raw(self._read(X)))
        truth = self._known_outcomes(y, len(found))
        wrong, spread = np.square(truth - found).sum(axis=0), np.square(truth - truth.mean(axis=0)).sum(axis=0)
        # Without spread there is nothing to explain: 1 where all is right, else 0, as scikit-learn has it.
        parts = np.where(spread > 0, 1 - wrong / np.where(spread > 0, spread, 1), np.where(wrong > 0, 0.0, 1.0))
        return float(parts.mean())

    @classmethod
    def _from_file(cls, file: Any) -> Any:
        regressor = super()._from_file(file)
        outputs = regressor.network_.head.n_outputs
        for name in ("center", "scale"):
            values = np.asarray(regressor.scale_[name], np.float64)
            if values.shape != (outputs,) or not np.isfinite(values).all():
                raise ValueError(f"expected {outputs} finite numbers as {name} of the targets, got others")
        if not isinstance(regressor.scale_["one"], bool) or (regressor.scale_["one"] and outputs != 1):
            raise ValueError("expected the shape of the targets to fit the network, got another")
        return regressor

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
