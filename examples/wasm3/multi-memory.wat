;; Two memories: a text in disguise lies where the outside does not see it, and is written in plain
;; to the memory that WASI reads from.
;;
;; $ tenon run examples/wasm3/multi-memory.wat
;; Two memories are better than one.
(module
  (import "wasi_snapshot_preview1" "fd_write"
    (func $fd_write (param i32 i32 i32 i32) (result i32)))
  (memory $shown (export "memory") 1)
  (memory $hidden 1)
  (data (memory $hidden) (i32.const 0) "Gjb zrzbevrf ner orggre guna bar.\n")
  (global $length i32 (i32.const 34))

  ;; A letter 13 further on in the alphabet; what is no letter stays.
  (func $rotate (param $char i32) (result i32) (local $letter i32)
    (local.set $letter
      (i32.sub (i32.or (local.get $char) (i32.const 0x20)) (i32.const 97)))
    (if (i32.ge_u (local.get $letter) (i32.const 26)) (then (return (local.get $char))))
    (i32.add
      (i32.sub (local.get $char) (local.get $letter))
      (i32.rem_u (i32.add (local.get $letter) (i32.const 13)) (i32.const 26))))

  (func (export "_start") (local $i i32)
    (loop $next
      (i32.store8 $shown offset=16 (local.get $i)
        (call $rotate (i32.load8_u $hidden (local.get $i))))
      (local.set $i (i32.add (local.get $i) (i32.const 1)))
      (br_if $next (i32.lt_u (local.get $i) (global.get $length))))
    ;; One piece to write: where it is, and how long.
    (i32.store $shown (i32.const 0) (i32.const 16))
    (i32.store $shown (i32.const 4) (global.get $length))
    (drop (call $fd_write (i32.const 1) (i32.const 0) (i32.const 1) (i32.const 8)))))
