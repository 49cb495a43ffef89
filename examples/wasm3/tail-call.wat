;; Two functions that call each other ten million deep, on a stack that does not grow: each call is
;; the last thing that its caller does.
;;
;; $ tenon run --invoke is_even examples/wasm3/tail-call.wat 10000000
;; 1
;; $ tenon run --invoke is_odd examples/wasm3/tail-call.wat 10000000
;; 0
(module
  (func $is_even (export "is_even") (param $n i64) (result i32)
    (if (i64.eqz (local.get $n)) (then (return (i32.const 1))))
    (return_call $is_odd (i64.sub (local.get $n) (i64.const 1))))
  (func $is_odd (export "is_odd") (param $n i64) (result i32)
    (if (i64.eqz (local.get $n)) (then (return (i32.const 0))))
    (return_call $is_even (i64.sub (local.get $n) (i64.const 1)))))
