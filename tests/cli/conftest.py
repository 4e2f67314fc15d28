"""A table of made-up weather, and a model of it."""

from collections.abc import Callable
from pathlib import Path

import pytest
from command_cases import SMALL, run, weather_rows, write_rows


@pytest.fixture(scope="session")
def weather(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_rows(tmp_path_factory.mktemp("weather") / "weather.csv", weather_rows())


@pytest.fixture(scope="session")
def model(weather: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A model of the first 200 rows, so that rows are left to evaluate it on."""
    folder = tmp_path_factory.mktemp("model")
    past = write_rows(folder / "past.csv", weather_rows()[:201])
    path = folder / "weather.safetensors"
    ran = run("fit", "forecast", past, "--target", "temp", "--horizon", "2", "-o", path, "-q", *SMALL)
    assert ran.code == 0, ran.err
    return path


@pytest.fixture
def table(tmp_path: Path) -> Callable[..., Path]:
    """Writes rows as a CSV file into the test's folder."""

    def write(rows: list[list[str]], name: str = "data.csv", delimiter: str = ",") -> Path:
        return write_rows(tmp_path / name, rows, delimiter)

    return write
