/* Lifetime: handles keep what they need alive, whatever is deleted before them; what nothing
 * needs any more is freed while its store lives. */

#include "harness.h"

/* What a program has handles to. */
enum { ENGINE, STORE, MODULE, INSTANCE, FUNC, MEMORY, HOST_FUNC, HANDLES };

static const char* const guest =
  "(module (import \"\" \"\" (func $host (param i32) (result i32)))"
  " (memory (export \"m\") 1 4) (data (i32.const 8) \"\\2a\")"
  " (func (export \"f\") (param i32) (result i32)"
  "  (i32.add (call $host (local.get 0)) (i32.load8_u (i32.const 8)))))";

static own wasm_trap_t* doubled(const wasm_val_vec_t* args, wasm_val_vec_t* results) {
  results->data[0] = i32_val(2 * args->data[0].of.i32);
  return NULL;
}

static own wasm_trap_t* nothing(const wasm_val_vec_t* args, wasm_val_vec_t* results) {
  (void)args, (void)results;
  return NULL;
}

/* Everything anew. */
static void make_all(void* handles[HANDLES]) {
  handles[ENGINE] = test_engine();
  handles[STORE] = wasm_store_new(handles[ENGINE]);
  handles[MODULE] = module_of(handles[STORE], guest);
  handles[HOST_FUNC] = func_of_type(handles[STORE], type_i32_i32(), doubled);
  wasm_extern_t* imports[] = {wasm_func_as_extern(handles[HOST_FUNC])};
  wasm_extern_vec_t vec = WASM_ARRAY_VEC(imports);
  handles[INSTANCE] = wasm_instance_new(handles[STORE], handles[MODULE], &vec, NULL);
  handles[MEMORY] = memory_at(handles[INSTANCE], 0);
  handles[FUNC] = func_at(handles[INSTANCE], 1);
}

static void delete_one(void* handles[HANDLES], int which) {
  switch (which) {
    case ENGINE: wasm_engine_delete(handles[ENGINE]); break;
    case STORE: wasm_store_delete(handles[STORE]); break;
    case MODULE: wasm_module_delete(handles[MODULE]); break;
    case INSTANCE: wasm_instance_delete(handles[INSTANCE]); break;
    case FUNC: wasm_func_delete(handles[FUNC]); break;
    case MEMORY: wasm_memory_delete(handles[MEMORY]); break;
    default: wasm_func_delete(handles[HOST_FUNC]); break;
  }
  handles[which] = NULL;
}

static void use_engine(wasm_engine_t* engine) {
  wasm_store_t* store = wasm_store_new(engine);
  check(store != NULL);
  wasm_store_delete(store);
}

static void use_store(wasm_store_t* store) {
  wasm_foreign_t* foreign = wasm_foreign_new(store);
  check(foreign != NULL);
  wasm_foreign_delete(foreign);
}

static void use_module(wasm_module_t* module) {
  wasm_exporttype_vec_t exports;
  wasm_module_exports(module, &exports);
  check(exports.size == 2);
  wasm_exporttype_vec_delete(&exports);
}

static void use_instance(wasm_instance_t* instance) {
  wasm_func_t* func = func_at(instance, 1);
  check(call_i32(func, 4, NULL) == 50);
  wasm_func_delete(func);
}

/* Proves that whatever is there still works. */
static void use_all(void* handles[HANDLES]) {
  if (handles[ENGINE]) use_engine(handles[ENGINE]);
  if (handles[STORE]) use_store(handles[STORE]);
  if (handles[MODULE]) use_module(handles[MODULE]);
  if (handles[INSTANCE]) use_instance(handles[INSTANCE]);
  if (handles[FUNC]) check(call_i32(handles[FUNC], 3, NULL) == 48);
  if (handles[MEMORY]) check(wasm_memory_data(handles[MEMORY])[8] == 42);
  if (handles[HOST_FUNC]) check(call_i32(handles[HOST_FUNC], 5, NULL) == 10);
}

/* The order of deletion with this number, of the factorial of HANDLES that there are. */
static void order_of(size_t number, int order[HANDLES]) {
  for (int i = 0; i < HANDLES; i++) order[i] = i;
  for (int left = HANDLES; left > 1; left--) {
    int chosen = (int)(number % (size_t)left), last = order[left - 1];
    number /= (size_t)left;
    order[left - 1] = order[chosen];
    order[chosen] = last;
  }
}

