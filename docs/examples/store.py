"""Run the notebooks and store what comes out in them: ``python docs/examples/store.py [name ...]``.

They are stored with their outputs, since most people read a notebook on a repository's page or on the site, where
nothing runs. Pictures are kept as SVG alone, a tenth of the size of their PNG, and progress bars are left out.
"""

import sys
from pathlib import Path
from typing import Any

import nbformat
from nbclient import NotebookClient

HERE = Path(__file__).parent
SECONDS = 300  # for a cell, on a machine that others use as well


def run(notebook: Any) -> None:
    """Run all cells in a kernel of their own, in place; a cell that fails raises `CellExecutionError`."""
    options = {"timeout": SECONDS, "record_timing": False, "extra_arguments": ["--log-level=ERROR"]}
    NotebookClient(notebook, kernel_name="python3", **options).execute()
    for cell in notebook.cells:
        if cell.cell_type == "code":
            cell.outputs = joined(cell.outputs)


def joined(outputs: list[Any]) -> list[Any]:
    """What a cell printed as one text, then what it showed."""
    printed = "".join(output.text for output in outputs if output.output_type == "stream" and output.name == "stdout")
    shown = [output for output in outputs if output.output_type == "execute_result"]
    for output in shown:
        if "image/svg+xml" in output.data:
            output.data.pop("image/png", None)
            output.metadata.pop("image/png", None)
    return [nbformat.v4.new_output("stream", name="stdout", text=printed)] * bool(printed) + shown


def main(names: list[str]) -> None:
    for path in [HERE / f"{name}.ipynb" for name in names] or sorted(HERE.glob("*.ipynb")):
        notebook = nbformat.read(path, as_version=4)
        run(notebook)
        nbformat.write(notebook, path)
        print(path.relative_to(HERE), f"{path.stat().st_size / 1000:.0f} kB")


if __name__ == "__main__":
    main(sys.argv[1:])
