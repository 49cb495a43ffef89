;; Throws and catches again and again, in several ways. All return the sum of what was thrown.
(module
  (tag $t (param i32))

  (func $throw (param $x i32) (throw $t (local.get $x)))

  ;; Through so many frames.
  (func $deep (param $x i32) (param $depth i32)
    (if (local.get $depth)
      (then (call $deep (local.get $x) (i32.sub (local.get $depth) (i32.const 1))))
      (else (throw $t (local.get $x)))))

  ;; A call that returns, in a try_table and without one: what is not thrown costs nothing.
  (func $return (param $x i32) (result i32)
    (if (i32.eq (local.get $x) (i32.const -1)) (then (throw $t (local.get $x))))
    (local.get $x))

  (func (export "none") (param $rounds i32) (result i64) (local $sum i64)
    (loop $next
      (local.set $sum (i64.add (local.get $sum) (i64.extend_i32_u (call $return (local.get $rounds)))))
      (br_if $next (local.tee $rounds (i32.sub (local.get $rounds) (i32.const 1)))))
    (local.get $sum))

  (func (export "return") (param $rounds i32) (result i64) (local $sum i64)
    (loop $next
      (local.set $sum (i64.add (local.get $sum) (i64.extend_i32_u
        (block $caught (result i32)
          (try_table (result i32) (catch $t $caught) (call $return (local.get $rounds)))))))
      (br_if $next (local.tee $rounds (i32.sub (local.get $rounds) (i32.const 1)))))
    (local.get $sum))

  (func (export "throw") (param $rounds i32) (result i64) (local $sum i64)
    (loop $next
      (local.set $sum (i64.add (local.get $sum) (i64.extend_i32_u
        (block $caught (result i32)
          (try_table (catch $t $caught) (call $throw (local.get $rounds)))
          unreachable))))
      (br_if $next (local.tee $rounds (i32.sub (local.get $rounds) (i32.const 1)))))
    (local.get $sum))

  (func (export "ref") (param $rounds i32) (result i64) (local $sum i64)
    (loop $next
      (local.set $sum (i64.add (local.get $sum) (i64.extend_i32_u
        (block $caught (result i32 exnref)
          (try_table (catch_ref $t $caught) (call $throw (local.get $rounds)))
          unreachable)
        (drop))))
      (br_if $next (local.tee $rounds (i32.sub (local.get $rounds) (i32.const 1)))))
    (local.get $sum))

  (func (export "deep") (param $rounds i32) (result i64) (local $sum i64)
    (loop $next
      (local.set $sum (i64.add (local.get $sum) (i64.extend_i32_u
        (block $caught (result i32)
          (try_table (catch $t $caught) (call $deep (local.get $rounds) (i32.const 10)))
          unreachable))))
      (br_if $next (local.tee $rounds (i32.sub (local.get $rounds) (i32.const 1)))))
    (local.get $sum))
)
