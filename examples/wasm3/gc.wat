;; Trees of objects that the engine frees: builds full binary trees of all depths up to one, counts
;; the nodes of each, and lets go of them.
;;
;; $ tenon run --invoke nodes examples/wasm3/gc.wat 10
;; 2047
;; $ tenon run --invoke nodes_of_all examples/wasm3/gc.wat 15
;; 131054
(module
  (rec (type $tree (struct (field $left (ref null $tree)) (field $right (ref null $tree)))))

  (func $build (param $depth i32) (result (ref $tree))
    (if (i32.eqz (local.get $depth))
      (then (return (struct.new_default $tree))))
    (local.set $depth (i32.sub (local.get $depth) (i32.const 1)))
    (struct.new $tree (call $build (local.get $depth)) (call $build (local.get $depth))))

  (func $count (param $tree (ref null $tree)) (result i32)
    (block $leaf
      (br_on_null $leaf (local.get $tree))
      (drop)
      (return
        (i32.add (i32.const 1)
          (i32.add
            (call $count (struct.get $tree $left (local.get $tree)))
            (call $count (struct.get $tree $right (local.get $tree)))))))
    (i32.const 0))

  (func (export "nodes") (param $depth i32) (result i32)
    (call $count (call $build (local.get $depth))))

  (func (export "nodes_of_all") (param $depth i32) (result i32) (local $sum i32)
    (loop $next
      (local.set $sum (i32.add (local.get $sum) (call $count (call $build (local.get $depth)))))
      (local.set $depth (i32.sub (local.get $depth) (i32.const 1)))
      (br_if $next (i32.ge_s (local.get $depth) (i32.const 0))))
    (local.get $sum)))
