#!/bin/sh
# Links with functions that every process needs, those of order.txt, beside each other: they are on
# fewer pages then. Takes what cc takes.

set -eu
scripts=$(dirname "$0")
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

for argument in "$@"; do
  case $argument in
    *.o) nm --defined-only "$argument" | sed 's/.* //' ;;
  esac
done >"$work/names"
sed -E -f "$scripts/unhashed.sed" "$work/names" | paste - "$work/names" | awk '
  NR == FNR { here[$1] = here[$1] $2 "\n"; next }
  { printf "%s", here[$1] }
' - "$scripts/order.txt" >"$work/order"
cc "$@" -Wl,--symbol-ordering-file="$work/order" -Wl,--no-warn-symbol-ordering
