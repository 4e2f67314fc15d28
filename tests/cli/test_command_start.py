"""What the command loads: nothing heavy for help, and only what forecasting needs for a forecast.

How long that takes is measured in benchmarks/startup.py.
"""

import json
import subprocess
import sys
from pathlib import Path

import pytest

HEAVY = (
    "torch",
    "numpy",
    "pandas",
    "sklearn",
    "scipy",
    "pyarrow",
    "matplotlib",
    "statsmodels",
    "rich.console",
    "narwhals",
    "sympy",
    "torch._dynamo",
)
HELP = (
    [],
    ["fit"],
    ["fit", "forecast"],
    ["predict"],
    ["evaluate"],
    ["compare"],
    ["report"],
    ["explain"],
    ["info"],
    ["demo"],
)


def loaded(*argv: object) -> tuple[int, list[str]]:
    """Exit code of a command in a fresh process, and which of the heavy modules it loaded."""
    code = (
        "import json, sys; from memorycell.cli.main import main; code = main(sys.argv[1:]); "
        f"sys.stderr.write(json.dumps([code, [name for name in {HEAVY} if name in sys.modules]]))"
    )
    command = [sys.executable, "-c", code, *map(str, argv)]
    ran = subprocess.run(command, capture_output=True, text=True, check=True)
    found = json.loads(ran.stderr.splitlines()[-1])
    return found[0], found[1]


def test_help_loads_nothing_heavy() -> None:
    code = (
        "import sys; from memorycell.cli.main import main; "
        f"codes = [main([*words, '--help']) for words in {HELP}]; "
        f"sys.exit(str([name for name in {HEAVY} if name in sys.modules] or any(codes) or ''))"
    )
    ran = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert ran.stderr.strip() == ""
    assert "--hidden-size" in ran.stdout


def test_predict_loads_only_what_forecasting_needs(model: Path, weather: Path, tmp_path: Path) -> None:
    code, modules = loaded("predict", model, weather, "--json", "-o", tmp_path / "forecast.parquet")
    assert code == 0
    assert set(modules) <= {"torch", "numpy", "pyarrow"}, modules


@pytest.mark.parametrize("words", HELP, ids=" ".join)
def test_every_command_explains_itself(words: list[str]) -> None:
    from command_cases import run

    ran = run(*words, "--help")
    assert ran.code == 0
    assert ran.err == ""
    assert ran.out.startswith("Usage: memorycell " + " ".join(words))


def test_the_module_is_the_command() -> None:
    ran = subprocess.run([sys.executable, "-m", "memorycell", "--version"], capture_output=True, text=True, check=True)
    assert ran.stdout.startswith("memorycell ")
