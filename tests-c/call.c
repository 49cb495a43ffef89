/* Calls: counts and kinds are checked, any number of values of any type goes in and out, references
 * included; a host function that breaks its type traps. */

#include "harness.h"

static const wasm_valkind_t kinds[] = {WASM_I32, WASM_I64, WASM_F32, WASM_F64};
static const char* const kind_names[] = {"i32", "i64", "f32", "f64"};

/* The kind of the value at a position. */
static size_t kind_at(size_t i) {
  return (i + i / 7) % 4;
}

/* A value that no other position has; floats of these bits are NaNs with a payload. */
static wasm_val_t value_at(size_t i) {
  wasm_val_t value = {.kind = kinds[kind_at(i)]};
  value.of.i64 = 0;
  switch (value.kind) {
    case WASM_I32: value.of.i32 = (int32_t)(0x80000000u + i); break;
    case WASM_I64: value.of.i64 = (int64_t)(0xfedcba9800000000u + i); break;
    case WASM_F32: value.of.i32 = (int32_t)(0xffc00000u + i); break;
    default: value.of.i64 = (int64_t)(0x7ff8000000000000u + i); break;
  }
  return value;
}

static bool is_value(const wasm_val_t* value, size_t i) {
  wasm_val_t wanted = value_at(i);
  bool narrow = wanted.kind == WASM_I32 || wanted.kind == WASM_F32;
  return value->kind == wanted.kind &&
    (narrow ? value->of.i32 == wanted.of.i32 : value->of.i64 == wanted.of.i64);
}

static void set_values(size_t count, wasm_val_t values[]) {
  for (size_t i = 0; i < count; i++) values[i] = value_at(i);
}

static void are_values(size_t count, const wasm_val_t values[]) {
  size_t wrong = 0;
  for (size_t i = 0; i < count; i++) wrong += !is_value(&values[i], i);
  if (!check(wrong == 0)) fprintf(stderr, "%zu of %zu values are wrong\n", wrong, count);
}

/* A vector of the types of so many values. */
static void set_types(size_t count, own wasm_valtype_vec_t* types) {
  wasm_valtype_vec_new_uninitialized(types, count);
  for (size_t i = 0; i < count; i++) types->data[i] = wasm_valtype_new(kinds[kind_at(i)]);
}

/* The type of functions from so many values to so many. */
static own wasm_functype_t* type_of_counts(size_t params, size_t results) {
  wasm_valtype_vec_t from, to;
  set_types(params, &from);
  set_types(results, &to);
  return wasm_functype_new(&from, &to);
}

static char* add_types(char* end, const char* what, size_t count) {
  end += sprintf(end, " (%s", what);
  for (size_t i = 0; i < count; i++) end += sprintf(end, " %s", kind_names[kind_at(i)]);
  return end + sprintf(end, ")");
}

static char* add_locals(char* end, size_t count) {
  for (size_t i = 0; i < count; i++) end += sprintf(end, " local.get %zu", i);
  return end;
}

/* A module that imports a function that returns the first of its arguments, exports one that calls
 * it, one that does the same itself, and the imported one. */
static own char* text_of_counts(size_t params, size_t results) {
  char* text = malloc(500 + 60 * (params + results));
  char* end = text + sprintf(text, "(module (type $t (func");
  end = add_types(end, "param", params);
  end = add_types(end, "result", results);
  end += sprintf(end, ")) (import \"\" \"\" (func $host (type $t)))");
  end = add_locals(end + sprintf(end, " (func (export \"self\") (type $t)"), results);
  end = add_locals(end + sprintf(end, ") (func (export \"call\") (type $t)"), params);
  sprintf(end, " call $host) (export \"host\" (func $host)))");
  return text;
}

/* A callback that returns the first of its arguments. */
static own wasm_trap_t* first(void* env, const wasm_val_vec_t* args, wasm_val_vec_t* results) {
  const size_t* counts = env;
  check(args->size == counts[0] && results->size == counts[1]);
  for (size_t i = 0; i < results->size; i++) wasm_val_copy(&results->data[i], &args->data[i]);
  return NULL;
}

