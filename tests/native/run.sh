#!/usr/bin/env bash
# Builds the driver in five ways from the project's CMakeLists.txt and runs each: `make check-native`.
#   run.sh [way ...]   all ways, or those named
set -eEuo pipefail
cd "$(dirname "$0")/../.."
root=$PWD
out=$root/build/native

there() {
  # Clang brings the header of its OpenMP in a package of its own, beside which GCC's is of no use to it.
  if [ "$1" = omp.h ]; then
    echo '#include <omp.h>' | clang++ -fopenmp -x c++ -E - >/dev/null 2>&1
  else
    command -v "$1" >/dev/null
  fi
}

require_tools() {
  local missing=() tool package
  while read -r tool package; do
    there "$tool" || missing+=("$package")
  done <tests/native/packages
  [ ${#missing[@]} -eq 0 ] && return
  echo "make check-native needs ${#missing[@]} more Debian packages: apt-get install ${missing[*]}" >&2
  exit 1
}

# build <way> <compiler> <flags> [cmake arguments]
build() {
  local way=$1 compiler=$2 flags=$3
  shift 3
  cmake -S . -B "$out/$way" -DMEMORYCELL_CHECK=ON -DMEMORYCELL_OPENMP=ON -DCMAKE_BUILD_TYPE=None \
    -DCMAKE_CXX_COMPILER="$compiler" -DCMAKE_CXX_FLAGS="-Werror $flags" "$@" >"$out/$way.log"
  cmake --build "$out/$way" --parallel "$(nproc)" --target memorycell_check >>"$out/$way.log"
}

# As it is shipped, at every level.
build_gcc() { build gcc g++ -O3; }
run_gcc() { "$out/gcc/memorycell_check"; }

build_clang() { build clang clang++ -O3; }
run_clang() { "$out/clang/memorycell_check"; }

# Steps over the edge of a buffer, and what C++ leaves undefined.
build_sanitizers() { build sanitizers g++ "-Og -g1 -fsanitize=address,undefined -fno-sanitize-recover=all"; }
run_sanitizers() { "$out/sanitizers/memorycell_check" 3; }

# Decisions that rest on memory that nobody has written. Valgrind knows no AVX-512.
build_valgrind() { build valgrind g++ "-O1 -g -DCHECK_VALGRIND"; }
run_valgrind() { valgrind -q --error-exitcode=1 --fair-sched=yes "$out/valgrind/memorycell_check" 19; }

# The same vector code for another processor.
build_aarch64() { build aarch64 aarch64-linux-gnu-g++ -O3 -DCMAKE_SYSTEM_NAME=Linux -DCMAKE_SYSTEM_PROCESSOR=aarch64; }
run_aarch64() { qemu-aarch64 -L /usr/aarch64-linux-gnu "$out/aarch64/memorycell_check" 3; }

run() {
  local way=$1 begun=$SECONDS
  if "run_$way" >"$out/$way.said" 2>&1; then
    cat "$out/$way.said"
    echo "check-native: $way passed in $((SECONDS - begun)) s"
  else
    cat "$out/$way.said" >&2
    echo "check-native: $way FAILED" >&2
    return 1
  fi
}

require_tools
mkdir -p "$out"
[ $# -gt 0 ] || set -- valgrind sanitizers aarch64 gcc clang # what runs longest first
trap 'echo "check-native: building for $way FAILED" >&2' ERR
for way in "$@"; do
  "build_$way"
done
trap - ERR

# Most of a run is done by one thread: as many run at once as there are processors, and wait without being busy.
export OMP_WAIT_POLICY=passive
trap 'trap - INT TERM; kill 0' INT TERM # what runs in the background does not hear Ctrl-C
running=0 failed=0
for way in "$@"; do
  if [ $running -eq "$(nproc)" ]; then
    wait -n || failed=1
    running=$((running - 1))
  fi
  run "$way" &
  running=$((running + 1))
done
while [ $running -gt 0 ]; do
  wait -n || failed=1
  running=$((running - 1))
done
exit $failed
