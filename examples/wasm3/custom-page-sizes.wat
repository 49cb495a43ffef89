;; A memory of as many bytes as are needed: twelve for the months. The next byte is out of bounds.
;;
;; $ tenon run --invoke days examples/wasm3/custom-page-sizes.wat 2
;; 28
;; $ tenon run --invoke size examples/wasm3/custom-page-sizes.wat
;; 12
(module
  (memory 12 12 (pagesize 1))
  (data (i32.const 0) "\1f\1c\1f\1e\1f\1e\1f\1f\1e\1f\1e\1f")
  (func (export "days") (param $month i32) (result i32)
    (i32.load8_u (i32.sub (local.get $month) (i32.const 1))))
  (func (export "size") (result i32) (memory.size)))
