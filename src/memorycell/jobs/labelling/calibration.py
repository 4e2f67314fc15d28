"""ClassCalibration: a classifier's scores made into probabilities that come true, by a temperature and class biases."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

# Held-out samples below which the scores are left alone: fewer say too little about a probability.
FEWEST = 100
# Held-out samples that each class must have before classes get biases of their own.
FEWEST_OF_A_CLASS = 10
# The weight, in samples, of the prior that keeps the estimate finite where no held-out sample is classified wrongly.
_PRIOR = 1.0
_MOST_STEPS = 100

Numbers = NDArray[np.float64]


@dataclass(frozen=True)
class ClassCalibration:
    """Calibrated scores are ``slope * raw + bias``; probabilities are their softmax, or logistic function.

    One slope (the inverse of a temperature) and a bias a class: bias-corrected temperature scaling (Guo et al. 2017,
    arXiv 1706.04599, sec. 4.2; Alexandari et al. 2020, arXiv 1901.06852). With several labels a sample, a slope and a
    bias for each label (Platt 1999). Both are fitted by maximum likelihood on samples that were not trained on, under
    a weak prior (the weight of one sample) for slope 1 and bias 0.

    Attributes
    ----------
    slope : (1,), or (L,) with several labels
    bias : (K,) or (L,)
    several : whether a sample may have several labels
    note : what was done, in a sentence

    Example
    -------
    >>> rng = np.random.default_rng(0)
    >>> labels = rng.integers(0, 2, 400)
    >>> sure = np.where(rng.random(400) < 0.8, labels, 1 - labels)  # right in 8 of 10 cases, and far too sure of it
    >>> calibration = ClassCalibration.fit(5.0 * np.eye(2)[sure], labels)
    >>> calibration.probabilities(np.array([[5.0, 0.0]])).round(2).tolist()
    [[0.78, 0.22]]
    """

    slope: Numbers
    bias: Numbers
    several: bool = False
    note: str = ""

    @classmethod
    def neutral(cls, n_classes: int, several: bool = False, note: str = "") -> ClassCalibration:
        """Scores left as they are."""
        return cls(np.ones(n_classes if several else 1), np.zeros(n_classes), several, note)

    @classmethod
    def fit(
        cls, raw: NDArray[Any], targets: NDArray[Any], weights: NDArray[Any] | None = None, several: bool = False
    ) -> ClassCalibration:
        """From scores of held-out samples and what these samples are.

        Parameters
        ----------
        raw : (n, K) scores before the softmax, or before the logistic function with `several`
        targets : int (n,), or (n, L) of zeros and ones with `several`
        weights : (n,) or None
            Of each sample: class weights, for probabilities of a world in which classes are as common as these say.
        """
        raw = np.asarray(raw, np.float64)
        weights = np.ones(len(raw)) if weights is None else np.asarray(weights, np.float64)
        if several:
            return cls._fit_labels(raw, np.asarray(targets) > 0.5, weights)
        n_classes = raw.shape[1]
        if len(raw) < FEWEST:
            return cls.neutral(n_classes, note=_left_alone(len(raw)))
        targets = np.asarray(targets, np.int64)
        biased = bool(np.bincount(targets, minlength=n_classes).min() >= FEWEST_OF_A_CLASS)
        slope, bias = _most_likely(raw, targets, weights, biased)
        note = f"Probabilities are calibrated on {len(raw)} held-out samples: temperature {1 / slope:.3g}"
        note += (
            ", and a bias for each class."
            if biased
            else f"; classes have no biases, as one has fewer than {FEWEST_OF_A_CLASS} of them."
        )
        return cls(np.array([slope]), bias, note=note)

    @classmethod
    def _fit_labels(cls, raw: Numbers, present: NDArray[np.bool_], weights: Numbers) -> ClassCalibration:
        n_labels = raw.shape[1]
        if len(raw) < FEWEST:
            return cls.neutral(n_labels, several=True, note=_left_alone(len(raw)))
        slope, bias = np.ones(n_labels), np.zeros(n_labels)
        fitted = 0
        for label in range(n_labels):
            here = present[:, label]
            if min(here.sum(), (~here).sum()) < FEWEST_OF_A_CLASS:
                continue
            pair = np.stack([np.zeros(len(raw)), raw[:, label]], axis=1)
            slope[label], both = _most_likely(pair, here.astype(np.int64), weights, biased=True)
            bias[label] = both[1] - both[0]
            fitted += 1
        note = f"Probabilities of {fitted} of {n_labels} labels are calibrated on {len(raw)} held-out samples"
        rare = f"; the other labels are there, or missing, in fewer than {FEWEST_OF_A_CLASS} of them and left alone."
        return cls(slope, bias, several=True, note=note + ("." if fitted == n_labels else rare))

    def scores(self, raw: NDArray[Any]) -> Numbers:
        """Calibrated scores (n, K) of raw ones."""
        return np.asarray(raw, np.float64) * self.slope + self.bias

    def probabilities(self, raw: NDArray[Any]) -> Numbers:
        """Probabilities (n, K): of the classes, which sum to 1, or of each label by itself."""
        scores = self.scores(raw)
        return _logistic(scores) if self.several else _softmax(scores)

    @classmethod
    def of(cls, slope: NDArray[Any], bias: NDArray[Any], n_classes: int, several: bool) -> ClassCalibration:
        """From stored numbers, which are checked: ValueError where they are no calibration of so many classes."""
        slope, bias = np.asarray(slope, np.float64), np.asarray(bias, np.float64)
        width = n_classes if several else 1
        if slope.shape != (width,) or bias.shape != (n_classes,):
            expected = f"({width},) and ({n_classes},)"
            raise ValueError(f"expected calibration of shapes {expected}, got {slope.shape} and {bias.shape}")
        if not (np.isfinite(slope).all() and (slope > 0).all() and np.isfinite(bias).all()):
            raise ValueError("expected a calibration of finite numbers with slopes above 0, got others")
        return cls(slope, bias, several)


def _left_alone(samples: int) -> str:
    return (
        f"Probabilities are the network's own, not calibrated: {samples} samples were held out, "
        f"and fewer than {FEWEST} say too little."
    )


def _most_likely(raw: Numbers, targets: NDArray[np.int64], weights: Numbers, biased: bool) -> tuple[float, Numbers]:
    """Slope and biases of least penalised cross-entropy, by Newton's method with step halving.

    The loss is convex in both, as scores are linear in them; the prior makes it strictly so.
    """
    n, n_classes = raw.shape
    z = raw - raw.mean(axis=1, keepdims=True)
    weights = weights * (n / weights.sum())
    least = 1e-3
    start = np.concatenate([[1.0], np.zeros(n_classes)])

    def loss(x: Numbers) -> float:
        scores = x[0] * z + x[1:]
        top = scores.max(axis=1)
        total = np.log(np.exp(scores - top[:, None]).sum(axis=1)) + top - scores[np.arange(n), targets]
        return float(weights @ total + _PRIOR / 2 * np.square(x - start).sum())

    x, value = start, loss(start)
    for _ in range(_MOST_STEPS):
        # Without biases only the slope is free: the table of all classes by all classes is not made.
        free = slice(None) if biased else slice(1)
        gradient, hessian = _slopes(x, z, targets, weights, biased)
        gradient += _PRIOR * (x - start)
        hessian += _PRIOR * np.eye(len(hessian))
        step = np.zeros_like(x)
        step[free] = np.linalg.solve(hessian, gradient[free])
        if gradient[free] @ step[free] < 1e-12 * n:
            break
        scale = 1.0
        while scale > 1e-8:
            moved = x - scale * step
            moved[0] = max(moved[0], least)
            if loss(moved) < value:
                break
            scale /= 2
        else:
            break
        x, value = moved, loss(moved)
    return float(x[0]), x[1:] - x[1:].mean()


def _slopes(
    x: Numbers, z: Numbers, targets: NDArray[np.int64], weights: Numbers, biased: bool
) -> tuple[Numbers, Numbers]:
    """Gradient of the weighted cross-entropy by slope and biases, and Hessian, by the slope alone if not `biased`."""
    p = _softmax(x[0] * z + x[1:])
    expected = (p * z).sum(axis=1, keepdims=True)
    spread = weights[:, None] * p * (z - expected)
    away = weights[:, None] * p
    away[np.arange(len(z)), targets] -= weights
    if not biased:
        return np.concatenate([[(away * z).sum()], away.sum(axis=0)]), np.array([[(spread * z).sum()]])
    hessian = np.empty((len(x), len(x)))
    hessian[0, 0] = (spread * z).sum()
    hessian[0, 1:] = hessian[1:, 0] = spread.sum(axis=0)
    hessian[1:, 1:] = np.diag(weights @ p) - (weights[:, None] * p).T @ p
    return np.concatenate([[(away * z).sum()], away.sum(axis=0)]), hessian


def _softmax(scores: Numbers) -> Numbers:
    powers = np.exp(scores - scores.max(axis=-1, keepdims=True))
    return powers / powers.sum(axis=-1, keepdims=True)


def _logistic(scores: Numbers) -> Numbers:
    powers = np.exp(-np.abs(scores))
    return np.where(scores >= 0, 1.0, powers) / (1.0 + powers)
