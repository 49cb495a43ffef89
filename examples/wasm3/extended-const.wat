;; A layout that computes itself: where each part of the memory begins follows from the sizes of
;; those before, also for the data.
;;
;; $ tenon run --invoke layout examples/wasm3/extended-const.wat
;; 1024
;; 3584
;; 5632
;; $ tenon run --invoke first_letter examples/wasm3/extended-const.wat
;; 87
(module
  (memory 1)
  (global $stack i32 (i32.const 1024))
  (global $table i32 (i32.add (i32.const 1024) (i32.mul (i32.const 10) (i32.const 256))))
  (global $heap i32
    (i32.add (i32.const 1024)
      (i32.add
        (i32.mul (i32.const 10) (i32.const 256))
        (i32.mul (i32.sub (i32.const 257) (i32.const 1)) (i32.const 8)))))
  (data (i32.add (i32.const 5632) (i32.const 16)) "Wasm")
  (func (export "layout") (result i32 i32 i32)
    (global.get $stack) (global.get $table) (global.get $heap))
  (func (export "first_letter") (result i32)
    (i32.load8_u offset=16 (global.get $heap))))
