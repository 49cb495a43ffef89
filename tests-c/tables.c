/* Tables: bounds and types are checked, all see growth, elements are references that work. */

#include "harness.h"

static own wasm_trap_t* seven(const wasm_val_vec_t* args, wasm_val_vec_t* results) {
  (void)args;
  results->data[0] = i32_val(7);
  return NULL;
}

static own wasm_functype_t* type_to_i32(void) {
  return wasm_functype_new_0_1(wasm_valtype_new_i32());
}

static bool holds(const wasm_table_t* table, wasm_table_size_t index, const wasm_ref_t* wanted) {
  tenon_last_error_clear();
  wasm_ref_t* element = wasm_table_get(table, index);
  bool same = wanted ? element && wasm_ref_same(element, wanted) : !element;
  if (!wanted) check(tenon_last_error_code() == TENON_OK);
  wasm_ref_delete(element);
  return same;
}

static void tables_begin_with_their_initial_element(wasm_store_t* store) {
  wasm_foreign_t* foreign = wasm_foreign_new(store);
  wasm_tabletype_t* type = type_of_table(WASM_EXTERNREF, 3, 5);
  wasm_table_t* filled = wasm_table_new(store, type, wasm_foreign_as_ref(foreign));
  wasm_table_t* empty = wasm_table_new(store, type, NULL);
  check(wasm_table_size(filled) == 3 && wasm_table_size(empty) == 3);
  for (wasm_table_size_t i = 0; i < 3; i++) {
    check(holds(filled, i, wasm_foreign_as_ref(foreign)) && holds(empty, i, NULL));
  }
  wasm_table_delete(empty);
  wasm_table_delete(filled);
  wasm_tabletype_delete(type);
  wasm_foreign_delete(foreign);
}

static void there_is_nothing_beyond_the_end(wasm_store_t* store) {
  static const wasm_table_size_t beyond[] = {3, 4, 0x7fffffff, 0x80000000, 0xffffffff};
  wasm_table_t* table = table_of(store, WASM_FUNCREF, 3, 5);
  wasm_func_t* func = func_of_type(store, type_to_i32(), seven);
  for (size_t i = 0; i < sizeof beyond / sizeof *beyond; i++) {
    refused(TENON_ERROR_LIMIT, wasm_table_get(table, beyond[i]));
    refused(TENON_ERROR_LIMIT, wasm_table_set(table, beyond[i], wasm_func_as_ref(func)));
    refused(TENON_ERROR_LIMIT, wasm_table_set(table, beyond[i], NULL));
  }
  accepted(wasm_table_set(table, 2, wasm_func_as_ref(func)));
  check(holds(table, 2, wasm_func_as_ref(func)));
  accepted(wasm_table_set(table, 2, NULL));
  check(holds(table, 2, NULL));
  wasm_func_delete(func);
  wasm_table_delete(table);
}

static void tables_grow_up_to_their_maximum(wasm_store_t* store) {
  wasm_foreign_t* foreign = wasm_foreign_new(store);
  wasm_ref_t* element = wasm_foreign_as_ref(foreign);
  wasm_table_t* table = table_of(store, WASM_EXTERNREF, 0, 1000);
  refused(TENON_ERROR_LIMIT, wasm_table_get(table, 0));
  accepted(wasm_table_grow(table, 0, element));
  check(wasm_table_size(table) == 0);
  for (wasm_table_size_t size = 0; size < 1000; size += 100) {
    accepted(wasm_table_grow(table, 100, size % 200 ? element : NULL));
    check(wasm_table_size(table) == size + 100);
  }
  for (wasm_table_size_t i = 0; i < 1000; i++) {
    check(holds(table, i, i / 100 % 2 ? element : NULL));
  }
  static const wasm_table_size_t too_much[] = {1, 2, 0x7fffffff, 0xfffffc18, 0xffffffff};
  for (size_t i = 0; i < sizeof too_much / sizeof *too_much; i++) {
    refused(TENON_ERROR_LIMIT, wasm_table_grow(table, too_much[i], element));
    check(wasm_table_size(table) == 1000);
  }
  accepted(wasm_table_grow(table, 0, NULL));
  wasm_table_delete(table);
  wasm_foreign_delete(foreign);
}

static void without_a_maximum_there_is_still_an_end(wasm_store_t* store) {
  wasm_table_t* table = table_of(store, WASM_FUNCREF, 1, wasm_limits_max_default);
  refused(TENON_ERROR_LIMIT, wasm_table_grow(table, 0xffffffff, NULL));
  refused(TENON_ERROR_LIMIT, wasm_table_grow(table, 0xfffffffe, NULL));
  check(wasm_table_size(table) == 1);
  accepted(wasm_table_grow(table, 100000, NULL));
  check(wasm_table_size(table) == 100001 && holds(table, 100000, NULL));
  wasm_table_delete(table);
}

