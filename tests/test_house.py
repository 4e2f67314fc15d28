"""The house rules that a machine can check: floors, exported names, file sizes, start-up."""

import ast
import importlib
import subprocess
import sys
from pathlib import Path

import pytest

import memorycell

SOURCE = Path(memorycell.__file__).parent
FLOORS = ["kernels", "layers", "data", "networks", "insight", "training", "evaluation", "tasks", "interfaces", "cli"]
FILES = sorted(SOURCE.rglob("*.py"))


def floor_of(module: str) -> int | None:
    parts = module.split(".")
    return FLOORS.index(parts[1]) if len(parts) > 1 and parts[1] in FLOORS else None


def imports(tree: ast.AST) -> list[str]:
    """Modules imported anywhere in the tree, inside functions too, except those for type checkers alone."""
    for_types = {
        id(inner)
        for node in ast.walk(tree)
        if isinstance(node, ast.If) and "TYPE_CHECKING" in ast.dump(node.test)
        for inner in ast.walk(node)
    }
    found = []
    for node in ast.walk(tree):
        if id(node) in for_types:
            continue
        if isinstance(node, ast.Import):
            found += [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom) and node.module:
            found += [f"{node.module}.{alias.name}" for alias in node.names]
    return found


@pytest.mark.parametrize("path", FILES, ids=lambda path: str(path.relative_to(SOURCE)))
def test_imports_go_downward_only(path: Path) -> None:
    here = floor_of(".".join(("memorycell", *path.relative_to(SOURCE).parts)))
    if here is None:
        return
    upward = [
        name
        for name in imports(ast.parse(path.read_text(encoding="utf-8")))
        if name.startswith("memorycell.") and (floor_of(name) or 0) > here
    ]
    assert not upward, f"{path.name} on the floor {FLOORS[here]} imports from above: {upward}"


def test_the_layering_test_sees_an_upward_import() -> None:
    names = imports(ast.parse("def f():\n    from memorycell.cli import main\n"))
    assert floor_of(names[0]) == FLOORS.index("cli")


def test_exported_names_exist_and_are_sorted() -> None:
    assert memorycell.__all__ == sorted(memorycell.__all__)
    for name in memorycell.__all__:
        assert getattr(memorycell, name).__name__.rpartition(".")[2] == name
        assert name in dir(memorycell)


def test_an_unknown_name_is_an_attribute_error() -> None:
    with pytest.raises(AttributeError, match="no attribute 'LTSM'"):
        _ = memorycell.LTSM


@pytest.mark.parametrize("path", FILES, ids=lambda path: str(path.relative_to(SOURCE)))
def test_files_can_be_read_in_one_sitting(path: Path) -> None:
    assert len(path.read_text(encoding="utf-8").splitlines()) <= 600


def test_importing_the_package_loads_nothing_heavy() -> None:
    code = "import sys, memorycell; sys.exit(any(name in sys.modules for name in ('torch', 'pandas', 'matplotlib')))"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


def test_every_module_imports() -> None:
    for path in FILES:
        name = ".".join(("memorycell", *path.relative_to(SOURCE).with_suffix("").parts))
        if not name.endswith("__main__"):
            importlib.import_module(name.removesuffix(".__init__"))
