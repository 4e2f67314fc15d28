"""The house rules that a machine can check: floors, rooms, circles, exported names, sizes, start-up."""

import ast
import importlib
import subprocess
import sys
from functools import cache
from pathlib import Path

import pytest

import memorycell

SOURCE = Path(memorycell.__file__).parent
FLOORS = ["kernels", "layers", "data", "networks", "insight", "training", "evaluation", "pages", "jobs", "cli"]
ROOF = ("checks",)  # on top of all of them; the façades, `memorycell` and `memorycell.plot`, are asked for names alone
FILES = sorted(SOURCE.rglob("*.py"))
MOST_LINES_OF_A_FUNCTION = 60


def name_of(path: Path) -> str:
    """The module of a file: "jobs.learner"."""
    return ".".join(path.relative_to(SOURCE).with_suffix("").parts).removesuffix("__init__").rstrip(".")


MODULES = {name_of(path): path for path in FILES}


def floor_of(module: str) -> int | None:
    first = module.split(".")[0]
    return FLOORS.index(first) if first in FLOORS else len(FLOORS) if first in ROOF else None


ROOMS = {name.split(".")[1] for name in MODULES if name.startswith("jobs.") and name.count(".") > 1}


def room_of(module: str) -> str | None:
    """The room that a module stands in: "tagging" of "jobs.tagging.task"."""
    parts = module.split(".")
    return parts[1] if parts[0] == "jobs" and len(parts) > 1 and parts[1] in ROOMS else None


@cache
def tree_of(path: Path) -> ast.Module:
    return ast.parse(path.read_text(encoding="utf-8"))


def imports(tree: ast.AST) -> set[str]:
    """Modules of the package imported anywhere in the tree: inside functions and for type checkers, too."""
    found = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module:
            for alias in node.names:
                whole = f"{node.module}.{alias.name}"
                found.add(whole if whole.removeprefix("memorycell.") in MODULES else node.module)
    return {name.removeprefix("memorycell.") for name in found if name.startswith("memorycell.")}


@cache
def imports_of(module: str) -> frozenset[str]:
    return frozenset(imports(tree_of(MODULES[module]))) & MODULES.keys() - {module}


def upward(module: str) -> set[str]:
    here = floor_of(module)
    return set() if here is None else {name for name in imports_of(module) if (floor_of(name) or 0) > here}


@pytest.mark.parametrize("module", MODULES)
def test_imports_go_downward_only(module: str) -> None:
    found = upward(module)
    assert not found, f"{module} imports from above: {sorted(found)}"


def test_the_layering_test_sees_an_upward_import() -> None:
    tree = ast.parse("from typing import TYPE_CHECKING\nif TYPE_CHECKING:\n    from memorycell.cli import main\n")
    assert imports(tree) == {"cli.main"}
    assert (floor_of("cli.main") or 0) > FLOORS.index("jobs")


@pytest.mark.parametrize("module", [name for name in MODULES if room_of(name)])
def test_a_room_imports_no_other_room(module: str) -> None:
    others = {name for name in imports_of(module) if room_of(name) not in (None, room_of(module))}
    assert not others, f"{module} imports from another room: {sorted(others)}"


KNOWING_ROOMS = {name: rooms for name in MODULES if not room_of(name) and floor_of(name) is not None
                 for rooms in [{each for each in imports_of(name) if room_of(each)}]}  # fmt: skip


@pytest.mark.parametrize("module", KNOWING_ROOMS)
def test_only_rooms_know_rooms(module: str) -> None:
    """Learner, pages and command know cards, never jobs."""
    assert not KNOWING_ROOMS[module], f"{module} imports from rooms: {sorted(KNOWING_ROOMS[module])}"


@pytest.mark.parametrize("folder", ["data.tables.files", "data.tables.times"])
def test_parts_of_tables_know_only_what_they_are_made_of(folder: str) -> None:
    """Reading files and reading times stand on a Table alone: neither knows the other, nor the codec above them."""
    below = (folder, "data.tables.table", "data.tables.arrow")
    members = [name for name in MODULES if name.startswith(folder + ".")]
    assert members
    for module in members:
        found = {each for each in imports_of(module) if each.startswith("data.tables.") and not each.startswith(below)}
        assert not found, f"{module} imports {sorted(found)}"