/* Calls a function as it should be, with more room than needed, with arguments and results in the
 * same place. */
static void passes(const wasm_func_t* func, size_t params, size_t count) {
  wasm_val_t* args = calloc(params + 1, sizeof *args);
  wasm_val_t* results = calloc(count + 2, sizeof *results);
  set_values(params, args);
  check(call_with(func, params, args, count, results) == NULL);
  are_values(count, results);
  are_values(params, args);
  memset(results, 0, (count + 2) * sizeof *results);
  results[count] = results[count + 1] = i32_val(77);
  check(call_with(func, params, args, count + 2, results) == NULL);
  are_values(count, results);
  check(results[count].of.i32 == 77 && results[count + 1].of.i32 == 77);
  check(call_with(func, params, args, count, args) == NULL);
  are_values(params, args);
  free(results);
  free(args);
}

static void traps(const wasm_func_t* func, size_t args, wasm_val_t* values, size_t room) {
  wasm_val_t* results = calloc(room + 1, sizeof *results);
  tenon_last_error_clear();
  wasm_trap_t* trap = call_with(func, args, values, room, results);
  check(trap != NULL && tenon_last_error_code() == TENON_ERROR_TYPE);
  check(has_message(trap, last_error()) && strlen(last_error()) > 10);
  check(tenon_trap_code(trap) == TENON_TRAP_NONE);
  wasm_trap_delete(trap);
  free(results);
}

static void wrong_counts_trap(const wasm_func_t* func, size_t params, size_t results) {
  wasm_val_t* args = calloc(params + 2, sizeof *args);
  set_values(params + 2, args);
  traps(func, params + 1, args, results);
  traps(func, params + 2, args, results);
  if (params > 0) traps(func, params - 1, args, results);
  if (params > 0) traps(func, 0, NULL, results);
  if (results > 0) traps(func, params, args, results - 1);
  if (results > 0) traps(func, params, args, 0);
  free(args);
}

static void wrong_kinds_trap(const wasm_func_t* func, size_t params, size_t results) {
  static const wasm_valkind_t others[] = {
    WASM_I32, WASM_I64, WASM_F32, WASM_F64, TENON_V128, 5, 77, WASM_EXTERNREF, WASM_FUNCREF, 255,
  };
  wasm_val_t* args = calloc(params, sizeof *args);
  set_values(params, args);
  for (size_t at = 0; at < params; at += params > 8 ? params - 1 : 1) {
    for (size_t i = 0; i < sizeof others; i++) {
      if (others[i] == kinds[kind_at(at)]) continue;
      args[at] = (wasm_val_t){.kind = others[i], .of = {.ref = NULL}};
      traps(func, params, args, results);
    }
    args[at] = value_at(at);
  }
  free(args);
}

static void all_of_this_holds(const wasm_func_t* func, size_t params, size_t results) {
  check(wasm_func_param_arity(func) == params && wasm_func_result_arity(func) == results);
  // So often that the call goes the shortest way.
  for (int i = 0; i < 6; i++) passes(func, params, results);
  wrong_counts_trap(func, params, results);
  if (params > 0) wrong_kinds_trap(func, params, results);
}

static void so_many_values_pass(wasm_store_t* store, size_t params, size_t results) {
  size_t counts[] = {params, results};
  wasm_func_t* host = func_with_env(store, type_of_counts(params, results), first, counts);
  char* text = text_of_counts(params, results);
  wasm_byte_vec_t bytes = bytes_of(text);
  wasm_module_t* module = tenon_module_new_wat(store, &bytes);
  if (check(host != NULL) && check(module != NULL)) {
    wasm_extern_t* items[] = {wasm_func_as_extern(host)};
    wasm_extern_vec_t imports = WASM_ARRAY_VEC(items);
    wasm_instance_t* instance = wasm_instance_new(store, module, &imports, NULL);
    for (size_t export = 0; export < 3; export++) {
      wasm_func_t* func = func_at(instance, export);
      all_of_this_holds(func, params, results);
      wasm_func_delete(func);
    }
    all_of_this_holds(host, params, results);
    wasm_instance_delete(instance);
  } else {
    fprintf(stderr, "%zu params, %zu results: %s\n", params, results, last_error());
  }
  wasm_module_delete(module);
  free(text);
  wasm_func_delete(host);
}

