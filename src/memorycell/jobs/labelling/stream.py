"""SequenceStream: a causal classifier or regressor that takes one step of a sequence at a time."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from memorycell.data.batch import Batch


class SequenceStream:
    """The state of a sequence so far; after each step, what the whole of it would be answered.

    Obtained from `SequenceClassifier.stream` and `SequenceRegressor.stream`, fitted with ``causal=True``.

    Raises
    ------
    ValueError
        When the model looks ahead.

    Example
    -------
    >>> import numpy as np
    >>> from memorycell.jobs.labelling.classifier import SequenceClassifier
    >>> x, y = np.random.default_rng(0).normal(size=(20, 6)), [0, 1] * 10
    >>> model = SequenceClassifier(causal=True, hidden_size=4, epochs=2, verbose=False).fit(x, y)
    >>> stream = model.stream()
    >>> steps = [stream.step(value) for value in x[0]]
    >>> bool(np.allclose(steps[-1], model.predict_proba(x[:1])[0], atol=1e-6)), stream.steps
    (True, 6)
    """

    def __init__(self, model: Any) -> None:
        if not model.network_.causal:
            name = type(model).__name__
            raise ValueError(f"a stream needs a model that does not look ahead: fit with {name}(causal=True)")
        self._model, self._network = model, model.network_.eval()
        self._device = next(self._network.parameters()).device
        self.reset()

    @property
    def steps(self) -> int:
        """Steps taken since the beginning of the sequence."""
        return self._steps

    def reset(self) -> None:
        """Begin another sequence."""
        self._steps = 0
        self._raw = torch.empty(0, dtype=torch.float32)
        like = torch.zeros(1, 1, dtype=torch.float32, device=self._device)
        self._state = self._network.init_state(Batch({"steps": like}))

    @torch.inference_mode()
    def step(self, x: Any) -> NDArray[np.float64]:
        """Take one step, a number, an array (F,) or a symbol; or a piece of text, which may be several steps.

        Returns
        -------
        (K,) probabilities of the classes (classifier), or (K,) numbers (regressor), of all steps so far
        """
        model = self._model
        kind = model.input_["kind"]
        if kind == "numbers":
            values = np.asarray(x, np.float64).reshape(1, -1)
            encoded = model.codec_.encode([values])
        else:
            encoded = model.codec_.encode([[x]] if kind == "symbols" and model.separator is None else [x])
        if not len(encoded.values):
            raise ValueError(f"expected a step to take, got {x!r:.40}, which holds none")
        most = model.plan_["max_length"]
        for value in encoded.values.to(self._device):
            if most is None or self._steps < most:
                self._raw, self._state = self._network.step(value[None], self._state)
            self._steps += 1
        return model.served(self._raw.double().cpu().numpy())[0]
