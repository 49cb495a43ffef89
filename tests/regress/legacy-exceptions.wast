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

;; Delegating to every depth: what catches is counted from the inside.
(module
  (tag $e)
  (tag $i (param i32))
  (func $throw (param i32)
    (if (i32.eq (local.get 0) (i32.const 1)) (then (throw $e)))
    (if (i32.eq (local.get 0) (i32.const 2)) (then (throw $i (i32.const 9)))))

  (func (export "to-0") (param i32) (result i32)
    try (result i32)
      try (result i32)
        try (result i32)
          try (result i32) (call $throw (local.get 0)) (i32.const 0) delegate 0
        catch_all (i32.const 1) end
      catch_all (i32.const 2) end
    catch_all (i32.const 3) end)
  (func (export "to-1") (param i32) (result i32)
    try (result i32)
      try (result i32)
        try (result i32)
          try (result i32) (call $throw (local.get 0)) (i32.const 0) delegate 1
        catch_all (i32.const 1) end
      catch_all (i32.const 2) end
    catch_all (i32.const 3) end)
  (func (export "to-2") (param i32) (result i32)
    try (result i32)
      try (result i32)
        try (result i32)
          try (result i32) (call $throw (local.get 0)) (i32.const 0) delegate 2
        catch_all (i32.const 1) end
      catch_all (i32.const 2) end
    catch_all (i32.const 3) end)
  (func $to-function (export "to-function") (param i32) (result i32)
    try (result i32)
      try (result i32)
        try (result i32)
          try (result i32) (call $throw (local.get 0)) (i32.const 0) delegate 3
        catch_all (i32.const 1) end
      catch_all (i32.const 2) end
    catch_all (i32.const 3) end)
  (func (export "to-function-of-caller") (param i32) (result i32)
    try (result i32) (call $to-function (local.get 0)) catch $e (i32.const 4) end)

  ;; Each level catches one tag only; what it does not catch goes on outwards.
  (func (export "by-tag") (param i32) (result i32)
    try (result i32)
      try (result i32)
        try (result i32)
          try (result i32) (call $throw (local.get 0)) (i32.const 0) delegate 0
        catch $i (drop) (i32.const 1) end
      catch $e (i32.const 2) end
    catch_all (i32.const 3) end)

  ;; Blocks, loops and ifs count as depths, and catch nothing.
  (func (export "past-blocks") (param i32) (result i32)
    try (result i32)
      block (result i32)
        loop (result i32)
          (if (result i32) (i32.const 1)
            (then
              try (result i32)
                try (result i32) (call $throw (local.get 0)) (i32.const 0) delegate 2
              catch_all (i32.const 1) end)
            (else (i32.const 5)))
        end
      end
    catch_all (i32.const 3) end)
  (func (export "to-inner-if") (param i32) (result i32)
    try (result i32)
      (if (result i32) (i32.const 1)
        (then
          try (result i32)
            try (result i32) (call $throw (local.get 0)) (i32.const 0) delegate 1
          catch_all (i32.const 1) end)
        (else (i32.const 5)))
    catch_all (i32.const 3) end)

  ;; Delegates that follow each other, and one to a try that delegates itself.
  (func (export "in-a-row") (param i32) (result i32)
    try (result i32)
      try (result i32)
        try (result i32)
          try (result i32)
            try (result i32) (call $throw (local.get 0)) (i32.const 0) delegate 0
          delegate 1
        catch_all (i32.const 1) end
      delegate 0
    catch $e (i32.const 3) end)

  ;; A delegate in a clause, to the clause's own try: that has caught already.
  (func (export "out-of-a-clause") (param i32) (result i32)
    try (result i32)
      try (result i32)
        (throw $i (i32.const 7))
      catch $i
        (drop)
        try (result i32) (call $throw (local.get 0)) (i32.const 0) delegate 0
      end
    catch_all (i32.const 3) end)

  ;; With parameters, and locals as they were at the call.
  (func (export "with-values") (param i32) (result i32 i32)
    (local $seen i32)
    try (result i32 i32)
      (i32.const 30)
      try (param i32) (result i32)
        (local.set $seen (i32.const 1))
        (call $throw (local.get 0))
        (local.set $seen (i32.const 2))
      delegate 0
      (local.get $seen)
    catch_all (i32.const 40) (local.get $seen) end)
)

