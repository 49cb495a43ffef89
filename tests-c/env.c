/* Environments of host functions: may be NULL, live as long as anything can call the function, and
 * are finalized once. */

#include "harness.h"

static void count(void* env) {
  ++*(int*)env;
}

static own wasm_trap_t* expect_zero(
  void* env, const wasm_val_vec_t* args, wasm_val_vec_t* results
) {
  (void)args, (void)results;
  check(*(int*)env == 0);
  return NULL;
}

static own wasm_trap_t* expect_null(
  void* env, const wasm_val_vec_t* args, wasm_val_vec_t* results
) {
  (void)args, (void)results;
  check(env == NULL);
  return NULL;
}

static own wasm_func_t* counted(wasm_store_t* store, int* runs) {
  wasm_functype_t* type = wasm_functype_new_0_0();
  *runs = 0;
  wasm_func_t* func = wasm_func_new_with_env(store, type, expect_zero, runs, count);
  wasm_functype_delete(type);
  return func;
}

static void environments_may_be_null(wasm_store_t* store) {
  wasm_functype_t* type = wasm_functype_new_0_0();
  for (int with_finalizer = 0; with_finalizer < 2; with_finalizer++) {
    finalized = 0;
    wasm_func_t* func = wasm_func_new_with_env(
      store, type, expect_null, NULL, with_finalizer ? count_finalized : NULL);
    check(func != NULL && call_empty(func) == NULL);
    wasm_func_delete(func);
    tenon_store_collect(store);
    check(finalized == with_finalizer);
  }
  wasm_functype_delete(type);
}

static void the_last_handle_takes_it_along(wasm_store_t* store) {
  int runs;
  wasm_func_t* func = counted(store, &runs);
  wasm_func_t* copy = wasm_func_copy(func);
  wasm_func_delete(func);
  tenon_store_collect(store);
  check(runs == 0 && call_empty(copy) == NULL);
  wasm_func_delete(copy);
  tenon_store_collect(store);
  check(runs == 1);
}

static void importers_keep_it(wasm_store_t* store) {
  int runs;
  wasm_func_t* func = counted(store, &runs);
  wasm_extern_t* imports[] = {wasm_func_as_extern(func)};
  wasm_instance_t* first = instance_with(store,
    "(module (import \"\" \"\" (func $f)) (export \"f\" (func $f)) (func (export \"g\")"
    " (call $f)))", 1, imports);
  imports[0] = export_at(first, 0);
  wasm_instance_t* second = instance_with(store,
    "(module (import \"\" \"\" (func $f)) (func (export \"g\") (call $f)))", 1, imports);
  wasm_extern_delete(imports[0]);
  wasm_func_delete(func);
  wasm_instance_delete(first);
  tenon_store_collect(store);
  check(runs == 0);
  wasm_func_t* call = func_at(second, 0);
  wasm_instance_delete(second);
  tenon_store_collect(store);
  check(runs == 0 && call_empty(call) == NULL);
  wasm_func_delete(call);
  tenon_store_collect(store);
  check(runs == 1);
}

static void tables_and_globals_keep_it(wasm_store_t* store) {
  int runs;
  wasm_func_t* func = counted(store, &runs);
  wasm_table_t* table = table_of(store, WASM_FUNCREF, 1, 1);
  wasm_global_t* global = global_of(store, WASM_VAR, func_val(wasm_func_as_ref(func)));
  check(wasm_table_set(table, 0, wasm_func_as_ref(func)));
  wasm_func_delete(func);
  check(wasm_table_set(table, 0, NULL));
  tenon_store_collect(store);
  check(runs == 0);
  wasm_val_t value = func_val(NULL);
  wasm_global_set(global, &value);
  tenon_store_collect(store);
  check(runs == 1);
  wasm_global_delete(global);
  wasm_table_delete(table);
}

static void an_externref_keeps_it(wasm_store_t* store) {
  int runs;
  wasm_func_t* func = counted(store, &runs);
  wasm_global_t* global = global_of(store, WASM_VAR, extern_val(wasm_func_as_ref(func)));
  wasm_func_delete(func);
  tenon_store_collect(store);
  check(runs == 0);
  wasm_global_delete(global);
  tenon_store_collect(store);
  check(runs == 1);
}

