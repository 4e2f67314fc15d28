"""page_file: where a page may be written, so that nothing of the user's is lost by it."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

SUFFIXES = (".html", ".htm")


def check_page_path(path: str | os.PathLike[str], *inputs: Any, force: bool = False) -> Path:
    """`path`, once it is sure that a page there replaces no data, no device and, without `force`, no file.

    Parameters
    ----------
    path : must end in .html or .htm
    inputs : what the page is made of; those that are paths of files must be other files
    force : replace an existing file

    Raises
    ------
    ValueError
        For another suffix, for one of the `inputs`, and for what is there and is no regular file.
    FileExistsError, IsADirectoryError, FileNotFoundError
        When there is a file and no `force`, when `path` is a folder, when its folder is not there.

    Example
    -------
    >>> check_page_path("table.csv")
    Traceback (most recent call last):
    ValueError: expected a name that ends in .html or .htm to write a page to, got 'table.csv'
    """
    path = Path(path)
    if path.suffix.lower() not in SUFFIXES:
        raise ValueError(f"expected a name that ends in {' or '.join(SUFFIXES)} to write a page to, got {str(path)!r}")
    if path.is_dir():
        raise IsADirectoryError(f"{path} is a folder: give the name of a file in it")
    if not path.parent.is_dir():
        raise FileNotFoundError(f"cannot write {path}: there is no folder {path.parent}")
    if not path.exists():
        return path
    if not path.is_file():
        raise ValueError(f"{path} is there and is no regular file: choose another name to write to")
    if any(_is_file(path, source) for source in inputs):
        raise ValueError(f"{path} is what the page is made of: choose another name to write to")
    if not force:
        raise FileExistsError(f"{path} exists already: choose another name or overwrite it with force=True")
    return path


def _is_file(path: Path, source: Any) -> bool:
    """Whether `source` is a path, of a file that is the same as `path`; texts are data and no paths."""
    if isinstance(source, tuple | list) and len(source) <= 2:  # X and y
        return any(_is_file(path, part) for part in source)
    if not isinstance(source, str | os.PathLike):
        return False
    try:
        return path.samefile(source)
    except (OSError, ValueError):
        return False