(assert_return (invoke "to-0" (i32.const 0)) (i32.const 0))
(assert_return (invoke "to-0" (i32.const 1)) (i32.const 1))
(assert_return (invoke "to-0" (i32.const 2)) (i32.const 1))
(assert_return (invoke "to-1" (i32.const 0)) (i32.const 0))
(assert_return (invoke "to-1" (i32.const 1)) (i32.const 2))
(assert_return (invoke "to-1" (i32.const 2)) (i32.const 2))
(assert_return (invoke "to-2" (i32.const 0)) (i32.const 0))
(assert_return (invoke "to-2" (i32.const 1)) (i32.const 3))
(assert_return (invoke "to-2" (i32.const 2)) (i32.const 3))
(assert_return (invoke "to-function" (i32.const 0)) (i32.const 0))
(assert_exception (invoke "to-function" (i32.const 1)))
(assert_exception (invoke "to-function" (i32.const 2)))
(assert_return (invoke "to-function-of-caller" (i32.const 1)) (i32.const 4))
(assert_exception (invoke "to-function-of-caller" (i32.const 2)))
(assert_return (invoke "by-tag" (i32.const 0)) (i32.const 0))
(assert_return (invoke "by-tag" (i32.const 1)) (i32.const 2))
(assert_return (invoke "by-tag" (i32.const 2)) (i32.const 1))
(assert_return (invoke "past-blocks" (i32.const 0)) (i32.const 0))
(assert_return (invoke "past-blocks" (i32.const 1)) (i32.const 3))
(assert_return (invoke "to-inner-if" (i32.const 2)) (i32.const 3))
(assert_return (invoke "in-a-row" (i32.const 1)) (i32.const 3))
(assert_exception (invoke "in-a-row" (i32.const 2)))
(assert_return (invoke "out-of-a-clause" (i32.const 0)) (i32.const 0))
(assert_return (invoke "out-of-a-clause" (i32.const 1)) (i32.const 3))
(assert_return (invoke "with-values" (i32.const 0)) (i32.const 30) (i32.const 2))
(assert_return (invoke "with-values" (i32.const 1)) (i32.const 40) (i32.const 1))

;; Clauses inside of clauses, and which of their exceptions is thrown again.
(module
  (tag $i (param i32))
  (tag $many (param i32 i64 f64 i32))
  (func (export "rethrow-of") (param $which i32) (result i32)
    try (result i32)
      try
        (throw $i (i32.const 100))
      catch $i
        (drop)
        try
          (throw $i (i32.const 200))
        catch $i
          (drop)
          try
            (throw $i (i32.const 300))
          catch $i
            (drop)
            (if (i32.eq (local.get $which) (i32.const 0)) (then (rethrow 1)))
            block $b
              (if (i32.eq (local.get $which) (i32.const 1)) (then (rethrow 3)))
            end
            (if (i32.eq (local.get $which) (i32.const 2)) (then (rethrow 3)))
          end
        end
      end
      (i32.const 0)
    catch $i end)

  ;; What is thrown again leaves the clauses that are open, and the inner try does not catch it.
  (func (export "rethrow-past-a-try") (result i32)
    try (result i32)
      try (result i32)
        (throw $i (i32.const 1))
      catch $i
        (drop)
        try (result i32)
          try (result i32)
            (rethrow 2)
          catch $i
            (i32.add (i32.const 10))
          end
        catch_all
          (i32.const -1)
        end
      end
    catch $i
      (i32.add (i32.const 1000))
    end)

  ;; A clause changes locals and throws again what carries the old value.
  (func (export "rethrow-keeps-values") (param i32) (result i32)
    try (result i32)
      try (result i32)
        (throw $i (local.get 0))
      catch $i
        (local.set 0 (i32.mul (i32.const 2)))
        (rethrow 0)
      end
    catch $i
      (i32.add (local.get 0))
    end)

  (func (export "rethrow-in-a-loop") (param $times i32) (result i32)
    (local $sum i32)
    (loop $again
      try
        try
          (throw $i (local.get $times))
        catch_all
          (local.set $sum (i32.add (local.get $sum) (i32.const 1)))
          (rethrow 0)
        end
      catch $i
        (local.set $sum (i32.add (local.get $sum)))
      end
      (br_if $again (local.tee $times (i32.sub (local.get $times) (i32.const 1)))))
    (local.get $sum))

  (func (export "order-of-values") (result i32 i64 f64 i32)
    try (result i32 i64 f64 i32)
      (throw $many (i32.const 1) (i64.const 2) (f64.const 3.5) (i32.const 4))
    catch $many
    end)
  (func (export "order-of-values-again") (result i32 i64 f64 i32)
    try (result i32 i64 f64 i32)
      try (result i32 i64 f64 i32)
        (throw $many (i32.const 1) (i64.const 2) (f64.const 3.5) (i32.const 4))
      catch $many
        (drop) (drop) (drop) (drop)
        (rethrow 0)
      end
    catch $many
    end)

  ;; The first clause that fits, whatever follows.
  (func (export "twice-the-same-clause") (result i32)
    try (result i32)
      (throw $i (i32.const 5))
    catch $i
    catch $i (drop) (i32.const 6)
    catch_all (i32.const 7)
    end)
  (func (export "only-catch-all") (result i32)
    try (result i32)
      (throw $many (i32.const 1) (i64.const 2) (f64.const 3.5) (i32.const 4))
    catch_all (i32.const 7)
    end)

  ;; Traps are not exceptions.
  (func (export "trap-in-try") (result i32)
    try (result i32) (i32.div_u (i32.const 1) (i32.const 0)) catch_all (i32.const 7) end)
  (func (export "trap-in-clause") (result i32)
    try (result i32)
      try (result i32) (throw $i (i32.const 0)) catch $i (i32.div_u (i32.const 0)) end
    catch_all (i32.const 7) end)
)