static void impossible_tables_are_refused(wasm_store_t* store) {
  static const wasm_limits_t limits[] = {
    {2, 1}, {0xffffffff, 0xffffffff}, {0xfffffff0, 0xffffffff}, {0xffffffff, 0},
  };
  for (size_t i = 0; i < sizeof limits / sizeof *limits; i++) {
    wasm_tabletype_t* type = wasm_tabletype_new(wasm_valtype_new_funcref(), &limits[i]);
    refused(TENON_ERROR_LIMIT, wasm_table_new(store, type, NULL));
    wasm_tabletype_delete(type);
  }
  static const wasm_valkind_t numbers[] = {WASM_I32, WASM_I64, WASM_F32, WASM_F64, TENON_V128};
  for (size_t i = 0; i < sizeof numbers; i++) {
    wasm_tabletype_t* type = type_of_table(numbers[i], 1, 1);
    tenon_last_error_clear();
    check(wasm_table_new(store, type, NULL) == NULL);
    check(tenon_last_error_code() != TENON_OK && error_says("reference"));
    wasm_tabletype_delete(type);
  }
}

static void only_functions_go_into_tables_of_functions(wasm_store_t* store) {
  wasm_ref_t* others[] = {
    wasm_foreign_as_ref(wasm_foreign_new(store)), wasm_memory_as_ref(memory_of(store, 1, 1)),
    wasm_global_as_ref(global_of(store, WASM_CONST, i32_val(1))),
    wasm_module_as_ref(module_of(store, "(module)")),
    wasm_instance_as_ref(instance_of(store, "(module)")),
    wasm_table_as_ref(table_of(store, WASM_FUNCREF, 1, 1)),
  };
  wasm_table_t* table = table_of(store, WASM_FUNCREF, 1, 2);
  wasm_tabletype_t* type = type_of_table(WASM_FUNCREF, 1, 2);
  for (size_t i = 0; i < sizeof others / sizeof *others; i++) {
    refused(TENON_ERROR_TYPE, wasm_table_set(table, 0, others[i]));
    refused(TENON_ERROR_TYPE, wasm_table_grow(table, 1, others[i]));
    refused(TENON_ERROR_TYPE, wasm_table_new(store, type, others[i]));
    check(wasm_table_size(table) == 1 && holds(table, 0, NULL));
    wasm_ref_delete(others[i]);
  }
  wasm_tabletype_delete(type);
  wasm_table_delete(table);
}

static void functions_out_of_tables_can_be_called(wasm_store_t* store) {
  wasm_instance_t* instance = instance_of(store,
    "(module (table (export \"t\") 3 funcref) (elem (i32.const 1) $f)"
    " (func $f (result i32) (i32.const 42)))");
  wasm_table_t* table = table_at(instance, 0);
  wasm_func_t* host = func_of_type(store, type_to_i32(), seven);
  check(wasm_table_set(table, 2, wasm_func_as_ref(host)));
  wasm_func_delete(host);
  wasm_instance_delete(instance);
  tenon_store_collect(store);
  static const int32_t results[] = {0, 42, 7};
  for (wasm_table_size_t i = 1; i < 3; i++) {
    wasm_ref_t* element = wasm_table_get(table, i);
    check(call_i32(wasm_ref_as_func(element), 0, NULL) == results[i]);
    wasm_ref_delete(element);
  }
  wasm_table_delete(table);
}

/* A guest that uses a table that it imports. */
static const char* const user =
  "(module (import \"\" \"\" (table $t 1 funcref)) (type $r (func (result i32)))"
  " (elem declare func $f) (func $f (result i32) (i32.const 42))"
  " (func (export \"call\") (param i32) (result i32)"
  "  (call_indirect $t (type $r) (local.get 0)))"
  " (func (export \"size\") (result i32) (table.size $t))"
  " (func (export \"grow\") (param i32) (result i32)"
  "  (table.grow $t (ref.func $f) (local.get 0))))";

static void guests_and_host_see_the_same_table(wasm_store_t* store) {
  wasm_table_t* table = table_of(store, WASM_FUNCREF, 1, 10000);
  wasm_func_t* host = func_of_type(store, type_to_i32(), seven);
  wasm_extern_t* imports[] = {wasm_table_as_extern(table)};
  wasm_instance_t* instance = instance_with(store, user, 1, imports);
  wasm_func_t *call = func_at(instance, 0), *size = func_at(instance, 1);
  wasm_func_t* grow = func_at(instance, 2);
  wasm_trap_t* trap = NULL;
  check(call_i32(call, 0, &trap) == -1 && has_message(trap, "uninitialized element"));
  wasm_trap_delete(trap);
  check(wasm_table_set(table, 0, wasm_func_as_ref(host)) && call_i32(call, 0, NULL) == 7);
  check(wasm_table_grow(table, 5000, wasm_func_as_ref(host)));
  check(call_i32(size, 0, NULL) == 5001 && call_i32(call, 5000, NULL) == 7);
  check(call_i32(grow, 4000, NULL) == 5001 && wasm_table_size(table) == 9001);
  wasm_ref_t* element = wasm_table_get(table, 9000);
  check(call_i32(wasm_ref_as_func(element), 0, NULL) == 42 && call_i32(call, 9000, NULL) == 42);
  wasm_ref_delete(element);
  check(call_i32(grow, 1000, NULL) == -1 && wasm_table_size(table) == 9001);
  check(call_i32(call, 9001, &trap) == -1 && has_message(trap, "undefined element"));
  wasm_trap_delete(trap);
  wasm_func_delete(grow);
  wasm_func_delete(size);
  wasm_func_delete(call);
  wasm_instance_delete(instance);
  wasm_func_delete(host);
  wasm_table_delete(table);
}

