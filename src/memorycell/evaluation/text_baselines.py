"""What a user would try first on labelled sequences: the majority, linear models on counts or summaries, the most
frequent tag, n-grams. Each is an estimator with ``fit`` and ``predict``."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from memorycell.data.text.corpus import Corpus
from memorycell.data.text.scripts import has_marks, without_spaces
from memorycell.data.text.text_codec import words_of
from memorycell.evaluation.kneser_ney import KneserNey

Floats = NDArray[np.float64]
QUANTILES = (0.1, 0.25, 0.5, 0.75, 0.9)
WORDS_AND_SIGNS = r"(?u)\w+|[^\w\s]"
MANY_CLASSES = 500  # beyond which texts are told apart by centroids, and not by logistic regression
LONGEST_ROW = 2000  # values of a sequence, or positions times symbols, that a linear model may see one by one
NAMES = {
    "majority": "majority class",
    "mean": "mean",
    "tf-idf": "TF-IDF + logistic regression",
    "k-mers": "TF-IDF of k-mers + logistic regression",
    "positions": "logistic regression on positions",
    "summary": "logistic regression on summary statistics",
    "values": "logistic regression on all values",
    "tf-idf ridge": "TF-IDF + ridge",
    "k-mers ridge": "TF-IDF of k-mers + ridge",
    "positions ridge": "ridge on positions",
    "summary ridge": "ridge on summary statistics",
    "values ridge": "ridge on all values",
    "tf-idf centroid": "TF-IDF + nearest centroid",
    "k-mers centroid": "TF-IDF of k-mers + nearest centroid",
    "positions centroid": "nearest centroid on positions",
    "frequent tag": "most frequent tag per word",
}


class Majority:
    """The most frequent class, with the classes' frequencies as probabilities.

    Example
    -------
    >>> Majority().fit([0, 0, 0], ["a", "b", "b"]).predict([0, 0]).tolist()
    ['b', 'b']
    """

    def fit(self, X: Any, y: Any, sample_weight: Any = None) -> Majority:
        self.classes_, codes = np.unique(np.asarray(y), return_inverse=True)
        counts = np.bincount(codes, sample_weight)
        self.frequencies_ = counts / counts.sum()
        return self

    def predict(self, X: Any) -> NDArray[Any]:
        return np.repeat(self.classes_[self.frequencies_.argmax()], len(X))

    def predict_proba(self, X: Any) -> Floats:
        return np.tile(self.frequencies_, (len(X), 1))


class FrequentLabels:
    """For several labels a row: each label that more than half of the training rows have.

    ``predict`` gives (n, K) booleans, as the targets were given.
    """

    def fit(self, X: Any, y: NDArray[np.bool_], sample_weight: Any = None) -> FrequentLabels:
        self.frequencies_ = np.average(np.asarray(y, float), axis=0, weights=sample_weight)
        return self

    def predict(self, X: Any) -> NDArray[np.bool_]:
        return np.tile(self.frequencies_ > 0.5, (len(X), 1))

    def predict_proba(self, X: Any) -> Floats:
        return np.tile(self.frequencies_, (len(X), 1))


class EachLabel:
    """For several labels a row: a logistic regression for each; what is always or never there stays so.

    ``predict`` gives (n, K) booleans, as the targets were given.

    Example
    -------
    >>> x, y = np.array([[0.0], [1.0], [2.0], [3.0]]), np.array([[0, 1], [0, 1], [1, 1], [1, 1]], bool)
    >>> EachLabel().fit(x, y).predict(x).tolist()
    [[False, True], [False, True], [True, True], [True, True]]
    """

    def fit(self, X: Any, y: NDArray[np.bool_], sample_weight: Any = None) -> EachLabel:
        from sklearn.linear_model import LogisticRegression

        self.models_: list[Any] = []
        for there in np.asarray(y, bool).T:
            constant = float(there[0]) if (there == there[0]).all() else None
            model = LogisticRegression(C=10, max_iter=1000)
            self.models_.append(model.fit(X, there, sample_weight) if constant is None else constant)
        return self

    def __sklearn_tags__(self) -> Any:
        from sklearn.utils import ClassifierTags, InputTags, Tags, TargetTags

        return Tags(
            estimator_type="classifier",
            target_tags=TargetTags(required=True),
            classifier_tags=ClassifierTags(multi_label=True),
            input_tags=InputTags(sparse=True),
        )

    def predict(self, X: Any) -> NDArray[np.bool_]:
        return self.predict_proba(X) > 0.5

    def predict_proba(self, X: Any) -> Floats:
        found = np.empty((X.shape[0], len(self.models_)))
        for label, model in enumerate(self.models_):
            found[:, label] = model if isinstance(model, float) else model.predict_proba(X)[:, 1]
        return found


class MeanValue:
    """The mean of the training targets."""

    def fit(self, X: Any, y: Any, sample_weight: Any = None) -> MeanValue:
        self.mean_ = np.average(np.asarray(y, float), axis=0, weights=sample_weight)
        return self

    def predict(self, X: Any) -> Floats:
        return np.repeat(np.asarray(self.mean_)[None], len(X), 0)


class SummaryStatistics:
    """Sequences as one row of numbers each: what a channel's values are like, and how long the sequence is.

    Of each channel: mean, deviation, least and greatest value, the quantiles 0.1, 0.25, 0.5, 0.75 and 0.9, first
    and last value, and the slope of a straight line over the steps. Missing values (NaN) are left out; what cannot
    be known is 0.

    Example
    -------
    >>> row, = SummaryStatistics().transform([[1.0, 2.0, 3.0]])
    >>> row[[0, 2, 3, 9, 10, 11]].tolist(), row[-1].item()  # mean, least, greatest, first, last, slope; length
    ([2.0, 1.0, 3.0, 1.0, 3.0, 1.0], 3.0)
    """

    def fit(self, X: Any, y: Any = None) -> SummaryStatistics:
        return self

    def transform(self, X: Any) -> Floats:
        return np.array([_summary(_steps(sequence)) for sequence in X])


def _steps(sequence: Any) -> Floats:
    """(T, F) numbers."""
    steps = np.asarray(sequence, np.float64)
    return steps[:, None] if steps.ndim == 1 else steps


def _summary(steps: Floats) -> Floats:
    """(12 F + 1,)"""
    columns = [_channel(channel[np.isfinite(channel)], np.flatnonzero(np.isfinite(channel))) for channel in steps.T]
    return np.concatenate([*columns, [float(len(steps))]])


def _channel(values: Floats, when: NDArray[np.int64]) -> Floats:
    if not len(values):
        return np.zeros(7 + len(QUANTILES))
    time = when - when.mean()
    slope = time @ values / max(time @ time, 1e-12) if len(values) > 1 else 0.0
    parts = [values.mean(), values.std(), values.min(), values.max(), *np.quantile(values, QUANTILES)]
    return np.array([*parts, values[0], values[-1], slope])


class Flattened:
    """Numeric sequences of one length as rows of all their values."""

    def fit(self, X: Any, y: Any = None) -> Flattened:
        return self

    def transform(self, X: Any) -> Floats:
        return np.nan_to_num(np.array([_steps(sequence).ravel() for sequence in X]))


class Positions:
    """Symbol sequences of one length as one 0 or 1 for each symbol at each place."""

    def fit(self, X: Any, y: Any = None) -> Positions:
        from sklearn.preprocessing import OneHotEncoder

        self._encoder = OneHotEncoder(handle_unknown="ignore").fit(self._table(X))
        return self

    def transform(self, X: Any) -> Any:
        return self._encoder.transform(self._table(X))

    def _table(self, X: Any) -> NDArray[np.str_]:
        return np.array([[str(symbol) for symbol in sequence] for sequence in X])


class MostFrequentTag:
    """Each word's most frequent tag in training; for a word not seen there, the most frequent tag of all.

    Where the steps are no words (numbers, arrays), the most frequent tag of all everywhere.

    Example
    -------
    >>> tagger = MostFrequentTag().fit([["a", "dog"], ["a", "cat"]], [["DET", "NOUN"], ["DET", "NOUN"]])
    >>> tagger.predict([["a", "bird"]])
    [['DET', 'DET']]
    """

    def fit(self, X: Any, y: Any, sample_weight: Any = None) -> MostFrequentTag:
        tags: Counter[Any] = Counter()
        pairs: dict[Any, Counter[Any]] = {}
        weights: Iterable[Any] = [1] * len(y) if sample_weight is None else sample_weight
        for words, labels, own in zip(X, y, weights, strict=True):
            for word, label, weight in zip(words, labels, np.broadcast_to(own, len(labels)).tolist(), strict=True):
                tags[label] += weight
                if isinstance(word, (str, int)):
                    pairs.setdefault(word, Counter())[label] += weight
        self.default_ = tags.most_common(1)[0][0]
        self.tags_ = {word: counts.most_common(1)[0][0] for word, counts in pairs.items()}
        return self

    def predict(self, X: Any) -> list[list[Any]]:
        return [
            [self.tags_.get(word, self.default_) if isinstance(word, (str, int)) else self.default_ for word in words]
            for words in X
        ]


class KneserNeyText:
    """Kneser–Ney n-gram over the tokens of a fitted language model's codec: the same tokens, the same unknowns.

    Parameters
    ----------
    codec : with ``encode(texts, end=False) -> Ragged`` and ``size``
    order : int
    """

    def __init__(self, codec: Any, order: int = 5):
        self.codec = codec
        self.order = order

    def fit(self, X: Any, y: Any = None) -> KneserNeyText:
        self.model_ = KneserNey(self.order).fit(self._encoded(X), self.codec.size)
        return self

    def log_probabilities(self, X: Any) -> list[Floats]:
        """Natural logarithm of the probability of each token of each text."""
        parts = self._encoded(X)
        ends = np.cumsum([len(part) for part in parts])[:-1]
        return np.split(self.model_.log_probabilities(parts), ends)

    def _encoded(self, X: Any) -> list[Any]:
        # As language models read texts: what stands before the first token is no part of the text.
        texts = [X] if isinstance(X, str) else X
        return [np.asarray(Corpus.from_texts(text, self.codec).ids[1:], np.int64) for text in texts]


def kind_of_inputs(X: Any) -> str:
    """What sequences are made of: "text" (words), "symbols" or "numbers".

    Strings are text where at least half of them hold a space, or are of a script without spaces; lists of strings or of
    whole numbers are symbols; arrays and lists of other numbers are numbers.

    Example
    -------
    >>> kind_of_inputs(["a good day", "bad"]), kind_of_inputs(["ACGT", "AC"]), kind_of_inputs([[1.5, 2.0]])
    ('text', 'symbols', 'numbers')
    """
    if isinstance(X, np.ndarray) and X.dtype.kind in "fiub":
        return "numbers"
    some = list(X[:1000])
    if all(isinstance(row, str) for row in some):
        spaced = sum(any(letter.isspace() for letter in row.strip()) for row in some)
        return "text" if 2 * spaced >= len(some) or without_spaces(some) else "symbols"
    if all(isinstance(row, (list, tuple)) for row in some):
        steps = [step for row in some for step in row[:100]]
        whole = all(isinstance(step, (str, int, np.integer, np.str_)) for step in steps)
        return "symbols" if steps and whole else "numbers"
    return "numbers"


class NearestCentroid:
    """The class whose mean of TF-IDF vectors is nearest, by their angle: what many classes leave memory for.

    Example
    -------
    >>> from scipy.sparse import csr_matrix
    >>> x = csr_matrix(np.array([[1.0, 0.0], [0.9, 0.1], [0.0, 1.0]]))
    >>> NearestCentroid().fit(x, np.array(["a", "a", "b"])).predict(x).tolist()
    ['a', 'a', 'b']
    """

    def __sklearn_tags__(self) -> Any:
        return EachLabel().__sklearn_tags__()

    def fit(self, X: Any, y: Any, sample_weight: Any = None) -> NearestCentroid:
        from scipy.sparse import csr_matrix
        from sklearn.preprocessing import normalize

        self.classes_, codes = np.unique(np.asarray(y), return_inverse=True)
        weights = np.ones(len(codes)) if sample_weight is None else sample_weight
        which = csr_matrix((weights, (codes, np.arange(len(codes)))), (len(self.classes_), len(codes)))
        self.centroids_ = normalize(which @ X).T.tocsr()
        return self

    def predict(self, X: Any) -> NDArray[Any]:
        step = max(1, 4_000_000 // len(self.classes_))
        parts = [
            np.asarray((X[start : start + step] @ self.centroids_).argmax(axis=1)).ravel()
            for start in range(0, X.shape[0], step)
        ]
        return self.classes_[np.concatenate(parts)]


def baselines_for_classes(X: Any, inputs: str | None = None, n_classes: int = 2) -> dict[str, Any]:
    """Unfitted classifiers for such sequences, by name; `inputs` is what `kind_of_inputs` would find.

    Of many classes texts and symbols get the nearest centroid: a logistic regression has a weight for each class and
    word, and its solver keeps twenty times as many.

    Example
    -------
    >>> list(baselines_for_classes(["a good day", "a bad day"]))
    ['majority class', 'TF-IDF + logistic regression']
    """
    from sklearn.linear_model import LogisticRegression

    sparse = (inputs or kind_of_inputs(X)) != "numbers"
    if sparse and n_classes > MANY_CLASSES:
        return {NAMES["majority"]: Majority(), **_linear(X, NearestCentroid(), " centroid", inputs)}
    found = _linear(X, LogisticRegression(C=10, max_iter=1000), "", inputs)
    return {NAMES["majority"]: Majority(), **found}


def baselines_for_labels(X: Any, inputs: str | None = None) -> dict[str, Any]:
    """Unfitted estimators of several labels a row, by name."""
    found = _linear(X, EachLabel(), "", inputs)
    return {"labels of most rows": FrequentLabels(), **found}


def baselines_for_numbers(X: Any, inputs: str | None = None) -> dict[str, Any]:
    """Unfitted regressors for such sequences, by name."""
    from sklearn.linear_model import RidgeCV

    return {NAMES["mean"]: MeanValue(), **_linear(X, RidgeCV(np.logspace(-3, 3, 7)), " ridge", inputs)}


def _linear(X: Any, model: Any, kind: str, inputs: str | None) -> dict[str, Any]:
    """Pipelines that end in a linear model; text and symbols weigh what they count, numbers are standardised."""
    from sklearn.feature_extraction.text import TfidfVectorizer
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import StandardScaler

    inputs = inputs or kind_of_inputs(X)
    if inputs == "text":
        # Words and signs; what occurs once in a large corpus says nothing of other rows.
        rare = 2 if len(X) >= 1000 else 1
        split: dict[str, Any] = {"ngram_range": (1, 2), "token_pattern": WORDS_AND_SIGNS}
        scripts = without_spaces(X)
        if scripts or has_marks(X):
            split = {"analyzer": WordRuns(4 if scripts else 2)}
        words = TfidfVectorizer(sublinear_tf=True, min_df=rare, **split)
        return {NAMES["tf-idf" + kind]: make_pipeline(words, model)}
    lengths = {len(sequence) for sequence in X}
    fixed = len(lengths) == 1
    if inputs == "symbols":
        counts = TfidfVectorizer(analyzer=k_mers, sublinear_tf=True)
        found = {NAMES["k-mers" + kind]: make_pipeline(counts, model)}
        if fixed and min(lengths) <= LONGEST_ROW:
            found[NAMES["positions" + kind]] = make_pipeline(Positions(), model)
        return found
    found = {NAMES["summary" + kind]: make_pipeline(SummaryStatistics(), StandardScaler(), model)}
    if fixed and np.size(X[0]) <= LONGEST_ROW:
        whole = make_pipeline(Flattened(), StandardScaler(), model)
        found[NAMES["values" + kind]] = whole
    return found


class WordRuns:
    """Runs of up to `longest` words of a text in lower case, as `TextCodec` splits it.

    Of scripts without spaces between words these are clusters of characters, several of which make a word.

    Example
    -------
    >>> list(WordRuns(2)("好天气"))
    ['好', '天', '气', '好 天', '天 气']
    """

    def __init__(self, longest: int) -> None:
        self.longest = longest

    def __call__(self, text: str) -> Iterable[str]:
        return k_mers(words_of(text.lower()), self.longest)


def k_mers(sequence: Sequence[Any], longest: int = 3) -> Iterable[str]:
    """Every run of 1, 2 and 3 symbols.

    Example
    -------
    >>> list(k_mers("ACG"))
    ['A', 'C', 'G', 'A C', 'C G', 'A C G']
    """
    symbols = [str(symbol) for symbol in sequence]
    for k in range(1, longest + 1):
        for start in range(len(symbols) - k + 1):
            yield " ".join(symbols[start : start + k])