(assert_return (invoke "rethrow-of" (i32.const 0)) (i32.const 300))
(assert_return (invoke "rethrow-of" (i32.const 1)) (i32.const 200))
(assert_return (invoke "rethrow-of" (i32.const 2)) (i32.const 100))
(assert_return (invoke "rethrow-of" (i32.const 3)) (i32.const 0))
(assert_return (invoke "rethrow-past-a-try") (i32.const 11))
(assert_return (invoke "rethrow-keeps-values" (i32.const 7)) (i32.const 21))
(assert_return (invoke "rethrow-in-a-loop" (i32.const 10)) (i32.const 65))
(assert_return (invoke "order-of-values")
  (i32.const 1) (i64.const 2) (f64.const 3.5) (i32.const 4))
(assert_return (invoke "order-of-values-again")
  (i32.const 1) (i64.const 2) (f64.const 3.5) (i32.const 4))
(assert_return (invoke "twice-the-same-clause") (i32.const 5))
(assert_return (invoke "only-catch-all") (i32.const 7))
(assert_trap (invoke "trap-in-try") "integer divide by zero")
(assert_trap (invoke "trap-in-clause") "integer divide by zero")

;; Out of calls of every kind, and from one instance to another.
(module $thrower
  (tag $e (export "e") (param i32))
  (tag $other (export "other") (param i32))
  (table (export "table") 2 funcref)
  (elem (i32.const 0) func $throw $throw-other)
  (func $throw (export "throw") (param i32) (throw $e (local.get 0)))
  (func $throw-other (export "throw-other") (param i32) (throw $other (local.get 0)))
  (func (export "pass-on") (param i32)
    try (call $throw (local.get 0)) catch $other (drop) end))
(register "thrower")

