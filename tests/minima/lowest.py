"""Prints the lowest version of everything that pyproject.toml asks for but torch, one a line, for pip.

python lowest.py pyproject.toml [extra ...]: with the requirements of these extras.
"""

import re
import sys
import tomllib
from pathlib import Path

WITHIN = re.compile(r"memorycell\[([\w,]+)\]")
BOUND = re.compile(r"(?P<name>[\w.-]+)>=(?P<version>[\w.]+)(?P<where>\s*;.*)?")


def lowest(requirements: list[str], extras: dict[str, list[str]]) -> list[str]:
    """Each requirement at its lower bound; those of our own extras in their place."""
    found = []
    for requirement in requirements:
        if inner := WITHIN.fullmatch(requirement):
            found += [line for name in inner[1].split(",") for line in lowest(extras[name], extras)]
            continue
        bound = BOUND.fullmatch(requirement)
        if bound is None:
            sys.exit(f"expected {requirement!r} of pyproject.toml to be a lower bound, name>=version")
        if bound["name"] != "torch":
            found.append(f"{bound['name']}=={bound['version']}{bound['where'] or ''}")
    return found


if __name__ == "__main__":
    project = tomllib.loads(Path(sys.argv[1]).read_text())["project"]
    extras = project["optional-dependencies"]
    wanted = project["dependencies"] + [line for name in sys.argv[2:] for line in extras[name]]
    print("\n".join(dict.fromkeys(lowest(wanted, extras))))
