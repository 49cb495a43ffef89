/* Identity: `same` compares what handles refer to, whichever way they were come by. */

#include "harness.h"

/* A guest that keeps and returns references in every way there is. */
static const char* const keeper =
  "(module"
  " (table $te (export \"te\") 4 externref) (table $tf (export \"tf\") 4 funcref)"
  " (global $ge (export \"ge\") (mut externref) (ref.null extern))"
  " (global $gf (export \"gf\") (mut funcref) (ref.null func))"
  " (func (export \"id extern\") (param externref) (result externref) local.get 0)"
  " (func (export \"id func\") (param funcref) (result funcref) local.get 0)"
  " (func (export \"through globals\") (param externref funcref) (result externref funcref)"
  "  (global.set $ge (local.get 0)) (global.set $gf (local.get 1))"
  "  (global.get $ge) (global.get $gf))"
  " (func (export \"through tables\") (param externref funcref) (result externref funcref)"
  "  (table.set $te (i32.const 3) (local.get 0)) (table.set $tf (i32.const 3) (local.get 1))"
  "  (table.copy $te $te (i32.const 0) (i32.const 3) (i32.const 1))"
  "  (table.copy $tf $tf (i32.const 0) (i32.const 3) (i32.const 1))"
  "  (table.get $te (i32.const 0)) (table.get $tf (i32.const 0))))";

enum { TE, TF, GE, GF, ID_EXTERN, ID_FUNC, THROUGH_GLOBALS, THROUGH_TABLES };

/* One export of each kind, and again. */
static const char* const exporter =
  "(module (func $f (export \"f\")) (global $g (export \"g\") (mut i32) (i32.const 1))"
  " (table $t (export \"t\") 1 funcref) (memory $m (export \"m\") 1)"
  " (export \"f2\" (func $f)) (export \"g2\" (global $g)) (export \"t2\" (table $t))"
  " (export \"m2\" (memory $m)))";

static own wasm_trap_t* nothing(const wasm_val_vec_t* args, wasm_val_vec_t* results) {
  (void)args, (void)results;
  return NULL;
}

static own wasm_trap_t* trap_in_env(
  void* env, const wasm_val_vec_t* args, wasm_val_vec_t* results
) {
  (void)args, (void)results;
  return wasm_trap_copy(env);
}

enum { KINDS = 10 };

/* Things of all kinds; the last is a module, the first four are externs. */
static void some_of_all(wasm_store_t* store, wasm_ref_t* things[KINDS]) {
  wasm_byte_vec_t text = bytes_of("text");
  things[0] = wasm_func_as_ref(func_of_type(store, wasm_functype_new_0_0(), nothing));
  things[1] = wasm_global_as_ref(global_of(store, WASM_VAR, i32_val(0)));
  things[2] = wasm_table_as_ref(table_of(store, WASM_EXTERNREF, 1, 1));
  things[3] = wasm_memory_as_ref(memory_of(store, 1, 1));
  wasm_instance_t* instance = instance_of(store, exporter);
  things[4] = wasm_func_as_ref(func_at(instance, 0));
  things[5] = wasm_extern_as_ref(export_at(instance, 1));
  things[6] = wasm_instance_as_ref(instance);
  things[7] = wasm_trap_as_ref(wasm_trap_new(store, &text));
  things[8] = wasm_foreign_as_ref(wasm_foreign_new(store));
  things[9] = wasm_module_as_ref(module_of(store, "(module)"));
}

static void delete_all(wasm_ref_t* things[KINDS]) {
  for (size_t i = 0; i < KINDS; i++) wasm_ref_delete(things[i]);
}

static void copies_are_the_same_and_nothing_else_is(wasm_store_t* store) {
  wasm_ref_t* things[KINDS];
  some_of_all(store, things);
  for (size_t i = 0; i < KINDS; i++) {
    wasm_ref_t* copy = wasm_ref_copy(things[i]);
    for (size_t j = 0; j < KINDS; j++) {
      tenon_last_error_clear();
      check(wasm_ref_same(copy, things[j]) == (i == j));
      check(wasm_ref_same(things[j], copy) == (i == j));
      check(tenon_last_error_code() == TENON_OK);
    }
    wasm_ref_delete(copy);
  }
  delete_all(things);
}

