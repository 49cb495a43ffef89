#!/bin/sh
# Runs the parts of the tests and adds up what they count: test.sh [NAME COMMAND]…
#
# A part's counts are its lines `N passed, N failed` and `test result: … N passed; N failed`. A part
# that fails without counting a failure counts as one. The last line is `N passed, N failed`.

mkdir -p target/test-logs
passed=0
failed=0
while [ $# -gt 1 ]; do
  log=target/test-logs/$1.log
  echo "== $1"
  begin=$(date +%s)
  { sh -c "$2" 2>&1; echo $? >"$log.status"; } | tee "$log"
  status=$(cat "$log.status")
  rm -f "$log.status"
  counts=$(sed -nE 's/^(test result: [^.]*\. )?([0-9]+) passed[,;] ([0-9]+) failed.*/\2 \3/p' "$log" |
    awk '{ p += $1; f += $2 } END { print p + 0, f + 0 }')
  part_passed=${counts% *}
  part_failed=${counts#* }
  if [ "$status" -ne 0 ] && [ "$part_failed" -eq 0 ]; then part_failed=1; fi
  if [ "$status" -eq 0 ] && [ "$part_passed" -eq 0 ]; then part_passed=1; fi
  passed=$((passed + part_passed))
  failed=$((failed + part_failed))
  echo "== $1: $part_passed passed, $part_failed failed, $(($(date +%s) - begin)) s"
  shift 2
done
echo "$passed passed, $failed failed"
[ "$failed" -eq 0 ]
