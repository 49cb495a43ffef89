;; Loops in which optimized code takes over from baseline code: what they have in locals and on the
;; operand stack, inside of what they lie, and how they end. The first call is that with most turns:
;; later ones may begin in optimized code.

(module
  ;; On the operand stack around and inside of blocks, values of every kind.
  (func (export "values") (param $n i32) (result i64 f32 f64 i32)
    (local $i i32)
    (i64.const 0x123456789abcdef)
    (f32.const 1.5)
    (block (result f64 i32)
      (f64.const 2.25)
      (i32.const 7)
      (loop $more (param i32) (result i32)
        (i32.add (local.get $i))
        (local.set $i (i32.add (local.get $i) (i32.const 1)))
        (br_if $more (i32.lt_u (local.get $i) (local.get $n))))))

  ;; The loop is in a part of a loop; what is on the stack around it differs from turn to turn.
  (func (export "nested") (param $n i32) (result i64)
    (local $i i32) (local $j i32) (local $sum i64)
    (loop $outer
      (local.set $j (i32.const 0))
      (i64.extend_i32_u (local.get $i))
      (i64.const 3)
      (if (result i64) (i32.and (local.get $i) (i32.const 1))
        (then
          (i64.mul (i64.extend_i32_u (local.get $i)) (i64.const 5))
          (loop $inner
            (local.set $j (i32.add (local.get $j) (i32.const 1)))
            (br_if $inner (i32.lt_u (local.get $j) (i32.const 4)))))
        (else
          (i64.const 100)
          (loop $inner (param i64) (result i64)
            (i64.add (i64.const 1))
            (local.set $j (i32.add (local.get $j) (i32.const 1)))
            (br_if $inner (i32.lt_u (local.get $j) (i32.const 6))))))
      (i64.add) (i64.add)
      (local.set $sum (i64.add (local.get $sum)))
      (local.set $i (i32.add (local.get $i) (i32.const 1)))
      (br_if $outer (i32.lt_u (local.get $i) (local.get $n))))
    (local.get $sum))

  ;; Locals of every size, in an order that wants gaps.
  (func (export "locals") (param $n i32) (param $v v128) (param $s f32) (result v128 f32 f64 i64)
    (local $i i32) (local $d f64) (local $w v128) (local $l i64)
    (local.set $w (i32x4.splat (i32.const 1)))
    (loop $more
      (local.set $v (i32x4.add (local.get $v) (local.get $w)))
      (local.set $s (f32.add (local.get $s) (f32.const 0.5)))
      (local.set $d (f64.sub (local.get $d) (f64.const 0.25)))
      (local.set $l (i64.add (local.get $l) (i64.const 0x100000001)))
      (local.set $i (i32.add (local.get $i) (i32.const 1)))
      (br_if $more (i32.ne (local.get $i) (local.get $n))))
    (local.get $v) (local.get $s) (local.get $d) (local.get $l))

  ;; Known bounds: indices are counted as numbers of 64 bits, also those below zero.
  (memory 1)
  (func (export "counted") (result i32)
    (local $i i32) (local $j i32) (local $sum i32)
    (local.set $i (i32.const -64))
    (loop $outer
      (local.set $j (i32.const 0))
      (loop $inner
        (i32.store8 offset=16 (i32.add (local.get $j) (i32.add (local.get $i) (i32.const 64)))
          (local.get $j))
        (br_if $inner
          (i32.ne (local.tee $j (i32.add (local.get $j) (i32.const 1))) (i32.const 24))))
      (local.set $sum (i32.add (local.get $sum)
        (i32.load8_u offset=39 (i32.add (local.get $i) (i32.const 64)))))
      (br_if $outer (local.tee $i (i32.add (local.get $i) (i32.const 1)))))
    (local.get $sum))

  ;; Ends by a trap, by a tail call, by an exception that is caught around or inside.
  (func (export "traps") (param $n i32) (result i32)
    (loop $more
      (drop (i32.div_u (i32.const 1) (local.get $n)))
      (local.set $n (i32.sub (local.get $n) (i32.const 1)))
      (br $more))
    (unreachable))
  (func $end (param i32) (result i32) (i32.mul (local.get 0) (i32.const 3)))
  (func (export "tail") (param $n i32) (result i32) (local $i i32)
    (loop $more
      (if (i32.eq (local.get $i) (local.get $n)) (then (return_call $end (local.get $i))))
      (local.set $i (i32.add (local.get $i) (i32.const 1)))
      (br $more))
    (unreachable))
  (tag $e (param i32))
  (func $throw (param i32) (if (i32.and (local.get 0) (i32.const 1)) (then (throw $e (local.get 0)))))
  (func (export "catches") (param $n i32) (result i32) (local $i i32) (local $sum i32)
    (i32.const 1000)
    (block $out (result i32)
      (try_table (result i32) (catch $e $out)
        (loop $more
          (local.set $sum (i32.add (local.get $sum)
            (block $caught (result i32)
              (try_table (result i32) (catch $e $caught)
                (call $throw (local.get $i))
                (i32.const 0)))))
          (local.set $i (i32.add (local.get $i) (i32.const 1)))
          (br_if $more (i32.lt_u (local.get $i) (local.get $n))))
        (call $throw (i32.or (local.get $sum) (i32.const 1)))
        (i32.const -1)))
    (i32.add))

  ;; Recursion: each call goes on in the code that is best by then.
  (func $count (export "recursion") (param $n i32) (result i32)
    (if (result i32) (local.get $n)
      (then (i32.add (i32.const 1) (call $count (i32.sub (local.get $n) (i32.const 1)))))
      (else (i32.const 0))))
  (type $f (func (param i32) (result i32)))
  (table funcref (elem $count $end))
  (func (export "indirect") (param $n i32) (result i32) (local $sum i32)
    (loop $more
      (local.set $sum (i32.add (local.get $sum) (call_indirect (type $f) (local.get $n)
        (i32.and (local.get $n) (i32.const 1)))))
      (br_if $more (local.tee $n (i32.sub (local.get $n) (i32.const 1)))))
    (local.get $sum))

  ;; References: locals that the collector has to find, and such on the operand stack.
  (type $box (struct (field (mut i32))))
  (func (export "references") (param $n i32) (param $x externref) (result i32 externref)
    (local $i i32) (local $b (ref null $box)) (local $sum i32)
    (local.set $b (struct.new $box (i32.const 5)))
    (loop $more
      (local.set $b (struct.new $box (i32.add (struct.get $box 0 (local.get $b)) (local.get $i))))
      (struct.new $box (local.get $i))
      (loop $again (param (ref $box)) (result (ref $box))
        (local.set $i (i32.add (local.get $i) (i32.const 1)))
        (br_if $again (i32.and (local.get $i) (i32.const 3))))
      (struct.get $box 0)
      (local.set $sum (i32.add (local.get $sum)))
      (br_if $more (i32.lt_u (local.get $i) (local.get $n))))
    (i32.add (local.get $sum) (struct.get $box 0 (local.get $b)))
    (local.get $x))
  (func (export "boxes") (param $n i32) (param $x externref) (result i32 externref)
    (local $i i32) (local $b (ref null $box))
    (local.set $b (struct.new $box (i32.const 5)))
    (loop $more
      (local.set $b (struct.new $box (i32.add (struct.get $box 0 (local.get $b)) (local.get $i))))
      (local.set $i (i32.add (local.get $i) (i32.const 1)))
      (br_if $more (i32.lt_u (local.get $i) (local.get $n))))
    (struct.get $box 0 (local.get $b))
    (local.get $x))
)

