;; Loops of which is known how often they turn, and indices of which is known how large they are:
;; accesses are where they would be without that knowledge, at the borders of numbers and memories.

(module
  (memory 1)
  (func $begin (local $i i32)
    (loop $l
      (i32.store8 (local.get $i) (local.get $i))
      (br_if $l (i32.ne (local.tee $i (i32.add (local.get $i) (i32.const 1))) (i32.const 65536)))))
  (start $begin)

  ;; Counts up to zero; the address wraps around.
  (func (export "to zero") (result i32) (local $i i32) (local $sum i32)
    (local.set $i (i32.const -64))
    (loop $l
      (local.set $sum (i32.add (local.get $sum)
        (i32.load8_u (i32.add (local.get $i) (i32.const 164)))))
      (br_if $l (local.tee $i (i32.add (local.get $i) (i32.const 8)))))
    (i32.add (local.get $sum) (local.get $i)))

  ;; The same without the constant: the first address is far outside.
  (func (export "below zero") (local $i i32)
    (local.set $i (i32.const -64))
    (loop $l
      (drop (i32.load8_u (local.get $i)))
      (br_if $l (local.tee $i (i32.add (local.get $i) (i32.const 8))))))

  ;; Passes zero.
  (func (export "through zero") (result i32) (local $i i32) (local $sum i32)
    (local.set $i (i32.const -16))
    (loop $l
      (local.set $sum (i32.add (local.get $sum)
        (i32.load8_u offset=3 (i32.add (local.get $i) (i32.const 16)))))
      (br_if $l (i32.ne (local.tee $i (i32.add (local.get $i) (i32.const 8))) (i32.const 16))))
    (local.get $sum))

  ;; Counts down, and leaves the memory.
  (func (export "down") (param $past i32) (result i32) (local $i i32) (local $sum i32)
    (local.set $i (i32.const 65535))
    (loop $l
      (local.set $sum (i32.add (local.get $sum)
        (i32.load8_u (i32.add (local.get $i) (local.get $past)))))
      (br_if $l (i32.ne (local.tee $i (i32.add (local.get $i) (i32.const -5))) (i32.const -5))))
    (local.get $sum))

  ;; One turn too many.
  (func (export "too far") (result i32) (local $i i32) (local $sum i32)
    (loop $l
      (local.set $sum (i32.add (local.get $sum) (i32.load (local.get $i))))
      (br_if $l (i32.lt_u (local.tee $i (i32.add (local.get $i) (i32.const 4))) (i32.const 65537))))
    (local.get $sum))
  (func (export "not too far") (result i32) (local $i i32) (local $sum i32)
    (loop $l
      (local.set $sum (i32.add (local.get $sum) (i32.load (local.get $i))))
      (br_if $l (i32.lt_u (local.tee $i (i32.add (local.get $i) (i32.const 4))) (i32.const 65533))))
    (local.get $sum))

  ;; Compares without sign and begins below zero.
  (func (export "without sign") (result i32) (local $i i32) (local $sum i32)
    (local.set $i (i32.const -3))
    (loop $l
      (local.set $sum (i32.add (local.get $sum)
        (i32.load8_u (i32.add (local.get $i) (i32.const 203)))))
      (br_if $l (i32.lt_u (local.tee $i (i32.add (local.get $i) (i32.const 3))) (i32.const 10))))
    (i32.add (local.get $sum) (i32.mul (local.get $i) (i32.const 1000))))
  ;; Ends at once: what follows is larger than any bound.
  (func (export "without sign, once") (result i32) (local $i i32)
    (local.set $i (i32.const -30))
    (loop $l
      (br_if $l (i32.lt_u (local.tee $i (i32.add (local.get $i) (i32.const 3))) (i32.const 10))))
    (local.get $i))
  (func (export "with sign") (result i32) (local $i i32) (local $turns i32)
    (local.set $i (i32.const -30))
    (loop $l
      (local.set $turns (i32.add (local.get $turns) (i32.const 1)))
      (br_if $l (i32.lt_s (local.tee $i (i32.add (local.get $i) (i32.const 3))) (i32.const 10))))
    (i32.add (local.get $turns) (i32.mul (local.get $i) (i32.const 1000))))
  ;; Goes all the way round, past the largest number.
  (func (export "round") (result i32) (local $i i32) (local $turns i32)
    (local.set $i (i32.const 0x40000000))
    (loop $l
      (local.set $turns (i32.add (local.get $turns) (i32.const 1)))
      (br_if $l (i32.ne (local.tee $i (i32.add (local.get $i) (i32.const 0x20000000)))
        (i32.const 0x20000000))))
    (local.get $turns))

  ;; Rows and columns, of which the inner loop leaves the rows as they are.
  (func (export "nested") (result i32) (local $row i32) (local $column i32) (local $rows i32) (local $sum i32)
    (local.set $row (i32.const 1000))
    (loop $outer
      (local.set $column (i32.const 0))
      (loop $inner
        (local.set $sum (i32.add (local.get $sum)
          (i32.load8_u (i32.add (local.get $row) (local.get $column)))))
        (br_if $inner (i32.ne (local.tee $column (i32.add (local.get $column) (i32.const 1)))
          (i32.const 7))))
      (local.set $row (i32.add (local.get $row) (i32.const 10)))
      (br_if $outer (i32.ne (local.tee $rows (i32.add (local.get $rows) (i32.const 1)))
        (i32.const 5))))
    (i32.add (local.get $sum) (i32.mul (local.get $row) (i32.const 10000))))

  ;; Counts more in the inner loop than turns of the outer one say.
  (func (export "counted inside") (local $at i32) (local $i i32) (local $j i32)
    (loop $outer
      (local.set $j (i32.const 0))
      (loop $inner
        (i32.store8 (local.get $at) (i32.const 0))
        (local.set $at (i32.add (local.get $at) (i32.const 4096)))
        (br_if $inner (i32.ne (local.tee $j (i32.add (local.get $j) (i32.const 1))) (i32.const 4))))
      (br_if $outer (i32.ne (local.tee $i (i32.add (local.get $i) (i32.const 1))) (i32.const 5)))))

  ;; Counts in some turns, twice in others, and from elsewhere.
  (func (export "sometimes") (result i32) (local $i i32) (local $at i32) (local $sum i32)
    (local.set $at (i32.const 100))
    (loop $l
      (if (i32.and (local.get $i) (i32.const 1))
        (then (local.set $at (i32.add (local.get $at) (i32.const 2)))))
      (local.set $sum (i32.add (local.get $sum) (i32.load8_u (local.get $at))))
      (br_if $l (i32.ne (local.tee $i (i32.add (local.get $i) (i32.const 1))) (i32.const 6))))
    (local.get $sum))
  (func (export "twice") (result i32) (local $i i32) (local $at i32) (local $sum i32)
    (local.set $at (i32.const 100))
    (loop $l
      (local.set $at (i32.add (local.get $at) (i32.const 2)))
      (local.set $at (i32.add (local.get $at) (i32.const 3)))
      (local.set $sum (i32.add (local.get $sum) (i32.load8_u (local.get $at))))
      (br_if $l (i32.ne (local.tee $i (i32.add (local.get $i) (i32.const 1))) (i32.const 6))))
    (local.get $sum))
  ;; Two branches to the beginning, one of which compares nothing.
  (func (export "two ways") (result i32) (local $i i32) (local $turns i32)
    (loop $l
      (local.set $turns (i32.add (local.get $turns) (i32.const 1)))
      (if (i32.eq (local.get $turns) (i32.const 3))
        (then (local.set $i (i32.const 0)) (br $l)))
      (br_if $l (i32.ne (local.tee $i (i32.add (local.get $i) (i32.const 1))) (i32.const 5))))
    (local.get $turns))

  ;; Parts of indices.
  (func (export "scaled") (param i32) (result i32)
    (i32.load8_u offset=5 (i32.add
      (i32.shl (i32.and (local.get 0) (i32.const 255)) (i32.const 2)) (i32.const 64000))))
  (func (export "shifted out") (param i32) (result i32)
    (i32.load8_u (i32.shl (local.get 0) (i32.const 3))))
  (func (export "a loaded index") (param i32) (result i32) (local $p i32)
    (local.set $p (i32.load (local.get 0)))
    (i32.store (local.get 0) (i32.const 0))
    (i32.add (i32.load8_u (i32.and (local.get $p) (i32.const 0xffff))) (local.get $p)))
  (func (export "a loaded address") (param i32) (result i32)
    (i32.load8_u (i32.load (local.get 0))))
  (func (export "less a constant") (param i32) (result i32)
    (i32.load8_u offset=2 (i32.sub (local.get 0) (i32.const 1))))
  (func (export "sub") (param i32) (result i32)
    (i32.sub (local.get 0) (i32.const 0x80000000)))
  (func (export "sub -1") (param i32) (result i32) (i32.sub (local.get 0) (i32.const -1)))
  (func (export "sub least") (param i64) (result i64)
    (i64.sub (local.get 0) (i64.const 0x8000000000000000)))

  ;; Few targets.
  (func (export "three") (param i32) (result i32)
    (block $c (block $b (block $a
      (br_table $a $b $c $b (local.get 0)))
      (return (i32.const 10)))
      (return (i32.const 20)))
    (i32.const 30))
  (func (export "one") (param i32) (result i32)
    (block $r (result i32) (drop (block $s (result i32)
      (br_table $r $s (i32.const 7) (local.get 0)))) (i32.const 8)))
  (func (export "again") (result i32) (local $turns i32)
    (loop $l
      (local.set $turns (i32.add (local.get $turns) (i32.const 1)))
      (block $out (br_table $out $l $l $out (i32.and (local.get $turns) (i32.const 3)))))
    (local.get $turns))
)

