#!/bin/sh
# Makes the API the only global symbols of a static library, so that it can be linked beside
# anything else, and drops what nothing in the API reaches: localise.sh LIBRARY.a LIBRARY.so

set -eu
static=$1
shared=$2
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
nm -D --defined-only "$shared" | awk '{ print $3 }' >"$work/api"
sed 's/^/-u /' "$work/api" >"$work/roots"
ld -r --gc-sections -o "$work/all.o" "@$work/roots" "$static"
# The standard library of Rust comes with LLVM bitcode, of use to rustc alone.
objcopy --strip-debug -R .llvmbc -R .llvmcmd --keep-global-symbols="$work/api" \
  "$work/all.o" "$work/tenon.o"
ar rcs "$work/lib.a" "$work/tenon.o"
# Cargo has linked the file to its own copy, which stays as it is.
mv -f "$work/lib.a" "$static"
