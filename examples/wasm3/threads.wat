;; Atomic instructions on a memory that threads can share: a counter, a lock that can be taken once,
;; and nobody to wake.
;;
;; $ tenon run --invoke count_to examples/wasm3/threads.wat 1000
;; 1000
;; $ tenon run --invoke lock_twice examples/wasm3/threads.wat
;; 1
;; 0
;; $ tenon run --invoke wake examples/wasm3/threads.wat
;; 0
(module
  (memory 1 1 shared)

  (func (export "count_to") (param $n i32) (result i32)
    (loop $next
      (br_if $next
        (i32.lt_u
          (i32.add (i32.atomic.rmw.add (i32.const 0) (i32.const 1)) (i32.const 1))
          (local.get $n))))
    (atomic.fence)
    (i32.atomic.load (i32.const 0)))

  ;; Whether the lock was free; it is taken now.
  (func $lock (result i32)
    (i32.eqz (i32.atomic.rmw.cmpxchg (i32.const 8) (i32.const 0) (i32.const 1))))
  (func (export "lock_twice") (result i32 i32) (call $lock) (call $lock))

  (func (export "wake") (result i32)
    (i32.atomic.store (i32.const 8) (i32.const 0))
    (memory.atomic.notify (i32.const 8) (i32.const 10))))
