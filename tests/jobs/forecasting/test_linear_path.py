import numpy as np
import pytest
import torch
from sklearn.linear_model import Ridge

from memorycell.data.batch import Batch
from memorycell.jobs.forecasting.linear_path import LinearPath
from memorycell.jobs.forecasting.network import StackedForecaster, TableShape


def samples(rows=200, window=5, horizon=3, known=2, targets=2, seed=0):
    draw = torch.Generator().manual_seed(seed)
    past = torch.randn(rows, window, targets, generator=draw)
    ahead = torch.randn(rows, horizon, known, generator=draw)
    return past, ahead, torch.randn(rows, horizon, targets, generator=draw) + past[:, -1:] * 2 + 1


@pytest.mark.parametrize("known", [0, 2])
@pytest.mark.parametrize("penalty", [1e-3, 1.0])
def test_each_step_is_the_ridge_regression_of_its_inputs(known, penalty):
    past, ahead, out = samples(known=known)
    path = LinearPath(5, 3, known, 2)
    assert (
        path.fit([(past[:90], ahead[:90], out[:90]), (past[90:], ahead[90:], out[90:])], penalties=[penalty]) == penalty
    )
    for k in range(2):
        for step in range(3):
            x = torch.cat([past[:, :, k], ahead[:, step]], dim=1).double().numpy()
            alpha = penalty * np.square(x[:, :5]).sum(0).mean()
            expected = Ridge(alpha=alpha).fit(x, out[:, step, k].double().numpy())
            np.testing.assert_allclose(path.weight[k, step].numpy(), expected.coef_, atol=1e-5)
            assert path.bias[k, step].item() == pytest.approx(expected.intercept_, abs=1e-5)
            np.testing.assert_allclose(path(past, ahead)[:, step, k].numpy(), expected.predict(x), atol=1e-4)


def test_shared_weights_are_those_of_all_targets_stacked():
    past, ahead, out = samples(known=0)
    shared, stacked = LinearPath(5, 3, 0, 2, shared=True), LinearPath(5, 3, 0, 1)
    shared.fit([(past, ahead, out)], penalties=[0.1])
    both = [torch.cat([x[..., :1], x[..., 1:]]) for x in (past, out)]
    stacked.fit([(both[0], ahead.repeat(2, 1, 1), both[1])], penalties=[0.1])
    torch.testing.assert_close(shared.weight, stacked.weight)
    torch.testing.assert_close(shared(past, ahead)[..., 1:], stacked(past[..., 1:], ahead))


def test_the_penalty_is_the_best_on_held_out_samples():
    past, ahead, _ = samples(rows=40, window=15, known=0, targets=1)
    held = samples(rows=200, window=15, known=0, targets=1, seed=1)
    noise, held_noise = samples(rows=40, window=15, targets=1)[2] * 0, held[2] * 0
    noise = torch.randn(noise.shape, generator=torch.Generator().manual_seed(3))
    path = LinearPath(15, 3, 0, 1)
    assert path.fit([(past, ahead, noise)], [(held[0], held[1], held_noise)]) == 1.0  # nothing to learn: shrink


def test_too_few_samples_leave_nothing():
    past, ahead, out = samples(rows=6)
    path = LinearPath(5, 3, 2, 2)
    path.fit([(past, ahead, out)])
    assert not path(past, ahead).any()


def test_it_is_no_parameter_and_skips_windows_with_missing_targets():
    past, ahead, out = samples(known=0, targets=1)
    network = StackedForecaster(TableShape(1, 1), 5, 3, levels=(0.5,), normalize="level", linear=True, hidden_size=4)
    assert not [name for name, _ in network.named_parameters() if "linear" in name]
    whole = Batch({"past": past[:150]}, targets=out[:150])
    network.fit_linear([whole], penalties=[0.1])
    expected = network.linear.weight.clone()
    weights = torch.ones_like(out)
    weights[150:, 1] = 0
    network.fit_linear([Batch({"past": past}, targets=out, weights=weights)], penalties=[0.1])
    torch.testing.assert_close(network.linear.weight, expected)
    # An untrained network starts at the regression's forecasts.
    point, _ = network.eval()(whole)
    relative = whole.inputs["past"] - whole.inputs["past"][:, -1:]
    torch.testing.assert_close(
        point, network.linear(relative, ahead[:150, :, :0]) + whole.inputs["past"][:, -1:], atol=1e-5, rtol=0
    )


def test_windows_of_one_step_are_all_zero_once_their_last_value_is_taken() -> None:
    path = LinearPath(window=1, horizon=2, known=0, targets=1)
    ahead = torch.randn(30, 2, 1)
    path.fit([(torch.zeros(30, 1, 1), torch.empty(30, 2, 0), ahead)])
    found = path(torch.zeros(1, 1, 1), torch.empty(1, 2, 0))
    assert torch.allclose(found, ahead.mean(0, keepdim=True), atol=1e-5)
