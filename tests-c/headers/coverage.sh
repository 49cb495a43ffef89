#!/bin/sh
# Checks that the C tests use every function: each function of wasm.h (those that prototypes.c
# declares) and of tenon.h in null.c, and each in some other program as well; each function of wasi.h
# in those functions of the programs wasi*.c whose names begin with null_, and elsewhere in them. What a program uses is what its object file refers to. Prints the missing ones,
# each with the place that misses it.

set -u
cd "$(dirname "$0")/../.." || exit 1
out=target/tests-c/coverage
mkdir -p "$out"
CC=${CC:-cc}
CFLAGS=${CFLAGS:-"-std=c11 -D_GNU_SOURCE -O0 -w"}

grep -o 'wasm_[a-z0-9_]*(' tests-c/headers/prototypes.c | tr -d '(' | sort -u >"$out/wasm"
grep -o 'tenon_[a-z0-9_]*(' include/tenon.h | tr -d '(' | sort -u >"$out/tenon"
sort -u "$out/wasm" "$out/tenon" >"$out/all"

: >"$out/others"
for source in tests-c/*.c; do
  name=$(basename "$source" .c)
  # shellcheck disable=SC2086
  $CC $CFLAGS -Iinclude -c "$source" -o "$out/$name.o" || exit 1
  nm -u "$out/$name.o" | grep -oE '(wasm|tenon)_[a-z0-9_]*' | sort -u >"$out/$name.uses"
  [ "$name" = null ] || cat "$out/$name.uses" >>"$out/others"
done

sort -u "$out/others" | comm -23 "$out/all" - | sed 's/$/ (used in no program but null.c)/' \
  >"$out/missing"
# Constructors without parameters have no pointer that could be NULL, nor have these.
grep -vE '^(wasm_valtype_new|tenon_version|tenon_feature_[a-z_]*|tenon_last_error_c[a-z]*)$' \
  "$out/all" | comm -23 - "$out/null.uses" | sed 's/$/ (null.c)/' >>"$out/missing"

# Every function in a section of its own, so that the references of each can be told.
for name in wasi wasi_programs wasi_streams wasi_net; do
  # shellcheck disable=SC2086
  $CC $CFLAGS -ffunction-sections -Iinclude -c "tests-c/$name.c" -o "$out/$name.o" || exit 1
  objdump -r "$out/$name.o" | sed "s/^RELOCATION RECORDS FOR/$name &/"
done | awk '/RELOCATION/ { null = /\[\.text\.null_/ }
  match($3, /^(tenon_)?(wasi|wasmer)_[a-z0-9_]*/) { print null ? "null" : "other", substr($3, 1, RLENGTH) }' |
  sort -u >"$out/wasi.uses"
grep -oE '(tenon_)?(wasi|wasmer)_[a-z0-9_]*\(' include/wasi.h | tr -d '(' | sort -u >"$out/wasi"
sed -n 's/^null //p' "$out/wasi.uses" | comm -23 "$out/wasi" - |
  sed 's/$/ (null_ in wasi*.c)/' >>"$out/missing"
sed -n 's/^other //p' "$out/wasi.uses" | comm -23 "$out/wasi" - |
  sed 's/$/ (wasi*.c)/' >>"$out/missing"

cat "$out/missing"
echo "$(wc -l <"$out/wasm") functions of wasm.h, $(wc -l <"$out/tenon") of tenon.h," \
  "$(wc -l <"$out/wasi") of wasi.h, $(wc -l <"$out/missing") uses missing"
[ "$(wc -l <"$out/wasm")" -eq 293 ] && [ ! -s "$out/missing" ]
