;; A function that takes a function: the area below a curve, for any curve. What is called has the
;; right type, so nothing is checked when it is.
;;
;; $ tenon run --invoke below_parabola examples/wasm3/function-references.wat 0 3
;; 9
;; $ tenon run --invoke below_line examples/wasm3/function-references.wat 0 4
;; 16
(module
  (type $curve (func (param f64) (result f64)))
  (elem declare func $square $double)
  (func $square (param $x f64) (result f64) (f64.mul (local.get $x) (local.get $x)))
  (func $double (param $x f64) (result f64) (f64.add (local.get $x) (local.get $x)))

  ;; Simpson's rule, which is exact for such simple curves.
  (func $area (param $f (ref $curve)) (param $from f64) (param $to f64) (result f64)
    (f64.mul
      (f64.div (f64.sub (local.get $to) (local.get $from)) (f64.const 6))
      (f64.add
        (f64.add
          (call_ref $curve (local.get $from) (local.get $f))
          (call_ref $curve (local.get $to) (local.get $f)))
        (f64.mul (f64.const 4)
          (call_ref $curve
            (f64.div (f64.add (local.get $from) (local.get $to)) (f64.const 2))
            (local.get $f))))))

  (func (export "below_parabola") (param f64 f64) (result f64)
    (call $area (ref.func $square) (local.get 0) (local.get 1)))
  (func (export "below_line") (param f64 f64) (result f64)
    (call $area (ref.func $double) (local.get 0) (local.get 1))))
