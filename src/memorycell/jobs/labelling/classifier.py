"""SequenceClassifier: texts, readings or symbols to one label, or to several."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from memorycell.data.labels.label_doubts import label_doubts
from memorycell.data.lines import listing
from memorycell.data.samples import Answers, Samples
from memorycell.data.weights import checked_weights
from memorycell.jobs.card import Job
from memorycell.jobs.labelling import CLASSIFY, doubts, labels, plan
from memorycell.jobs.labelling.calibration import ClassCalibration
from memorycell.jobs.labelling.estimator import SequenceEstimator
from memorycell.jobs.labelling.known import Known, joined
from memorycell.jobs.labelling.parameters import Classifying
from memorycell.jobs.labelling.reading import SequenceSamples
from memorycell.jobs.parameters import documented
from memorycell.kernels.quiet import tell

MOST_NAMED = 8  # labels in one line


@documented
@dataclass(kw_only=True, eq=False, repr=False)
class SequenceClassifier(SequenceEstimator, Classifying):
    """Sequences of words, numbers or symbols to a class each, or to several labels each, by an LSTM network.

    Attributes
    ----------
    classes_ : array (K,): the labels, sorted
    codec_, target_codec_, network_, plan_ : what was fitted and chosen
    calibration_ : temperature and class biases (`ClassCalibration`)
    n_features_in_, feature_names_in_ : of numbers: columns of a matrix X, or numbers a step
    history_ : list of dict, one an epoch; `best_epoch_`, `train_seconds_`, `n_parameters_`, `n_threads_`
    notes_ : list of dict: what was decided, and why, in sentences

    Examples
    --------
    >>> import numpy as np
    >>> steps = np.arange(12)
    >>> waves = [np.sin(steps * rate) for rate in [0.3, 0.4, 0.5, 1.3, 1.4, 1.5]]
    >>> labels = ["slow", "slow", "slow", "fast", "fast", "fast"]
    >>> classifier = SequenceClassifier(hidden_size=8, epochs=20, verbose=False).fit(waves, labels)
    >>> classifier.predict([np.sin(np.arange(15) * 0.35)]).tolist(), classifier.predict_proba(waves).shape
    (['slow'], (6, 2))
    """

    JOB: ClassVar[Job] = CLASSIFY
    CODECS: ClassVar[tuple[str, ...]] = ("codec_", "target_codec_")
    classifies: ClassVar[bool] = True
    LEARNED: ClassVar[tuple[str, ...]] = ("input_", "columns_", "indicator_")

    @property
    def classes_(self) -> NDArray[Any]:
        """The labels, sorted (K,)."""
        if "target_codec_" not in vars(self):
            raise AttributeError("this SequenceClassifier is not fitted yet: it has no classes_")
        return self.target_codec_.classes_

    @property
    def several(self) -> bool:
        """Whether a sample may have several labels."""
        return self.target_codec_.kind == "several"

    # ------------------------------------------------------------------ training

    def _known(self, samples: SequenceSamples, learn: bool = False) -> Known:
        if learn:
            doubts.refuse_exchanged(samples.given, samples.targets)
        return super()._known(samples, learn)

    def _take_outcomes(self, y: Any, n: int, weights: NDArray[Any] | None = None) -> NDArray[Any]:
        try:
            self.target_codec_, self.indicator_ = labels.learn(y, n)
        except ValueError as error:
            unlabelled = [f" ({each['text']})" for each in self.notes_ if each["kind"] == "unlabelled"]
            raise ValueError(f"{error}{''.join(unlabelled)}") from None
        codes = self._known_outcomes(y, n, "row {}".format)
        self._take_notes(label_doubts(self.classes_.tolist(), self.target_codec_.counts_.tolist()))
        if self.several:
            if self.class_weight is not None:
                raise ValueError(
                    "class_weight weighs samples by their one class: expected None with several labels a sample"
                )
            self._class_weights = None
            return codes
        counts = np.bincount(codes, weights, minlength=len(self.classes_))
        self._class_weights = plan.class_weights(self.class_weight, self.classes_.tolist(), counts)
        return codes

    def _known_outcomes(self, y: Any, n: int, where: Callable[[int], str]) -> NDArray[Any]:
        codes = labels.encode(self.target_codec_, y, n)
        if not self.several and (codes < 0).any():
            unseen = labels.unseen(self.target_codec_, y, codes, where)
            raise ValueError(
                f"expected labels that were seen in training, got {unseen}: leave those rows out, or train with some "
                "of them"
            )
        return codes

    def _targets(self, outcomes: Any) -> Tensor:
        return torch.from_numpy(outcomes)

    def _strata(self, outcomes: Any) -> NDArray[Any] | None:
        return None if self.several else outcomes

    def _weights(self, known: Known) -> NDArray[Any] | None:
        if self._class_weights is None:
            return known.weights
        by_class = self._class_weights[known.outcomes]
        return by_class if known.weights is None else by_class * known.weights

    def _head(self) -> dict[str, Any]:
        if self.several:
            return {"head": "labels", "n_outputs": len(self.classes_)}
        return {"head": "classes", "n_outputs": len(self.classes_), "label_smoothing": self.label_smoothing}

    def _calibrate(self, raw: NDArray[Any] | None, known: Known | None) -> None:
        n_classes = len(self.classes_)
        if raw is None or known is None:
            text = "Probabilities are the network's own, not calibrated: no samples were held out."
            self.calibration_ = ClassCalibration.neutral(n_classes, self.several, text)
        else:
            self.calibration_ = ClassCalibration.fit(raw, known.outcomes, self._weights(known), self.several)
        self._note("calibration", self.calibration_.note)

    def _counted(self, outcomes: Any) -> dict[str, Any]:
        counts = outcomes.sum(0) if self.several else np.bincount(outcomes, minlength=len(self.classes_))
        names = [str(name) for name in self.classes_.tolist()]
        return {"classes": dict(zip(names, counts.astype(int).tolist(), strict=True))}

    # ------------------------------------------------------------------ answering

    def decision_function(self, X: Any) -> NDArray[np.float64]:
        """Calibrated log-odds (n,) of two classes, or (n, L) of several labels; else scores (n, K)."""
        raw = self._answered(X)
        scores = self.calibration_.scores(raw)
        return scores[:, 1] - scores[:, 0] if scores.shape[1] == 2 and not self.several else scores

    def predict_proba(self, X: Any) -> NDArray[np.float64]:
        """Probabilities (n, K) of the classes in the order of `classes_`, or of each of several labels by itself.

        NaN of an empty sequence.
        """
        return self.served(self._answered(X))

    def predict(self, X: Any) -> Any:
        """The likeliest class of each sequence (n,); None of an empty one, in an array of objects.

        With several labels a sample: those likelier than not, as they were given to `fit`: an indicator matrix
        (n, L), or a list of labels for each sequence.
        """
        return joined([self._decoded(self.raw(part)) for part in self._asked_in_parts(X)])

    def _decoded(self, raw: NDArray[Any]) -> Any:
        return labels.decode(self.target_codec_, self.calibration_.scores(raw), self.indicator_)

    def served(self, raw: NDArray[Any]) -> NDArray[np.float64]:
        """Probabilities (n, K) of raw answers."""
        return self.calibration_.probabilities(raw)

    def _told(self, columns: dict[str, Any], raw: NDArray[Any], brief: bool = False) -> Answers:
        probabilities = self.served(raw)
        named = [str(label) for label in self.classes_.tolist()]
        if self.several:
            chosen = [[name for name, p in zip(named, row, strict=True) if p > 0.5] for row in probabilities]
            columns["labels"] = np.array(["|".join(each) for each in chosen], object)
        else:
            columns["label"] = np.array([named[k] for k in probabilities.argmax(1)], object)
        columns["labels" if self.several else "label"][np.isnan(probabilities).any(1)] = None
        answers, classes = self._decoded(raw), self.classes_.tolist()
        if brief:
            columns |= {} if self.several else {"probability": probabilities.max(1)}
            return Answers(answers, columns, None, classes)
        columns |= {f"p_{name}": probabilities[:, k] for k, name in enumerate(named)}
        return Answers(answers, columns, probabilities, classes)

    def kind_of(self, samples: Samples) -> Any:
        """What there is to be answered of these samples, and how it is measured."""
        from memorycell.evaluation.kinds import Classes, Labels

        fitted = "target_codec_" in vars(self)
        several = self.several if fitted else labels.are_several(samples.targets)
        known = self.classes_.tolist() if fitted else []
        inputs = samples.given.kind
        return (Labels if several else Classes)(samples.targets, known, inputs=inputs)

    def score(self, X: Any, y: Any = None, sample_weight: Any = None) -> float:
        """Accuracy: the share of sequences whose class is right; with several labels, of those with all of them right.

        With `sample_weight` the share of the weights. A label that was not seen in training counts as wrong, and a
        UserWarning says how many there are.
        """
        self.check_fitted()
        samples = self.read(X, y)
        codes = labels.encode(self.target_codec_, samples.targets, len(samples))
        weights = None if sample_weight is None else checked_weights(sample_weight, len(samples))
        if self.several:
            present = np.concatenate([self.calibration_.scores(self.raw(part)) > 0 for part in self._parts(samples)])
            return float(np.average((present == (codes > 0.5)).all(axis=1), weights=weights))
        if (codes < 0).any():
            unseen = labels.unseen(self.target_codec_, samples.targets, codes, samples.where)
            tell(f"{unseen}: counted as wrong")
        found = [self.calibration_.scores(self.raw(part)).argmax(axis=1) for part in self._parts(samples)]
        return float(np.average(np.concatenate(found) == codes, weights=weights))

    def headline(self) -> str:
        """ "3 labels for texts: bad, good and plain"."""
        return f"{len(self.classes_):,} labels for {self.reads()}: {listing(self.classes_.tolist(), MOST_NAMED)}"

    def _own_facts(self) -> dict[str, Any]:
        return {"classes": [_plain(label) for label in self.classes_.tolist()], **super()._own_facts()}

    # ------------------------------------------------------------------ files, scikit-learn

    @classmethod
    def _of_older(cls, config: dict[str, Any], tensors: dict[str, Tensor]) -> tuple[dict[str, Any], dict[str, Tensor]]:
        config, tensors = super()._of_older(config, tensors)
        codecs = {{"labels_": "target_codec_"}.get(name, name): state for name, state in config["codecs"].items()}
        return {**config, "codecs": codecs}, tensors

    def _tensors(self) -> dict[str, Tensor]:
        calibration = self.calibration_
        return {"slope": torch.from_numpy(calibration.slope), "bias": torch.from_numpy(calibration.bias)}

    def _take_tensors(self, tensors: dict[str, Tensor]) -> None:
        n_classes = self.network_.head.n_outputs
        if not isinstance(self.indicator_, bool):
            raise ValueError("expected to be told whether labels came as a matrix, got something else")
        if n_classes != len(self.classes_) or set(tensors) != {"slope", "bias"}:
            raise ValueError(f"expected a network and a calibration of {len(self.classes_)} classes, got others")
        values = tensors["slope"].numpy(), tensors["bias"].numpy()
        self.calibration_ = ClassCalibration.of(*values, n_classes, self.several)

    def __sklearn_tags__(self) -> Any:
        from sklearn.utils import ClassifierTags

        tags = super().__sklearn_tags__()
        tags.estimator_type = "classifier"
        tags.classifier_tags = ClassifierTags(multi_label=True)
        return tags


def _plain(label: Any) -> Any:
    return label.item() if isinstance(label, np.generic) else label
