#!/bin/sh
# Sees to it that programs are there: need.sh PROGRAM=PACKAGE… Installs the Debian packages of those
# that are missing when it may, and says what is missing when it may not.

missing=
packages=
for pair in "$@"; do
  program=${pair%%=*}
  if ! command -v "$program" >/dev/null 2>&1; then
    missing="$missing $program"
    packages="$packages ${pair#*=}"
  fi
done
[ -z "$missing" ] && exit 0

case $missing in
  *cargo*)
    echo "cargo is missing: install Rust 1.95 or later (rustup, or your system's packages)" >&2
    exit 1 ;;
esac
root=
[ "$(id -u)" = 0 ] || root=sudo
if command -v apt-get >/dev/null 2>&1 && { [ -z "$root" ] || sudo -n true 2>/dev/null; }; then
  echo "installing:$packages"
  export DEBIAN_FRONTEND=noninteractive
  # shellcheck disable=SC2086
  $root apt-get update -qq && $root apt-get install -y -qq $packages >/dev/null && exit 0
fi
echo "missing:$missing; they are in the Debian packages:$packages" >&2
exit 1