static void any_number_of_values_passes(wasm_store_t* store) {
  static const size_t counts[] = {0, 1, 2, 6, 7, 8, 9, 10, 16, 17, 127, 128, 129, 999, 1000};
  for (size_t i = 0; i < sizeof counts / sizeof *counts; i++) {
    so_many_values_pass(store, counts[i], counts[i]);
    if (counts[i] > 1) so_many_values_pass(store, counts[i], 1);
  }
}

static own wasm_trap_t* never(const wasm_val_vec_t* args, wasm_val_vec_t* results) {
  (void)args, (void)results;
  check(!"called");
  return NULL;
}

static void vectors_in_a_signature_trap(wasm_store_t* store) {
  wasm_func_t* host =
    func_of_type(store, wasm_functype_new_0_1(wasm_valtype_new(TENON_V128)), never);
  if (!check(host != NULL)) return;
  wasm_extern_t* imports[] = {wasm_func_as_extern(host)};
  wasm_instance_t* instance = instance_with(store,
    "(module (import \"\" \"\" (func $f (result v128))) (export \"host\" (func $f))"
    " (func (export \"take\") (param v128)) (func (export \"give\") (result v128)"
    "  (v128.const i64x2 1 2)) (func (export \"call\") (drop (call $f)))"
    " (func (export \"inside\") (result i32) (i32x4.extract_lane 0 (call 2))))", 1, imports);
  wasm_val_t arg = {.kind = TENON_V128}, result = WASM_INIT_VAL;
  for (size_t i = 0; i < 4; i++) {
    wasm_func_t* func = func_at(instance, i);
    size_t params = wasm_func_param_arity(func), results = wasm_func_result_arity(func);
    wasm_trap_t* trap = call_with(func, params, &arg, results, &result);
    check(trap && mentions(trap, "wasm_val_t"));
    wasm_trap_delete(trap);
    wasm_func_delete(func);
  }
  wasm_func_t* inside = func_at(instance, 4);
  check(call_i32(inside, 0, NULL) == 1);
  wasm_func_delete(inside);
  wasm_instance_delete(instance);
  wasm_func_delete(host);
}

/* What a misbehaving callback does to its result. */
static wasm_val_t misbehaviour;

static own wasm_trap_t* misbehave(const wasm_val_vec_t* args, wasm_val_vec_t* results) {
  (void)args;
  wasm_val_copy(&results->data[0], &misbehaviour);
  return NULL;
}

static own wasm_trap_t* set_nothing(const wasm_val_vec_t* args, wasm_val_vec_t* results) {
  (void)args, (void)results;
  return NULL;
}

/* Calls the host function itself, and through a guest, which both have to trap. */
static void result_traps(
  wasm_store_t* store, wasm_valkind_t kind, const char* kind_text, wasm_func_callback_t callback
) {
  char text[200];
  wasm_func_t* host = func_of_type(store, wasm_functype_new_0_1(wasm_valtype_new(kind)), callback);
  wasm_extern_t* imports[] = {wasm_func_as_extern(host)};
  snprintf(text, sizeof text,
    "(module (import \"\" \"\" (func $f (result %s))) (func (export \"g\") (result %s) (call $f)))",
    kind_text, kind_text);
  wasm_instance_t* instance = instance_with(store, text, 1, imports);
  wasm_func_t* guest = func_at(instance, 0);
  for (int i = 0; i < 2; i++) {
    wasm_val_t result = WASM_INIT_VAL;
    wasm_trap_t* trap = call_with(i ? guest : host, 0, NULL, 1, &result);
    check(trap && mentions(trap, "result"));
    wasm_trap_delete(trap);
  }
  wasm_func_delete(guest);
  wasm_instance_delete(instance);
  wasm_func_delete(host);
}