(module
  (type $taker (func (param i32)))
  (import "thrower" "e" (tag $e (param i32)))
  (import "thrower" "throw" (func $throw (param i32)))
  (import "thrower" "throw-other" (func $throw-other (param i32)))
  (import "thrower" "pass-on" (func $pass-on (param i32)))
  (import "thrower" "table" (table 2 funcref))
  (tag $own (param i32))
  (elem declare func $throw $own)
  (func $own (param i32) (throw $own (local.get 0)))
  (func $tail (param i32) try (return_call $throw (local.get 0)) catch_all end)

  (func (export "call") (result i32)
    try (result i32) (call $throw (i32.const 1)) (i32.const 0) catch $e end)
  (func (export "call-through") (result i32)
    try (result i32) (call $pass-on (i32.const 2)) (i32.const 0) catch $own catch $e end)
  (func (export "call-indirect") (param i32) (result i32)
    try (result i32)
      (call_indirect (type $taker) (i32.const 3) (local.get 0))
      (i32.const 0)
    catch $e
    catch_all (i32.const 33)
    end)
  (func (export "call-ref") (result i32)
    try (result i32) (call_ref $taker (i32.const 4) (ref.func $throw)) (i32.const 0) catch $e end)
  (func (export "own-tag") (result i32)
    try (result i32)
      (call_ref $taker (i32.const 5) (ref.func $own)) (i32.const 0)
    catch $e (drop) (i32.const 55)
    catch $own
    end)
  (func (export "tail-call") (result i32)
    try (result i32) (call $tail (i32.const 6)) (i32.const 0) catch $e end)
  (func (export "unknown") (result i32)
    try (result i32) (call $throw-other (i32.const 7)) (i32.const 0) catch $e catch $own end)

  ;; Both forms, in each other and from one to the other.
  (func (export "legacy-in-table") (result i32)
    (block $h (result i32)
      (try_table (catch $own $h)
        try
          (call $throw (i32.const 8))
        catch $e
          (throw $own (i32.add (i32.const 80)))
        end)
      (i32.const 0)))
  (func (export "table-in-legacy") (result i32)
    try (result i32)
      (block $h (result i32)
        (try_table (catch $own $h) (call $throw (i32.const 9)))
        (i32.const 0))
    catch $e
      (i32.add (i32.const 90))
    end)
  (func (export "reference-to-legacy") (result i32)
    try (result i32)
      (block $h (result exnref)
        (try_table (catch_all_ref $h) (call $throw (i32.const 10)))
        (unreachable))
      (throw_ref)
    catch $e
    end)
  (func (export "rethrow-to-reference") (result i32)
    (block $h (result i32 exnref)
      (try_table (catch_ref $e $h)
        try
          (call $throw (i32.const 11))
        catch_all
          (rethrow 0)
        end)
      (unreachable))
    (drop))
  (func (export "delegate-past-table") (param i32) (result i32)
    (block $h (result i32)
      (try_table (catch $e $h)
        try $skipped
          try
            (call $throw (i32.const 12))
          delegate 1
        catch_all
          (return (i32.const 0))
        end)
      (unreachable)))
  (func (export "clause-in-handler") (result i32)
    (block $h (result i32)
      (try_table (catch $e $h) (call $throw (i32.const 13)))
      (unreachable))
    (drop)
    try (result i32)
      (call $throw (i32.const 14))
      (unreachable)
    catch $e
      (drop)
      (block $g (result i32)
        (try_table (catch $e $g) (call $throw (i32.const 15)))
        (unreachable))
    end)
)

(assert_return (invoke "call") (i32.const 1))
(assert_return (invoke "call-through") (i32.const 2))
(assert_return (invoke "call-indirect" (i32.const 0)) (i32.const 3))
(assert_return (invoke "call-indirect" (i32.const 1)) (i32.const 33))
(assert_trap (invoke "call-indirect" (i32.const 2)) "undefined element")
(assert_return (invoke "call-ref") (i32.const 4))
(assert_return (invoke "own-tag") (i32.const 5))
(assert_return (invoke "tail-call") (i32.const 6))
(assert_exception (invoke "unknown"))
(assert_return (invoke "legacy-in-table") (i32.const 88))
(assert_return (invoke "table-in-legacy") (i32.const 99))
(assert_return (invoke "reference-to-legacy") (i32.const 10))
(assert_return (invoke "rethrow-to-reference") (i32.const 11))
(assert_return (invoke "delegate-past-table" (i32.const 0)) (i32.const 12))
(assert_return (invoke "clause-in-handler") (i32.const 15))

(assert_invalid (module (func try rethrow 0 catch_all end)) "invalid rethrow label")
(assert_invalid (module (func try catch_all block rethrow 0 end end)) "invalid rethrow label")
(assert_invalid (module (tag $e) (func try (result i32) catch $e end drop)) "type mismatch")
(assert_invalid (module (func try (result i32) catch_all end drop)) "type mismatch")
(assert_invalid (module (func try catch 0 end)) "unknown tag")
(assert_invalid (module (func try delegate 5)) "unknown label")