(assert_return (invoke "to zero") (i32.const 1024))
(assert_trap (invoke "below zero") "out of bounds memory access")
(assert_return (invoke "through zero") (i32.const 60))
(assert_return (invoke "down" (i32.const 0)) (i32.const 1671270))
(assert_trap (invoke "down" (i32.const 1)) "out of bounds memory access")
(assert_trap (invoke "down" (i32.const -1)) "out of bounds memory access")
(assert_trap (invoke "too far") "out of bounds memory access")
(assert_return (invoke "not too far") (i32.const 534740992))
(assert_return (invoke "without sign") (i32.const 13030))
(assert_return (invoke "without sign, once") (i32.const -27))
(assert_return (invoke "with sign") (i32.const 12014))
(assert_return (invoke "round") (i32.const 7))
(assert_return (invoke "nested") (i32.const 10504573))
(assert_trap (invoke "counted inside") "out of bounds memory access")
(assert_return (invoke "sometimes") (i32.const 618))
(assert_return (invoke "twice") (i32.const 705))
(assert_return (invoke "two ways") (i32.const 8))
(assert_return (invoke "scaled" (i32.const 0)) (i32.const 5))
(assert_return (invoke "scaled" (i32.const -1)) (i32.const 1))
(assert_return (invoke "shifted out" (i32.const 0x20000001)) (i32.const 8))
(assert_trap (invoke "shifted out" (i32.const 0x10000001)) "out of bounds memory access")
(assert_return (invoke "a loaded index" (i32.const 256)) (i32.const 0x03020100))
(assert_trap (invoke "a loaded address" (i32.const 252)) "out of bounds memory access")
(assert_return (invoke "a loaded address" (i32.const 256)) (i32.const 0))
(assert_return (invoke "less a constant" (i32.const 1)) (i32.const 2))
(assert_trap (invoke "less a constant" (i32.const 0)) "out of bounds memory access")
(assert_return (invoke "sub" (i32.const -1)) (i32.const 0x7fffffff))
(assert_return (invoke "sub -1" (i32.const 0x7fffffff)) (i32.const 0x80000000))
(assert_return (invoke "sub least" (i64.const -1)) (i64.const 0x7fffffffffffffff))
(assert_return (invoke "three" (i32.const 0)) (i32.const 10))
(assert_return (invoke "three" (i32.const 1)) (i32.const 20))
(assert_return (invoke "three" (i32.const 2)) (i32.const 30))
(assert_return (invoke "three" (i32.const 3)) (i32.const 20))
(assert_return (invoke "three" (i32.const -1)) (i32.const 20))
(assert_return (invoke "one" (i32.const 0)) (i32.const 7))
(assert_return (invoke "one" (i32.const 1)) (i32.const 8))
(assert_return (invoke "again") (i32.const 3))