static void everything_can_be_deleted_in_any_order(void) {
  const size_t orders = 5040, step = rounds(1, 211);
  for (size_t number = 0; number < orders; number += step) {
    int order[HANDLES];
    void* handles[HANDLES];
    order_of(number, order);
    make_all(handles);
    for (size_t i = 0; i < HANDLES; i++) {
      delete_one(handles, order[i]);
      use_all(handles);
    }
  }
}

static void copies_work_without_the_original(void) {
  void *handles[HANDLES], *copies[HANDLES];
  make_all(handles);
  copies[ENGINE] = copies[STORE] = NULL;
  copies[MODULE] = wasm_module_copy(handles[MODULE]);
  copies[INSTANCE] = wasm_instance_copy(handles[INSTANCE]);
  copies[FUNC] = wasm_func_copy(handles[FUNC]);
  copies[MEMORY] = wasm_memory_copy(handles[MEMORY]);
  copies[HOST_FUNC] = wasm_func_copy(handles[HOST_FUNC]);
  for (int i = 0; i < HANDLES; i++) delete_one(handles, i);
  use_all(copies);
  for (int i = MODULE; i < HANDLES; i++) delete_one(copies, i);
}

static void other_copies_work_without_the_original(wasm_store_t* store) {
  wasm_byte_vec_t text = bytes_of("text");
  wasm_trap_t* trap = wasm_trap_new(store, &text);
  wasm_trap_t* trap_copy = wasm_trap_copy(trap);
  wasm_trap_delete(trap);
  check(has_message(trap_copy, "text"));
  wasm_trap_delete(trap_copy);
  wasm_table_t* table = table_of(store, WASM_FUNCREF, 2, 3);
  wasm_table_t* table_copy = wasm_table_copy(table);
  wasm_table_delete(table);
  check(wasm_table_grow(table_copy, 1, NULL) && wasm_table_size(table_copy) == 3);
  wasm_table_delete(table_copy);
  wasm_global_t* global = global_of(store, WASM_CONST, i32_val(9));
  wasm_global_t* global_copy = wasm_global_copy(global);
  wasm_global_delete(global);
  wasm_val_t value;
  wasm_global_get(global_copy, &value);
  check(value.of.i32 == 9);
  wasm_global_delete(global_copy);
}

/* One instance with a memory, for which address space is reserved, and its finalizer set. */
static own wasm_instance_t* watched(
  wasm_store_t* store, const char* text, size_t count, wasm_extern_t* imports[]
) {
  wasm_instance_t* instance = instance_with(store, text, count, imports);
  wasm_instance_set_host_info_with_finalizer(instance, NULL, count_finalized);
  return instance;
}

/* Proves that making something and deleting all its handles leaves nothing in the store. */
static void leaves_nothing(void (*make_and_delete)(wasm_store_t*), int finalizers) {
  wasm_store_t* store = test_store();
  finalized = 0;
  make_and_delete(store);
  tenon_store_collect(store);
  size_t before = bytes_in_statm(0);
  for (int i = 0; i < 8; i++) {
    finalized = 0;
    make_and_delete(store);
    tenon_store_collect(store);
    if (!check(finalized == finalizers)) fprintf(stderr, "%d of %d\n", finalized, finalizers);
  }
  // Reservations of memories are of gigabytes, whatever else the process grows by is not.
  check(bytes_in_statm(0) < before + ((size_t)1 << 30));
  wasm_store_delete(store);
}

static void one_instance(wasm_store_t* store) {
  wasm_instance_delete(watched(store, "(module (memory 1))", 0, NULL));
}

static void one_instance_by_its_export(wasm_store_t* store) {
  wasm_instance_t* instance = watched(store, "(module (memory (export \"m\") 1))", 0, NULL);
  wasm_memory_t* memory = memory_at(instance, 0);
  wasm_instance_delete(instance);
  tenon_store_collect(store);
  check(finalized == 0 && wasm_memory_size(memory) == 1);
  wasm_memory_delete(memory);
}

static void importers_of_memories(wasm_store_t* store) {
  wasm_instance_t* last = watched(store, "(module (memory (export \"m\") 1))", 0, NULL);
  for (int i = 0; i < 5; i++) {
    wasm_extern_t* imports[] = {export_at(last, 0)};
    wasm_instance_t* next = watched(store,
      "(module (import \"\" \"\" (memory 1)) (memory (export \"m\") 1))", 1, imports);
    wasm_extern_delete(imports[0]);
    wasm_instance_delete(last);
    last = next;
  }
  wasm_instance_delete(last);
}

