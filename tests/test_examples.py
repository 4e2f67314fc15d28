"""The notebooks in docs/examples: they are stored as they were run, name what exists, and come out the same again.

Running them takes a kernel and some 10 to 30 seconds each, so that it is left to `make check-long`. Code that `ruff`
would not take in a module it does not take in a notebook either.
"""

import ast
import importlib
import importlib.util
import inspect
import re
from pathlib import Path

import nbformat
import pytest
from nbformat import NotebookNode

import memorycell
from test_docs import compare

EXAMPLES = Path(__file__).parents[1] / "docs" / "examples"
NOTEBOOKS = sorted(EXAMPLES.glob("*.ipynb"))


def read(path: Path) -> NotebookNode:
    notebook = nbformat.read(path, as_version=4)
    nbformat.validate(notebook)
    return notebook


def code(notebook: NotebookNode) -> list[NotebookNode]:
    return [cell for cell in notebook.cells if cell.cell_type == "code"]


def printed(cell: NotebookNode) -> str:
    return "".join(output.text for output in cell.outputs if output.output_type == "stream")


def test_there_are_three() -> None:
    assert [path.stem for path in NOTEBOOKS] == ["forecast-a-table", "inside-the-cell", "read-texts"]


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_stored_as_run_from_top_to_bottom(path: Path) -> None:
    cells = code(read(path))
    assert [cell.execution_count for cell in cells] == list(range(1, len(cells) + 1))
    for cell in cells:
        assert {output.output_type for output in cell.outputs} <= {"stream", "execute_result"}
        if "print(" in cell.source.splitlines()[-1]:
            assert printed(cell), cell.source
    shown = [output.data for cell in cells for output in cell.outputs if output.output_type == "execute_result"]
    assert sum("image/svg+xml" in data for data in shown) >= 2
    assert not any("image/png" in data for data in shown)
    assert path.stat().st_size < 250_000
    assert not re.search(r"/(home|work|tmp|Users)/", path.read_text(encoding="utf-8"))


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_links_lead_somewhere(path: Path) -> None:
    text = "\n".join(cell.source for cell in read(path).cells if cell.cell_type == "markdown")
    links = [target for target in re.findall(r"\]\(([^)\s#]+)", text) if not re.match(r"[a-z]+:", target)]
    assert len(links) >= 3
    for target in links:
        assert (path.parent / target).exists(), target


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_what_they_take_of_the_package_is_there(path: Path) -> None:
    known: dict[str, object] = {"memorycell": memorycell}
    calls = 0
    for cell in code(read(path)):
        for node in ast.walk(ast.parse(cell.source)):
            if isinstance(node, ast.ImportFrom) and (node.module or "").startswith("memorycell"):
                module = importlib.import_module(node.module)
                known |= {name.name: getattr(module, name.name) for name in node.names}
        calls += sum(fits(node, known) for node in ast.walk(ast.parse(cell.source)) if isinstance(node, ast.Call))
    assert calls >= 3


def fits(call: ast.Call, known: dict[str, object]) -> bool:
    """Whether it is a call of the package's; it then takes the arguments that the cell gives."""
    function = call.func
    if isinstance(function, ast.Attribute) and isinstance(function.value, ast.Name):
        if not (inspect.ismodule(owner := known.get(function.value.id))):
            return False
        called = getattr(owner, function.attr)
    elif isinstance(function, ast.Name) and function.id in known:
        called = known[function.id]
    else:
        return False
    names = {keyword.arg: None for keyword in call.keywords}
    inspect.signature(called).bind(*call.args, **names)  # type: ignore[arg-type]
    return True


@pytest.mark.long
@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
@pytest.mark.filterwarnings("ignore::DeprecationWarning:zmq", "ignore::RuntimeWarning:zmq")
def test_they_come_out_the_same_again(path: Path) -> None:
    """Text as on pages; what hangs on the time, the version of Python or the last digits is tagged "varies"."""
    spec = importlib.util.spec_from_file_location("store", EXAMPLES / "store.py")
    assert spec is not None and spec.loader is not None
    store = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(store)
    stored, again = read(path), read(path)
    store.run(again)
    for before, after in zip(code(stored), code(again), strict=True):
        if "varies" not in before.metadata.get("tags", ()):
            compare(printed(before), printed(after), f"{path.name}: {before.source}")
        kinds = [[sorted(output.get("data", ())) for output in cell.outputs] for cell in (before, after)]
        assert kinds[0] == kinds[1], before.source
