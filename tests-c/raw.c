/* Values without kinds: calls, callbacks and globals with vectors. */

#include "deftypes.h"

/* Swaps the halves of a vector, adds one to a number, and returns its reference. */
static own wasm_trap_t* shuffle(void* env, const tenon_raw_t args[], tenon_raw_t results[]) {
  ++*(int*)env;
  memcpy(results[0].v128, args[0].v128 + 8, 8);
  memcpy(results[0].v128 + 8, args[0].v128, 8);
  results[1].i32 = args[1].i32 + 1;
  results[2].ref = args[2].ref ? wasm_ref_copy(args[2].ref) : NULL;
  return NULL;
}

static void raw_calls_have_room_for_vectors(void) {
  wasm_store_t* store = new_store();
  int calls = 0;
  finalized = 0;
  wasm_valtype_t* three[2][3];
  for (int i = 0; i < 2; i++) {
    three[i][0] = wasm_valtype_new(TENON_V128);
    three[i][1] = wasm_valtype_new_i32();
    three[i][2] = wasm_valtype_new_externref();
  }
  wasm_valtype_vec_t params, returned;
  wasm_valtype_vec_new(&params, 3, three[0]);
  wasm_valtype_vec_new(&returned, 3, three[1]);
  wasm_functype_t* type = wasm_functype_new(&params, &returned);
  wasm_func_t* host = tenon_func_new_raw(store, type, shuffle, &calls, count_finalized);
  wasm_extern_t* imports[] = {wasm_func_as_extern(host)};
  wasm_instance_t* instance = instance_with(store,
    "(module (import \"\" \"\" (func $h (param v128 i32 externref) (result v128 i32 externref)))"
    " (func (export \"f\") (param v128 i32 externref) (result v128 i32 externref)"
    "  (call $h (local.get 0) (local.get 1) (local.get 2))))", 1, imports);
  wasm_func_t* func = func_at(instance, 0);
  wasm_foreign_t* foreign = wasm_foreign_new(store);
  tenon_raw_t args[3] = {
    {.v128 = {1, 2, [8] = 3, [15] = 4}}, {.i32 = 41}, {.ref = wasm_foreign_as_ref(foreign)}};
  const uint8_t swapped[16] = {3, [7] = 4, [8] = 1, [9] = 2};
  const wasm_func_t* both[] = {func, host};
  for (int i = 0; i < 2; i++) {
    tenon_raw_t results[3];
    check(tenon_func_call_raw(both[i], 3, args, 3, results) == NULL);
    check(memcmp(results[0].v128, swapped, 16) == 0 && results[1].i32 == 42);
    check(wasm_ref_same(results[2].ref, args[2].ref));
    wasm_ref_delete(results[2].ref);
  }
  check(calls == 2);
  tenon_raw_t results[3];
  wasm_trap_t* trap = tenon_func_call_raw(func, 2, args, 3, results);
  check(trap && mentions(trap, "2 arguments"));
  wasm_trap_delete(trap);
  trap = tenon_func_call_raw(func, 3, args, 2, results);
  check(trap && mentions(trap, "room"));
  wasm_trap_delete(trap);
  trap = tenon_func_call_raw(func, 3, args, 3, NULL);
  check(trap && mentions(trap, "room"));
  wasm_trap_delete(trap);
  // A null reference goes both ways.
  args[2].ref = NULL;
  check(tenon_func_call_raw(func, 3, args, 3, results) == NULL && results[2].ref == NULL);
  wasm_foreign_delete(foreign);
  wasm_func_delete(func);
  wasm_func_delete(host);
  wasm_functype_delete(type);
  wasm_instance_delete(instance);
  tenon_store_collect(store);
  check(finalized == 1);
  wasm_store_delete(store);
}

static void vectors_have_globals(void) {
  wasm_store_t* store = new_store();
  wasm_instance_t* instance = instance_of(store,
    "(module (global (export \"g\") (mut v128) (v128.const i64x2 1 2))"
    " (global (export \"c\") i32 (i32.const 3)))");
  wasm_global_t *global = global_at(instance, 0), *constant = global_at(instance, 1);
  tenon_raw_t value, other = {.v128 = {5}};
  check(tenon_global_get_raw(global, &value) == TENON_OK);
  check(value.v128[0] == 1 && value.v128[8] == 2);
  check(tenon_global_set_raw(global, &other) == TENON_OK);
  check(tenon_global_get_raw(global, &value) == TENON_OK && memcmp(&value, &other, 16) == 0);
  check(tenon_global_get_raw(constant, &value) == TENON_OK && value.i32 == 3);
  check(tenon_global_set_raw(constant, &other) == TENON_ERROR_TYPE);
  wasm_globaltype_t* type = wasm_global_type(global);
  wasm_global_t* made = tenon_global_new_raw(store, type, &other);
  check(tenon_global_get_raw(made, &value) == TENON_OK && memcmp(&value, &other, 16) == 0);
  wasm_global_delete(made);
  wasm_globaltype_delete(type);
  type = wasm_globaltype_new(ref_to(TENON_HEAP_I31, false), WASM_VAR);
  other.ref = NULL;
  refused(TENON_ERROR_TYPE, tenon_global_new_raw(store, type, &other));
  other.ref = tenon_i31_new(store, 6);
  made = tenon_global_new_raw(store, type, &other);
  check(tenon_global_get_raw(made, &value) == TENON_OK && wasm_ref_same(value.ref, other.ref));
  wasm_ref_delete(value.ref);
  value.ref = NULL;
  check(tenon_global_set_raw(made, &value) == TENON_ERROR_TYPE);
  wasm_ref_delete(other.ref);
  wasm_global_delete(made);
  wasm_globaltype_delete(type);
  wasm_global_delete(constant);
  wasm_global_delete(global);
  wasm_instance_delete(instance);
  wasm_store_delete(store);
}

CASES(
  raw_calls_have_room_for_vectors,
  vectors_have_globals
)
