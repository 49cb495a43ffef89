;; The legacy form of exceptions: try, catch, catch_all, delegate, rethrow.

(module
  (tag $e0)
  (tag $e1)
  (tag $i (param i32))
  (tag $many (param i32 i64 f32 f64 v128 externref funcref))

  (func $throw-if (param i32 i32)
    (if (i32.eq (local.get 0) (i32.const 1)) (then (throw $e0)))
    (if (i32.eq (local.get 0) (i32.const 2)) (then (throw $e1)))
    (if (i32.eq (local.get 0) (i32.const 3)) (then (throw $i (local.get 1))))
    (if (i32.eq (local.get 0) (i32.const 4)) (then unreachable)))

  ;; Clauses are tried in order, and catch what calls throw.
  (func (export "clauses") (param i32 i32) (result i32)
    try (result i32)
      (call $throw-if (local.get 0) (local.get 1))
      (i32.const 100)
    catch $e0
      (i32.const 200)
    catch $i
    catch_all
      (i32.const 300)
    end)

  ;; Without a clause nothing is caught.
  (func (export "no-clause") (param i32)
    try
      (call $throw-if (local.get 0) (i32.const 0))
    end)

  ;; What a clause throws, its own try does not catch.
  (func (export "throw-in-clause") (param i32) (result i32)
    try (result i32)
      try (result i32)
        (call $throw-if (local.get 0) (i32.const 0))
        (i32.const 1)
      catch $e0
        (throw $e1)
      catch $e1
        (i32.const 2)
      end
    catch $e1
      (i32.const 3)
    end)

  ;; The try's parameters and locals survive.
  (func (export "values") (param i32) (result i32 i32)
    (local $x i32)
    (i32.const 7)
    (i32.const 11)
    try (param i32) (result i32)
      (local.set $x (i32.const 5))
      (call $throw-if (local.get 0) (i32.const 0))
      (local.set $x (i32.const 6))
    catch $e0
      (local.get $x)
    end)

  (func (export "rethrow") (param i32) (result i32)
    try (result i32)
      try (result i32)
        (call $throw-if (local.get 0) (i32.const 42))
        (i32.const 1)
      catch $e0
        (rethrow 0)
      catch $i
        (drop)
        (rethrow 0)
      end
    catch $e0
      (i32.const 2)
    catch $i
    end)

  ;; rethrow names the exception of an outer clause.
  (func (export "rethrow-outer") (result i32)
    try (result i32)
      try (result i32)
        (throw $i (i32.const 13))
      catch $i
        (drop)
        try (result i32)
          (throw $e0)
        catch $e0
          (rethrow 1)
        end
      end
    catch $e0
      (i32.const -1)
    catch $i
    end)

  (func (export "rethrow-twice") (result i32)
    (local $n i32)
    try (result i32)
      try (result i32)
        try (result i32)
          (throw $i (i32.const 17))
        catch_all
          (local.set $n (i32.add (local.get $n) (i32.const 100)))
          (rethrow 0)
        end
      catch_all
        (local.set $n (i32.add (local.get $n) (i32.const 100)))
        (rethrow 0)
      end
    catch $i
      (i32.add (local.get $n))
    end)

  ;; delegate skips the tries in between.
  (func (export "delegate") (param i32) (result i32)
    try $outer (result i32)
      try $skipped (result i32)
        try (result i32)
          (call $throw-if (local.get 0) (i32.const 0))
          (i32.const 1)
        delegate $outer
      catch $e0
        (i32.const 2)
      end
    catch $e0
      (i32.const 3)
    end)

  (func (export "delegate-to-block") (param i32) (result i32)
    try $outer (result i32)
      block $b (result i32)
        try $skipped (result i32)
          try (result i32)
            (call $throw-if (local.get 0) (i32.const 0))
            (i32.const 1)
          delegate $b
        catch_all
          (i32.const 2)
        end
      end
    catch_all
      (i32.const 3)
    end)

  (func $delegate-to-caller (param i32)
    try $skipped
      try
        (call $throw-if (local.get 0) (i32.const 0))
      delegate 1
    catch_all
    end)
  (func (export "delegate-to-caller") (param i32) (result i32)
    try (result i32)
      (call $delegate-to-caller (local.get 0))
      (i32.const 1)
    catch_all
      (i32.const 2)
    end)

  ;; delegate of a delegate
  (func (export "delegate-delegate") (param i32) (result i32)
    try $a (result i32)
      try $b (result i32)
        try $c (result i32)
          try (result i32)
            (call $throw-if (local.get 0) (i32.const 0))
            (i32.const 1)
          delegate $c
        delegate $a
      catch_all
        (i32.const 2)
      end
    catch_all
      (i32.const 3)
    end)

  ;; A try in a clause that was entered delegates past it.
  (func (export "delegate-in-clause") (result i32)
    try $outer (result i32)
      try $inner (result i32)
        (throw $e0)
      catch $e0
        try (result i32)
          (throw $e0)
        delegate $inner
      end
    catch $e0
      (i32.const 3)
    end)

  ;; Where nothing reaches.
  (func (export "dead") (result i32)
    try (result i32)
      (return (i32.const 1))
    catch $i
      try (result i32)
        (throw $e0)
      catch_all
        (rethrow 0)
      end
      (drop)
    catch_all
      (i32.const 3)
    end
    try (result i32)
      (i32.const 5)
    delegate 0
    (return)
    try
      try
        (throw $e1)
      delegate 0
    catch $i
      (drop)
    end)

  (func (export "branch-out") (param i32) (result i32)
    block $b (result i32)
      try (result i32)
        (br_if $b (i32.const 9) (local.get 0))
        (drop)
        (throw $i (i32.const 8))
      catch $i
        (br $b)
      end
    end)

  (func (export "loop") (param i32) (result i32)
    (local $caught i32)
    (loop $l
      try
        (throw $i (local.get 0))
      catch $i
        (local.set $caught (i32.add (local.get $caught)))
      end
      (br_if $l (local.tee 0 (i32.sub (local.get 0) (i32.const 1)))))
    (local.get $caught))

  (func $f (export "f"))
  (func (export "all-values") (param externref) (result i32 i64 f32 f64 v128 externref funcref)
    try (result i32 i64 f32 f64 v128 externref funcref)
      (throw $many (i32.const -1) (i64.const -2) (f32.const 3.5) (f64.const -4.5)
        (v128.const i32x4 1 2 3 4) (local.get 0) (ref.func $f))
    catch $many
    end)

  ;; In the same function as the standard form.
  (func (export "both-forms") (result i32)
    (block $h (result i32)
      (try_table (result i32) (catch $i $h)
        try (result i32)
          (throw $i (i32.const 21))
        catch $e0
          (i32.const 1)
        end)
      (drop)
      (i32.const 2)))
)

