"""Where results may go: checked before long work, written whole or not at all."""

from __future__ import annotations

import json
import os
import tempfile
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

from memorycell.cli.errors import as_options, say

MODEL = (".safetensors",)
PAGE = (".html", ".htm")
PICTURE = (".svg", ".png", ".pdf")
LOG = (".jsonl",)


def check_output(path: Path, suffixes: Sequence[str], *, force: bool, inputs: Iterable[Path | None] = ()) -> Path:
    """`path`, once it is sure that a file can be written there and that nothing of the user's is lost by it.

    Raises
    ------
    ValueError
        For a suffix that is none of `suffixes`, or a path that is one of the `inputs`.
    FileExistsError
        Without `force`, when there is a file.
    FileNotFoundError, PermissionError, OSError
        When the folder is not there, or the system refuses a new file in it.
    """
    if path.suffix.lower() not in suffixes:
        raise ValueError(f"expected a name that ends in {_either(suffixes)} to write to, got {str(path)!r}")
    for source in inputs:
        if source is not None and path.exists() and source.exists() and path.samefile(source):
            raise ValueError(f"{path} is what would be read: choose another name to write to")
    if path.is_dir():
        raise IsADirectoryError(f"{path} is a folder: give the name of a file in it")
    if not path.parent.is_dir():
        raise FileNotFoundError(f"cannot write {path}: there is no folder {path.parent}")
    if path.exists() and not force:
        raise FileExistsError(f"{path} exists already: add --force to overwrite it, or choose another name")
    # Permissions tell a part only (read-only disks, quotas, network shares): a file that is really made tells all.
    folder = path.resolve().parent
    try:
        handle, probe = tempfile.mkstemp(prefix=f".{path.name}.", suffix=".tmp", dir=folder)
        os.close(handle)
        Path(probe).unlink()
    except OSError as error:
        raise type(error)(error.errno, f"cannot write {path}: {error.strerror or error}") from None
    return path


def check_distinct(paths: Iterable[Path | None]) -> None:
    """Raise ValueError when two outputs are the same file."""
    seen: set[Path] = set()
    for path in paths:
        if path is None:
            continue
        if path.resolve() in seen:
            raise ValueError(f"{path} is named for two outputs: give each its own file")
        seen.add(path.resolve())


def save_or_rescue(forecaster: Any, path: Path, *, force: bool) -> None:
    """Save a model; where that fails, save it where there is room before saying so: training it took long."""
    try:
        forecaster.save(path, force=force)
    except OSError as error:
        try:
            rescue = Path(tempfile.mkdtemp(prefix="memorycell-")) / path.name
            forecaster.save(rescue)
        except OSError:
            raise error from None
        raise OSError(error.errno, f"{error.strerror or error}; the model was saved as {rescue} instead") from error


def write_columns(path: Path, columns: dict[str, Any]) -> None:
    """Columns as CSV, Parquet or JSON, by the suffix of `path`.

    Parameters
    ----------
    columns : dict of numpy arrays of one length
        Those of `Answers`.
    """
    from memorycell.data.records import as_csv, as_records
    from memorycell.training.files import write_atomically

    suffix = path.suffix.lower()
    if suffix == ".csv":
        data = as_csv(columns).encode()
    elif suffix == ".json":
        data = (json.dumps(as_records(columns), ensure_ascii=False, indent=1) + "\n").encode()
    else:
        data = _as_parquet(columns)
    write_atomically(path, data)


def _as_parquet(columns: dict[str, Any]) -> bytes:
    # pyarrow's own conversion would import pandas, which takes longer than the forecast.
    import pyarrow
    from pyarrow import parquet

    from memorycell.data.tables.arrow import as_array, as_texts
    from memorycell.data.tables.times.zones import as_utc, zone_of

    arrays = {}
    for name, values in columns.items():
        if values.dtype.kind == "M":
            arrays[name] = as_array(values.astype("datetime64[ns]").view("int64")).view(pyarrow.timestamp("ns"))
        elif zone_of(values) is not None:
            arrays[name] = as_array(as_utc(values).view("int64")).view(pyarrow.timestamp("us", zone_of(values)))
        elif values.dtype.kind == "b":
            arrays[name] = pyarrow.array(values.tolist())
        else:
            number = values.dtype.kind in "fiu"
            arrays[name] = as_array(values) if number else as_texts([str(value) for value in values])
    sink = pyarrow.BufferOutputStream()
    parquet.write_table(pyarrow.table(arrays), sink)
    return sink.getvalue().to_pybytes()


def print_json(document: Any) -> None:
    """One JSON document on stdout."""
    print(json.dumps(document, ensure_ascii=False, indent=1, allow_nan=False, default=str))


def silent(model: Any, quiet: bool) -> Any:
    """The model, which shows no bars where that is wanted."""
    if quiet:
        model.verbose = False
    return model


def print_notes(notes: Iterable[dict[str, Any] | str], *, quiet: bool) -> None:
    """Notes on stderr, unless they are not wanted; each once."""
    if not quiet:
        for text in dict.fromkeys(note if isinstance(note, str) else note["text"] for note in notes):
            say(as_options(text))


def _either(words: Sequence[str]) -> str:
    return words[0] if len(words) == 1 else f"{', '.join(words[:-1])} or {words[-1]}"
