/* Globals: host and guests see the same value, of every type; what cannot be set stays. */

#include "harness.h"

/* Values of every kind that has a form in C, by their bits. */
static const wasm_val_t samples[][2] = {
  {{.kind = WASM_I32, .of = {.i32 = -1}}, {.kind = WASM_I32, .of = {.i32 = INT32_MIN}}},
  {{.kind = WASM_I64, .of = {.i64 = INT64_MIN}}, {.kind = WASM_I64, .of = {.i64 = 7}}},
  {{.kind = WASM_F32, .of = {.i32 = 0x7fa00001}}, {.kind = WASM_F32, .of = {.f32 = -0.0f}}},
  {{.kind = WASM_F64, .of = {.i64 = 0x7ff4000000000001}},
    {.kind = WASM_F64, .of = {.f64 = 1e300}}},
};

static const char* const texts[] = {"i32", "i64", "f32", "f64"};

static bool is_value(const wasm_global_t* global, const wasm_val_t* wanted) {
  // What is written has to fit into one value: a larger write would not, into this block.
  wasm_val_t* value = malloc(sizeof *value);
  wasm_global_get(global, value);
  bool narrow = wanted->kind == WASM_I32 || wanted->kind == WASM_F32;
  bool same = value->kind == wanted->kind &&
    (narrow ? value->of.i32 == wanted->of.i32 : value->of.i64 == wanted->of.i64);
  free(value);
  return same;
}

static void every_kind_of_number_is_kept(wasm_store_t* store) {
  for (size_t i = 0; i < sizeof samples / sizeof *samples; i++) {
    const wasm_val_t *before = &samples[i][0], *after = &samples[i][1];
    wasm_global_t* variable = global_of(store, WASM_VAR, *before);
    wasm_global_t* constant = global_of(store, WASM_CONST, *before);
    check(is_value(variable, before) && is_value(constant, before));
    accepted((wasm_global_set(variable, after), is_value(variable, after)));
    tenon_last_error_clear();
    wasm_global_set(constant, after);
    check(tenon_last_error_code() == TENON_ERROR_TYPE && is_value(constant, before));
    check(error_says("immutable"));
    wasm_global_delete(constant);
    wasm_global_delete(variable);
  }
}

static void values_of_other_kinds_are_refused(wasm_store_t* store) {
  static const wasm_valkind_t kinds[] = {
    WASM_I32, WASM_I64, WASM_F32, WASM_F64, TENON_V128, WASM_EXTERNREF, WASM_FUNCREF,
  };
  static const wasm_valkind_t given[] = {
    WASM_I32, WASM_I64, WASM_F32, WASM_F64, TENON_V128, WASM_EXTERNREF, WASM_FUNCREF, 77, 255,
  };
  for (size_t i = 0; i < sizeof kinds; i++) {
    wasm_globaltype_t* type = wasm_globaltype_new(wasm_valtype_new(kinds[i]), WASM_VAR);
    wasm_val_t fitting = {.kind = kinds[i], .of = {.i64 = 0}};
    wasm_global_t* global = wasm_global_new(store, type, &fitting);
    // A vector has no form that could be passed.
    check((global != NULL) == (kinds[i] != TENON_V128));
    for (size_t j = 0; j < sizeof given; j++) {
      wasm_val_t value = {.kind = given[j], .of = {.i64 = 0}};
      if (given[j] == kinds[i] && given[j] != TENON_V128) continue;
      refused(TENON_ERROR_TYPE, wasm_global_new(store, type, &value));
      if (!global) continue;
      tenon_last_error_clear();
      wasm_global_set(global, &value);
      check(tenon_last_error_code() == TENON_ERROR_TYPE && is_value(global, &fitting));
    }
    wasm_global_delete(global);
    wasm_globaltype_delete(type);
  }
}

static void references_are_held(wasm_store_t* store) {
  finalized = 0;
  wasm_foreign_t* foreign = wasm_foreign_new(store);
  wasm_foreign_set_host_info_with_finalizer(foreign, NULL, count_finalized);
  wasm_global_t* global = global_of(store, WASM_VAR, extern_val(wasm_foreign_as_ref(foreign)));
  wasm_foreign_delete(foreign);
  tenon_store_collect(store);
  for (int i = 0; i < 2; i++) {
    wasm_val_t value;
    wasm_global_get(global, &value);
    check(value.kind == WASM_EXTERNREF && wasm_ref_as_foreign(value.of.ref) != NULL);
    wasm_val_delete(&value);
  }
  check(finalized == 0);
  wasm_val_t null = extern_val(NULL), value;
  wasm_global_set(global, &null);
  tenon_store_collect(store);
  check(finalized == 1);
  wasm_global_get(global, &value);
  check(value.kind == WASM_EXTERNREF && value.of.ref == NULL);
  wasm_global_delete(global);
}

