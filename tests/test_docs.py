"""The documentation is true: what it shows is run, and what it says is printed is what comes out.

The rules for README.md and docs/*.md, file by file, in the order in which the blocks stand:

- ```python and ```pycon blocks share one namespace and one empty folder; those with ``>>>`` are doctests.
- ```console blocks: lines that begin with ``$ memorycell`` or ``$ python`` are run in that folder; of
  ``$ make …`` the target must exist; other commands are left alone. Lines below a command are what it prints.
- ```bash blocks are not run, but each ``memorycell`` command in them must be one that the program understands.
- A ```text block right after a ```python block is what the block prints.
- In what is printed, words and whole numbers must agree; numbers with a decimal point may differ by 10 %
  (training differs in its last digits from machine to machine); ``…`` stands for anything, and on a line of
  its own for any lines.
- After ``<!-- long -->`` a block, and what it prints, waits for ``make pictures`` or ``make check-long``; else it is
  only parsed. It repeats, with other seeds or by the command, what the page has shown.
- The comment ``<!-- not run -->`` on the line before a block leaves it out; after ``<!-- file: NAME -->`` it is
  written to that file. ``$ pip install -e .`` writes down that the files there are installed.
"""

import contextlib
import doctest
import importlib
import importlib.util
import io
import re
import shlex
import warnings
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import pytest
import torch
import typer

import memorycell
from installed import write_about
from memorycell.cli.main import main
from warm import WarmPython

ROOT = Path(__file__).parents[1]
SOURCE = Path(memorycell.__file__).parent
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))]
MODULES = [
    ".".join(("memorycell", *path.relative_to(SOURCE).with_suffix("").parts)).removesuffix(".__init__")
    for path in sorted(SOURCE.rglob("*.py"))
    if path.name != "__main__.py" and path != SOURCE / "sktime.py"  # make check-sktime has an environment for that one
]
NUMBER = re.compile(r"(?<![\w.])[-−+]?\d[\d,]*(?:\.\d+)?(?:e[-+]?\d+)?")
FLAGS = doctest.ELLIPSIS | doctest.NORMALIZE_WHITESPACE


@dataclass
class Block:
    """A fenced block of a page: its language, its text, and the line it begins at."""

    language: str
    text: str
    line: int
    follows: bool = False  # nothing but blank lines stands between it and the block before
    file: str = ""  # that it is written to
    long: bool = False  # it is run in the long tests only


def blocks_of(page: str) -> Iterator[Block]:
    lines, i, between = page.splitlines(), 0, "start"
    while i < len(lines):
        fence = re.fullmatch(r"(\s*)(```+|~~~+)\s*([\w-]*).*", lines[i])
        if fence is None:
            between = between + lines[i].strip()
            i += 1
            continue
        indent, mark, language = fence.groups()
        end = next(j for j in range(i + 1, len(lines)) if lines[j].strip() == mark)
        text = "\n".join(line.removeprefix(indent) for line in lines[i + 1 : end])
        if not between.endswith("<!-- not run -->"):
            named = re.search(r"<!-- file: ([\w./-]+) -->$", between)
            file, long = named.group(1) if named else "", between.endswith("<!-- long -->")
            yield Block(language, text, i + 2, follows=not between, file=file, long=long)
        between, i = "", end + 1


# ---------------------------------------------------------------------- what is printed


def agrees(shown: str, printed: str) -> bool:
    """Whether a line that the docs show is the line that was printed, as far as the rules above ask for."""
    shown, printed = " ".join(shown.split()), " ".join(printed.split())
    words = [re.escape(text).replace("…", ".*?") for text in NUMBER.split(shown)]
    found = re.fullmatch(f"({NUMBER.pattern})".join(words), printed)
    return found is not None and all(map(near, NUMBER.findall(shown), found.groups()))


def near(shown: str, printed: str) -> bool:
    if "." not in shown and "e" not in shown:
        return shown == printed
    a, b = (float(text.replace(",", "").replace("−", "-")) for text in (shown, printed))
    last_digit = 0.0 if "e" in shown else 10.0 ** -len(shown.partition(".")[2])
    return abs(a - b) <= max(0.1 * abs(a), 1.5 * last_digit)


def compare(shown: str, printed: str, where: str) -> None:
    expected, got = ([line for line in text.splitlines() if line.strip()] for text in (shown, printed))
    said = f"{where} shows\n{shown}\nbut what is printed is\n{printed}"
    assert matches(expected, got), said


def matches(expected: list[str], got: list[str]) -> bool:
    """Line by line; a line of nothing but ``…`` stands for any number of lines."""
    if not expected:
        return not got
    if expected[0].strip() == "…":
        return any(matches(expected[1:], got[i:]) for i in range(len(got) + 1))
    return bool(got) and agrees(expected[0], got[0]) and matches(expected[1:], got[1:])