(assert_return (invoke "values" (i32.const 100)) (i64.const 0x123456789abcdef) (f32.const 1.5) (f64.const 2.25) (i32.const 4957))
(assert_return (invoke "values" (i32.const 1)) (i64.const 0x123456789abcdef) (f32.const 1.5) (f64.const 2.25) (i32.const 7))
(assert_return (invoke "values" (i32.const 10)) (i64.const 0x123456789abcdef) (f32.const 1.5) (f64.const 2.25) (i32.const 52))
(assert_return (invoke "values" (i32.const 3)) (i64.const 0x123456789abcdef) (f32.const 1.5) (f64.const 2.25) (i32.const 10))

;; Even turns give i + 3 + 106, odd ones i + 3 + 5 i.
(assert_return (invoke "nested" (i32.const 100)) (i64.const 23050))
(assert_return (invoke "nested" (i32.const 1)) (i64.const 109))
(assert_return (invoke "nested" (i32.const 2)) (i64.const 118))
(assert_return (invoke "nested" (i32.const 10)) (i64.const 730))
(assert_return (invoke "nested" (i32.const 3)) (i64.const 229))

(assert_return (invoke "locals" (i32.const 40) (v128.const i32x4 1 2 3 4) (f32.const 1))
  (v128.const i32x4 41 42 43 44) (f32.const 21) (f64.const -10) (i64.const 0x2800000028))
