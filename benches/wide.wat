;; Multiplies two numbers of 4096 bits again and again, each time the low half of the product by the
;; second number: with wide arithmetic, and in the two ways that do without. All of them return the
;; same: the exclusive or of the last product's limbs.
(module
  ;; Two factors of 512 bytes at 0 and 512, the product of 1024 bytes at 1024.
  (memory 1)

  (func $fill (local $at i32) (local $x i64)
    (local.set $x (i64.const 0x9e3779b97f4a7c15))
    (loop $next
      (local.set $x (i64.add (i64.mul (local.get $x) (i64.const 6364136223846793005))
                             (i64.const 1442695040888963407)))
      (i64.store (local.get $at) (local.get $x))
      (local.set $at (i32.add (local.get $at) (i32.const 8)))
      (br_if $next (i32.lt_u (local.get $at) (i32.const 1024))))
    ;; An odd factor keeps the product's low half from becoming zero.
    (i64.store (i32.const 512) (i64.or (i64.load (i32.const 512)) (i64.const 1))))

  (func $sum (result i64) (local $at i32) (local $sum i64)
    (local.set $at (i32.const 1024))
    (loop $next
      (local.set $sum (i64.xor (local.get $sum) (i64.load (local.get $at))))
      (local.set $at (i32.add (local.get $at) (i32.const 8)))
      (br_if $next (i32.lt_u (local.get $at) (i32.const 2048))))
    (local.get $sum))

  (func $again
    (memory.copy (i32.const 0) (i32.const 1024) (i32.const 512))
    (memory.fill (i32.const 1024) (i32.const 0) (i32.const 1024)))

  ;; 64-bit limbs, products by wide arithmetic.
  (func (export "wide") (param $rounds i32) (result i64)
    (local $i i32) (local $j i32) (local $y i64) (local $low i64) (local $carry i64)
    (call $fill)
    (loop $round
      (local.set $i (i32.const 0))
      (loop $row
        (local.set $y (i64.load offset=512 (local.get $i)))
        (local.set $carry (i64.const 0))
        (local.set $j (i32.const 0))
        (loop $limb
          (i64.mul_wide_u (i64.load (local.get $j)) (local.get $y))
          (i64.add128 (i64.load offset=1024 (i32.add (local.get $i) (local.get $j))) (i64.const 0))
          (i64.add128 (local.get $carry) (i64.const 0))
          (local.set $carry)
          (local.set $low)
          (i64.store offset=1024 (i32.add (local.get $i) (local.get $j)) (local.get $low))
          (local.set $j (i32.add (local.get $j) (i32.const 8)))
          (br_if $limb (i32.lt_u (local.get $j) (i32.const 512))))
        (i64.store offset=1024 (i32.add (local.get $i) (local.get $j)) (local.get $carry))
        (local.set $i (i32.add (local.get $i) (i32.const 8)))
        (br_if $row (i32.lt_u (local.get $i) (i32.const 512))))
      (if (local.tee $rounds (i32.sub (local.get $rounds) (i32.const 1)))
        (then (call $again) (br $round))))
    (call $sum))

  ;; 64-bit limbs, products of four multiplications of their halves.
  (func (export "halves") (param $rounds i32) (result i64)
    (local $i i32) (local $j i32) (local $x i64) (local $y i64)
    (local $x_high i64) (local $y_high i64) (local $middle i64) (local $other i64)
    (local $low i64) (local $high i64) (local $old i64) (local $carry i64)
    (call $fill)
    (loop $round
      (local.set $i (i32.const 0))
      (loop $row
        (local.set $y (i64.load offset=512 (local.get $i)))
        (local.set $y_high (i64.shr_u (local.get $y) (i64.const 32)))
        (local.set $y (i64.and (local.get $y) (i64.const 0xffffffff)))
        (local.set $carry (i64.const 0))
        (local.set $j (i32.const 0))
        (loop $limb
          (local.set $x (i64.load (local.get $j)))
          (local.set $x_high (i64.shr_u (local.get $x) (i64.const 32)))
          (local.set $x (i64.and (local.get $x) (i64.const 0xffffffff)))
          (local.set $low (i64.mul (local.get $x) (local.get $y)))
          (local.set $middle (i64.add (i64.mul (local.get $x_high) (local.get $y))
                                      (i64.shr_u (local.get $low) (i64.const 32))))
          (local.set $other (i64.add (i64.mul (local.get $x) (local.get $y_high))
                                     (i64.and (local.get $middle) (i64.const 0xffffffff))))
          (local.set $high
            (i64.add (i64.add (i64.mul (local.get $x_high) (local.get $y_high))
                              (i64.shr_u (local.get $middle) (i64.const 32)))
                     (i64.shr_u (local.get $other) (i64.const 32))))
          (local.set $low (i64.or (i64.shl (local.get $other) (i64.const 32))
                                  (i64.and (local.get $low) (i64.const 0xffffffff))))
          (local.set $old (i64.load offset=1024 (i32.add (local.get $i) (local.get $j))))
          (local.set $low (i64.add (local.get $low) (local.get $old)))
          (local.set $high
            (i64.add (local.get $high)
                     (i64.extend_i32_u (i64.lt_u (local.get $low) (local.get $old)))))
          (local.set $low (i64.add (local.get $low) (local.get $carry)))
          (local.set $carry
            (i64.add (local.get $high)
                     (i64.extend_i32_u (i64.lt_u (local.get $low) (local.get $carry)))))
          (i64.store offset=1024 (i32.add (local.get $i) (local.get $j)) (local.get $low))
          (local.set $j (i32.add (local.get $j) (i32.const 8)))
          (br_if $limb (i32.lt_u (local.get $j) (i32.const 512))))
        (i64.store offset=1024 (i32.add (local.get $i) (local.get $j)) (local.get $carry))
        (local.set $i (i32.add (local.get $i) (i32.const 8)))
        (br_if $row (i32.lt_u (local.get $i) (i32.const 512))))
      (if (local.tee $rounds (i32.sub (local.get $rounds) (i32.const 1)))
        (then (call $again) (br $round))))
    (call $sum))

  ;; 32-bit limbs, whose products and carries fit 64 bits.
  (func (export "small") (param $rounds i32) (result i64)
    (local $i i32) (local $j i32) (local $y i64) (local $sum i64)
    (call $fill)
    (loop $round
      (local.set $i (i32.const 0))
      (loop $row
        (local.set $y (i64.load32_u offset=512 (local.get $i)))
        (local.set $sum (i64.const 0))
        (local.set $j (i32.const 0))
        (loop $limb
          (local.set $sum
            (i64.add (i64.mul (i64.load32_u (local.get $j)) (local.get $y))
                     (i64.add (i64.shr_u (local.get $sum) (i64.const 32))
                              (i64.load32_u offset=1024 (i32.add (local.get $i) (local.get $j))))))
          (i64.store32 offset=1024 (i32.add (local.get $i) (local.get $j)) (local.get $sum))
          (local.set $j (i32.add (local.get $j) (i32.const 4)))
          (br_if $limb (i32.lt_u (local.get $j) (i32.const 512))))
        (i64.store32 offset=1024 (i32.add (local.get $i) (local.get $j))
                     (i64.shr_u (local.get $sum) (i64.const 32)))
        (local.set $i (i32.add (local.get $i) (i32.const 4)))
        (br_if $row (i32.lt_u (local.get $i) (i32.const 512))))
      (if (local.tee $rounds (i32.sub (local.get $rounds) (i32.const 1)))
        (then (call $again) (br $round))))
    (call $sum)))