@pytest.mark.parametrize(
    ("shown", "printed", "same"),
    [
        ("RMSE 2.41 °C", "RMSE 2.43 °C", True),
        ("RMSE 2.41 °C", "RMSE 3.41 °C", False),
        ("shape (1751, 6, 2)", "shape (1751, 6, 2)", True),
        ("shape (1751, 6, 2)", "shape (1752, 6, 2)", False),
        ("loss 0.0012", "loss 0.0013", True),
        ("reach 5.6e-12", "reach 5.9e-12", True),
        ("reach 5.6e-12", "reach 5.6e-10", False),
        ("took … s, then 3 more", "took 1.23 s, then 3 more", True),
        ("a  b", "a b", True),
        ("better", "worse", False),
        ("−4.5", "−4.6", True),
        ("-4.5", "4.5", False),
    ],
)
def test_what_agrees(shown: str, printed: str, same: bool) -> None:
    assert agrees(shown, printed) is same


# ---------------------------------------------------------------------- pages


# Those that train most come first, so that no worker is left alone with one of them.
LONG = ["adding-a-job.md", "understanding-lstm.md", "README.md", "tutorial.md"]
BY_LENGTH = sorted(PAGES, key=lambda path: path.name not in LONG)


@pytest.mark.early
@pytest.mark.parametrize("path", BY_LENGTH, ids=lambda path: path.name)
def test_page(path: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, request: pytest.FixtureRequest) -> None:
    monkeypatch.chdir(tmp_path)
    # Others do not look at the reports that they have written.
    request.getfixturevalue("wide" if path.name == "report.md" else "undrawn")
    run_page(path)


