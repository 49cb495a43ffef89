;; More results than there are registers for them.
(module
  (func $many (result i32 i64 f32 f64 i32 i64 f32 f64 i32 i64)
    (i32.const 1) (i64.const 2) (f32.const 3) (f64.const 4) (i32.const 5)
    (i64.const 6) (f32.const 7) (f64.const 8) (i32.const 9) (i64.const 10))
  (func (export "many") (result i32 i64 f32 f64 i32 i64 f32 f64 i32 i64) (call $many))
  (func (export "tail") (result i32 i64 f32 f64 i32 i64 f32 f64 i32 i64) (return_call $many))
)
(assert_return (invoke "many")
  (i32.const 1) (i64.const 2) (f32.const 3) (f64.const 4) (i32.const 5)
  (i64.const 6) (f32.const 7) (f64.const 8) (i32.const 9) (i64.const 10))
(assert_return (invoke "tail")
  (i32.const 1) (i64.const 2) (f32.const 3) (f64.const 4) (i32.const 5)
  (i64.const 6) (f32.const 7) (f64.const 8) (i32.const 9) (i64.const 10))
