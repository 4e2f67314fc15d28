#!/usr/bin/env bash
# sktime asks for an older pandas than the build is tested on: it has an environment of its own, with its own versions.
#   run.sh [python]
set -euo pipefail
cd "$(dirname "$0")/../.."
venv=build/sktime/venv

rm -rf "$venv"
"${1:-python3}" -m venv "$venv"
"$venv/bin/python" -m pip install -q -c constraints-sktime.txt torch=="$(sed -n 's/^torch==//p' constraints-sktime.txt)"
"$venv/bin/python" -m pip install -q -c constraints-sktime.txt ".[sktime]"
"$venv/bin/python" -W ignore tests/sktime/check_sktime.py