static void instances_in_each_others_tables(wasm_store_t* store) {
  static const char* const text =
    "(module (import \"\" \"\" (table $t 4 funcref)) (import \"\" \"\" (global $i i32))"
    " (memory 1) (elem (global.get $i) $f) (func $f (result i32) (i32.load (i32.const 0)))"
    " (func (export \"call\") (param i32) (result i32)"
    "  (call_indirect $t (result i32) (local.get 0))))";
  wasm_table_t* table = table_of(store, WASM_FUNCREF, 4, 4);
  wasm_instance_t* instances[4];
  for (int i = 0; i < 4; i++) {
    wasm_global_t* index = global_of(store, WASM_CONST, i32_val(i));
    wasm_extern_t* imports[] = {wasm_table_as_extern(table), wasm_global_as_extern(index)};
    instances[i] = watched(store, text, 2, imports);
    wasm_global_delete(index);
  }
  wasm_table_delete(table);
  wasm_func_t* call = func_at(instances[2], 0);
  for (int i = 0; i < 4; i++) wasm_instance_delete(instances[i]);
  tenon_store_collect(store);
  for (int i = 0; i < 4; i++) check(call_i32(call, i, NULL) == 0);
  check(finalized == 0);
  wasm_func_delete(call);
}

static void instances_that_own_the_shared_table(wasm_store_t* store) {
  wasm_instance_t* owner = watched(store,
    "(module (table (export \"t\") 2 funcref) (memory 1) (elem (i32.const 0) $f) (func $f))",
    0, NULL);
  wasm_extern_t* imports[] = {export_at(owner, 0)};
  wasm_instance_t* guest = watched(store,
    "(module (import \"\" \"\" (table 2 funcref)) (memory 1) (elem (i32.const 1) $f) (func $f))",
    1, imports);
  wasm_extern_delete(imports[0]);
  wasm_instance_delete(owner);
  wasm_instance_delete(guest);
}

static void instances_that_hold_each_other_as_references(wasm_store_t* store) {
  static const char* const text =
    "(module (memory 1) (global (export \"g\") (mut externref) (ref.null extern)))";
  wasm_instance_t* instances[2] = {watched(store, text, 0, NULL), watched(store, text, 0, NULL)};
  for (int i = 0; i < 2; i++) {
    wasm_global_t* global = global_at(instances[i], 0);
    wasm_val_t other = extern_val(wasm_instance_as_ref(instances[1 - i]));
    wasm_global_set(global, &other);
    wasm_global_delete(global);
  }
  for (int i = 0; i < 2; i++) wasm_instance_delete(instances[i]);
}

static void an_instance_that_holds_its_own_trap(wasm_store_t* store) {
  wasm_instance_t* instance = watched(store,
    "(module (memory 1) (global (export \"g\") (mut externref) (ref.null extern))"
    " (func (export \"f\") unreachable))", 0, NULL);
  wasm_global_t* global = global_at(instance, 0);
  wasm_func_t* func = func_at(instance, 1);
  wasm_trap_t* trap = call_empty(func);
  wasm_trap_set_host_info_with_finalizer(trap, NULL, count_finalized);
  wasm_val_t value = extern_val(wasm_trap_as_ref(trap));
  wasm_global_set(global, &value);
  wasm_trap_delete(trap);
  wasm_func_delete(func);
  wasm_global_delete(global);
  wasm_instance_delete(instance);
}

static void things_of_the_host(wasm_store_t* store) {
  wasm_ref_t* things[] = {
    wasm_memory_as_ref(memory_of(store, 1, wasm_limits_max_default)),
    wasm_table_as_ref(table_of(store, WASM_EXTERNREF, 1000, 1000)),
    wasm_global_as_ref(global_of(store, WASM_VAR, extern_val(NULL))),
    wasm_func_as_ref(func_of_type(store, type_i32_i32(), doubled)),
    wasm_foreign_as_ref(wasm_foreign_new(store)),
  };
  for (size_t i = 0; i < 5; i++) {
    wasm_ref_set_host_info_with_finalizer(things[i], NULL, count_finalized);
    wasm_ref_delete(things[i]);
  }
}

