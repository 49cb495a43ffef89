/* Traps: their messages are the specification's words, and a host's trap comes back as itself. */

#include "harness.h"

struct wasm_trap_case {
  const char* body;
  const char* message;
  tenon_trap_code_t code;
};

static const struct wasm_trap_case cases[] = {
  {"unreachable", "unreachable", TENON_TRAP_UNREACHABLE},
  {"(drop (i32.load (i32.const 65533)))", "out of bounds memory access",
   TENON_TRAP_MEMORY_OUT_OF_BOUNDS},
  {"(i64.store (i32.const -1) (i64.const 0))", "out of bounds memory access",
   TENON_TRAP_MEMORY_OUT_OF_BOUNDS},
  {"(memory.fill (i32.const 0) (i32.const 0) (i32.const 65537))", "out of bounds memory access",
   TENON_TRAP_MEMORY_OUT_OF_BOUNDS},
  {"(drop (table.get $t (i32.const 3)))", "out of bounds table access",
   TENON_TRAP_TABLE_OUT_OF_BOUNDS},
  {"(call_indirect $t (i32.const 3))", "undefined element", TENON_TRAP_UNDEFINED_ELEMENT},
  {"(call_indirect $t (i32.const 0))", "uninitialized element", TENON_TRAP_UNINITIALIZED_ELEMENT},
  {"(call_indirect $t (param i32) (i32.const 0) (i32.const 1))", "indirect call type mismatch",
   TENON_TRAP_INDIRECT_CALL_TYPE_MISMATCH},
  {"(drop (i32.div_u (i32.const 1) (global.get $zero)))", "integer divide by zero",
   TENON_TRAP_INTEGER_DIVIDE_BY_ZERO},
  {"(drop (i32.rem_s (i32.const 1) (global.get $zero)))", "integer divide by zero",
   TENON_TRAP_INTEGER_DIVIDE_BY_ZERO},
  {"(drop (i64.div_s (i64.const 0x8000000000000000) (i64.const -1)))", "integer overflow",
   TENON_TRAP_INTEGER_OVERFLOW},
  {"(drop (i32.trunc_f64_s (f64.const 2147483648)))", "integer overflow",
   TENON_TRAP_INTEGER_OVERFLOW},
  {"(drop (i32.trunc_f32_u (f32.const nan)))", "invalid conversion to integer",
   TENON_TRAP_INVALID_CONVERSION_TO_INTEGER},
  {"(call $f)", "call stack exhausted", TENON_TRAP_STACK_OVERFLOW},
};

static void every_trap_has_its_words(wasm_store_t* store) {
  for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
    char text[512];
    snprintf(text, sizeof text,
      "(module (memory 1) (global $zero (mut i32) (i32.const 0)) (table $t 3 funcref)"
      " (elem (i32.const 1) $f) (func $f (export \"f\") %s))", cases[i].body);
    wasm_instance_t* instance = instance_of(store, text);
    wasm_func_t* func = func_at(instance, 0);
    wasm_val_vec_t none = WASM_EMPTY_VEC;
    wasm_trap_t* trap = wasm_func_call(func, &none, &none);
    check(has_message(trap, cases[i].message));
    check(tenon_trap_code(trap) == cases[i].code);
    wasm_trap_delete(trap);
    wasm_func_delete(func);
    wasm_instance_delete(instance);
  }
}

int main(void) {
  wasm_store_t* store = test_store();
  every_trap_has_its_words(store);
  wasm_store_delete(store);
  return done();
}
