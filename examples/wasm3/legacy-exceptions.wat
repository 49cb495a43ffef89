;; Exceptions as they were before they became part of the standard, as older compilers make them. A
;; division that has an answer for everything: what cannot be divided is caught.
;;
;; $ tenon run --feature legacy-exceptions=on --invoke divide examples/wasm3/legacy-exceptions.wat 42 6
;; 7
;; $ tenon run --feature legacy-exceptions=on --invoke divide examples/wasm3/legacy-exceptions.wat 42 0
;; 0
(module
  (tag $by_zero)
  (func $checked (param $x i32) (param $y i32) (result i32)
    (if (i32.eqz (local.get $y)) (then (throw $by_zero)))
    (i32.div_s (local.get $x) (local.get $y)))
  (func (export "divide") (param $x i32) (param $y i32) (result i32)
    try (result i32)
      (call $checked (local.get $x) (local.get $y))
    catch $by_zero
      (i32.const 0)
    end))