static void a_wrong_result_of_a_callback_traps(wasm_store_t* store) {
  static const wasm_valkind_t all[] = {
    WASM_I32, WASM_I64, WASM_F32, WASM_F64, WASM_EXTERNREF, WASM_FUNCREF, TENON_V128, 77, 255,
  };
  static const char* const names[] = {"i32", "i64", "f32", "f64", "externref", "funcref"};
  for (size_t wanted = 0; wanted < 6; wanted++) {
    for (size_t got = 0; got < sizeof all; got++) {
      misbehaviour = (wasm_val_t){.kind = all[got], .of = {.ref = NULL}};
      if (got != wanted) result_traps(store, all[wanted], names[wanted], misbehave);
    }
  }
}

static void an_unset_result_of_a_callback_traps(wasm_store_t* store) {
  result_traps(store, WASM_I32, "i32", set_nothing);
  result_traps(store, WASM_F64, "f64", set_nothing);
  result_traps(store, WASM_FUNCREF, "funcref", set_nothing);
}

static void references_among_wrong_results_are_released(wasm_store_t* store) {
  wasm_foreign_t* foreign = wasm_foreign_new(store);
  wasm_foreign_set_host_info_with_finalizer(foreign, NULL, count_finalized);
  finalized = 0;
  misbehaviour = extern_val(wasm_foreign_as_ref(foreign));
  result_traps(store, WASM_I32, "i32", misbehave);
  result_traps(store, WASM_FUNCREF, "funcref", misbehave);
  misbehaviour.kind = WASM_FUNCREF;
  result_traps(store, WASM_I64, "i64", misbehave);
  result_traps(store, WASM_FUNCREF, "funcref", misbehave);
  wasm_foreign_delete(foreign);
  tenon_store_collect(store);
  check(finalized == 1);
}

static own wasm_trap_t* add_to_env(void* env, const wasm_val_vec_t* args, wasm_val_vec_t* results) {
  int32_t* sum = env;
  *sum += args->data[0].of.i32;
  results->data[0] = i32_val(*sum);
  return NULL;
}

static void callbacks_get_their_environment(wasm_store_t* store) {
  int32_t sums[2] = {0, 100};
  wasm_func_t* funcs[2];
  for (int i = 0; i < 2; i++) {
    funcs[i] = func_with_env(store, type_i32_i32(), add_to_env, &sums[i]);
  }
  check(call_i32(funcs[0], 3, NULL) == 3 && call_i32(funcs[1], 4, NULL) == 104);
  check(call_i32(funcs[0], 5, NULL) == 8 && sums[0] == 8 && sums[1] == 104);
  for (int i = 0; i < 2; i++) wasm_func_delete(funcs[i]);
}

static void a_null_callback_makes_no_function(wasm_store_t* store) {
  wasm_functype_t* type = type_i32_i32();
  refused(TENON_ERROR_ARGUMENT, wasm_func_new(store, type, NULL));
  refused(TENON_ERROR_ARGUMENT, wasm_func_new_with_env(store, type, NULL, store, NULL));
  wasm_functype_delete(type);
}

/* A guest with references of all kinds in and out. */
static const char* const referrer =
  "(module (table $t (export \"t\") 2 externref) (table $tf (export \"tf\") 2 funcref)"
  " (func (export \"swap\") (param externref i32 funcref) (result funcref i32 externref)"
  "  local.get 2 local.get 1 local.get 0)"
  " (func (export \"take\") (result externref)"
  "  (table.get $t (i32.const 1)) (table.set $t (i32.const 1) (ref.null extern)))"
  " (func (export \"take func\") (result funcref)"
  "  (table.get $tf (i32.const 1)) (table.set $tf (i32.const 1) (ref.null func)))"
  " (func (export \"is null\") (param externref) (result i32) (ref.is_null (local.get 0))))";

