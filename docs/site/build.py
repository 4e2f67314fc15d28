"""The documentation as a site: ``python docs/site/build.py [folder]``, by default into build/site.

Anything that Sphinx warns of, a link that leads nowhere above all, ends the build with an error.
"""

import shutil
import sys
from pathlib import Path

from layout import ROOT, lay_out
from sphinx.cmd.build import build_main

BUILD = ROOT / "build"


def main(folder: str = str(BUILD / "site")) -> int:
    pages, trees, here = BUILD / "site-pages", BUILD / "site-trees", Path(__file__).parent
    for old in (pages, BUILD / "site"):  # a page that is no more would stay; a folder that somebody names is theirs
        shutil.rmtree(old, ignore_errors=True)
    pages.mkdir(parents=True)
    lay_out(pages)
    options = ["-W", "--keep-going", "-q", "-E", "-b", "html", "-d", str(trees), "-c", str(here)]
    code = build_main([*options, str(pages), folder])
    if code == 0:
        print(Path(folder) / "index.html")
    return code


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
