;; Counts primes by trial division. That a number can be divided is said to be unlikely for each
;; divisor, so that the loop falls through from one to the next. Without the hints, the program is
;; the same.
;;
;; $ tenon run --invoke primes_below examples/wasm3/branch-hinting.wat 10000
;; 1229
;; $ tenon run --feature branch-hinting=off --invoke primes_below examples/wasm3/branch-hinting.wat 10000
;; 1229
(module
  (func $is_prime (param $n i32) (result i32) (local $divisor i32)
    (local.set $divisor (i32.const 2))
    (block $composite
      (loop $next
        (if (i32.gt_u (i32.mul (local.get $divisor) (local.get $divisor)) (local.get $n))
          (then (return (i32.const 1))))
        (@metadata.code.branch_hint "\00")
        (br_if $composite (i32.eqz (i32.rem_u (local.get $n) (local.get $divisor))))
        (local.set $divisor (i32.add (local.get $divisor) (i32.const 1)))
        (br $next)))
    (i32.const 0))

  (func (export "primes_below") (param $limit i32) (result i32) (local $n i32) (local $count i32)
    (local.set $n (i32.const 2))
    (loop $next
      (local.set $count (i32.add (local.get $count) (call $is_prime (local.get $n))))
      (local.set $n (i32.add (local.get $n) (i32.const 1)))
      (br_if $next (i32.lt_u (local.get $n) (local.get $limit))))
    (local.get $count)))