def circles() -> list[list[str]]:
    """Modules that import each other, imports of packages by their members left out."""
    order: dict[str, int] = {}
    low: dict[str, int] = {}
    stack: list[str] = []
    found: list[list[str]] = []

    def visit(module: str) -> None:
        order[module] = low[module] = len(order)
        stack.append(module)
        for other in imports_of(module):
            if other not in order:
                visit(other)
                low[module] = min(low[module], low[other])
            elif other in stack:
                low[module] = min(low[module], order[other])
        if low[module] == order[module]:
            circle = []
            while not circle or circle[-1] != module:
                circle.append(stack.pop())
            found.extend([circle] if len(circle) > 1 else [])

    for module in MODULES:
        if module and module not in order:
            visit(module)
    return found


def test_no_module_imports_in_a_circle() -> None:
    assert not circles()


@cache
def private_of_others(path: Path) -> set[str]:
    """Attributes with an underscore that are asked of something else than self or cls."""
    own = {"self", "cls", "super"}
    found = set()
    for node in ast.walk(tree_of(path)):
        if isinstance(node, ast.Attribute) and node.attr.startswith("_") and not node.attr.startswith("__"):
            root = node.value.func if isinstance(node.value, ast.Call) else node.value
            if not (isinstance(root, ast.Name) and root.id in own):
                found.add(node.attr)
    return found


@cache
def private_names(module: str) -> frozenset[str]:
    """Names with an underscore that a module's classes define or set on themselves."""
    names = set()
    for node in ast.walk(tree_of(MODULES[module])):
        if isinstance(node, ast.FunctionDef):
            names.add(node.name)
        if isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name) and node.value.id == "self":
            names.add(node.attr)
    return frozenset(name for name in names if name.startswith("_"))


def defined_privately(modules: list[str]) -> set[str]:
    return set().union(*map(private_names, modules))


@pytest.mark.parametrize("module", MODULES)
def test_nothing_private_is_asked_of_a_job_from_outside_its_room(module: str) -> None:
    if room_of(module) is not None or module.startswith("jobs."):
        own = room_of(module)
        others = [name for name in MODULES if name.startswith("jobs.") and room_of(name) not in (None, own)]
    else:
        others = [name for name in MODULES if name.startswith("jobs.")]
    found = (private_of_others(MODULES[module]) & defined_privately(others)) - defined_privately([module])
    if own_room := room_of(module):
        found -= defined_privately([name for name in MODULES if room_of(name) == own_room or name == "jobs.learner"])
    assert not found, f"{module} asks jobs for {sorted(found)}"


def lines_of(function: ast.FunctionDef) -> int:
    """Lines of a function without its docstring."""
    body = function.body
    docstring = body[0] if ast.get_docstring(function) is not None else None
    own = (docstring.end_lineno or 0) - docstring.lineno + 1 if docstring is not None else 0
    return (function.end_lineno or 0) - function.lineno + 1 - own


@pytest.mark.parametrize("module", MODULES)
def test_functions_can_be_read_at_one_look(module: str) -> None:
    found = {
        node.name
        for node in ast.walk(tree_of(MODULES[module]))
        if isinstance(node, ast.FunctionDef) and lines_of(node) > MOST_LINES_OF_A_FUNCTION
    }
    assert not found, f"{module} has functions of more than {MOST_LINES_OF_A_FUNCTION} lines: {sorted(found)}"


def test_exported_names_exist_and_are_sorted() -> None:
    assert memorycell.__all__ == sorted(memorycell.__all__)
    for name in memorycell.__all__:
        assert getattr(memorycell, name).__name__.rpartition(".")[2] == name
        assert name in dir(memorycell)


def test_an_unknown_name_is_an_attribute_error() -> None:
    with pytest.raises(AttributeError, match="no attribute 'LTSM'"):
        _ = memorycell.LTSM


@pytest.mark.parametrize("module", MODULES)
def test_files_can_be_read_in_one_sitting(module: str) -> None:
    assert len(MODULES[module].read_text(encoding="utf-8").splitlines()) <= 600


def test_importing_the_package_loads_nothing_heavy() -> None:
    code = "import sys, memorycell; sys.exit(any(name in sys.modules for name in ('torch', 'pandas', 'matplotlib')))"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


def test_every_module_imports() -> None:
    for module in MODULES:
        if module != "sktime" and not module.endswith("__main__"):  # that one has an environment: make check-sktime
            importlib.import_module(f"memorycell.{module}".rstrip("."))
