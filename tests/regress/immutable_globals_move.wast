;; A global that never changes refers to an object that moves: the reference must be read again
;; after every allocation.
(module
  (type $s (struct (field (mut i32))))
  (global $g (ref $s) (struct.new $s (i32.const 0)))
  (func (export "f") (param $n i32) (result i32) (local $object (ref null $s))
    (local.set $object (global.get $g))
    (loop $fill
      (drop (struct.new $s (local.get $n)))
      (local.set $n (i32.sub (local.get $n) (i32.const 1)))
      (br_if $fill (local.get $n)))
    (struct.set $s 0 (global.get $g) (i32.const 7))
    (struct.get $s 0 (local.get $object))))
(assert_return (invoke "f" (i32.const 2)) (i32.const 7))
(assert_return (invoke "f" (i32.const 100000)) (i32.const 7))
