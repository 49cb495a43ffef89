#!/bin/sh
# Writes order.txt, the functions that processes need first: order.sh DRIVER LIBRARY TENON
#
# They are those that run until there is a first result, of a module, of a compiled module, of a
# program.

set -eu
driver=$1
library=$2
tenon=$3
scripts=$(dirname "$0")
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
modules=benches/modules

traced() {
  valgrind --quiet --tool=callgrind --demangle=no --callgrind-out-file="$work/run" "$@" >/dev/null
  grep -oE '^c?fn=\([0-9]+\) [^ ]+' "$work/run" | sed "s/.* //; s/'[0-9]*$//" | grep '^_[RZ]' |
    sed -E -f "$scripts/unhashed.sed" | LC_ALL=C sort -u >>"$work/order"
}

# For the processor that valgrind makes believe there is.
valgrind --quiet --tool=none "$tenon" compile "$modules/tiny.wasm" -o "$work/artifact.wasm"
traced "$driver" "$library" cold "$modules" "" ""
traced "$driver" "$library" cold_artifact "$modules" "" "$work"
cp README.md "$work"
traced "$tenon" run --no-cache --dir "$work::/" "$modules/squeeze.wasm" c /README.md
# Each name where it is first.
awk '!seen[$0]++' "$work/order" >"$scripts/order.txt"