/* Proves that `copy` and `same` of a kind agree, on a thing of that kind and on another one. */
#define AGREES(name, thing, other) \
  do { \
    wasm_##name##_t* one = (wasm_##name##_t*)(thing); \
    wasm_##name##_t* twin = wasm_##name##_copy(one); \
    check(twin != one && wasm_##name##_same(one, twin) && wasm_##name##_same(one, one)); \
    check(!wasm_##name##_same(twin, (wasm_##name##_t*)(other))); \
    wasm_##name##_delete(twin); \
  } while (0)

static void every_kind_compares_its_entities(wasm_store_t* store) {
  wasm_ref_t *some[KINDS], *others[KINDS];
  some_of_all(store, some);
  some_of_all(store, others);
  AGREES(func, some[0], others[0]);
  AGREES(func, some[4], others[4]);
  AGREES(global, some[1], others[1]);
  AGREES(table, some[2], others[2]);
  AGREES(memory, some[3], others[3]);
  AGREES(extern, some[5], others[5]);
  AGREES(instance, some[6], others[6]);
  AGREES(trap, some[7], others[7]);
  AGREES(foreign, some[8], others[8]);
  AGREES(module, some[9], others[9]);
  AGREES(ref, some[6], some[4]);
  delete_all(some);
  delete_all(others);
}

static void exports_are_the_same_each_time(wasm_store_t* store) {
  wasm_instance_t* instance = instance_of(store, exporter);
  wasm_extern_vec_t first, again;
  wasm_instance_exports(instance, &first);
  wasm_instance_exports(instance, &again);
  for (size_t i = 0; i < 8; i++) {
    for (size_t j = 0; j < 8; j++) {
      check(wasm_extern_same(first.data[i], again.data[j]) == (i % 4 == j % 4));
    }
  }
  check(wasm_func_same(wasm_extern_as_func(first.data[0]), wasm_extern_as_func(again.data[4])));
  check(
    wasm_global_same(wasm_extern_as_global(first.data[1]), wasm_extern_as_global(again.data[5])));
  check(wasm_table_same(wasm_extern_as_table(first.data[2]), wasm_extern_as_table(again.data[6])));
  check(
    wasm_memory_same(wasm_extern_as_memory(first.data[3]), wasm_extern_as_memory(again.data[7])));
  wasm_extern_vec_delete(&first);
  wasm_extern_vec_delete(&again);
  wasm_instance_delete(instance);
}

static void re_exported_imports_are_what_was_imported(wasm_store_t* store) {
  wasm_instance_t* source = instance_of(store, exporter);
  wasm_extern_vec_t imports, exports;
  wasm_instance_exports(source, &imports);
  wasm_instance_t* instance = instance_with(store,
    "(module (import \"\" \"f\" (func $f)) (import \"\" \"g\" (global $g (mut i32)))"
    " (import \"\" \"t\" (table $t 1 funcref)) (import \"\" \"m\" (memory $m 1))"
    " (export \"a\" (memory $m)) (export \"b\" (table $t)) (export \"c\" (global $g))"
    " (export \"d\" (func $f)))", 4, imports.data);
  wasm_instance_exports(instance, &exports);
  for (size_t i = 0; i < 4; i++) {
    for (size_t j = 0; j < 4; j++) {
      check(wasm_extern_same(exports.data[3 - i], imports.data[j]) == (i == j));
    }
  }
  wasm_extern_vec_delete(&exports);
  wasm_extern_vec_delete(&imports);
  wasm_instance_delete(instance);
  wasm_instance_delete(source);
}

static void imported_host_externs_are_re_exported_as_themselves(wasm_store_t* store) {
  wasm_ref_t* things[KINDS];
  some_of_all(store, things);
  wasm_extern_t* imports[4];
  for (size_t i = 0; i < 4; i++) imports[i] = wasm_ref_as_extern(things[i]);
  wasm_instance_t* instance = instance_with(store,
    "(module (import \"\" \"f\" (func $f)) (import \"\" \"g\" (global $g (mut i32)))"
    " (import \"\" \"t\" (table $t 1 externref)) (import \"\" \"m\" (memory $m 1))"
    " (export \"f\" (func $f)) (export \"g\" (global $g)) (export \"t\" (table $t))"
    " (export \"m\" (memory $m)))", 4, imports);
  for (size_t i = 0; i < 4; i++) {
    wasm_extern_t* export = export_at(instance, i);
    check(wasm_extern_same(export, imports[i]));
    wasm_extern_delete(export);
  }
  wasm_instance_delete(instance);
  delete_all(things);
}

/* Proves that the reference in a result is that one, and deletes it. */
static void is_that(own wasm_val_t value, wasm_valkind_t kind, const wasm_ref_t* wanted) {
  check(value.kind == kind);
  if (wanted) check(value.of.ref && wasm_ref_same(value.of.ref, wanted));
  else check(value.of.ref == NULL);
  wasm_val_delete(&value);
}

static void anything_passes_through_functions(wasm_store_t* store, wasm_instance_t* instance) {
  wasm_func_t* id = func_at(instance, ID_EXTERN);
  wasm_ref_t* things[KINDS + 1];
  some_of_all(store, things);
  things[KINDS] = NULL;
  for (size_t i = 0; i <= KINDS; i++) {
    wasm_val_t arg = extern_val(things[i]), result = WASM_INIT_VAL;
    check(call_with(id, 1, &arg, 1, &result) == NULL);
    check(arg.of.ref == things[i]);
    is_that(result, WASM_EXTERNREF, things[i]);
  }
  delete_all(things);
  wasm_func_delete(id);
}

static void functions_pass_as_functions(wasm_store_t* store, wasm_instance_t* instance) {
  wasm_func_t* id = func_at(instance, ID_FUNC);
  wasm_ref_t* funcs[] = {
    wasm_func_as_ref(func_of_type(store, wasm_functype_new_0_0(), nothing)),
    wasm_func_as_ref(func_at(instance, THROUGH_TABLES)),
    wasm_func_as_ref(func_at(instance, ID_FUNC)), NULL,
  };
  for (size_t i = 0; i < 4; i++) {
    wasm_val_t arg = func_val(funcs[i]), result = WASM_INIT_VAL;
    check(call_with(id, 1, &arg, 1, &result) == NULL);
    is_that(result, WASM_FUNCREF, funcs[i]);
    wasm_ref_delete(funcs[i]);
  }
  wasm_func_delete(id);
}

static void anything_stays_in_globals_and_tables(
  wasm_store_t* store, wasm_instance_t* instance, size_t export
) {
  wasm_func_t* func = func_at(instance, export);
  wasm_global_t* global_e = global_at(instance, GE);
  wasm_global_t* global_f = global_at(instance, GF);
  wasm_table_t* table_e = table_at(instance, TE);
  wasm_table_t* table_f = table_at(instance, TF);
  wasm_ref_t* things[KINDS];
  some_of_all(store, things);
  for (size_t i = 0; i < KINDS; i++) {
    wasm_val_t args[2] = {extern_val(things[i]), func_val(things[i % 2 ? 0 : 4])};
    wasm_val_t results[2] = {WASM_INIT_VAL, WASM_INIT_VAL}, value;
    check(call_with(func, 2, args, 2, results) == NULL);
    is_that(results[0], WASM_EXTERNREF, args[0].of.ref);
    is_that(results[1], WASM_FUNCREF, args[1].of.ref);
    if (export == THROUGH_GLOBALS) {
      wasm_global_get(global_e, &value);
      is_that(value, WASM_EXTERNREF, args[0].of.ref);
      wasm_global_get(global_f, &value);
      is_that(value, WASM_FUNCREF, args[1].of.ref);
    } else {
      is_that(extern_val(wasm_table_get(table_e, 3)), WASM_EXTERNREF, args[0].of.ref);
      is_that(func_val(wasm_table_get(table_f, 0)), WASM_FUNCREF, args[1].of.ref);
    }
  }
  delete_all(things);
  wasm_table_delete(table_f);
  wasm_table_delete(table_e);
  wasm_global_delete(global_f);
  wasm_global_delete(global_e);
  wasm_func_delete(func);
}

static void what_the_host_puts_into_tables_comes_out(wasm_store_t* store) {
  wasm_ref_t* things[KINDS];
  some_of_all(store, things);
  wasm_table_t* table = table_of(store, WASM_EXTERNREF, KINDS, KINDS);
  for (wasm_table_size_t i = 0; i < KINDS; i++) check(wasm_table_set(table, i, things[i]));
  for (wasm_table_size_t i = 0; i < KINDS; i++) {
    is_that(extern_val(wasm_table_get(table, i)), WASM_EXTERNREF, things[i]);
  }
  wasm_table_delete(table);
  delete_all(things);
}

/* A callback that proves that its argument is the function in its environment. */
static own wasm_trap_t* is_env(void* env, const wasm_val_vec_t* args, wasm_val_vec_t* results) {
  check(wasm_ref_same(args->data[0].of.ref, env));
  check(wasm_ref_as_func(args->data[1].of.ref) != NULL);
  results->data[0] = extern_val(wasm_ref_copy(env));
  return NULL;
}

static void callbacks_get_what_was_passed(wasm_store_t* store) {
  wasm_foreign_t* foreign = wasm_foreign_new(store);
  wasm_func_t* callback = func_with_env(store,
    wasm_functype_new_2_1(
      wasm_valtype_new_externref(), wasm_valtype_new_funcref(), wasm_valtype_new_externref()),
    is_env, wasm_foreign_as_ref(foreign));
  wasm_extern_t* imports[] = {wasm_func_as_extern(callback)};
  wasm_instance_t* instance = instance_with(store,
    "(module (import \"\" \"f\" (func $f (param externref funcref) (result externref)))"
    " (elem declare func $g) (func $g (export \"g\") (param externref) (result externref)"
    "  (call $f (local.get 0) (ref.func $g))))", 1, imports);
  wasm_func_t* func = func_at(instance, 0);
  wasm_val_t arg = extern_val(wasm_foreign_as_ref(foreign)), result = WASM_INIT_VAL;
  check(call_with(func, 1, &arg, 1, &result) == NULL);
  is_that(result, WASM_EXTERNREF, arg.of.ref);
  wasm_func_delete(func);
  wasm_instance_delete(instance);
  wasm_func_delete(callback);
  wasm_foreign_delete(foreign);
}

static void shared_modules_are_the_same_module(void) {
  wasm_engine_t* engine = test_engine();
  wasm_store_t* store = wasm_store_new(engine);
  wasm_store_t* other_store = wasm_store_new(engine);
  wasm_module_t* module = module_of(store, "(module)");
  wasm_shared_module_t* shared = wasm_module_share(module);
  wasm_module_t* obtained = wasm_module_obtain(store, shared);
  wasm_module_t* elsewhere = wasm_module_obtain(other_store, shared);
  wasm_module_t* equal = module_of(store, "(module)");
  check(wasm_module_same(module, obtained) && wasm_module_same(module, elsewhere));
  check(wasm_ref_same(wasm_module_as_ref(module), wasm_module_as_ref(obtained)));
  check(!wasm_module_same(module, equal));
  wasm_module_delete(equal);
  wasm_module_delete(elsewhere);
  wasm_module_delete(obtained);
  wasm_shared_module_delete(shared);
  wasm_module_delete(module);
  wasm_store_delete(other_store);
  wasm_store_delete(store);
  wasm_engine_delete(engine);
}

static void a_host_trap_comes_back_as_itself(wasm_store_t* store) {
  wasm_byte_vec_t text = bytes_of("text");
  wasm_trap_t* trap = wasm_trap_new(store, &text);
  wasm_func_t* callback = func_with_env(store, wasm_functype_new_0_0(), trap_in_env, trap);
  wasm_extern_t* imports[] = {wasm_func_as_extern(callback)};
  wasm_instance_t* instance = instance_with(store,
    "(module (import \"\" \"f\" (func $f)) (func (export \"g\") (call $f)))", 1, imports);
  wasm_func_t* func = func_at(instance, 0);
  wasm_trap_t* raised = call_empty(func);
  check(wasm_trap_same(raised, trap));
  check(wasm_ref_same(wasm_trap_as_ref(raised), wasm_trap_as_ref(trap)));
  wasm_frame_t* frame = wasm_trap_origin(raised);
  check(wasm_instance_same(wasm_frame_instance(frame), instance));
  wasm_frame_delete(frame);
  wasm_trap_delete(raised);
  wasm_func_delete(func);
  wasm_instance_delete(instance);
  wasm_func_delete(callback);
  wasm_trap_delete(trap);
}

int main(void) {
  wasm_store_t* store = test_store();
  copies_are_the_same_and_nothing_else_is(store);
  every_kind_compares_its_entities(store);
  exports_are_the_same_each_time(store);
  re_exported_imports_are_what_was_imported(store);
  imported_host_externs_are_re_exported_as_themselves(store);
  wasm_instance_t* instance = instance_of(store, keeper);
  anything_passes_through_functions(store, instance);
  functions_pass_as_functions(store, instance);
  anything_stays_in_globals_and_tables(store, instance, THROUGH_GLOBALS);
  anything_stays_in_globals_and_tables(store, instance, THROUGH_TABLES);
  wasm_instance_delete(instance);
  what_the_host_puts_into_tables_comes_out(store);
  callbacks_get_what_was_passed(store);
  shared_modules_are_the_same_module();
  a_host_trap_comes_back_as_itself(store);
  wasm_store_delete(store);
  return done();
}
