"""TokenStream: a language model that reads one token after the other; and the layers that it, and writing, run on."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from memorycell.data.text.text_codec import END
from memorycell.jobs.language.network import LanguageNetwork
from memorycell.jobs.language.text import ids_of_piece
from memorycell.networks.base import State


class Fed:
    """One row of a language network, fed token by token: microseconds a layer, without a graph.

    Parameters
    ----------
    network : in evaluation
    state : of one row, with which it begins
    """

    def __init__(self, network: LanguageNetwork, state: State) -> None:
        self._network, self._streams = network, []
        for layer, own in zip(network.trunk, state, strict=True):
            stream = layer.stream(1)
            stream.state = own
            self._streams.append(stream)

    def step(self, tokens: Tensor) -> Tensor:
        """Scores (1, V) of what follows a token, int64 (1,)."""
        x: Any = self._network.encoder.embed(tokens)
        for stream in self._streams:
            x = stream.step(x)
        return self._network.scores(x)


class TokenStream:
    """The state of a text so far; after each step, how likely each token is to come next.

    Obtained from `LanguageModel.stream`. The numbers are those of `LanguageModel.token_scores`.

    Attributes
    ----------
    probabilities : float64 (V,)
        Of the tokens ``model.codec_.vocabulary``, to come next.
    steps : int
        Tokens read since the beginning of the text.

    Example
    -------
    >>> from memorycell import LanguageModel
    >>> text = "the cat sat on the mat and the dog sat on the log\\n" * 40
    >>> model = LanguageModel("character", hidden_size=16, epochs=2, verbose=False).fit(text)
    >>> stream = model.stream()
    >>> chances = stream.step("the ca")
    >>> t = model.codec_.vocabulary.index("t")
    >>> bool(np.isclose(np.log(chances[t]), model.token_scores("the cat")[6].log_probability, atol=1e-5)), stream.steps
    (True, 6)
    """

    probabilities: NDArray[np.float64]
    steps: int

    def __init__(self, model: Any) -> None:
        self._network, self._codec = model.network_.eval(), model.codec_
        self._device = next(self._network.parameters()).device
        self.reset()

    def reset(self) -> None:
        """Begin another text."""
        self._fed = Fed(self._network, self._network.encoder.init_state(1))
        self._read(torch.tensor([END]))
        self.steps = 0

    def step(self, text: str) -> NDArray[np.float64]:
        """Read a token, or a piece of text, which may be several.

        A line break ends a line of words; pieces of words and of subwords are split by themselves.

        Returns
        -------
        `probabilities`, of what comes next

        Raises
        ------
        TypeError, ValueError
            For something else than a text, and one without a token.
        """
        if not isinstance(text, str):
            raise TypeError(f"expected a piece of text, got {type(text).__name__}")
        ids = ids_of_piece(self._codec, text)
        if not len(ids):
            raise ValueError(f"expected a piece of text with at least one {self._codec.unit}, got {text!r:.40}")
        self._read(ids)
        self.steps += len(ids)
        return self.probabilities

    @torch.inference_mode()
    def _read(self, ids: Tensor) -> None:
        for token in ids.to(self._device).split(1):
            scores = self._fed.step(token)
        self.probabilities = scores[0].double().softmax(-1).cpu().numpy()
