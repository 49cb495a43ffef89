;; A search that ends wherever it is: the number is thrown out of the recursion that finds it. The
;; least number with as many steps to 1 by Collatz's rule; -1 if none below a limit has.
;;
;; $ tenon run --invoke find examples/wasm3/exceptions.wat 111 10000
;; 27
;; $ tenon run --invoke find examples/wasm3/exceptions.wat 1000 10000
;; -1
(module
  (tag $found (param i64))

  (func $steps (param $n i64) (result i32) (local $steps i32)
    (loop $next (result i32)
      (if (i64.eq (local.get $n) (i64.const 1)) (then (return (local.get $steps))))
      (local.set $n
        (select
          (i64.add (i64.mul (local.get $n) (i64.const 3)) (i64.const 1))
          (i64.shr_u (local.get $n) (i64.const 1))
          (i32.wrap_i64 (i64.and (local.get $n) (i64.const 1)))))
      (local.set $steps (i32.add (local.get $steps) (i32.const 1)))
      (br $next)))

  ;; Halves the range until it is one number, the lower half first.
  (func $search (param $wanted i32) (param $from i64) (param $to i64) (local $middle i64)
    (if (i64.ge_u (local.get $from) (local.get $to)) (then (return)))
    (if (i64.eq (i64.sub (local.get $to) (local.get $from)) (i64.const 1))
      (then
        (if (i32.eq (call $steps (local.get $from)) (local.get $wanted))
          (then (throw $found (local.get $from))))
        (return)))
    (local.set $middle
      (i64.shr_u (i64.add (local.get $from) (local.get $to)) (i64.const 1)))
    (call $search (local.get $wanted) (local.get $from) (local.get $middle))
    (call $search (local.get $wanted) (local.get $middle) (local.get $to)))

  (func (export "find") (param $wanted i32) (param $limit i64) (result i64)
    (block $number (result i64)
      (try_table (catch $found $number)
        (call $search (local.get $wanted) (i64.const 1) (local.get $limit)))
      (i64.const -1))))
