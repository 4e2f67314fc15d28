"""Libraries that people use with torch's layers work with ours: skorch trains, captum attributes."""

import warnings

import numpy as np
import pytest
import torch
from torch import nn

import memorycell


class Reader(nn.Module):
    def __init__(self, hidden_size=4):
        super().__init__()
        self.lstm = memorycell.LSTM(2, hidden_size, batch_first=True)
        self.head = nn.Linear(hidden_size, 2)

    def forward(self, x):
        return self.head(self.lstm(x)[0][:, -1])


@pytest.mark.long  # it makes torch import its compiler, for many seconds
def test_skorch_trains_clones_and_searches():
    from sklearn.base import clone
    from skorch import NeuralNetClassifier

    draws = np.random.default_rng(0)
    x = draws.normal(size=(64, 6, 2)).astype("float32")
    y = (x[:, -1, 0] > 0).astype("int64")
    torch.manual_seed(0)
    net = NeuralNetClassifier(
        Reader, criterion=nn.CrossEntropyLoss, lr=0.05, max_epochs=12, optimizer=torch.optim.Adam, verbose=0,
        train_split=None, module__hidden_size=8,
    )  # fmt: skip
    other = clone(net).set_params(module__hidden_size=3).initialize()
    assert other.module_.lstm.hidden_size == 3
    assert net.fit(x, y).score(x, y) > 0.9


def test_captums_integrated_gradients_sum_to_the_difference():
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        from captum.attr import IntegratedGradients

    torch.manual_seed(1)
    model, x = Reader().eval(), torch.randn(3, 5, 2)
    scores = IntegratedGradients(model).attribute(x, target=1, n_steps=64)
    difference = model(x)[:, 1] - model(torch.zeros_like(x))[:, 1]
    assert scores.shape == x.shape
    torch.testing.assert_close(scores.sum((1, 2)).float(), difference, rtol=1e-3, atol=1e-3)
