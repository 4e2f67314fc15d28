"""The mean gradient along a line: exact for what is smooth, close at kinks, and bounded where nothing helps."""

import pytest
import torch

from memorycell.insight.line import mean_gradient

CHANGE = torch.tensor([1.0, -2.0], dtype=torch.float64)


def along(function: object) -> object:
    """A `run` for a function of points (N, 2) on the line from zero along `CHANGE`."""

    def run(places: torch.Tensor, gradient: bool) -> tuple[torch.Tensor, torch.Tensor]:
        here = (places.double().unsqueeze(1) * CHANGE).requires_grad_()
        numbers = function(here)  # type: ignore[operator]
        return numbers.detach(), torch.autograd.grad(numbers.sum(), here)[0]

    return run


@pytest.mark.parametrize(
    ("function", "points"),
    [
        (lambda x: 3 * x[:, 0] - x[:, 1], 4),
        (lambda x: x[:, 0] * x[:, 1] ** 3, 4),
        (lambda x: (x[:, 0] - 0.3).relu() + x[:, 1].abs(), None),
        (lambda x: torch.tanh(200 * x[:, 0]), None),
    ],
)
def test_it_sums_to_the_difference(function: object, points: int | None) -> None:
    mean, count = mean_gradient(along(function), CHANGE, 1e-6, 10, 4096)  # type: ignore[arg-type]
    ends = function(torch.stack([0 * CHANGE, CHANGE]))  # type: ignore[operator]
    assert float((mean * CHANGE).sum()) == pytest.approx(float(ends[1] - ends[0]), abs=3e-6)
    assert points is None or count == points


def test_each_number_has_the_mean_of_its_own_slope() -> None:
    mean, _ = mean_gradient(along(lambda x: (x[:, 0] - 0.25).relu() + x[:, 1]), CHANGE, 1e-6, 1, 4096)  # type: ignore[arg-type]
    assert mean.tolist() == pytest.approx([0.75, 1.0], abs=1e-5)


def test_a_jump_ends_at_the_points_allowed() -> None:
    mean, count = mean_gradient(along(lambda x: (x[:, 0] > 0.3).double() + 0 * x[:, 0]), CHANGE, 1e-6, 1, 100)  # type: ignore[arg-type]
    assert not mean.any() and 50 < count <= 100
