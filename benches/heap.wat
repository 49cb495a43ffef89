;; What a collector is measured with. Each function returns the longest time between two of its
;; looks at the clock, in nanoseconds; it looks once for every 1024 objects.
(module
  (import "wasi_snapshot_preview1" "clock_time_get"
    (func $clock (param i32 i64 i32) (result i32)))
  (memory (export "memory") 1)
  (type $node (sub final (struct (field $value (mut i64)) (field $next (mut (ref null $node))))))
  (type $nodes (array (mut (ref null $node))))
  (global $last (mut i64) (i64.const 0))
  (global $longest (mut i64) (i64.const 0))
  (global $kept (mut (ref null $node)) (ref.null $node))

  (func $look
    (local $now i64)
    (drop (call $clock (i32.const 1) (i64.const 0) (i32.const 0)))
    (local.set $now (i64.load (i32.const 0)))
    (if (i64.ne (global.get $last) (i64.const 0))
      (then
        (if (i64.gt_u (i64.sub (local.get $now) (global.get $last)) (global.get $longest))
          (then (global.set $longest (i64.sub (local.get $now) (global.get $last)))))))
    (global.set $last (local.get $now)))

  ;; Allocates `count` objects, of which the latest 100,000 stay alive.
  (func (export "window") (param $count i64) (result i64)
    (local $nodes (ref $nodes)) (local $i i64) (local $at i32)
    (local.set $nodes (array.new_default $nodes (i32.const 100000)))
    (loop $more
      (if (i64.eqz (i64.and (local.get $i) (i64.const 1023))) (then (call $look)))
      (array.set $nodes (local.get $nodes) (local.get $at)
        (struct.new $node (local.get $i) (ref.null $node)))
      (local.set $at (i32.add (local.get $at) (i32.const 1)))
      (if (i32.eq (local.get $at) (i32.const 100000)) (then (local.set $at (i32.const 0))))
      (br_if $more
        (i64.lt_u (local.tee $i (i64.add (local.get $i) (i64.const 1))) (local.get $count))))
    (global.get $longest))

  ;; Makes a list of `count` objects that stays alive, and looks at each of them.
  (func (export "list") (param $count i64) (result i64)
    (local $i i64) (local $sum i64) (local $node (ref null $node))
    (loop $more
      (if (i64.eqz (i64.and (local.get $i) (i64.const 1023))) (then (call $look)))
      (global.set $kept (struct.new $node (local.get $i) (global.get $kept)))
      (br_if $more
        (i64.lt_u (local.tee $i (i64.add (local.get $i) (i64.const 1))) (local.get $count))))
    (local.set $node (global.get $kept))
    (block $end
      (loop $next
        (br_if $end (ref.is_null (local.get $node)))
        (local.set $sum (i64.add (local.get $sum) (struct.get $node $value (local.get $node))))
        (local.set $node (struct.get $node $next (local.get $node)))
        (br $next)))
    (if (i64.ne (local.get $sum)
          (i64.shr_u
            (i64.mul (local.get $count) (i64.sub (local.get $count) (i64.const 1)))
            (i64.const 1)))
      (then (unreachable)))
    (global.get $longest))

  ;; Allocates `count` objects in pairs that refer to each other, and drops them.
  (func (export "cycles") (param $count i64) (result i64)
    (local $i i64) (local $one (ref null $node)) (local $other (ref null $node))
    (loop $more
      (if (i64.eqz (i64.and (local.get $i) (i64.const 1023))) (then (call $look)))
      (local.set $one (struct.new $node (local.get $i) (ref.null $node)))
      (local.set $other (struct.new $node (local.get $i) (local.get $one)))
      (struct.set $node $next (local.get $one) (local.get $other))
      (br_if $more
        (i64.lt_u (local.tee $i (i64.add (local.get $i) (i64.const 2))) (local.get $count))))
    (global.get $longest)))