static void references_go_in_and_out(wasm_store_t* store, wasm_instance_t* instance) {
  wasm_func_t* swap = func_at(instance, 2);
  wasm_func_t* is_null = func_at(instance, 5);
  wasm_foreign_t* foreign = wasm_foreign_new(store);
  for (int null = 0; null < 2; null++) {
    wasm_ref_t* object = null ? NULL : wasm_foreign_as_ref(foreign);
    wasm_ref_t* func = null ? NULL : wasm_func_as_ref(swap);
    wasm_val_t args[] = {extern_val(object), i32_val(5), func_val(func)}, results[3];
    check(call_with(swap, 3, args, 3, results) == NULL);
    check(results[0].kind == WASM_FUNCREF && results[2].kind == WASM_EXTERNREF);
    check(results[1].kind == WASM_I32 && results[1].of.i32 == 5);
    if (null) check(!results[0].of.ref && !results[2].of.ref);
    else check(wasm_ref_same(results[0].of.ref, func) && wasm_ref_same(results[2].of.ref, object));
    for (int i = 0; i < 3; i++) wasm_val_delete(&results[i]);
    wasm_val_t answer;
    check(call_with(is_null, 1, args, 1, &answer) == NULL && answer.of.i32 == null);
  }
  wasm_val_t wrong[] = {func_val(wasm_func_as_ref(swap)), i32_val(5), func_val(NULL)};
  traps(swap, 3, wrong, 3);
  wasm_val_t no_func[] = {extern_val(NULL), i32_val(5), func_val(wasm_foreign_as_ref(foreign))};
  traps(swap, 3, no_func, 3);
  no_func[2].kind = WASM_EXTERNREF;
  traps(swap, 3, no_func, 3);
  no_func[2] = func_val(NULL);
  traps(swap, 3, no_func, 2);
  wasm_foreign_delete(foreign);
  wasm_func_delete(is_null);
  wasm_func_delete(swap);
}

static void the_same_place_for_references(wasm_store_t* store, wasm_instance_t* instance) {
  wasm_func_t* swap = func_at(instance, 2);
  wasm_foreign_t* foreign = wasm_foreign_new(store);
  wasm_val_t values[] = {
    extern_val(wasm_foreign_as_ref(foreign)), i32_val(6), func_val(wasm_func_as_ref(swap)),
  };
  check(call_with(swap, 3, values, 3, values) == NULL);
  check(wasm_ref_same(values[0].of.ref, wasm_func_as_ref(swap)) && values[1].of.i32 == 6);
  check(wasm_ref_same(values[2].of.ref, wasm_foreign_as_ref(foreign)));
  for (int i = 0; i < 3; i++) wasm_val_delete(&values[i]);
  wasm_foreign_delete(foreign);
  wasm_func_delete(swap);
}

/* Proves that a function returns a live reference that nobody but the result holds, whose
 * finalizer has not run. */
static void returns_the_only_reference(wasm_func_t* func, const char* what) {
  wasm_val_t result = WASM_INIT_VAL;
  check(call_with(func, 0, NULL, 1, &result) == NULL);
  if (!check(finalized == 0)) fprintf(stderr, "%s: freed before the caller had it\n", what);
  if (check(result.of.ref != NULL)) check(wasm_ref_get_host_info(result.of.ref) == &finalized);
  wasm_val_delete(&result);
}

static void results_that_nothing_else_holds_are_alive(
  wasm_store_t* store, wasm_instance_t* instance
) {
  wasm_func_t* take = func_at(instance, 3);
  wasm_func_t* take_func = func_at(instance, 4);
  wasm_table_t* table = table_at(instance, 0);
  wasm_table_t* func_table = table_at(instance, 1);
  wasm_foreign_t* foreign = wasm_foreign_new(store);
  wasm_func_t* func = func_of_type(store, wasm_functype_new_0_0(), set_nothing);
  wasm_foreign_set_host_info_with_finalizer(foreign, (void*)&finalized, count_finalized);
  wasm_func_set_host_info_with_finalizer(func, (void*)&finalized, count_finalized);
  wasm_table_set(table, 1, wasm_foreign_as_ref(foreign));
  wasm_table_set(func_table, 1, wasm_func_as_ref(func));
  wasm_foreign_delete(foreign);
  wasm_func_delete(func);
  finalized = 0;
  returns_the_only_reference(take, "externref out of a table");
  finalized = 0;
  returns_the_only_reference(take_func, "funcref out of a table");
  wasm_table_delete(func_table);
  wasm_table_delete(table);
  wasm_func_delete(take_func);
  wasm_func_delete(take);
}