(assert_return (invoke "locals" (i32.const 2) (v128.const i32x4 1 2 3 4) (f32.const 1))
  (v128.const i32x4 3 4 5 6) (f32.const 2) (f64.const -0.5) (i64.const 0x200000002))
(assert_return (invoke "locals" (i32.const 40) (v128.const i32x4 1 2 3 4) (f32.const 1))
  (v128.const i32x4 41 42 43 44) (f32.const 21) (f64.const -10) (i64.const 0x2800000028))

;; 64 times the number 23.
(assert_return (invoke "counted") (i32.const 1472))
(assert_return (invoke "counted") (i32.const 1472))
(assert_return (invoke "counted") (i32.const 1472))

(assert_trap (invoke "traps" (i32.const 30)) "integer divide by zero")
(assert_trap (invoke "traps" (i32.const 30)) "integer divide by zero")
(assert_trap (invoke "traps" (i32.const 30)) "integer divide by zero")
(assert_return (invoke "tail" (i32.const 31)) (i32.const 93))
(assert_return (invoke "tail" (i32.const 0)) (i32.const 0))
(assert_return (invoke "tail" (i32.const 30)) (i32.const 90))
;; The sum of the odd numbers below n, with its lowest bit set, and 1000.
(assert_return (invoke "catches" (i32.const 40)) (i32.const 1401))
(assert_return (invoke "catches" (i32.const 1)) (i32.const 1001))
(assert_return (invoke "catches" (i32.const 20)) (i32.const 1101))
(assert_return (invoke "catches" (i32.const 20)) (i32.const 1101))

(assert_return (invoke "recursion" (i32.const 500)) (i32.const 500))
(assert_return (invoke "recursion" (i32.const 500)) (i32.const 500))
;; Odd numbers three times, even ones once.
(assert_return (invoke "indirect" (i32.const 50)) (i32.const 2525))
(assert_return (invoke "indirect" (i32.const 50)) (i32.const 2525))
(assert_return (invoke "indirect" (i32.const 50)) (i32.const 2525))

;; Both sums are 0 + 4 + … + 16; 5 is where the second begins.
(assert_return (invoke "references" (i32.const 20) (ref.extern 7)) (i32.const 85) (ref.extern 7))
(assert_return (invoke "references" (i32.const 20) (ref.extern 7)) (i32.const 85) (ref.extern 7))
(assert_return (invoke "boxes" (i32.const 20) (ref.extern 8)) (i32.const 195) (ref.extern 8))
(assert_return (invoke "boxes" (i32.const 20) (ref.extern 9)) (i32.const 195) (ref.extern 9))
(assert_return (invoke "boxes" (i32.const 20) (ref.extern 9)) (i32.const 195) (ref.extern 9))