static void only_functions_are_functions(wasm_store_t* store) {
  wasm_global_t* global = global_of(store, WASM_VAR, func_val(NULL));
  wasm_foreign_t* foreign = wasm_foreign_new(store);
  wasm_val_t value = func_val(wasm_foreign_as_ref(foreign));
  tenon_last_error_clear();
  wasm_global_set(global, &value);
  check(tenon_last_error_code() == TENON_ERROR_TYPE);
  wasm_global_get(global, &value);
  check(value.kind == WASM_FUNCREF && value.of.ref == NULL);
  wasm_foreign_delete(foreign);
  wasm_global_delete(global);
}

static void guests_and_host_see_the_same_value(wasm_store_t* store) {
  for (size_t i = 0; i < sizeof samples / sizeof *samples; i++) {
    char text[300];
    snprintf(text, sizeof text,
      "(module (import \"\" \"\" (global $g (mut %s)))"
      " (func (export \"get\") (result %s) (global.get $g))"
      " (func (export \"set\") (param %s) (global.set $g (local.get 0)))"
      " (export \"g\" (global $g)))", texts[i], texts[i], texts[i]);
    wasm_global_t* global = global_of(store, WASM_VAR, samples[i][0]);
    wasm_extern_t* imports[] = {wasm_global_as_extern(global)};
    wasm_instance_t* one = instance_with(store, text, 1, imports);
    wasm_instance_t* other = instance_with(store, text, 1, imports);
    wasm_func_t* set = func_at(one, 1);
    wasm_func_t* get = func_at(other, 0);
    wasm_global_t* export = global_at(other, 2);
    wasm_val_t arg = samples[i][1], result;
    check(call_with(set, 1, &arg, 0, NULL) == NULL);
    check(is_value(global, &samples[i][1]) && is_value(export, &samples[i][1]));
    wasm_global_set(export, &samples[i][0]);
    check(call_with(get, 0, NULL, 1, &result) == NULL);
    check(result.kind == samples[i][0].kind && is_value(global, &samples[i][0]));
    check(memcmp(&result.of, &samples[i][0].of, i % 2 ? 8 : 4) == 0);
    wasm_global_delete(export);
    wasm_func_delete(get);
    wasm_func_delete(set);
    wasm_instance_delete(other);
    wasm_instance_delete(one);
    wasm_global_delete(global);
  }
}

static void vectors_come_as_null(wasm_store_t* store) {
  wasm_instance_t* instance = instance_of(store,
    "(module (global $g (export \"g\") (mut v128) (v128.const i64x2 1 2))"
    " (func (export \"f\") (result i32) (i32x4.extract_lane 2 (global.get $g))))");
  wasm_global_t* global = global_at(instance, 0);
  wasm_func_t* func = func_at(instance, 1);
  wasm_val_t value = i32_val(5);
  wasm_global_get(global, &value);
  check(value.kind == WASM_EXTERNREF && value.of.ref == NULL);
  wasm_val_t numbers[] = {WASM_I32_VAL(1), {.kind = TENON_V128}, WASM_INIT_VAL};
  for (size_t i = 0; i < 3; i++) {
    tenon_last_error_clear();
    wasm_global_set(global, &numbers[i]);
    check(tenon_last_error_code() == TENON_ERROR_TYPE && call_i32(func, 0, NULL) == 2);
  }
  wasm_func_delete(func);
  wasm_global_delete(global);
  wasm_instance_delete(instance);
}

/* A callback that sets the global in its environment to its argument. */
static own wasm_trap_t* set_env(void* env, const wasm_val_vec_t* args, wasm_val_vec_t* results) {
  wasm_global_set(env, &args->data[0]);
  results->data[0] = i32_val(0);
  return NULL;
}

static void guests_see_what_the_host_sets_meanwhile(wasm_store_t* store) {
  wasm_global_t* global = global_of(store, WASM_VAR, i32_val(1));
  wasm_func_t* host = func_with_env(store, type_i32_i32(), set_env, global);
  wasm_extern_t* imports[] = {wasm_global_as_extern(global), wasm_func_as_extern(host)};
  wasm_instance_t* instance = instance_with(store,
    "(module (import \"\" \"\" (global $g (mut i32)))"
    " (import \"\" \"\" (func $f (param i32) (result i32)))"
    " (func (export \"g\") (param i32) (result i32) (local i32)"
    "  (local.set 1 (global.get $g)) (drop (call $f (local.get 0)))"
    "  (i32.sub (global.get $g) (local.get 1))))", 2, imports);
  wasm_func_t* func = func_at(instance, 0);
  check(call_i32(func, 100, NULL) == 99 && call_i32(func, 30, NULL) == -70);
  wasm_func_delete(func);
  wasm_instance_delete(instance);
  wasm_func_delete(host);
  wasm_global_delete(global);
}

int main(void) {
  wasm_store_t* store = test_store();
  every_kind_of_number_is_kept(store);
  values_of_other_kinds_are_refused(store);
  references_are_held(store);
  only_functions_are_functions(store);
  guests_and_host_see_the_same_value(store);
  vectors_come_as_null(store);
  guests_see_what_the_host_sets_meanwhile(store);
  wasm_store_delete(store);
  return done();
}