static own wasm_trap_t* give_foreign(
  void* env, const wasm_val_vec_t* args, wasm_val_vec_t* results
) {
  (void)args;
  wasm_foreign_t* foreign = wasm_foreign_new(env);
  wasm_foreign_set_host_info_with_finalizer(foreign, (void*)&finalized, count_finalized);
  results->data[0] = extern_val(wasm_foreign_as_ref(foreign));
  return NULL;
}

static own wasm_trap_t* give_func(void* env, const wasm_val_vec_t* args, wasm_val_vec_t* results) {
  (void)args;
  wasm_func_t* func = func_of_type(env, wasm_functype_new_0_0(), set_nothing);
  wasm_func_set_host_info_with_finalizer(func, (void*)&finalized, count_finalized);
  results->data[0] = func_val(wasm_func_as_ref(func));
  return NULL;
}

static void new_references_from_callbacks_are_alive(wasm_store_t* store) {
  wasm_func_t* hosts[] = {
    func_with_env(store, wasm_functype_new_0_1(wasm_valtype_new_externref()), give_foreign, store),
    func_with_env(store, wasm_functype_new_0_1(wasm_valtype_new_funcref()), give_func, store),
  };
  wasm_extern_t* imports[] = {wasm_func_as_extern(hosts[0]), wasm_func_as_extern(hosts[1])};
  wasm_instance_t* instance = instance_with(store,
    "(module (import \"\" \"\" (func $e (result externref)))"
    " (import \"\" \"\" (func $f (result funcref)))"
    " (func (export \"e\") (result externref) (call $e))"
    " (func (export \"f\") (result funcref) (call $f)))", 2, imports);
  for (size_t i = 0; i < 2; i++) {
    wasm_func_t* guest = func_at(instance, i);
    finalized = 0;
    returns_the_only_reference(guest, "through a guest");
    finalized = 0;
    returns_the_only_reference(hosts[i], "from the callback itself");
    wasm_func_delete(guest);
  }
  wasm_instance_delete(instance);
  for (int i = 0; i < 2; i++) wasm_func_delete(hosts[i]);
}

enum { REFS_IN = 200, REFS_OUT = 8 };

/* A callback of many references: proves that each is the one of its place, and returns the last
 * ones. */
static own wasm_trap_t* last(void* env, const wasm_val_vec_t* args, wasm_val_vec_t* results) {
  wasm_foreign_t** objects = env;
  for (size_t i = 0; i < REFS_IN; i++) {
    check(wasm_ref_same(args->data[i].of.ref, wasm_foreign_as_ref(objects[i])));
  }
  for (size_t i = 0; i < REFS_OUT; i++) {
    wasm_val_copy(&results->data[i], &args->data[REFS_IN - REFS_OUT + i]);
  }
  return NULL;
}

static void set_externrefs(size_t count, own wasm_valtype_vec_t* types) {
  wasm_valtype_vec_new_uninitialized(types, count);
  for (size_t i = 0; i < count; i++) types->data[i] = wasm_valtype_new_externref();
}

static char* repeat(char* end, const char* text, size_t count) {
  for (size_t i = 0; i < count; i++) end += sprintf(end, "%s", text);
  return end;
}

static void many_references_go_in_and_out(wasm_store_t* store) {
  char text[30 * REFS_IN + 40 * REFS_OUT + 500];
  wasm_foreign_t* objects[REFS_IN];
  wasm_val_t args[REFS_IN], results[REFS_OUT];
  wasm_valtype_vec_t from, to;
  set_externrefs(REFS_IN, &from);
  set_externrefs(REFS_OUT, &to);
  for (size_t i = 0; i < REFS_IN; i++) {
    objects[i] = wasm_foreign_new(store);
    args[i] = extern_val(wasm_foreign_as_ref(objects[i]));
  }
  char* end = repeat(text + sprintf(text, "(module (type $t (func (param"), " externref", REFS_IN);
  end = repeat(end + sprintf(end, ") (result"), " externref", REFS_OUT);
  end += sprintf(end, "))) (import \"\" \"\" (func $f (type $t))) (func (export \"g\") (type $t)");
  sprintf(add_locals(end, REFS_IN), " call $f))");
  wasm_func_t* host = func_with_env(store, wasm_functype_new(&from, &to), last, objects);
  wasm_extern_t* imports[] = {wasm_func_as_extern(host)};
  wasm_instance_t* instance = instance_with(store, text, 1, imports);
  wasm_func_t* func = func_at(instance, 0);
  check(call_with(func, REFS_IN, args, REFS_OUT, results) == NULL);
  for (size_t i = 0; i < REFS_OUT; i++) {
    check(wasm_ref_same(results[i].of.ref, args[REFS_IN - REFS_OUT + i].of.ref));
    wasm_val_delete(&results[i]);
  }
  for (size_t i = 0; i < REFS_IN; i++) wasm_foreign_delete(objects[i]);
  wasm_func_delete(func);
  wasm_instance_delete(instance);
  wasm_func_delete(host);
}

