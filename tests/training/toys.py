"""Small networks and data sets that the tests of training share."""

import torch
from torch import nn

from memorycell.data.batch import Batch
from memorycell.layers.dropout import Dropout
from memorycell.networks.base import Loss, Network


class Echo(Network):
    """Reads tokens (B, T) through an embedding, an LSTM and dropout; predicts a number a step."""

    def __init__(self, p=0.3, hidden=12):
        super().__init__()
        self.embed = nn.Embedding(11, 6)
        self.rnn = nn.LSTM(6, hidden, batch_first=True)
        self.drop = Dropout(p)
        self.out = nn.Linear(hidden, 1)

    def init_state(self, batch):
        zeros = torch.zeros(1, len(batch), self.rnn.hidden_size)
        return zeros, zeros

    def loss(self, batch, state=None):
        output, state = self.rnn(self.embed(batch.inputs["tokens"]), state)
        error = (self.out(self.drop(output)).squeeze(-1) - batch.targets).square()
        weights = torch.ones_like(error) if batch.weights is None else batch.weights
        return Loss((error * weights).sum(), weights.sum(), state)


class Tokens:
    """Sequences of tokens; each target is a function of the token before."""

    def __init__(self, count=96, steps=7, seed=0):
        generator = torch.Generator().manual_seed(seed)
        self.tokens = torch.randint(0, 11, (count, steps), generator=generator)
        self.targets = (self.tokens.roll(1, 1) - 5.0) / 5.0
        self.gathered = []

    def __len__(self):
        return len(self.tokens)

    def gather(self, rows):
        self.gathered.append(rows)
        return Batch({"tokens": self.tokens[rows]}, targets=self.targets[rows], rows=rows)

    def gather_steps(self, rows, lengths):
        flat, targets = self.tokens.flatten(), self.targets.flatten()
        counted = torch.arange(rows.shape[1]) < lengths[:, None]
        return Batch({"tokens": flat[rows]}, targets=targets[rows], weights=counted.float(), rows=rows)


class Line(Network):
    """A linear layer; `targets` may hold anything."""

    def __init__(self, width=3):
        super().__init__()
        self.linear = nn.Linear(width, 1)

    def loss(self, batch, state=None):
        error = (self.linear(batch.inputs["x"]).squeeze(-1) - batch.targets).square()
        return Loss(error.sum(), error.numel())


class Points:
    """Points (n, 3) on a plane, with noise."""

    def __init__(self, count=64, noise=0.1, seed=0):
        generator = torch.Generator().manual_seed(seed)
        self.x = torch.randn(count, 3, generator=generator)
        self.y = self.x @ torch.tensor([1.0, -2.0, 0.5]) + 0.3
        self.y += noise * torch.randn(count, generator=generator)

    def __len__(self):
        return len(self.x)

    def gather(self, rows):
        return Batch({"x": self.x[rows]}, targets=self.y[rows], rows=rows)


def seeded(make, seed=0):
    """`make()` with torch's generator seeded."""
    torch.manual_seed(seed)
    return make()


def weights(network):
    """All parameters in one vector."""
    return torch.cat([parameter.detach().flatten() for parameter in network.parameters()])
