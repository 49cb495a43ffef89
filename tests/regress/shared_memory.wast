;; Threads: what several stores on several threads do with one shared memory. Every wait that could
;; last has a timeout of a minute, so that a lost notification fails instead of hanging.

(module $Mem
  (memory (export "shared") 1 4 shared)
  (func (export "load") (param i32) (result i32) (i32.atomic.load (local.get 0)))
  (func (export "size") (result i32) (memory.size)))

;; Both threads count to 100,000 in one cell, with and without a lock of their own making.
(thread $A (shared (module $Mem))
  (register "mem" $Mem)
  (module
    (memory (import "mem" "shared") 1 4 shared)
    (func $lock
      (block $done
        (loop $retry
          (br_if $done (i32.eqz (i32.atomic.rmw.cmpxchg (i32.const 16) (i32.const 0) (i32.const 1))))
          (drop (memory.atomic.wait32 (i32.const 16) (i32.const 1) (i64.const 1000000)))
          (br $retry))))
    (func $unlock
      (i32.atomic.store (i32.const 16) (i32.const 0))
      (drop (memory.atomic.notify (i32.const 16) (i32.const 1))))
    (func (export "count") (param $times i32)
      (loop $again
        (drop (i32.atomic.rmw.add (i32.const 0) (i32.const 1)))
        (drop (i64.atomic.rmw32.add_u (i32.const 4) (i64.const 1)))
        (drop (i32.atomic.rmw16.sub_u (i32.const 8) (i32.const 1)))
        (local.set $times (i32.sub (local.get $times) (i32.const 1)))
        (br_if $again (local.get $times))))
    (func (export "count_locked") (param $times i32)
      (loop $again
        (call $lock)
        (i32.store (i32.const 20) (i32.add (i32.load (i32.const 20)) (i32.const 1)))
        (call $unlock)
        (local.set $times (i32.sub (local.get $times) (i32.const 1)))
        (br_if $again (local.get $times)))))
  (invoke "count" (i32.const 50000))
  (invoke "count_locked" (i32.const 2000)))

(thread $B (shared (module $Mem))
  (register "mem" $Mem)
  (module
    (memory (import "mem" "shared") 1 4 shared)
    (func $lock
      (block $done
        (loop $retry
          (br_if $done (i32.eqz (i32.atomic.rmw.cmpxchg (i32.const 16) (i32.const 0) (i32.const 1))))
          (drop (memory.atomic.wait32 (i32.const 16) (i32.const 1) (i64.const 1000000)))
          (br $retry))))
    (func $unlock
      (i32.atomic.store (i32.const 16) (i32.const 0))
      (drop (memory.atomic.notify (i32.const 16) (i32.const 1))))
    (func (export "count") (param $times i32)
      (loop $again
        (drop (i32.atomic.rmw.add (i32.const 0) (i32.const 1)))
        (drop (i64.atomic.rmw32.add_u (i32.const 4) (i64.const 1)))
        (drop (i32.atomic.rmw16.sub_u (i32.const 8) (i32.const 1)))
        (local.set $times (i32.sub (local.get $times) (i32.const 1)))
        (br_if $again (local.get $times))))
    (func (export "count_locked") (param $times i32)
      (loop $again
        (call $lock)
        (i32.store (i32.const 20) (i32.add (i32.load (i32.const 20)) (i32.const 1)))
        (call $unlock)
        (local.set $times (i32.sub (local.get $times) (i32.const 1)))
        (br_if $again (local.get $times)))))
  (invoke "count" (i32.const 50000))
  (invoke "count_locked" (i32.const 2000)))

(wait $A)
(wait $B)
(assert_return (invoke $Mem "load" (i32.const 0)) (i32.const 100000))
(assert_return (invoke $Mem "load" (i32.const 4)) (i32.const 100000))
;; -100000 modulo 2^16
(assert_return (invoke $Mem "load" (i32.const 8)) (i32.const 31072))
(assert_return (invoke $Mem "load" (i32.const 20)) (i32.const 4000))

;; Growing is seen by the others, in the same instance of the same loop, and so are the new bytes.
(thread $Grower (shared (module $Mem))
  (register "mem" $Mem)
  (module
    (memory (import "mem" "shared") 1 4 shared)
    (func (export "run") (result i32)
      (local $before i32)
      (local.set $before (memory.grow (i32.const 2)))
      (i32.store (i32.const 0x2fffc) (i32.const 77))
      (i32.atomic.store (i32.const 64) (i32.const 1))
      (drop (memory.atomic.notify (i32.const 64) (i32.const -1)))
      (local.get $before)))
  (assert_return (invoke "run") (i32.const 1)))
