"""Every forecasting network: shapes, equivariance, what enters, state."""

import pytest
import torch

from memorycell.data.batch import Batch
from memorycell.jobs.forecasting.carried import CarriedForecaster
from memorycell.jobs.forecasting.network import (
    NETWORKS,
    EncoderDecoder,
    SegmentForecaster,
    StackedForecaster,
    TableShape,
)

SHAPES = {
    "plain": TableShape(targets=1, past=1),
    "two targets": TableShape(targets=2, past=2),
    "everything": TableShape(2, 5, known=3, code_sizes=(4, 9), static=2, static_code_sizes=(5,)),
}
LEVELS = (0.1, 0.5, 0.9)
OPTIONS = {"levels": LEVELS, "hidden_size": 8}


def make_batch(shape: TableShape, rows: int, window: int, horizon: int) -> Batch:
    draw = torch.Generator().manual_seed(5)
    inputs = {"past": torch.randn(rows, window, shape.past, generator=draw)}
    if shape.known:
        inputs["known"] = torch.randn(rows, window + horizon, shape.known, generator=draw)
    if shape.code_sizes:
        inputs["codes"] = torch.stack(
            [torch.randint(n, (rows, window + horizon), generator=draw) for n in shape.code_sizes], -1
        )
    if shape.static:
        inputs["static"] = torch.randn(rows, shape.static, generator=draw)
    if shape.static_code_sizes:
        inputs["static_codes"] = torch.stack(
            [torch.randint(n, (rows,), generator=draw) for n in shape.static_code_sizes], -1
        )
    return Batch(inputs, targets=torch.randn(rows, horizon, shape.targets, generator=draw))


def build(kind: str, shape: TableShape, window: int, horizon: int, **options):
    torch.manual_seed(0)
    extra = {"segment": 5} if kind == "segment" else {}
    return NETWORKS[kind](shape, window, horizon, **{**OPTIONS, **extra, **options})


@pytest.mark.parametrize("kind", NETWORKS)
@pytest.mark.parametrize("shape", SHAPES.values(), ids=SHAPES)
@pytest.mark.parametrize("normalize", ["none", "level", "scale"])
@pytest.mark.parametrize(("window", "horizon"), [(12, 1), (13, 7)])
def test_forecasts_have_their_shape_and_every_weight_learns(kind, shape, normalize, window, horizon):
    network = build(kind, shape, window, horizon, normalize=normalize, linear=normalize != "none")
    batch = make_batch(shape, 4, window, horizon)
    loss = network.loss(batch)
    assert float(loss.count) == 4 * horizon * shape.targets
    loss.sum.backward()
    still = [name for name, p in network.named_parameters() if p.grad is None or not p.grad.abs().sum() > 0]
    assert not still
    point, quantiles = network.eval()(batch)
    assert point.shape == (4, horizon, shape.targets)
    assert quantiles.shape == (4, horizon, shape.targets, 3)
    assert (quantiles.diff(dim=-1) >= 0).all()


@pytest.mark.parametrize("kind", NETWORKS)
@pytest.mark.parametrize("cell", ["LSTM", "GRU", "RNN"])
def test_a_drifted_level_shifts_the_forecast_by_itself(kind, cell):
    """Forecasts of "level" move with the level once it is beyond the range that training clips to."""
    shape = SHAPES["two targets"]
    network = build(kind, shape, 12, 3, normalize="level", linear=True, cell=cell).eval()
    batch = make_batch(shape, 4, 12, 3)
    batch.inputs["past"] += 10
    point, quantiles = network(batch)
    batch.inputs["past"] += 5
    moved, spread = network(batch)
    torch.testing.assert_close(moved, point + 5, atol=1e-4, rtol=0)
    torch.testing.assert_close(spread, quantiles + 5, atol=1e-4, rtol=0)


@pytest.mark.parametrize("kind", NETWORKS)
def test_a_scaled_window_scales_the_forecast(kind):
    shape = SHAPES["plain"]
    network = build(kind, shape, 12, 3, normalize="scale", linear=True).eval()
    batch = make_batch(shape, 4, 12, 3)
    point, quantiles = network(batch)
    batch.inputs["past"] = 3 * batch.inputs["past"] + 7
    moved, spread = network(batch)
    torch.testing.assert_close(moved, 3 * point + 7, atol=1e-4, rtol=1e-4)
    torch.testing.assert_close(spread, 3 * quantiles + 7, atol=1e-4, rtol=1e-4)


def test_the_loss_of_scaled_windows_is_taken_in_units_of_the_series():
    """With the absolute loss, that of the normalised window times its spread is exactly that of the forecast."""
    shape = SHAPES["plain"]
    network = build("lstm", shape, 12, 3, normalize="scale", point="absolute").eval()
    batch = make_batch(shape, 4, 12, 3)
    point, quantiles = network(batch)
    miss = batch.targets.unsqueeze(-1) - quantiles
    levels = torch.tensor(LEVELS)
    expected = (point - batch.targets).abs() + 2 * torch.maximum(levels * miss, (levels - 1) * miss).mean(-1)
    assert network.loss(batch).sum.item() == pytest.approx(expected.sum().item(), rel=1e-4)


