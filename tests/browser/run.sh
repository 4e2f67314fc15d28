#!/usr/bin/env bash
# Looks at the pages with Debian's Chromium: `make test-browser`.
#   run.sh PYTHON [argument of pytest ...]
set -euo pipefail
cd "$(dirname "$0")/../.."

missing=()
while read -r tool package; do
  command -v "$tool" chromium >/dev/null || missing+=("$package")
done <tests/browser/packages
if [ ${#missing[@]} -gt 0 ]; then
  echo "make test-browser needs ${#missing[@]} more Debian packages: apt-get install ${missing[*]}" >&2
  exit 1
fi
python=$1
shift
exec "$python" -m pytest tests/browser "$@"