(assert_return (invoke "clauses" (i32.const 0) (i32.const 0)) (i32.const 100))
(assert_return (invoke "clauses" (i32.const 1) (i32.const 0)) (i32.const 200))
(assert_return (invoke "clauses" (i32.const 2) (i32.const 0)) (i32.const 300))
(assert_return (invoke "clauses" (i32.const 3) (i32.const 77)) (i32.const 77))
(assert_trap (invoke "clauses" (i32.const 4) (i32.const 0)) "unreachable")
(assert_return (invoke "no-clause" (i32.const 0)))
(assert_exception (invoke "no-clause" (i32.const 1)))
(assert_return (invoke "throw-in-clause" (i32.const 0)) (i32.const 1))
(assert_return (invoke "throw-in-clause" (i32.const 1)) (i32.const 3))
(assert_return (invoke "throw-in-clause" (i32.const 2)) (i32.const 2))
(assert_exception (invoke "throw-in-clause" (i32.const 3)))
(assert_return (invoke "values" (i32.const 0)) (i32.const 7) (i32.const 11))
(assert_return (invoke "values" (i32.const 1)) (i32.const 7) (i32.const 5))
(assert_return (invoke "rethrow" (i32.const 0)) (i32.const 1))
(assert_return (invoke "rethrow" (i32.const 1)) (i32.const 2))
(assert_return (invoke "rethrow" (i32.const 3)) (i32.const 42))
(assert_exception (invoke "rethrow" (i32.const 2)))
(assert_return (invoke "rethrow-outer") (i32.const 13))
(assert_return (invoke "rethrow-twice") (i32.const 217))
(assert_return (invoke "delegate" (i32.const 0)) (i32.const 1))
(assert_return (invoke "delegate" (i32.const 1)) (i32.const 3))
(assert_exception (invoke "delegate" (i32.const 2)))
(assert_return (invoke "delegate-to-block" (i32.const 1)) (i32.const 3))
(assert_return (invoke "delegate-to-caller" (i32.const 0)) (i32.const 1))
(assert_return (invoke "delegate-to-caller" (i32.const 1)) (i32.const 2))
(assert_return (invoke "delegate-delegate" (i32.const 1)) (i32.const 3))
(assert_return (invoke "delegate-in-clause") (i32.const 3))
(assert_return (invoke "dead") (i32.const 1))
(assert_return (invoke "branch-out" (i32.const 1)) (i32.const 9))
(assert_return (invoke "branch-out" (i32.const 0)) (i32.const 8))
(assert_return (invoke "loop" (i32.const 1000)) (i32.const 500500))
(assert_return (invoke "all-values" (ref.extern 5))
  (i32.const -1) (i64.const -2) (f32.const 3.5) (f64.const -4.5) (v128.const i32x4 1 2 3 4)
  (ref.extern 5) (ref.func))
(assert_return (invoke "both-forms") (i32.const 21))

(assert_invalid (module (func (rethrow 0))) "invalid rethrow label")
(assert_invalid (module (tag $i (param i32)) (func try catch $i end)) "type mismatch")