@pytest.mark.parametrize("kind", NETWORKS)
def test_elements_without_weight_do_not_count(kind):
    shape = SHAPES["two targets"]
    network = build(kind, shape, 12, 3, normalize="level", linear=True).eval()
    batch = make_batch(shape, 4, 12, 3)
    batch.weights = torch.ones_like(batch.targets)
    batch.weights[:, 1] = 0
    before = network.loss(batch)
    batch.targets[:, 1] = 1e6
    after = network.loss(batch)
    assert after.sum.item() == before.sum.item()
    assert float(after.count) == 16


@pytest.mark.parametrize("kind", NETWORKS)
def test_the_configuration_rebuilds_the_network(kind):
    network = build(kind, SHAPES["everything"], 13, 7, normalize="level", linear=True, num_layers=2, dropout=0.1)
    config = network.config()
    shape = TableShape(**config.pop("shape"))
    again = NETWORKS[kind](shape, config.pop("window"), config.pop("horizon"), **config)
    again.load_state_dict(network.state_dict())
    batch = make_batch(SHAPES["everything"], 3, 13, 7)
    torch.testing.assert_close(again.eval()(batch)[0], network.eval()(batch)[0])


@pytest.mark.parametrize(
    ("kind", "options", "message"),
    [
        (StackedForecaster, {"cell": "QRNN"}, "QRNN"),
        (EncoderDecoder, {"normalize": "batch"}, "batch"),
        (SegmentForecaster, {"segment": 99}, "segment of 1 to window=12"),
        (CarriedForecaster, {"normalize": "scale"}, "not causal"),
    ],
)
def test_impossible_options_raise(kind, options, message):
    with pytest.raises(ValueError, match=message):
        kind(SHAPES["plain"], 12, 3, **{**OPTIONS, **options})


def test_a_batch_without_targets_has_no_loss():
    batch = make_batch(SHAPES["plain"], 2, 12, 3)
    batch.targets = None
    with pytest.raises(ValueError, match="with targets"):
        build("lstm", SHAPES["plain"], 12, 3).loss(batch)


def carried_batch(shape: TableShape, rows: int, steps: int, horizon: int) -> Batch:
    batch = make_batch(shape, rows, steps, 0)
    batch.targets = torch.randn(rows, steps, horizon, shape.targets, generator=torch.Generator().manual_seed(6))
    if shape.known:
        batch.inputs["ahead"] = torch.randn(
            rows, steps, horizon, shape.known, generator=torch.Generator().manual_seed(7)
        )
    return batch


def part(batch: Batch, steps: slice) -> Batch:
    whole = ("static", "static_codes")
    inputs = {name: x if name in whole else x[:, steps] for name, x in batch.inputs.items()}
    return Batch(inputs, targets=batch.targets[:, steps])


@pytest.mark.parametrize("shape", SHAPES.values(), ids=SHAPES)
@pytest.mark.parametrize("normalize", ["none", "level"])
@pytest.mark.parametrize("cell", ["LSTM", "GRU"])
def test_a_carried_state_gives_the_numbers_of_one_long_run(shape, normalize, cell):
    torch.manual_seed(0)
    network = CarriedForecaster(shape, 8, 3, normalize=normalize, cell=cell, **OPTIONS).eval()
    batch = carried_batch(shape, 3, 20, 3)
    whole, quantiles, _ = network.forecast(batch)
    state, pieces = None, []
    for steps in (slice(0, 8), slice(8, 9), slice(9, 20)):
        point, spread, state = network.forecast(part(batch, steps), state)
        pieces.append((point, spread))
    torch.testing.assert_close(torch.cat([p for p, _ in pieces], 1), whole, atol=1e-5, rtol=1e-5)
    torch.testing.assert_close(torch.cat([q for _, q in pieces], 1), quantiles, atol=1e-5, rtol=1e-5)


@pytest.mark.parametrize("normalize", ["none", "level"])
def test_a_restarted_row_forgets_and_the_others_do_not(normalize):
    torch.manual_seed(0)
    network = CarriedForecaster(SHAPES["plain"], 8, 3, normalize=normalize, **OPTIONS).eval()
    batch = carried_batch(SHAPES["plain"], 2, 16, 3)
    _, _, state = network.forecast(part(batch, slice(0, 8)))
    second = part(batch, slice(8, 16))
    fresh, carried = network.forecast(second)[0], network.forecast(second, state)[0]
    second.restart = torch.tensor([True, False])
    mixed = network.forecast(second, state)[0]
    torch.testing.assert_close(mixed[0], fresh[0])
    torch.testing.assert_close(mixed[1], carried[1])
    assert not torch.allclose(mixed[1], fresh[1])


def test_a_forecast_does_not_see_the_future():
    torch.manual_seed(0)
    network = CarriedForecaster(SHAPES["plain"], 8, 3, normalize="level", **OPTIONS).eval()
    batch = carried_batch(SHAPES["plain"], 1, 16, 3)
    before = network.forecast(batch)[0][:, :10]
    batch.inputs["past"][:, 10:] = 100.0
    torch.testing.assert_close(network.forecast(batch)[0][:, :10], before)
