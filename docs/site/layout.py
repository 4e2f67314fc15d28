"""The pages of the site: those in docs/, in the order of its navigation, and where each lies.

They are written for a repository's page view and stay as they are. For the site they are copied, README becomes the
front page, links are bent to where things lie there, and the reference is made.
"""

from __future__ import annotations

import re
import shutil
from pathlib import Path

import reference

ROOT = Path(__file__).parents[2]
DOCS = ROOT / "docs"

# The order for a newcomer: pages by caption, with a shorter title where the page's own is long.
NAVIGATION = {
    "Start": {
        "tutorial": "",
        "examples/forecast-a-table": "",
        "examples/read-texts": "",
        "examples/inside-the-cell": "",
        "platforms": "",
    },
    "Jobs": {
        "tables": "Tables and forecasts",
        "classification": "Classification, regression",
        "tagging": "Tagging",
        "language": "",
        "transfer": "Transfer",
    },
    "Understanding": {"understanding-lstm": "", "insight": ""},
    "How good is it?": {"evaluation": "", "cross-validation": "", "report": "", "benchmarks": "", "performance": ""},
    "Use": {"command-line": "", "layers": "", "training": ""},
    "Reference": {"reference/index": "All public names"},
    "For developers": {
        "contributing": "",
        "architecture": "",
        "adding-a-job": "",
        "all-pages": "How the pages are tested",
        "changelog": "",
    },
}
# Pages that lie elsewhere than on the site, from the root: README links to them, and so do pages.
MOVED = {
    "README.md": "index.md",
    "CONTRIBUTING.md": "contributing.md",
    "CHANGELOG.md": "changelog.md",
    "docs/index.md": "all-pages.md",
}
LINK = re.compile(r"(?<=\]\()([^)\s#]*)(#[^)\s]*)?(?=\))")
BADGE = re.compile(r"^\[?!\[[^\]]*\]\(https://img\.shields\.io.*\n", re.MULTILINE)


def lay_out(folder: Path) -> None:
    """All pages, in the place that they have on the site, into an empty folder."""
    for page in [*DOCS.glob("*.md"), *(ROOT / name for name in MOVED if "/" not in name)]:
        name = place(page.relative_to(ROOT).as_posix())
        (folder / name).write_text(bent(page, folder), encoding="utf-8")
    shutil.copytree(DOCS / "images", folder / "images")
    shutil.copytree(DOCS / "examples", folder / "examples", ignore=shutil.ignore_patterns(".*", "*.py"))
    (folder / "reference").mkdir()
    for name, text in reference.pages().items():
        (folder / "reference" / name).write_text(text, encoding="utf-8")
    with (folder / "index.md").open("a", encoding="utf-8") as front:
        for caption, pages in NAVIGATION.items():
            lines = (f"{title} <{name}>" if title else name for name, title in pages.items())
            front.write(f"\n```{{toctree}}\n:hidden:\n:caption: {caption}\n\n" + "\n".join(lines) + "\n```\n")


def place(path: str) -> str:
    """Where on the site something is that lies at `path` from the root."""
    return MOVED.get(path, path.removeprefix("docs/"))


def bent(page: Path, folder: Path) -> str:
    """A page with its links as the site needs them; of a file that is no page, a copy is offered."""

    def there(link: re.Match[str]) -> str:
        name, part = link[1], link[2] or ""
        if not name or re.match(r"[a-z]+:", name):
            return link[0]
        target = (page.parent / name).resolve()
        path = place(target.relative_to(ROOT).as_posix())
        if target.suffix not in (".md", ".ipynb") and not target.is_relative_to(DOCS):
            path = f"files/{target.name}"
            (folder / "files").mkdir(exist_ok=True)
            shutil.copy(target, folder / path)
        return path + part

    return LINK.sub(there, BADGE.sub("", page.read_text(encoding="utf-8")))
