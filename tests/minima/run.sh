#!/usr/bin/env bash
# On the lowest version of everything that pyproject.toml asks for but torch: the help, the demo and the suite that
# every job passes. What these packages ask for themselves is as new as pip finds it, as it is for whoever installs.
#   run.sh [python]
set -euo pipefail
cd "$(dirname "$0")/../.."
root=$PWD
venv=$root/build/minima/venv

rm -rf "$venv"
"${1:-python3}" -m venv "$venv"
"$venv/bin/python" tests/minima/lowest.py pyproject.toml all >build/minima/lowest.txt
"$venv/bin/python" -m pip install -q torch=="${TORCH:-$(sed -n 's/^torch==//p' constraints.txt)}"
# The demo and the suite need pytest and polars, not the linters and notebooks of the extra [test].
"$venv/bin/python" -m pip install -q -r build/minima/lowest.txt $(sed -n 's/^\(pytest\|polars\|polars-runtime-32\|hypothesis\)==/&/p' constraints.txt)
"$venv/bin/python" -m pip install -q --no-deps .
"$venv/bin/python" -m pip list --format freeze | grep -i -f <(sed 's/[=[].*/==/; s/^/^/' build/minima/lowest.txt) | tr '\n' ' '
echo

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
for line in "--help" "fit forecast --help" "info"; do
  "$venv/bin/memorycell" $line >"$work/said" || { cat "$work/said"; exit 1; }
done
(cd "$work" && "$venv/bin/memorycell" demo)
# Old releases beside new ones warn of what will go: theirs to mend, and no error here.
"$venv/bin/python" -m pytest -n0 -o filterwarnings=default -p no:warnings tests/jobs/test_every_job.py tests/training/test_files.py
