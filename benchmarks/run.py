"""All benchmarks, one after the other, each in a process of its own: `make bench`."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

HERE = Path(__file__).parent


def main() -> None:
    scripts = ["startup.py", "loop.py", "adding.py", "language.py", "tracing.py", "kernels"]
    if os.environ.get("MEMORYCELL_DATA"):
        scripts += ["forecasting.py", "streams.py", "classifying.py", "classification.py"]
    else:
        print("MEMORYCELL_DATA is not set: the benchmarks that read real data are left out.\n")
    for script in scripts:
        print(f"== {script}", flush=True)
        subprocess.run([sys.executable, str(HERE / script)], check=True)
        print(flush=True)


if __name__ == "__main__":
    main()