static own wasm_trap_t* grow_env(void* env, const wasm_val_vec_t* args, wasm_val_vec_t* results) {
  wasm_ref_t* first = wasm_table_get(env, 0);
  check(wasm_table_grow(env, (wasm_table_size_t)args->data[0].of.i32, first));
  wasm_ref_delete(first);
  results->data[0] = i32_val((int32_t)wasm_table_size(env));
  return NULL;
}

/* Growing may move the elements; guests that are running notice. */
static void guests_see_what_the_host_grows_meanwhile(wasm_store_t* store) {
  wasm_table_t* table = table_of(store, WASM_FUNCREF, 2, wasm_limits_max_default);
  wasm_func_t* seven_func = func_of_type(store, type_to_i32(), seven);
  wasm_func_t* host = func_with_env(store, type_i32_i32(), grow_env, table);
  check(wasm_table_set(table, 0, wasm_func_as_ref(seven_func)));
  wasm_extern_t* imports[] = {wasm_table_as_extern(table), wasm_func_as_extern(host)};
  wasm_instance_t* instance = instance_with(store,
    "(module (import \"\" \"\" (table $t 1 funcref))"
    " (import \"\" \"\" (func $grow (param i32) (result i32)))"
    " (func (export \"f\") (param i32) (result i32) (local i32)"
    "  (local.set 1 (call_indirect $t (result i32) (i32.const 0)))"
    "  (local.set 1 (i32.add (local.get 1)"
    "   (i32.sub (call $grow (local.get 0)) (table.size $t))))"
    "  (i32.add (local.get 1)"
    "   (call_indirect $t (result i32) (i32.sub (table.size $t) (i32.const 1))))))", 2, imports);
  wasm_func_t* func = func_at(instance, 0);
  for (int32_t delta = 1; delta < 200000; delta *= 3) check(call_i32(func, delta, NULL) == 14);
  wasm_func_delete(func);
  wasm_instance_delete(instance);
  wasm_func_delete(host);
  wasm_func_delete(seven_func);
  wasm_table_delete(table);
}

static void dropped_segments_are_empty(wasm_store_t* store) {
  static const char* const segments[] = {"funcref (ref.func $f)", "externref (ref.null extern)"};
  for (size_t i = 0; i < 2; i++) {
    char text[400];
    snprintf(text, sizeof text,
      "(module (table $t 2 %s) (elem $e %s) (func $f)"
      " (func (export \"init\") (param i32) (result i32)"
      "  (table.init $t $e (i32.const 0) (i32.const 0) (local.get 0)) (i32.const 5))"
      " (func (export \"drop\") (result i32) (elem.drop $e) (i32.const 6)))",
      i ? "externref" : "funcref", segments[i]);
    wasm_instance_t* instance = instance_of(store, text);
    wasm_func_t *init = func_at(instance, 0), *drop = func_at(instance, 1);
    check(call_i32(init, 1, NULL) == 5 && call_i32(init, 0, NULL) == 5);
    for (int again = 0; again < 2; again++) {
      wasm_trap_t* trap = NULL;
      check(call_i32(drop, 0, NULL) == 6 && call_i32(init, 0, NULL) == 5);
      check(call_i32(init, 1, &trap) == -1 && has_message(trap, "out of bounds table access"));
      wasm_trap_delete(trap);
    }
    wasm_func_delete(drop);
    wasm_func_delete(init);
    wasm_instance_delete(instance);
  }
}

int main(void) {
  wasm_store_t* store = test_store();
  tables_begin_with_their_initial_element(store);
  there_is_nothing_beyond_the_end(store);
  tables_grow_up_to_their_maximum(store);
  without_a_maximum_there_is_still_an_end(store);
  impossible_tables_are_refused(store);
  only_functions_go_into_tables_of_functions(store);
  functions_out_of_tables_can_be_called(store);
  guests_and_host_see_the_same_table(store);
  guests_see_what_the_host_grows_meanwhile(store);
  dropped_segments_are_empty(store);
  wasm_store_delete(store);
  return done();
}