(thread $Looker (shared (module $Mem))
  (register "mem" $Mem)
  (module
    (memory (import "mem" "shared") 1 4 shared)
    (func (export "run") (result i32)
      (loop $again
        (drop (memory.atomic.wait32 (i32.const 64) (i32.const 0) (i64.const 60000000000)))
        (br_if $again (i32.eqz (i32.atomic.load (i32.const 64)))))
      (i32.load (i32.const 0x2fffc)))
    (func (export "size") (result i32) (memory.size)))
  (assert_return (invoke "run") (i32.const 77))
  (assert_return (invoke "size") (i32.const 3)))
(wait $Grower)
(wait $Looker)
(assert_return (invoke $Mem "size") (i32.const 3))

;; Answers go back and forth.
(thread $Ping (shared (module $Mem))
  (register "mem" $Mem)
  (module
    (memory (import "mem" "shared") 1 4 shared)
    (func (export "run") (param $times i64) (result i32)
      (local $waited i32)
      (loop $again
        (i64.atomic.store (i32.const 128) (i64.const 1))
        (drop (memory.atomic.notify (i32.const 128) (i32.const 1)))
        (block $answered
          (loop $wait
            (br_if $answered (i64.eqz (i64.atomic.load (i32.const 128))))
            (local.set $waited
              (memory.atomic.wait64 (i32.const 128) (i64.const 1) (i64.const 60000000000)))
            (if (i32.eq (local.get $waited) (i32.const 2)) (then (return (i32.const 0))))
            (br $wait)))
        (local.set $times (i64.sub (local.get $times) (i64.const 1)))
        (br_if $again (i32.eqz (i64.eqz (local.get $times)))))
      (i32.const 1)))
  (assert_return (invoke "run" (i64.const 200)) (i32.const 1)))
(thread $Pong (shared (module $Mem))
  (register "mem" $Mem)
  (module
    (memory (import "mem" "shared") 1 4 shared)
    (func (export "run") (param $times i64) (result i32)
      (local $waited i32)
      (loop $again
        (block $asked
          (loop $wait
            (br_if $asked (i64.eq (i64.atomic.load (i32.const 128)) (i64.const 1)))
            (local.set $waited
              (memory.atomic.wait64 (i32.const 128) (i64.const 0) (i64.const 60000000000)))
            (if (i32.eq (local.get $waited) (i32.const 2)) (then (return (i32.const 0))))
            (br $wait)))
        (i64.atomic.store (i32.const 128) (i64.const 0))
        (drop (memory.atomic.notify (i32.const 128) (i32.const 1)))
        (local.set $times (i64.sub (local.get $times) (i64.const 1)))
        (br_if $again (i32.eqz (i64.eqz (local.get $times)))))
      (i32.const 1)))
  (assert_return (invoke "run" (i64.const 200)) (i32.const 1)))
(wait $Ping)
(wait $Pong)

;; Without another thread: what waiting returns, and when it traps.
(module
  (memory 1 1 shared)
  (func (export "wait32") (param i32 i32 i64) (result i32)
    (memory.atomic.wait32 (local.get 0) (local.get 1) (local.get 2)))
  (func (export "wait64") (param i32 i64 i64) (result i32)
    (memory.atomic.wait64 offset=8 (local.get 0) (local.get 1) (local.get 2)))
  (func (export "notify") (param i32 i32) (result i32)
    (memory.atomic.notify offset=65532 (local.get 0) (local.get 1))))
(assert_return (invoke "wait32" (i32.const 0) (i32.const 1) (i64.const -1)) (i32.const 1))
(assert_return (invoke "wait32" (i32.const 0) (i32.const 0) (i64.const 0)) (i32.const 2))
(assert_return (invoke "wait32" (i32.const 65532) (i32.const 0) (i64.const 1000)) (i32.const 2))
(assert_trap (invoke "wait32" (i32.const 65536) (i32.const 0) (i64.const 0)) "out of bounds memory access")
(assert_trap (invoke "wait32" (i32.const 65533) (i32.const 0) (i64.const 0)) "unaligned atomic")
(assert_trap (invoke "wait32" (i32.const -3) (i32.const 0) (i64.const 0)) "unaligned atomic")
(assert_return (invoke "wait64" (i32.const 0) (i64.const 1) (i64.const -1)) (i32.const 1))
(assert_trap (invoke "wait64" (i32.const 4) (i64.const 1) (i64.const -1)) "unaligned atomic")
(assert_trap (invoke "wait64" (i32.const -8) (i64.const 1) (i64.const -1)) "out of bounds memory access")
(assert_return (invoke "notify" (i32.const 0) (i32.const 1)) (i32.const 0))
(assert_trap (invoke "notify" (i32.const 4) (i32.const 1)) "out of bounds memory access")
(assert_trap (invoke "notify" (i32.const 2) (i32.const 1)) "unaligned atomic")

