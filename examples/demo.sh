#!/bin/sh
# Builds the host examples/demo.c against an installed library, has it run a compressor, and runs
# the same compressor from the command line: demo.sh PREFIX

set -eu
cd "$(dirname "$0")/.."
prefix=$1
guest=tests-c/guests/squeeze.wasm
work=target/demo
rm -rf "$work"
mkdir -p "$work"
cp Cargo.lock "$work/input"

flags=$(PKG_CONFIG_PATH=$prefix/lib/pkgconfig pkg-config --cflags --libs tenon)
# shellcheck disable=SC2086
${CC:-cc} -std=c11 -Wall -Wextra -O2 examples/demo.c -o "$work/demo" $flags -Wl,-rpath,"$prefix/lib"

echo "--- the C host"
"$work/demo" $guest "$work" input | tee "$work/host.log"
gzip -dc "$work/input.gz" | cmp - "$work/input"
grep -q 'trap: unreachable' "$work/host.log"
grep -q 'at corrupt ' "$work/host.log"

echo "--- the command line"
tenon=$prefix/bin/tenon
cp "$work/input.gz" "$work/again.gz"
"$tenon" run --dir "$work::/data" $guest d /data/again.gz
cmp "$work/again" "$work/input"
head -c 1000 "$work/input.gz" >"$work/broken.gz"
status=0
"$tenon" run --dir "$work::/data" $guest d /data/broken.gz || status=$?
[ "$status" = 134 ]
echo "--- the guest's files are gzip's: all as expected"
