"""memorycell demo language: a character model of the documentation that comes with Python itself."""

from __future__ import annotations

import ast
import shlex
import sysconfig
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from memorycell.jobs.demo import Shown
from memorycell.training.files import write_atomically

TITLE = "# memorycell demo language"
_CHARACTERS = 600_000  # a minute or two of training
_TEST = 0.1  # share of the text, from its end, that judges the model
_PROMPT = "Return the "
_ABOUT = "The documentation strings of Python's standard library, as they are on this machine."


def demo(folder: Path, tell: Callable[[str], None], quiet: bool) -> Shown:
    """Train on the strings, measure beside n-grams, write some text."""
    from memorycell.jobs.language.task import LanguageModel
    from memorycell.pages.report import write_report

    files = {name: folder / f"stdlib{suffix}" for name, suffix in _SUFFIXES.items()}
    text = standard_text(_CHARACTERS)
    cut = text.rindex("\n", 0, int((1 - _TEST) * len(text))) + 1
    write_atomically(folder / "README.md", _readme(files).encode())
    write_atomically(files["data"], text[:cut].encode())
    write_atomically(files["test"], text[cut:].encode())
    tell(f"the data: {_ABOUT} {len(text):,} characters, the last {len(text) - cut:,} judge the model")
    model = LanguageModel(
        "character", hidden_size=(256, 256), epochs=2, batch_size=10, verbose=False if quiet else None
    )
    model.fit(files["data"])
    model.save(files["model"], force=True)
    tell("measuring it beside n-grams, and drawing the report")
    test = model.read(files["test"])
    evaluation = model.evaluate(test)
    page: dict[str, Any] = {"evaluation": evaluation, "command": "memorycell demo language", "force": True}
    write_report(files["report"], model, test, seen=False, **page)
    written = _PROMPT + model.generate(_PROMPT, 300, temperature=0.7)
    facts = {
        "evaluation": evaluation.to_dict(), "text": written, "files": {name: str(path) for name, path in files.items()},
    }  # fmt: skip
    names = ", ".join(path.name for path in files.values())
    said = [
        evaluation.text, "", "It writes, at a temperature of 0.7:", "", written, "",
        f"Written into {folder}/: {names}", "Then try:", *(f"  {command}" for command in _next(files)),
    ]  # fmt: skip
    return Shown("\n".join(said), facts)


_SUFFIXES = {"data": ".txt", "test": "-test.txt", "model": ".safetensors", "report": ".html"}


def standard_text(most: int) -> str:
    """The documentation strings of the standard library's modules, in the order of their names; `most` characters.

    The modules are read, not run.
    """
    parts, room = [], most
    for path in sorted(Path(sysconfig.get_paths()["stdlib"]).glob("*.py")):
        for text in _strings(path):
            parts.append(text.strip() + "\n\n")
            room -= len(parts[-1])
            if room <= 0:
                return "".join(parts)
    return "".join(parts)


def _strings(path: Path) -> Iterator[str]:
    try:
        tree = ast.parse(path.read_text(encoding="utf-8"))
    except (OSError, ValueError, SyntaxError):
        return
    for node in ast.walk(tree):
        if isinstance(node, ast.Module | ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef):
            text = ast.get_docstring(node)
            if text and text.isascii():
                yield text


def _next(files: dict[str, Path]) -> list[str]:
    model, data = (shlex.quote(str(files[name])) for name in ("model", "data"))
    return [
        f'memorycell generate {model} --prompt "Raise " --temperature 0.6',
        f"memorycell fit language {data} --unit word -o words.safetensors",
    ]


def _readme(files: dict[str, Path]) -> str:
    commands: Any = "\n".join(_next(files))
    return f"""{TITLE}

{_ABOUT}

- `stdlib.txt`, `stdlib-test.txt`: the text, and the part that judges the model
- `stdlib.safetensors`: an LSTM that predicts it character by character
- `stdlib.html`: how well, and where it is surprised

`memorycell demo language` overwrites these files and nothing else. To go on:

```sh
{commands}
```
"""