@pytest.mark.long
@pytest.mark.parametrize("path", [ROOT / "docs" / f"{name}.md" for name in ("tutorial", "understanding-lstm")])
def test_whole_page(path: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    run_page(path, whole=True)


def test_each_page_with_long_blocks_is_run_whole_somewhere() -> None:
    pages = {path.name for path in PAGES if any(block.long for block in blocks_of(path.read_text(encoding="utf-8")))}
    assert pages == {path.name for mark in test_whole_page.pytestmark if mark.args for path in mark.args[1]}


def run_page(path: Path, *, whole: bool = False) -> None:
    threads = torch.get_num_threads()
    space: dict[str, Any] = {"__name__": "__main__"}
    printed: str | None = ""
    try:
        with torch.random.fork_rng(devices=[]), WarmPython() as python:
            for block in blocks_of(path.read_text(encoding="utf-8")):
                where = f"{path.name}, line {block.line}"
                if block.file:
                    Path(block.file).parent.mkdir(parents=True, exist_ok=True)
                    Path(block.file).write_text(block.text + "\n", encoding="utf-8")
                elif block.long and not whole:
                    if block.language == "python":
                        compile(block.text, where, "exec")
                    else:
                        parse_commands(block, where, "$ ")
                    printed = None
                elif block.language in ("python", "pycon"):
                    printed = run_python(block, space, where)
                elif block.language == "text" and block.follows and printed is not None:
                    compare(block.text, printed, where)
                elif block.language == "console":
                    run_console(block, where, python)
                elif block.language in ("bash", "sh"):
                    parse_commands(block, where)
    finally:
        torch.set_num_threads(threads)


def run_python(block: Block, space: dict[str, Any], where: str) -> str:
    if ">>>" in block.text:
        example = doctest.DocTestParser().get_doctest(block.text, space, where, where, block.line - 1)
        run_doctest(example, clear=False)
        space.update(example.globs)
        return ""
    output = io.StringIO()
    # Padded so that a traceback names the line of the page.
    code = compile("\n" * (block.line - 1) + block.text, where, "exec")
    with contextlib.redirect_stdout(output):
        exec(code, space)  # noqa: S102
    return output.getvalue()


def commands_of(text: str, prompt: str) -> list[tuple[str, str]]:
    """Commands, with lines that go on after a backslash put together, and the lines below each."""
    found: list[list[str]] = []
    going_on = False
    for line in text.splitlines():
        if going_on:
            found[-1][0] += " " + line.strip().removesuffix("\\").rstrip()
        elif line.startswith(prompt):
            found.append([line.removeprefix(prompt).removesuffix("\\").rstrip(), ""])
        elif found:
            found[-1][1] += line + "\n"
        going_on = (going_on or line.startswith(prompt)) and line.endswith("\\")
    return [(command, below) for command, below in found if command and not command.startswith("#")]


def run_console(block: Block, where: str, python: WarmPython) -> None:
    for command, shown in commands_of(block.text, "$ "):
        program, *arguments = shlex.split(command, comments=True)
        if program == "make":
            check_target(arguments, where)
            continue
        if [program, *arguments] == ["pip", "install", "-e", "."]:
            write_about(Path(), Path())
            continue
        if program == "memorycell":
            printed = run_memorycell(arguments, f"{where}: {command}")
        elif program == "python":
            ran = python(arguments)
            assert ran.returncode == 0, (
                f"{where}: {command}\nended with code {ran.returncode}:\n{ran.stdout}{ran.stderr}"
            )
            printed = ran.stdout
        else:
            continue
        if shown.strip():
            compare(shown, printed, where)


def run_memorycell(arguments: list[str], where: str) -> str:
    output, errors = io.StringIO(), io.StringIO()
    with warnings.catch_warnings(), contextlib.redirect_stdout(output), contextlib.redirect_stderr(errors):
        warnings.simplefilter("ignore")  # as the program does
        code = main(arguments)
    assert code == 0, f"{where}\nended with code {code}:\n{errors.getvalue()}"
    return output.getvalue()


def parse_commands(block: Block, where: str, prompt: str = "") -> None:
    for command, _ in commands_of(block.text, prompt):
        program, *arguments = shlex.split(command, comments=True) or [""]
        if program == "make":
            check_target(arguments, where)
        elif program == "memorycell":
            understand(arguments, f"{where}: {command}")


def check_target(arguments: list[str], where: str) -> None:
    makefile = (ROOT / "Makefile").read_text(encoding="utf-8")
    for target in (word for word in arguments if "=" not in word and not word.startswith("-")):
        assert re.search(rf"^{re.escape(target)}:", makefile, re.MULTILINE), f"{where}: make {target}"


def understand(arguments: list[str], where: str) -> None:
    """Parse a command line as the program does, without doing anything."""
    from memorycell.cli.main import commands

    command = commands()
    rest = [word for word in arguments if word != "--debug"]
    while hasattr(command, "commands") and rest and (found := command.get_command(None, rest[0])) is not None:
        command = found
        rest.pop(0)
    try:
        command.make_context("memorycell", rest)
    except typer.Exit:  # --help, --version
        return
    except Exception as error:
        raise AssertionError(f"{where}\n{error}") from error
    assert not hasattr(command, "commands") or not rest, f"{where}: no such command"


def test_an_option_that_does_not_exist_is_noticed() -> None:
    with pytest.raises(AssertionError, match="--widnow"):
        understand(["fit", "forecast", "weather.csv", "--widnow", "6"], "here")


@pytest.mark.parametrize("path", PAGES, ids=lambda path: path.name)
def test_links_lead_somewhere(path: Path) -> None:
    page = path.read_text(encoding="utf-8")
    targets = re.findall(r"!?\[[^\]]*\]\(([^)\s]+)\)", page) + re.findall(r"(?:src|srcset)=\"([^\"]+)\"", page)
    for target in targets:
        name, _, part = target.partition("#")
        if re.match(r"[a-z]+:", name):
            continue
        file = path.parent / name if name else path
        assert file.exists(), f"{path.name} links to {target}, which does not exist"
        if part and file.suffix == ".md":
            assert part in anchors(file.read_text(encoding="utf-8")), f"{path.name} links to {target}"


def test_a_picture_is_drawn() -> None:
    spec = importlib.util.spec_from_file_location("pictures", ROOT / "docs" / "pictures.py")
    assert spec is not None and spec.loader is not None
    pictures = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(pictures)
    drawn = {path.stem for path in (ROOT / "docs" / "images").glob("*.svg")}
    assert drawn == set(pictures.PICTURES)
    figure, description = pictures.weather()
    svg = ElementTree.fromstring(pictures.standalone(figure, "weather", description))  # noqa: S314
    assert svg.attrib["aria-label"] == description
    assert svg[0].text.count("--paper:") == 2  # light and dark


def anchors(page: str) -> set[str]:
    """The names that GitHub gives headings."""
    titles = re.findall(r"^#+ +(.+?) *$", page, re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", title.lower()).replace(" ", "-") for title in titles}


# ---------------------------------------------------------------------- examples in the source


def run_doctest(example: doctest.DocTest, *, clear: bool = True) -> None:
    said: list[str] = []
    runner = doctest.DocTestRunner(optionflags=FLAGS)
    runner.run(example, out=said.append, clear_globs=clear)
    assert not runner.failures, "".join(said)


@pytest.mark.usefixtures("wide")
@pytest.mark.parametrize("name", MODULES)
def test_examples_of(name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    module = importlib.import_module(name)
    with torch.random.fork_rng(devices=[]):
        for example in doctest.DocTestFinder(exclude_empty=True).find(module, name):
            assert "doctest: +SKIP" not in (example.docstring or ""), f"{example.name} skips a line"
            run_doctest(example)
