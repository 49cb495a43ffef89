;; A memory and a table with 64-bit addresses: numbers are sorted where they lie, by an order that
;; comes from the table. An address that 32 bits cannot hold is out of bounds, not another one.
;;
;; $ tenon run --invoke sorted examples/wasm3/memory64.wat 0
;; 2
;; 3
;; 5
;; 7
;; $ tenon run --invoke sorted examples/wasm3/memory64.wat 1
;; 7
;; 5
;; 3
;; 2
;; $ tenon run --invoke is_within examples/wasm3/memory64.wat 8 0x100000000
;; 1
;; 0
(module
  (type $order (func (param i64 i64) (result i32)))
  (memory i64 1)
  (data (i64.const 0) "\05\00\00\00\00\00\00\00\02\00\00\00\00\00\00\00"
                      "\07\00\00\00\00\00\00\00\03\00\00\00\00\00\00\00")
  (table $orders i64 2 funcref)
  (elem (table $orders) (i64.const 0) func $less $greater)
  (func $less (type $order) (i64.lt_u (local.get 0) (local.get 1)))
  (func $greater (type $order) (i64.gt_u (local.get 0) (local.get 1)))

  ;; Each number moves down to its place among those before it.
  (func (export "sorted") (param $order i64) (result i64 i64 i64 i64)
    (local $i i64) (local $j i64) (local $x i64)
    (local.set $i (i64.const 8))
    (loop $next
      (local.set $x (i64.load (local.get $i)))
      (local.set $j (local.get $i))
      (block $placed
        (loop $down
          (br_if $placed (i64.eqz (local.get $j)))
          (br_if $placed
            (i32.eqz (call_indirect $orders (type $order)
              (local.get $x) (i64.load (i64.sub (local.get $j) (i64.const 8)))
              (local.get $order))))
          (i64.store (local.get $j) (i64.load (i64.sub (local.get $j) (i64.const 8))))
          (local.set $j (i64.sub (local.get $j) (i64.const 8)))
          (br $down)))
      (i64.store (local.get $j) (local.get $x))
      (local.set $i (i64.add (local.get $i) (i64.const 8)))
      (br_if $next (i64.lt_u (local.get $i) (i64.const 32))))
    (i64.load (i64.const 0)) (i64.load (i64.const 8))
    (i64.load (i64.const 16)) (i64.load (i64.const 24)))

  (func $is_inside (param $address i64) (result i32)
    (i64.lt_u (local.get $address) (i64.mul (memory.size) (i64.const 65536))))
  (func (export "is_within") (param i64 i64) (result i32 i32)
    (call $is_inside (local.get 0)) (call $is_inside (local.get 1))))