(module
  (memory 1 1)
  (func (export "wait32") (param i32) (result i32)
    (memory.atomic.wait32 (local.get 0) (i32.const 0) (i64.const 0)))
  (func (export "wait64") (param i32) (result i32)
    (memory.atomic.wait64 (local.get 0) (i64.const 0) (i64.const 0)))
  (func (export "notify") (param i32) (result i32)
    (memory.atomic.notify (local.get 0) (i32.const 1))))
(assert_trap (invoke "wait32" (i32.const 0)) "expected shared memory")
(assert_trap (invoke "wait64" (i32.const 0)) "expected shared memory")
(assert_trap (invoke "wait32" (i32.const 2)) "unaligned atomic")
(assert_return (invoke "notify" (i32.const 0)) (i32.const 0))
(assert_trap (invoke "notify" (i32.const 65536)) "out of bounds memory access")

;; Atomic instructions trap where others do, after the alignment has been looked at, and write
;; nothing then. In memories of every kind.
(module
  (memory $m32 1 1)
  (memory $m64 i64 1 1)
  (memory $bytes 13 13 (pagesize 1))
  (func (export "m32") (param i32) (result i64)
    (i64.atomic.rmw.xchg $m32 offset=8 (local.get 0) (i64.const -1)))
  (func (export "m64") (param i64) (result i64)
    (i64.atomic.rmw.cmpxchg $m64 offset=8 (local.get 0) (i64.const 0) (i64.const -1)))
  (func (export "m64 far") (param i64) (result i32)
    (i32.atomic.load8_u $m64 offset=0xffff_ffff_ffff_ff00 (local.get 0)))
  (func (export "bytes") (param i32) (result i32)
    (i32.atomic.rmw.or $bytes (local.get 0) (i32.const -1)))
  (func (export "byte") (param i32) (result i32)
    (i32.atomic.rmw8.add_u $bytes (local.get 0) (i32.const 1))))
(assert_return (invoke "m32" (i32.const 65520)) (i64.const 0))
(assert_return (invoke "m32" (i32.const 65520)) (i64.const -1))
(assert_trap (invoke "m32" (i32.const 65528)) "out of bounds memory access")
(assert_trap (invoke "m32" (i32.const -8)) "out of bounds memory access")
(assert_trap (invoke "m32" (i32.const 65524)) "unaligned atomic")
(assert_trap (invoke "m32" (i32.const -4)) "unaligned atomic")
(assert_return (invoke "m64" (i64.const 65520)) (i64.const 0))
(assert_return (invoke "m64" (i64.const 65520)) (i64.const -1))
(assert_trap (invoke "m64" (i64.const 65528)) "out of bounds memory access")
(assert_trap (invoke "m64" (i64.const -8)) "out of bounds memory access")
(assert_trap (invoke "m64" (i64.const -16)) "out of bounds memory access")
(assert_trap (invoke "m64" (i64.const 65521)) "unaligned atomic")
(assert_trap (invoke "m64 far" (i64.const 0)) "out of bounds memory access")
(assert_trap (invoke "m64 far" (i64.const 255)) "out of bounds memory access")
(assert_trap (invoke "m64 far" (i64.const 256)) "out of bounds memory access")
(assert_return (invoke "bytes" (i32.const 8)) (i32.const 0))
(assert_return (invoke "byte" (i32.const 11)) (i32.const 255))
(assert_return (invoke "byte" (i32.const 12)) (i32.const 0))
(assert_trap (invoke "byte" (i32.const 13)) "out of bounds memory access")
(assert_trap (invoke "bytes" (i32.const 12)) "out of bounds memory access")
(assert_trap (invoke "bytes" (i32.const 10)) "unaligned atomic")

;; Memories that do not match are refused.
(module $Shared (memory (export "m") 1 2 shared))
(register "shared" $Shared)
(module (import "shared" "m" (memory 1 2 shared)))
(module (import "shared" "m" (memory 0 3 shared)))
(assert_unlinkable (module (import "shared" "m" (memory 1 2))) "incompatible import type")
(assert_unlinkable (module (import "shared" "m" (memory 1 1 shared))) "incompatible import type")
(assert_unlinkable (module (import "shared" "m" (memory i64 1 2 shared))) "incompatible import type")
(assert_invalid (module (memory 1 shared)) "shared memory must have maximum")
