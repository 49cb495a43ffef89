;; The scalar product of two vectors of 1000 floats, four at a time, each product added in one
;; instruction where the machine has one. The numbers are small, so that the result is the same.
;;
;; $ tenon run --invoke product examples/wasm3/relaxed-simd.wat
;; 332833500
;; $ tenon run --relaxed-simd-deterministic --invoke rounded examples/wasm3/relaxed-simd.wat 1e10
;; 2147483647
(module
  (memory 1)
  (global $bytes i32 (i32.const 4000))

  ;; Both vectors are 0, 1, 2 …
  (func $fill (local $i i32)
    (loop $next
      (f32.store (i32.shl (local.get $i) (i32.const 2)) (f32.convert_i32_u (local.get $i)))
      (local.set $i (i32.add (local.get $i) (i32.const 1)))
      (br_if $next (i32.lt_u (i32.shl (local.get $i) (i32.const 2)) (global.get $bytes)))))

  (func (export "product") (result f64) (local $at i32) (local $sum v128) (local $other v128)
    (call $fill)
    (loop $next
      (local.set $sum
        (f64x2.relaxed_madd
          (f64x2.promote_low_f32x4 (v128.load64_zero (local.get $at)))
          (f64x2.promote_low_f32x4 (v128.load64_zero (local.get $at)))
          (local.get $sum)))
      (local.set $other
        (f64x2.relaxed_madd
          (f64x2.promote_low_f32x4 (v128.load64_zero offset=8 (local.get $at)))
          (f64x2.promote_low_f32x4 (v128.load64_zero offset=8 (local.get $at)))
          (local.get $other)))
      (local.set $at (i32.add (local.get $at) (i32.const 16)))
      (br_if $next (i32.lt_u (local.get $at) (global.get $bytes))))
    (local.set $sum (f64x2.add (local.get $sum) (local.get $other)))
    (f64.add
      (f64x2.extract_lane 0 (local.get $sum))
      (f64x2.extract_lane 1 (local.get $sum))))

  ;; What is too large becomes the largest number, if the same is wanted on every machine.
  (func (export "rounded") (param f32) (result i32)
    (i32x4.extract_lane 0 (i32x4.relaxed_trunc_f32x4_s (f32x4.splat (local.get 0))))))
