"""LanguageNetwork: tokens in, a distribution of the next token out."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional

from memorycell.data.batch import Batch
from memorycell.jobs.transfer import extended_rows
from memorycell.layers.dropout import VariationalDropout
from memorycell.networks.base import Loss, Network, State
from memorycell.networks.encoder import Encoder
from memorycell.networks.heads.softmax import PRECISIONS, linear_cross_entropy, linear_log_softmax, multiplies_bfloat16

SOFTMAXES = ("full", "adaptive")
_NARROWER = 4  # times fewer features in each cluster of rarer tokens (Grave et al. 2017, section 4.2)
_SPREAD = 0.1  # weights of embedding and decoder start within ±0.1 (Merity et al. 2017)


class LanguageNetwork(Network):
    """Recurrent layers that predict each next token (Zaremba et al. 2014), regularised as the AWD-LSTM
    (Merity, Keskar & Socher 2017, arXiv 1708.02182).

    Inputs of a batch: ``tokens`` int64 (B, T). Targets int64 (B, T), weights (B, T) or None. `loss` sums nats;
    in training the penalties of `alpha` and `beta` act on the gradient, but the number that is reported stays the
    cross-entropy alone, so that it can be compared with validation.

    Parameters
    ----------
    vocabulary : int
        Number of token ids V.
    embedding_size : int
    hidden_sizes : sequence of int
        Units of each layer, from the input up.
    cell : "LSTM", "GRU" or "RNN"
    tied : bool
        Score with the embedding itself (Press & Wolf 2017; Inan et al. 2017): the last layer is as wide as it.
    softmax : "full" or "adaptive"
        "adaptive": rare tokens in clusters of their own, of fewer features (Grave et al. 2017, arXiv 1609.04309), for
        vocabularies of many ten thousands. Ids must be ordered from frequent to rare. It cannot be tied.
    cutoffs : sequence of int
        First ids of the adaptive softmax's clusters; empty: 1/10 and 4/10 of the vocabulary.
    embedding_dropout, input_dropout, between_dropout, output_dropout, weight_dropout : float
        See `Encoder`; the dropout after the last layer too has one mask a sequence.
    alpha, beta : float
        Activation regularisation, α · mean of the squared (dropped) output, and temporal activation regularisation,
        β · mean of the squared difference of successive outputs (Merity, McCann & Socher 2017, arXiv 1708.01009).

    precision : "float32" or "bfloat16"
        Of the products of the full softmax in training, see `linear_cross_entropy`; evaluation is always in float32.
        Where the processor gains nothing by "bfloat16" it is left out.

    Raises
    ------
    ValueError
        For a tied network whose last layer is not as wide as the embedding, or a tied adaptive softmax.

    Example
    -------
    >>> network = LanguageNetwork(50, embedding_size=8, hidden_sizes=(16, 8))
    >>> batch = Batch({"tokens": torch.tensor([[3, 4, 5]])}, targets=torch.tensor([[4, 5, 2]]))
    >>> loss = network.loss(batch)
    >>> round((loss.sum / loss.count).item()), loss.count  # log 50 = 3.9
    (4, 3)
    """

    encoder: Encoder

    def __init__(
        self,
        vocabulary: int,
        embedding_size: int = 200,
        hidden_sizes: Sequence[int] = (200, 200),
        cell: str = "LSTM",
        *,
        tied: bool = True,
        softmax: str = "full",
        cutoffs: Sequence[int] = (),
        embedding_dropout: float = 0.0,
        input_dropout: float = 0.0,
        between_dropout: float = 0.0,
        output_dropout: float = 0.0,
        weight_dropout: float = 0.0,
        alpha: float = 0.0,
        beta: float = 0.0,
        precision: str = "float32",
    ) -> None:
        super().__init__()
        if softmax not in SOFTMAXES:
            raise ValueError(f"expected softmax to be {' or '.join(SOFTMAXES)}, got {softmax!r}")
        if precision not in PRECISIONS:
            raise ValueError(f"expected precision to be {' or '.join(PRECISIONS)}, got {precision!r}")
        if tied and softmax == "adaptive":
            raise ValueError("expected tied=False with the adaptive softmax: its clusters have weights of their own")
        self.encoder = Encoder(
            vocabulary,
            None,
            embedding_size,
            hidden_sizes,
            cell,
            embedding_dropout=embedding_dropout,
            input_dropout=input_dropout,
            between_dropout=between_dropout,
            weight_dropout=weight_dropout,
        )
        if tied and self.encoder.width != embedding_size:
            raise ValueError(
                f"expected the last of hidden_sizes to be the embedding's {embedding_size} in a tied network, "
                f"got {self.encoder.width}: make them alike, or tied=False"
            )
        self.vocabulary, self.tied, self.softmax = vocabulary, tied, softmax
        self.alpha, self.beta, self.precision = alpha, beta, precision
        # Here, not in the encoder: the temporal regularisation looks at the output before it is dropped.
        self.drop_output = VariationalDropout(output_dropout)
        width = self.encoder.width
        self.cutoffs: tuple[int, ...] = ()
        self.adaptive: nn.AdaptiveLogSoftmaxWithLoss | None = None
        self.weight: nn.Parameter | None = None
        self.bias: nn.Parameter | None = None
        if softmax == "adaptive":
            self.cutoffs = tuple(cutoffs) or _cutoffs(vocabulary)
            self.adaptive = _clusters(width, vocabulary, self.cutoffs)
        else:
            self.bias = nn.Parameter(torch.zeros(vocabulary))
            if not tied:
                self.weight = nn.Parameter(torch.empty(vocabulary, width).uniform_(-_SPREAD, _SPREAD))
        nn.init.uniform_(self.encoder.embedding.weight, -_SPREAD, _SPREAD)  # type: ignore[union-attr]

    def loss(self, batch: Batch, state: State = None) -> Loss:
        """Nats of all targets, summed; their number, or the sum of their weights; and the state after the batch."""
        targets = batch.truth.reshape(-1)
        raw, state = self.encoder(batch.inputs["tokens"], state=state)
        features = self.drop_output(raw)
        weights = None if batch.weights is None else batch.weights.reshape(-1)
        flat = features.reshape(len(targets), -1)
        total = self.nats(flat, targets, weights)
        count = len(targets) if weights is None else weights.sum()
        if self.training and (self.alpha or self.beta):
            penalty = self._penalty(raw, features) * count
            total = total + (penalty - penalty.detach())  # a gradient, but no part of the number
        return Loss(total, count, state)

    def nats(self, features: Tensor, targets: Tensor, weights: Tensor | None = None) -> Tensor:
        """Cross-entropy of the targets (N,) after features (N, width), weighted by (N,), summed: a scalar."""
        if self.adaptive is None:
            narrow = self.training and self.precision == "bfloat16" and multiplies_bfloat16(features.device)
            return linear_cross_entropy(
                features,
                self.output_weight,
                self.bias,
                targets,
                weights,
                precision="bfloat16" if narrow else "float32",
            )
        losses = -self.adaptive(features, targets).output
        return losses.sum() if weights is None else (losses * weights).sum()

    def _penalty(self, raw: Tensor, features: Tensor) -> Tensor:
        penalty = self.alpha * features.square().mean()
        if self.beta and raw.shape[1] > 1:
            penalty = penalty + self.beta * raw.diff(dim=1).square().mean()
        return penalty

    @property
    def output_weight(self) -> Tensor:
        """(V, width): what scores tokens in a full softmax, the embedding itself where tied."""
        return self.encoder.embedding.weight if self.weight is None else self.weight  # type: ignore[union-attr]

    def forward(self, batch: Batch) -> Tensor:
        """Scores (B, T, V) of the token after each of the batch's; see `scores`."""
        return self.scores(self.run(batch.inputs["tokens"])[0])

    def run(self, tokens: Tensor, state: State = None) -> tuple[Tensor, State]:
        """Features (B, T, width) after tokens int64 (B, T), from a state (None: zeros), and the state after the last.

        Of a long text `forward` would hold the scores of every token at once: this is what `scores` is asked of.
        """
        features, state = self.encoder(tokens, state=state)
        return self.drop_output(features), state

    def scores(self, features: Tensor) -> Tensor:
        """Unnormalised log probabilities (..., V) of the next token from features (..., width)."""
        if self.adaptive is not None:
            flat = self.adaptive.log_prob(features.reshape(-1, features.shape[-1]))
            return flat.view(*features.shape[:-1], self.vocabulary)
        return functional.linear(features, self.output_weight, self.bias)

    def log_probabilities(self, features: Tensor, targets: Tensor) -> Tensor:
        """Log probability (N,) of the targets (N,) after features (N, width), without gradients."""
        if self.adaptive is not None:
            with torch.no_grad():
                return self.adaptive(features, targets).output
        return linear_log_softmax(features, self.output_weight, self.bias, targets)

    def continue_from(self, other: LanguageNetwork) -> None:
        """Take the weights of another network; tokens that it does not have begin with the means of the others.

        Raises
        ------
        ValueError
            For a network of other sizes.
        """
        own = self.state_dict()
        state = {name: value.detach().cpu() for name, value in other.state_dict().items()}
        for name in ("encoder.embedding.weight", "weight", "bias"):
            if name in state and name in own:
                state[name] = extended_rows(state[name], len(own[name]))
        try:
            self.load_state_dict(state)
        except RuntimeError as error:
            lines = [line.strip() for line in str(error).splitlines()]
            raise ValueError(f"expected a network of the language model's sizes: {lines[-1]:.200}") from None

    def init_state(self, batch: Batch) -> State:
        return self.encoder.init_state(len(batch))

    def step(self, x: Tensor, state: State) -> tuple[Tensor, State]:
        """Scores (B, V) of the token after x, int64 (B,), and the next state."""
        features, state = self.encoder.step(x, state)
        return self.scores(features), state

    def parameter_groups(self) -> list[list[nn.Parameter]]:
        """Parameters from the input up: embedding (tied: the decoder's weights too), each layer, decoder."""
        head = [] if self.adaptive is None else list(self.adaptive.parameters())
        head += [part for part in (self.weight, self.bias) if part is not None]
        return [*self.encoder.layer_groups(), head]

    def flops_per_step(self, batch: Batch) -> float:
        """Forward floating-point operations of one time step of `batch`."""
        layers = sum(parameter.numel() for parameter in self.encoder.layers.parameters())
        head = self.encoder.width * (self.cutoffs[0] if self.cutoffs else self.vocabulary)
        return 2.0 * len(batch) * (layers + head)

    def config(self) -> dict[str, Any]:
        encoder = self.encoder.config()
        for name in ("features", "bidirectional", "output_dropout", "recurrent_dropout", "layer_norm"):
            del encoder[name]
        return {
            **encoder,
            "output_dropout": self.drop_output.p,
            "tied": self.tied,
            "softmax": self.softmax,
            "cutoffs": list(self.cutoffs),
            "alpha": self.alpha,
            "beta": self.beta,
            "precision": self.precision,
        }


def _clusters(width: int, vocabulary: int, cutoffs: tuple[int, ...]) -> nn.AdaptiveLogSoftmaxWithLoss:
    """The adaptive softmax of a vocabulary, above `width` features."""
    least = _NARROWER ** len(cutoffs)
    if width < least:
        raise ValueError(
            f"expected a last layer of at least {least} units for {len(cutoffs)} clusters of rare tokens, "
            f"each of which has {_NARROWER} times fewer features than the one before, got {width}"
        )
    return nn.AdaptiveLogSoftmaxWithLoss(width, vocabulary, list(cutoffs), div_value=float(_NARROWER), head_bias=True)


def _cutoffs(vocabulary: int) -> tuple[int, ...]:
    if vocabulary < 10:
        raise ValueError(f"expected a vocabulary of at least 10 for the adaptive softmax, got {vocabulary}")
    return vocabulary // 10, 4 * vocabulary // 10