static void tables_that_hold_each_other(wasm_store_t* store) {
  wasm_table_t* tables[2];
  for (int i = 0; i < 2; i++) {
    tables[i] = table_of(store, WASM_EXTERNREF, 2, 2);
    wasm_table_set_host_info_with_finalizer(tables[i], NULL, count_finalized);
  }
  for (wasm_table_size_t i = 0; i < 2; i++) {
    check(wasm_table_set(tables[i], 0, wasm_table_as_ref(tables[1 - i])));
    check(wasm_table_set(tables[i], 1, wasm_table_as_ref(tables[i])));
  }
  for (int i = 0; i < 2; i++) wasm_table_delete(tables[i]);
}

static void host_functions_in_tables(wasm_store_t* store) {
  wasm_instance_t* instance =
    watched(store, "(module (memory 1) (table (export \"t\") 3 funcref))", 0, NULL);
  wasm_table_t* table = table_at(instance, 0);
  for (wasm_table_size_t i = 0; i < 3; i++) {
    wasm_functype_t* type = wasm_functype_new_0_0();
    wasm_func_t* func = wasm_func_new(store, type, nothing);
    wasm_func_set_host_info_with_finalizer(func, NULL, count_finalized);
    wasm_table_set(table, i, wasm_func_as_ref(func));
    wasm_functype_delete(type);
    wasm_func_delete(func);
  }
  tenon_store_collect(store);
  check(finalized == 0);
  wasm_ref_t* element = wasm_table_get(table, 1);
  check(call_empty(wasm_ref_as_func(element)) == NULL);
  wasm_ref_delete(element);
  wasm_table_delete(table);
  wasm_instance_delete(instance);
}

/* A callback that makes an instance and deletes it again. */
static own wasm_trap_t* make_and_drop(
  void* env, const wasm_val_vec_t* args, wasm_val_vec_t* results
) {
  (void)args, (void)results;
  one_instance(env);
  instances_in_each_others_tables(env);
  return NULL;
}

static void what_was_dropped_in_a_callback(wasm_store_t* store) {
  wasm_func_t* func = func_with_env(store, wasm_functype_new_0_0(), make_and_drop, store);
  wasm_extern_t* imports[] = {wasm_func_as_extern(func)};
  wasm_instance_t* instance = instance_with(store,
    "(module (import \"\" \"\" (func $f)) (func (export \"g\") (call $f)))", 1, imports);
  wasm_func_t* export = func_at(instance, 0);
  check(call_empty(export) == NULL);
  wasm_func_delete(export);
  wasm_instance_delete(instance);
  wasm_func_delete(func);
}

static void the_last_handle_may_be_any(void) {
  wasm_store_t* store = test_store();
  wasm_instance_t* instance = instance_of(store,
    "(module (func (export \"f\") (result i32) (i32.const 7)) (global (export \"g\") i32"
    " (i32.const 8)) (table (export \"t\") 9 funcref) (memory (export \"m\") 1))");
  for (size_t last = 0; last < 4; last++) {
    wasm_extern_vec_t exports;
    wasm_instance_exports(instance, &exports);
    wasm_extern_t* item = wasm_extern_copy(exports.data[last]);
    wasm_extern_vec_delete(&exports);
    wasm_externtype_t* type = wasm_extern_type(item);
    check(wasm_externtype_kind(type) == wasm_extern_kind(item));
    wasm_externtype_delete(type);
    if (last == 3) wasm_store_delete(store);
    if (last == 3) wasm_instance_delete(instance);
    if (wasm_extern_kind(item) == WASM_EXTERN_MEMORY) {
      check(wasm_memory_grow(wasm_extern_as_memory(item), 1));
      check(wasm_memory_size(wasm_extern_as_memory(item)) == 2);
    }
    wasm_extern_delete(item);
  }
}

int main(void) {
  everything_can_be_deleted_in_any_order();
  copies_work_without_the_original();
  wasm_store_t* store = test_store();
  other_copies_work_without_the_original(store);
  wasm_store_delete(store);
  leaves_nothing(one_instance, 1);
  leaves_nothing(one_instance_by_its_export, 1);
  leaves_nothing(importers_of_memories, 6);
  leaves_nothing(instances_in_each_others_tables, 4);
  leaves_nothing(instances_that_own_the_shared_table, 2);
  leaves_nothing(instances_that_hold_each_other_as_references, 2);
  leaves_nothing(things_of_the_host, 5);
  leaves_nothing(tables_that_hold_each_other, 2);
  leaves_nothing(host_functions_in_tables, 4);
  leaves_nothing(what_was_dropped_in_a_callback, 5);
  leaves_nothing(an_instance_that_holds_its_own_trap, 2);
  the_last_handle_may_be_any();
  return done();
}
