#!/bin/sh
# Prints what rustc is told to link with, as far as the linker at hand can do it:
# link-args.sh [ABI], with the version that programs depend on for the shared library.

set -eu
abi=${1-}
set --
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

# Whether something can be linked with these options.
can() {
  # shellcheck disable=SC2086 # Several flags.
  ${RUSTC:-rustc} ${RUSTFLAGS:-} --edition=2024 --crate-type=cdylib --crate-name=probe \
    -o "$work/probe.so" "$@" - </dev/null >/dev/null 2>&1
}

# The name that programs look for, and that the signal handler stays installed.
if [ -n "$abi" ]; then
  set -- "-Clink-arg=-Wl,-soname,libtenon.so.$abi" -Clink-arg=-Wl,-z,nodelete
fi

# Addresses to relocate as a bitmap.
packed=-Clink-arg=-Wl,-z,pack-relative-relocs
if can "$packed"; then set -- "$@" "$packed"; fi

# The unwinder as a part of the library: to load libgcc_s takes as long as to load all the rest.
unwinder=$(cc -print-file-name=libgcc_eh.a)
folder=$(dirname "$unwinder")
if can -Lnative="$folder" -lstatic:-bundle=gcc_eh; then
  set -- "$@" -Lnative="$folder" -lstatic:-bundle=gcc_eh
fi

# What every process needs on few pages.
ordered=-Clinker=scripts/ordered-cc.sh
if can "$ordered"; then set -- "$@" "$ordered"; fi

echo "$@"