/* A callback that calls the guest function in its environment with one less, down to 0. */
static own wasm_trap_t* one_less(void* env, const wasm_val_vec_t* args, wasm_val_vec_t* results) {
  int32_t n = args->data[0].of.i32;
  results->data[0] = i32_val(n == 0 ? 0 : call_i32(*(wasm_func_t**)env, n - 1, NULL));
  return NULL;
}

static void calls_nest(wasm_store_t* store) {
  wasm_func_t* guest = NULL;
  wasm_func_t* host = func_with_env(store, type_i32_i32(), one_less, &guest);
  wasm_extern_t* imports[] = {wasm_func_as_extern(host)};
  wasm_instance_t* instance = instance_with(store,
    "(module (import \"\" \"\" (func $f (param i32) (result i32)))"
    " (func (export \"g\") (param i32) (result i32) (i32.add (i32.const 1)"
    "  (call $f (local.get 0)))))", 1, imports);
  guest = func_at(instance, 0);
  check(call_i32(guest, 50, NULL) == 51);
  check(call_i32(host, 50, NULL) == 50);
  wasm_func_delete(guest);
  wasm_instance_delete(instance);
  wasm_func_delete(host);
}

/* What a callback deletes under the feet of its caller. */
struct scene {
  wasm_store_t* store;
  wasm_instance_t* instance;
  wasm_func_t* host;
};

static own wasm_trap_t* delete_all(void* env, const wasm_val_vec_t* args, wasm_val_vec_t* results) {
  struct scene* scene = env;
  wasm_instance_delete(scene->instance);
  wasm_func_delete(scene->host);
  tenon_store_collect(scene->store);
  wasm_store_delete(scene->store);
  results->data[0] = i32_val(args->data[0].of.i32 + 1);
  return NULL;
}

static void a_callback_may_delete_all_other_handles(void) {
  struct scene scene = {.store = test_store()};
  scene.host = func_with_env(scene.store, type_i32_i32(), delete_all, &scene);
  wasm_extern_t* imports[] = {wasm_func_as_extern(scene.host)};
  scene.instance = instance_with(scene.store,
    "(module (import \"\" \"\" (func $f (param i32) (result i32))) (memory 1)"
    " (func (export \"g\") (param i32) (result i32)"
    "  (i32.store (i32.const 0) (call $f (local.get 0))) (i32.load (i32.const 0))))",
    1, imports);
  wasm_func_t* guest = func_at(scene.instance, 0);
  check(call_i32(guest, 41, NULL) == 42);
  wasm_func_delete(guest);
}

int main(void) {
  wasm_store_t* store = test_store();
  any_number_of_values_passes(store);
  vectors_in_a_signature_trap(store);
  a_wrong_result_of_a_callback_traps(store);
  an_unset_result_of_a_callback_traps(store);
  callbacks_get_their_environment(store);
  a_null_callback_makes_no_function(store);
  calls_nest(store);
  a_callback_may_delete_all_other_handles();
  many_references_go_in_and_out(store);
  wasm_instance_t* instance = instance_of(store, referrer);
  references_go_in_and_out(store, instance);
  the_same_place_for_references(store, instance);
  references_among_wrong_results_are_released(store);
  results_that_nothing_else_holds_are_alive(store, instance);
  new_references_from_callbacks_are_alive(store);
  wasm_instance_delete(instance);
  wasm_store_delete(store);
  return done();
}