static void the_store_takes_the_rest_along(void) {
  int runs[3];
  wasm_store_t* store = test_store();
  for (int i = 0; i < 3; i++) {
    wasm_func_t* func = counted(store, &runs[i]);
    wasm_extern_t* imports[] = {wasm_func_as_extern(func)};
    wasm_instance_t* instance = instance_with(store,
      "(module (import \"\" \"\" (func $f)) (table 1 funcref) (elem (i32.const 0) $f))",
      1, imports);
    wasm_func_delete(func);
    wasm_instance_delete(instance);
  }
  wasm_store_delete(store);
  for (int i = 0; i < 3; i++) check(runs[i] == 1);
}

static void functions_live_on_without_their_store(void) {
  int runs;
  wasm_store_t* store = test_store();
  wasm_func_t* func = counted(store, &runs);
  wasm_store_delete(store);
  check(runs == 0 && call_empty(func) == NULL);
  wasm_func_delete(func);
  check(runs == 1);
}

static void a_failed_function_finalizes_at_once(wasm_store_t* store) {
  wasm_valtype_t* missing[] = {NULL};
  wasm_valtype_vec_t params, results;
  wasm_valtype_vec_new(&params, 1, missing);
  wasm_valtype_vec_new_empty(&results);
  wasm_functype_t* incomplete = wasm_functype_new(&params, &results);
  wasm_functype_t* type = wasm_functype_new_0_0();
  int runs = 0;
  refused(TENON_ERROR_ARGUMENT, wasm_func_new_with_env(NULL, type, expect_zero, &runs, count));
  check(runs == 1);
  refused(TENON_ERROR_ARGUMENT, wasm_func_new_with_env(store, NULL, expect_zero, &runs, count));
  check(runs == 2);
  refused(TENON_ERROR_ARGUMENT, wasm_func_new_with_env(store, type, NULL, &runs, count));
  check(runs == 3);
  refused(TENON_ERROR_ARGUMENT,
    wasm_func_new_with_env(store, incomplete, expect_zero, &runs, count));
  check(runs == 4);
  wasm_functype_delete(type);
  wasm_functype_delete(incomplete);
}

static void a_failed_instance_does_not_keep_it(wasm_store_t* store) {
  int runs;
  wasm_func_t* func = counted(store, &runs);
  wasm_extern_t* items[] = {wasm_func_as_extern(func)};
  wasm_extern_vec_t imports = WASM_ARRAY_VEC(items);
  wasm_module_t* module = module_of(store,
    "(module (import \"\" \"\" (func $f)) (start $s) (func $s (call $f) unreachable))");
  refused(TENON_ERROR_TRAP, wasm_instance_new(store, module, &imports, NULL));
  wasm_func_delete(func);
  wasm_module_delete(module);
  tenon_store_collect(store);
  check(runs == 1);
}

static void vectors_in_the_type_change_nothing(wasm_store_t* store) {
  int runs = 0;
  wasm_functype_t* type = wasm_functype_new_1_0(wasm_valtype_new(TENON_V128));
  wasm_func_t* func = wasm_func_new_with_env(store, type, expect_zero, &runs, count);
  wasm_functype_delete(type);
  check(runs == 0);
  wasm_func_delete(func);
  tenon_store_collect(store);
  check(runs == 1);
}

/* An environment that owns another function. */
struct owner {
  int runs;
  wasm_func_t* other;
};

static void delete_other(void* env) {
  struct owner* owner = env;
  owner->runs++;
  wasm_func_delete(owner->other);
}

static void finalizers_may_delete_functions(wasm_store_t* store) {
  struct owner env = {.runs = 0};
  int runs;
  wasm_functype_t* type = wasm_functype_new_0_0();
  env.other = counted(store, &runs);
  wasm_func_t* func = wasm_func_new_with_env(store, type, expect_null, &env, delete_other);
  wasm_functype_delete(type);
  wasm_func_delete(func);
  tenon_store_collect(store);
  check(env.runs == 1 && runs == 1);
}

int main(void) {
  wasm_store_t* store = test_store();
  environments_may_be_null(store);
  the_last_handle_takes_it_along(store);
  importers_keep_it(store);
  tables_and_globals_keep_it(store);
  the_store_takes_the_rest_along();
  functions_live_on_without_their_store();
  a_failed_function_finalizes_at_once(store);
  a_failed_instance_does_not_keep_it(store);
  vectors_in_the_type_change_nothing(store);
  finalizers_may_delete_functions(store);
  an_externref_keeps_it(store);
  wasm_store_delete(store);
  return done();
}
