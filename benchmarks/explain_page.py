"""The page of `memorycell explain` on a long series: how long it takes to write, to open and to step through.

    pip install playwright; python benchmarks/explain_page.py [--steps 10000] [--json out.json]

Needs Chromium (Debian: chromium or chromium-headless-shell). A regressor of 32 units on two channels; the page is
opened from its file in a window of 1280 x 900 pixels, and its slider moved 200 times from frame to frame.
"""

from __future__ import annotations

import argparse
import json
import shutil
import tempfile
import time
from pathlib import Path
from typing import Any

import numpy as np
import torch

from memorycell import SequenceRegressor, write_explanation

_OPENED = """() => {
  const page = performance.getEntriesByType("navigation")[0];
  const paint = performance.getEntriesByName("first-contentful-paint")[0];
  return {"parsed ms": page.domContentLoadedEventEnd, "painted ms": paint.startTime};
}"""
_STEPPED = """async () => {
  const slider = document.getElementById("step"), times = [];
  for (let k = 0; k < 200; k++) {
    slider.value = (k * 37) % Number(slider.max);
    const begun = performance.now();
    slider.dispatchEvent(new Event("input", { bubbles: true }));
    await new Promise(requestAnimationFrame);
    times.push(performance.now() - begun);
  }
  times.sort((a, b) => a - b);
  return {"step ms": times[100], "step ms, 95 %": times[190]};
}"""


def written(path: Path, steps: int) -> dict[str, Any]:
    """Seconds to write the page, and its MB."""
    torch.set_num_threads(1)
    rng, time_ = np.random.default_rng(0), np.arange(steps)
    series = [
        np.stack([np.sin(time_ / 50 + k) + 0.1 * rng.normal(size=steps), np.cos(time_ / 400)], 1) for k in range(4)
    ]
    options: dict[str, Any] = {"hidden_size": 32, "bidirectional": False, "max_length": steps, "epochs": 1}
    model = SequenceRegressor(n_threads=1, verbose=False, **options).fit(series, [0.0, 1.0, 2.0, 3.0])
    begun = time.perf_counter()
    write_explanation(path, model, series, row=1)
    return {"steps": steps, "written s": time.perf_counter() - begun, "MB": path.stat().st_size / 1e6}


def opened(path: Path) -> dict[str, float]:
    """What Chromium says of the page, in milliseconds."""
    from playwright.sync_api import sync_playwright

    program = shutil.which("chromium") or shutil.which("chromium-headless-shell")
    if program is None:
        raise SystemExit("Chromium is missing: apt-get install chromium-headless-shell")
    with sync_playwright() as player:
        browser = player.chromium.launch(executable_path=program)
        page = browser.new_page(viewport={"width": 1280, "height": 900})
        page.goto(path.as_uri())
        found = page.evaluate(_OPENED)
        page.evaluate("document.getElementById('cell').scrollIntoView()")
        found |= page.evaluate(_STEPPED)
        browser.close()
    return found


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--steps", type=int, default=10_000)
    parser.add_argument("--json", type=Path)
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder).resolve() / "page.html"
        row = written(path, arguments.steps)
        row |= opened(path)
    for name, value in row.items():
        print(f"{name:<16} {value:10,.1f}")
    if arguments.json:
        arguments.json.write_text(json.dumps(row, indent=1), encoding="utf-8")


if __name__ == "__main__":
    main()
