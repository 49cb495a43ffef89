;; What looking for interrupts and counting fuel is measured with.
(module
  (memory 1)
  ;; Calls and little else.
  (func $fib (export "fib") (param i32) (result i32)
    (if (result i32) (i32.lt_u (local.get 0) (i32.const 2))
      (then (local.get 0))
      (else (i32.add (call $fib (i32.sub (local.get 0) (i32.const 1)))
                     (call $fib (i32.sub (local.get 0) (i32.const 2)))))))
  ;; A loop of a few instructions.
  (func (export "hash") (param $n i32) (result i32) (local $h i32)
    (local.set $h (i32.const 0x811c9dc5))
    (loop
      (local.set $h (i32.mul (i32.xor (local.get $h) (i32.and (local.get $n) (i32.const 255)))
                             (i32.const 0x01000193)))
      (br_if 0 (local.tee $n (i32.sub (local.get $n) (i32.const 1)))))
    (local.get $h))
  ;; Loops in loops on memory: primes below 65536, again and again.
  (func (export "sieve") (param $rounds i32) (result i32) (local $i i32) (local $j i32) (local $count i32)
    (loop $again
      (memory.fill (i32.const 0) (i32.const 1) (i32.const 65536))
      (local.set $count (i32.const 0))
      (local.set $i (i32.const 2))
      (loop $next
        (if (i32.load8_u (local.get $i))
          (then
            (local.set $count (i32.add (local.get $count) (i32.const 1)))
            (local.set $j (i32.shl (local.get $i) (i32.const 1)))
            (if (i32.lt_u (local.get $j) (i32.const 65536))
              (then
                (loop $strike
                  (i32.store8 (local.get $j) (i32.const 0))
                  (local.set $j (i32.add (local.get $j) (local.get $i)))
                  (br_if $strike (i32.lt_u (local.get $j) (i32.const 65536))))))))
        (local.set $i (i32.add (local.get $i) (i32.const 1)))
        (br_if $next (i32.lt_u (local.get $i) (i32.const 65536))))
      (br_if $again (local.tee $rounds (i32.sub (local.get $rounds) (i32.const 1)))))
    (local.get $count)))
