#!/bin/sh
# Builds and runs the C tests: run.sh shared|static|valgrind|tsan [NAME…]
#
# Works on the headers in include and the library in target/release; under valgrind on that in
# target/debug, because valgrind takes some of what the optimizer does for errors. As many programs
# run at a time as there are processors; JOBS= chooses. Prints a line for each program, the output
# of those that fail, and closes with `N passed, N failed`. A program that begins with
# `/* valgrind: no` is left out of the valgrind run, for the reason given there.

set -u
cd "$(dirname "$0")/.." || exit 1
mode=$1
shift
out=target/tests-c/$mode
mkdir -p "$out"
case $mode in
  valgrind) lib=$PWD/target/debug ;;
  *) lib=$PWD/target/release ;;
esac
CC=${CC:-cc}
CFLAGS=${CFLAGS:-"-std=c11 -D_GNU_SOURCE -O1 -g -Wall -Wextra -Werror -Wno-missing-field-initializers"}

case $mode in
  tsan)
    runtime=$(rustc --print sysroot)/lib/rustlib/x86_64-unknown-linux-gnu/lib/librustc-stable_rt.tsan.a
    link="target/tsan/x86_64-unknown-linux-gnu/debug/libtenon.a -Wl,--whole-archive,--export-dynamic
      $runtime -Wl,--no-whole-archive -lgcc_s -lutil -lrt -lstdc++" ;;
  static) link="$lib/libtenon.a -lgcc_s -lutil -lrt" ;;
  *) link="-L$lib -ltenon -Wl,-rpath,$lib" ;;
esac
case $mode in
  valgrind)
    run="valgrind -q --fair-sched=try --error-exitcode=99 --leak-check=full --errors-for-leak-kinds=definite"
    export TEST_EXPLICIT_CHECKS=1 TEST_VALGRIND=1 ;;
  tsan)
    run="setarch -R"
    export TEST_VALGRIND=1 TSAN_OPTIONS="suppressions=$PWD/tests-c/tsan.supp history_size=7" ;;
  *) run="" ;;
esac

# Builds and runs the program $1; what is to be said of it goes to standard output.
one() {
  source=tests-c/$1.c
  if [ "$mode" = valgrind ] && head -1 "$source" | grep -q '^/\* valgrind: no'; then
    echo "skip $1 ($(head -1 "$source" | sed 's|^/\* valgrind: no, ||; s| \*/$||'))"
    return
  fi
  log=$out/$1.log
  # shellcheck disable=SC2086
  if $CC $CFLAGS -Iinclude "$source" -o "$out/$1" $link -lpthread -ldl -lm >"$log" 2>&1 &&
    timeout 600 $run "$out/$1" >>"$log" 2>&1; then
    echo "ok   $1"
  else
    echo "FAIL $1"
    sed 's/^/     /' "$log"
  fi
}

if [ "${ONE:-}" ]; then
  one "$ONE" >"$out/$ONE.outcome"
  exit
fi

names=$*
[ -n "$names" ] || names=$(ls tests-c/*.c | sed 's|.*/||; s|\.c$||')
for name in $names; do rm -f "$out/$name.outcome"; done
# shellcheck disable=SC2086
printf '%s\n' $names | xargs -P "${JOBS:-$(nproc)}" -I NAME env ONE=NAME tests-c/run.sh "$mode"
passed=0
failed=0
for name in $names; do
  cat "$out/$name.outcome"
  case $(head -c 4 "$out/$name.outcome") in
    "ok  ") passed=$((passed + 1)) ;;
    skip) ;;
    *) failed=$((failed + 1)) ;;
  esac
done
echo "$passed passed, $failed failed"
[ $failed -eq 0 ]
