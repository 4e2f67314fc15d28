"""SequenceClassifier: texts, readings or symbols to one label, or to several."""

from __future__ import annotations

import os
import warnings
from collections.abc import Mapping, Sequence
from typing import Any, ClassVar

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from memorycell.data.labels.label_codec import LabelCodec
from memorycell.jobs.labelling import building as sequence_network
from memorycell.jobs.labelling import labels as sequence_labels
from memorycell.jobs.labelling import plan as sequence_plan
from memorycell.jobs.labelling.calibration import ClassCalibration
from memorycell.jobs.labelling.estimator import SequenceEstimator


class SequenceClassifier(SequenceEstimator):
    """Sequences of words, numbers or symbols to a class each, or to several labels each, by an LSTM network.

    Parameters
    ----------
    kind : "auto", "text", "numbers" or "symbols"
        What the sequences are made of. "auto": texts are text, lists of texts are symbols, anything else numbers. For
        DNA and the like, whose texts are sequences of characters, say "symbols".
    unit, vocabulary_size, min_count, lowercase
        Of texts: see `TextCodec` (its unit, size, min_count and lowercase). min_count "auto": 2 from 1,000 texts on, so
        that what is unknown has been seen in training; else 1.
    separator : str or None
        Of symbols that are given as text; None: each character is one.
    max_length : int, None or "auto"
        Steps of a sequence that are read, the rest is cut off, and said; "auto": 1,000 of texts, else 10,000.
    embedding_size : int or "auto"
        Of words and symbols: 100, 16; or the size of the `word_vectors`.
    hidden_size : int or "auto"
        Units of a layer in each direction: 128 for texts and from 16 numbers a step on, 96 for symbols, else 64.
    num_layers : int, default 1
    cell : "LSTM", "GRU" or "RNN"
    bidirectional : bool or "auto"
        "auto": unless `causal`.
    pooling : names of "last", "mean", "max", "attention"
        What is made of the features of all steps; several are put side by side.
    convolution : bool or "auto"
        Convolutions beside the recurrent layers (LSTM-FCN, Karim et al. 2018). "auto": for numbers, unless the
        sequences are shorter than 8 steps or have 16 numbers a step or more.
    n_grams : int or "auto"
        Longest n-gram of tokens that a linear model beside the recurrent layers weighs (`NGramPath`); 0: none.
        "auto": 2 for texts and symbols; of symbols in sequences of one length, by their place.
    causal : bool
        No look ahead; `stream` then answers after every step with the numbers of `predict_proba` (or `predict`).
    layer_norm : bool
        Within the cells (Ba et al. 2016).
    embedding_dropout, input_dropout, between_dropout, output_dropout, head_dropout : float or "auto"
        Of whole words; of features before the first layer, between layers and after the last one, one mask a sequence
        (Gal & Ghahramani 2016); of what is pooled.
    weight_dropout, recurrent_dropout : float
        Of entries of W_hh (Merity et al. 2017), and of units of h on their way into it.
    label_smoothing : float
        Share of each target that is spread over all classes in training (Szegedy et al. 2016).
    class_weight : None, "balanced" or dict of class to weight
        "balanced": samples / (classes · samples of the class). Probabilities are then those of a world in which
        classes are as common as the weights say.
    word_vectors : path or None
        Text file of pre-trained word vectors: a word and its numbers in each line (GloVe, word2vec, fastText).
    pretrained : LanguageModel or path of its file, or None
        Begin with its encoder, which reads in one direction, and its vocabulary, to which the words of these texts are
        added; the deeper a layer, the slower it learns, and the later it begins to (Howard & Ruder 2018).
    text, target, group : str or None
        Columns of a file or frame.
    reading : mapping or None
        Further arguments of `memorycell.read_labelled` for files: id, time, values, channels, encoding, …
    validation_fraction : float or "auto"
        Share of the samples held out to decide when to stop, and to calibrate probabilities. "auto": 0.1; nothing
        below 1,000 samples (300 with several labels each), or 10 of a class: training then takes a set number of
        steps, with averaged weights.
    refit : bool or "auto"
        Train once more on all samples, for as long as was best. "auto": below 2,000 samples.
    epochs, batch_size, learning_rate : number or "auto"
        "auto": about 2,000 steps (1,500 for texts, 1,000 with convolutions); 16 to 64 samples a step; 0.002.
    patience : int or None
        Epochs without improvement on the held-out samples before training stops.
    training : mapping or None
        Further fields of `memorycell.TrainingOptions`.
    seed : int, default 0
        Of everything random; the global generators are left alone.
    device : str, default "auto"
    n_threads : int or None
        None: a rule of the shapes; the choice is `n_threads_`.
    verbose : bool or None
        Progress bar; None: where stderr is a terminal.

    Attributes
    ----------
    classes_ : array (K,): the labels, sorted
    codec_, labels_, network_, plan_ : what was fitted and chosen
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

    CODECS: ClassVar[tuple[str, ...]] = ("codec_", "labels_")
    LEARNED: ClassVar[tuple[str, ...]] = ("input_", "columns_", "indicator_")

    labels_: LabelCodec
    calibration_: ClassCalibration
    indicator_: bool
    label_smoothing: float
    class_weight: str | Mapping[Any, float] | None

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
        label_smoothing: float = 0.0,
        class_weight: str | Mapping[Any, float] | None = None,
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

    @property
    def classes_(self) -> NDArray[Any]:
        """The labels, sorted (K,)."""
        if "labels_" not in vars(self):
            raise AttributeError("this SequenceClassifier is not fitted yet: it has no classes_")
        return self.labels_.classes_

    @property
    def _several(self) -> bool:
        return self.labels_.kind == "several"

    # ------------------------------------------------------------------ training

    def _take_outcomes(self, y: Any, n: int) -> NDArray[Any]:
        self.labels_, self.indicator_ = sequence_labels.learn(y, n)
        codes = self._known_outcomes(y, n)
        counts = codes.sum(0) if self._several else np.bincount(codes, minlength=len(self.classes_))
        weights = sequence_plan.class_weights(self.class_weight, self.classes_.tolist(), counts.astype(np.int64))
        if weights is not None and self._several:
            raise ValueError(
                "class_weight weighs samples by their one class: expected None with several labels a sample"
            )
        self._class_weights = weights
        return codes

    def _known_outcomes(self, y: Any, n: int) -> NDArray[Any]:
        codes = sequence_labels.encode(self.labels_, y, n)
        if not self._several and (codes < 0).any():
            unseen = sequence_labels.unseen(self.labels_, y, codes)
            raise ValueError(f"expected labels that were seen in training, got {unseen}")
        return codes

    def _targets(self, outcomes: Any) -> Tensor:
        return torch.from_numpy(outcomes)

    def _strata(self, outcomes: Any) -> NDArray[Any] | None:
        return None if self._several else outcomes

    def _weights(self, outcomes: Any) -> Tensor | None:
        weights = self._class_weights
        return None if weights is None else torch.from_numpy(weights[outcomes]).float()

    def _head(self) -> dict[str, Any]:
        if self._several:
            return {"head": "labels", "n_outputs": len(self.classes_)}
        return {"head": "classes", "n_outputs": len(self.classes_), "label_smoothing": self.label_smoothing}

    def _calibrate(self, raw: NDArray[Any] | None, outcomes: Any) -> None:
        n_classes = len(self.classes_)
        if raw is None:
            text = "Probabilities are the network's own, not calibrated: no samples were held out."
            self.calibration_ = ClassCalibration.neutral(n_classes, self._several, text)
        else:
            weights = None if self._class_weights is None else self._class_weights[outcomes]
            self.calibration_ = ClassCalibration.fit(raw, outcomes, weights, self._several)
        self._note("calibration", self.calibration_.note)

    # ------------------------------------------------------------------ answering

    def decision_function(self, X: Any) -> NDArray[np.float64]:
        """Calibrated log-odds (n,) of two classes, or (n, L) of several labels; else scores (n, K)."""
        self._check_fitted()
        scores = self.calibration_.scores(self._answers(X))
        return scores[:, 1] - scores[:, 0] if scores.shape[1] == 2 and not self._several else scores

    def predict_proba(self, X: Any) -> NDArray[np.float64]:
        """Probabilities (n, K) of the classes in the order of `classes_`, or of each of several labels by itself."""
        self._check_fitted()
        return self._served(self._answers(X))

    def predict(self, X: Any) -> Any:
        """The likeliest class of each sequence (n,).

        With several labels a sample: those likelier than not, as they were given to `fit`: an indicator matrix
        (n, L), or a list of labels for each sequence.
        """
        self._check_fitted()
        scores = self.calibration_.scores(self._answers(X))
        return sequence_labels.decode(self.labels_, scores, self.indicator_)

    def _served(self, raw: NDArray[Any]) -> NDArray[np.float64]:
        return self.calibration_.probabilities(raw)

    def score(self, X: Any, y: Any = None) -> float:
        """Accuracy: the share of sequences whose class is right; with several labels, of those with all of them right.

        A label that was not seen in training counts as wrong, and a UserWarning says how many there are.
        """
        self._check_fitted()
        data = sequence_network.from_source(self, X, y, labelled=True)
        X, y = data.x, data.y
        scores = self.calibration_.scores(self._raw(self._read(X)))
        codes = sequence_labels.encode(self.labels_, y, len(scores))
        if self._several:
            return float(np.mean(((scores > 0) == (codes > 0.5)).all(axis=1)))
        if (codes < 0).any():
            unseen = sequence_labels.unseen(self.labels_, y, codes)
            warnings.warn(f"{unseen}: counted as wrong", UserWarning, stacklevel=2)
        return float(np.mean(scores.argmax(axis=1) == codes))

    # ------------------------------------------------------------------ files, scikit-learn

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
        self.calibration_ = ClassCalibration.of(*values, n_classes, self._several)

    def __sklearn_tags__(self) -> Any:
        from sklearn.utils import ClassifierTags

        tags = super().__sklearn_tags__()
        tags.estimator_type = "classifier"
        tags.classifier_tags = ClassifierTags(multi_label=True)
        return tags
