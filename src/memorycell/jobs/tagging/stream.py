"""TaggerStream: a causal tagger that takes one step of a sequence at a time."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from memorycell.data.batch import Batch


class TaggerStream:
    """The state of a sequence so far, moved on by each step; labels and probabilities are those of the whole sequence.

    Obtained from `Tagger.stream`, of a tagger fitted with ``causal=True``.

    Attributes
    ----------
    probabilities : float64 (K,)
        Of the labels ``tagger.classes_`` at the last step.
    steps : int
        Steps taken since the beginning of the sequence.

    Raises
    ------
    ValueError
        When the tagger looks ahead.

    Example
    -------
    >>> import numpy as np
    >>> from memorycell.jobs.tagging.task import Tagger
    >>> x = [np.random.default_rng(row).normal(size=(20, 2)) for row in range(8)]
    >>> y = [(steps[:, 0] > 0).astype(int) for steps in x]
    >>> tagger = Tagger(causal=True, hidden_size=8, epochs=2, verbose=False).fit(x, y)
    >>> stream = tagger.stream()
    >>> [stream.step(values) for values in x[0]] == tagger.predict(x[:1])[0], stream.steps
    (True, 20)
    """

    probabilities: NDArray[np.float64]
    steps: int

    def __init__(self, tagger: Any) -> None:
        if not tagger.plan_["causal"]:
            raise ValueError("a stream needs a tagger that does not look ahead: fit with Tagger(causal=True)")
        self._tagger, self._network = tagger, tagger.network_.eval()
        self._device = next(self._network.parameters()).device
        self.reset()

    def reset(self) -> None:
        """Begin another sequence."""
        self._state, self.steps = None, 0

    @torch.inference_mode()
    def step(self, x: Any) -> Any:
        """Take one step, a number, an array (F,) or a word, and return its label."""
        tagger, spelt = self._tagger, None
        if tagger.input_ == "steps":
            value = tagger.codec_.encode([np.asarray(x, np.float64).reshape(1, -1)]).values
        else:
            if not isinstance(x, str) or not x:
                raise TypeError(f"expected a word, got {x!r:.40}")
            words = tagger.codec_.encode([[x]])
            value = words.tokens.values
            if self._network.spelling is not None:
                characters = words.characters.values.unsqueeze(0).to(self._device)
                spelt = self._network.spelling(characters, torch.tensor([characters.shape[1]], device=self._device))
        if self._state is None:
            self._state = self._network.init_state(Batch({"x": value}))
        raw, self._state = self._network.step(value.to(self._device), self._state, spelt)
        self.steps += 1
        self.probabilities = self._network.head.probabilities(raw)[0].double().cpu().numpy()
        return tagger.target_codec_.decode(self._network.head.predict(raw).cpu().numpy()).tolist()[0]
