;; Factorials in 128 bits: the low half of the result, and the high one. 34! is the last that fits.
;;
;; $ tenon run --invoke factorial examples/wasm3/wide-arithmetic.wat 20
;; 2432902008176640000
;; 0
;; $ tenon run --invoke factorial examples/wasm3/wide-arithmetic.wat 34
;; 4926277576697053184
;; -2442141968323793790
(module
  (func (export "factorial") (param $n i64) (result i64 i64) (local $low i64) (local $high i64)
    (local.set $low (i64.const 1))
    (loop $next
      ;; The low half's product is 128 bits wide; of the high half's, the low 64 bits count.
      (i64.mul_wide_u (local.get $low) (local.get $n))
      (i64.add128 (i64.const 0) (i64.mul (local.get $high) (local.get $n)))
      (local.set $high)
      (local.set $low)
      (local.set $n (i64.sub (local.get $n) (i64.const 1)))
      (br_if $next (i64.gt_u (local.get $n) (i64.const 1))))
    (local.get $low) (local.get $high)))
