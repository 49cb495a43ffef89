#!/bin/sh
# Checks the headers against the standard and against the library: check.sh LIBRARY.so
#
# Every header compiles alone and twice, as C99 to C17 and as C++17, without a warning; the
# standard's declarations and layouts agree with it; the library exports what the headers declare
# and nothing else.

set -u
cd "$(dirname "$0")/../.." || exit 1
library=$1
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
passed=0
failed=0

# Counts a command's success; shows what it says when it fails.
check() {
  what=$1
  shift
  if "$@" >"$work/log" 2>&1; then
    passed=$((passed + 1))
  else
    failed=$((failed + 1))
    echo "FAIL $what"
    head -20 "$work/log"
  fi
}

for header in wasm wasi tenon wasmer; do
  [ -f "include/$header.h" ] && printf '#include <%s.h>\n#include <%s.h>\n' $header $header >"$work/$header.c"
done
printf '#include <tenon.h>\n#include <wasi.h>\n' >"$work/all.c"
for source in "$work"/*.c tests-c/headers/prototypes.c tests-c/headers/layout.c; do
  for standard in c99 c11 c17 c++17; do
    compiler="${CC:-cc} -x c"
    [ $standard = c++17 ] && compiler="${CXX:-c++} -x c++"
    # shellcheck disable=SC2086
    check "$(basename "$source") as $standard" $compiler -std=$standard -Wall -Wextra -Wpedantic \
      -Werror -fsyntax-only -Iinclude "$source"
  done
done

# The names that the headers declare, those of the standard, and those that the library exports.
gcc -fsyntax-only -Iinclude -aux-info "$work/aux" "$work/all.c"
grep -v '\*/ static' "$work/aux" | grep -oE '\b(wasm|wasi|wasmer|tenon)_[a-z0-9_]+ \(' |
  tr -d ' (' | sort -u >"$work/declared"
grep -oE '\bwasm_[a-z0-9_]+\(' tests-c/headers/prototypes.c | tr -d '(' | sort -u >"$work/standard"
nm -D --defined-only "$library" | awk '{ print $3 }' | sort -u >"$work/exported"
check "the standard has 293 functions" test "$(wc -l <"$work/standard")" = 293
check "the library exports the standard" test -z "$(comm -23 "$work/standard" "$work/exported")"
comm -3 "$work/declared" "$work/exported" >"$work/difference"
check "the headers declare what the library exports" sh -c "cat '$work/difference'; ! [ -s '$work/difference' ]"
grep '^wasm_' "$work/declared" | comm -3 - "$work/standard" >"$work/difference"
check "wasm_* are the standard's names" sh -c "cat '$work/difference'; ! [ -s '$work/difference' ]"

echo "$(wc -l <"$work/exported") exported functions"
echo "$passed passed, $failed failed"
[ $failed -eq 0 ]
