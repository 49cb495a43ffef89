/* Host info: belongs to the entity, whichever handle it is set or read by; its finalizer runs once,
 * when it is replaced or the last handle, instance or store that kept the entity is gone. */

#include "harness.h"

/* The functions of a kind of references, and how to make one. */
struct kind {
  const char* name;
  void* (*get)(const void*);
  void (*set)(void*, void*);
  void (*set_with_finalizer)(void*, void*, void (*)(void*));
  void* (*copy)(const void*);
  void (*delete)(void*);
  void* (*make)(wasm_store_t*);
};

#define WRAP(name, make_one) \
  static void* name##_get(const void* thing) { \
    return wasm_##name##_get_host_info(thing); \
  } \
  static void name##_set(void* thing, void* info) { \
    wasm_##name##_set_host_info(thing, info); \
  } \
  static void name##_set_with_finalizer(void* thing, void* info, void (*finalizer)(void*)) { \
    wasm_##name##_set_host_info_with_finalizer(thing, info, finalizer); \
  } \
  static void* name##_copy(const void* thing) { \
    return wasm_##name##_copy(thing); \
  } \
  static void name##_delete(void* thing) { \
    wasm_##name##_delete(thing); \
  } \
  static void* name##_make(wasm_store_t* store) { \
    return make_one; \
  }

#define ROW(name) \
  {#name, name##_get, name##_set, name##_set_with_finalizer, name##_copy, name##_delete, \
    name##_make}

static own wasm_trap_t* nothing(const wasm_val_vec_t* args, wasm_val_vec_t* results) {
  (void)args, (void)results;
  return NULL;
}

static own wasm_trap_t* a_trap(wasm_store_t* store) {
  wasm_byte_vec_t text = bytes_of("text");
  return wasm_trap_new(store, &text);
}

static own wasm_extern_t* an_export(wasm_store_t* store) {
  wasm_instance_t* instance = instance_of(store, "(module (table (export \"t\") 1 funcref))");
  wasm_extern_t* item = export_at(instance, 0);
  wasm_instance_delete(instance);
  return item;
}

WRAP(func, func_of_type(store, wasm_functype_new_0_0(), nothing))
WRAP(global, global_of(store, WASM_VAR, i32_val(0)))
WRAP(table, table_of(store, WASM_FUNCREF, 1, 1))
WRAP(memory, memory_of(store, 1, 1))
WRAP(extern, an_export(store))
WRAP(instance, instance_of(store, "(module)"))
WRAP(module, module_of(store, "(module)"))
WRAP(trap, a_trap(store))
WRAP(foreign, wasm_foreign_new(store))
WRAP(ref, wasm_foreign_as_ref(wasm_foreign_new(store)))

/* The first four are in the order of the numbers of extern kinds. */
static const struct kind kinds[] = {
  ROW(func), ROW(global), ROW(table), ROW(memory), ROW(extern),
  ROW(instance), ROW(module), ROW(trap), ROW(foreign), ROW(ref),
};

enum { KINDS = sizeof kinds / sizeof *kinds };

/* Host info that counts how often it was finalized. */
static void count(void* info) {
  ++*(int*)info;
}

static void info_belongs_to_the_entity(wasm_store_t* store, const struct kind* kind) {
  int info = 0, other = 0;
  void* thing = kind->make(store);
  void* stranger = kind->make(store);
  void* copy = kind->copy(thing);
  check(kind->get(thing) == NULL);
  kind->set(thing, &info);
  check(kind->get(thing) == &info && kind->get(copy) == &info);
  check(wasm_ref_get_host_info(copy) == &info);
  check(kind->get(stranger) == NULL);
  kind->set(copy, &other);
  check(kind->get(thing) == &other);
  kind->set(copy, NULL);
  check(kind->get(thing) == NULL);
  kind->delete(copy);
  kind->delete(stranger);
  kind->delete(thing);
  check(info == 0 && other == 0);
}

static void replacing_runs_the_old_finalizer(wasm_store_t* store, const struct kind* kind) {
  int first = 0, second = 0, third = 0;
  void* thing = kind->make(store);
  void* copy = kind->copy(thing);
  kind->set_with_finalizer(thing, &first, count);
  check(first == 0 && kind->get(copy) == &first);
  kind->set_with_finalizer(copy, &second, count);
  check(first == 1 && second == 0 && kind->get(thing) == &second);
  kind->set(thing, &third);
  check(second == 1 && kind->get(copy) == &third);
  kind->set_with_finalizer(thing, &first, NULL);
  kind->delete(thing);
  kind->delete(copy);
  check(first == 1 && second == 1 && third == 0);
}

static void the_last_handle_takes_it_along(wasm_store_t* store, const struct kind* kind) {
  int info = 0;
  void* thing = kind->make(store);
  kind->set_with_finalizer(thing, &info, count);
  void* copy = kind->copy(thing);
  kind->delete(thing);
  tenon_store_collect(store);
  check(info == 0 && kind->get(copy) == &info);
  kind->delete(copy);
  tenon_store_collect(store);
  check(info == 1);
}

static void finalizers_of_null_run_too(wasm_store_t* store, const struct kind* kind) {
  finalized = 0;
  void* thing = kind->make(store);
  kind->set_with_finalizer(thing, NULL, count_finalized);
  check(kind->get(thing) == NULL);
  kind->delete(thing);
  tenon_store_collect(store);
  check(finalized == 1);
}

/* What can keep an entity alive: a handle, an instance, and in it all others, a store. */
enum { HANDLE, INSTANCE, STORE, KEEPERS };

static const int orders[6][KEEPERS] = {
  {HANDLE, INSTANCE, STORE}, {HANDLE, STORE, INSTANCE}, {INSTANCE, HANDLE, STORE},
  {INSTANCE, STORE, HANDLE}, {STORE, HANDLE, INSTANCE}, {STORE, INSTANCE, HANDLE},
};

struct kept {
  const struct kind* kind;
  void* handle;
  wasm_instance_t* instance;
  wasm_store_t* store;
};

static void drop(struct kept* kept, int keeper) {
  if (keeper == HANDLE) kept->kind->delete(kept->handle);
  if (keeper == INSTANCE) wasm_instance_delete(kept->instance);
  if (keeper == STORE) wasm_store_delete(kept->store);
  if (keeper == HANDLE) kept->handle = NULL;
  if (keeper == INSTANCE) kept->instance = NULL;
  if (keeper == STORE) kept->store = NULL;
}

/* Deletes what keeps an entity in this order: it goes with the last of handle and instance. */
static void drop_in_order(struct kept kept, const int order[KEEPERS]) {
  int info = 0;
  kept.kind->set_with_finalizer(kept.handle, &info, count);
  for (int i = 0; i < KEEPERS; i++) {
    check(info == (kept.handle == NULL && kept.instance == NULL));
    if (kept.handle) check(kept.kind->get(kept.handle) == &info);
    drop(&kept, order[i]);
    if (kept.store) tenon_store_collect(kept.store);
  }
  if (!check(info == 1)) fprintf(stderr, "%s: %d\n", kept.kind->name, info);
}

static void a_global_of_an_instance_keeps_anything(const struct kind* kind) {
  for (size_t i = 0; i < 6; i++) {
    struct kept kept = {.kind = kind, .store = test_store()};
    kept.handle = kind->make(kept.store);
    kept.instance =
      instance_of(kept.store, "(module (global (export \"g\") (mut externref) ref.null extern))");
    wasm_global_t* global = global_at(kept.instance, 0);
    wasm_val_t value = extern_val(kept.handle);
    wasm_global_set(global, &value);
    wasm_global_delete(global);
    drop_in_order(kept, orders[i]);
  }
}

static void an_instance_keeps_what_it_imports(wasm_externkind_t kind) {
  static const char* const importers[] = {
    "(module (import \"\" \"\" (func)))", "(module (import \"\" \"\" (global (mut i32))))",
    "(module (import \"\" \"\" (table 1 funcref)))", "(module (import \"\" \"\" (memory 1)))",
  };
  for (size_t i = 0; i < 6; i++) {
    struct kept kept = {.kind = &kinds[kind], .store = test_store()};
    kept.handle = kinds[kind].make(kept.store);
    wasm_extern_t* imports[] = {kept.handle};
    kept.instance = instance_with(kept.store, importers[kind], 1, imports);
    drop_in_order(kept, orders[i]);
  }
}

static void an_instance_keeps_what_it_defines(size_t export, wasm_externkind_t kind) {
  for (size_t i = 0; i < 6; i++) {
    struct kept kept = {.kind = &kinds[kind], .store = test_store()};
    kept.instance = instance_of(kept.store,
      "(module (func (export \"f\")) (global (export \"g\") i32 (i32.const 0))"
      " (table (export \"t\") 1 funcref) (memory (export \"m\") 1))");
    kept.handle = export_at(kept.instance, export);
    drop_in_order(kept, orders[i]);
  }
}

static void a_table_of_the_host_keeps_its_elements(wasm_store_t* store) {
  wasm_table_t* table = table_of(store, WASM_EXTERNREF, 1, 1);
  for (size_t i = 0; i < KINDS; i++) {
    int info = 0;
    void* thing = kinds[i].make(store);
    kinds[i].set_with_finalizer(thing, &info, count);
    wasm_table_set(table, 0, thing);
    kinds[i].delete(thing);
    tenon_store_collect(store);
    wasm_ref_t* element = wasm_table_get(table, 0);
    check(info == 0 && wasm_ref_get_host_info(element) == &info);
    wasm_ref_delete(element);
    wasm_table_set(table, 0, NULL);
    tenon_store_collect(store);
    check(info == 1);
  }
  wasm_table_delete(table);
}

static void re_exports_see_the_same_info(wasm_store_t* store) {
  static int infos[2];
  wasm_instance_t* instance = instance_of(store,
    "(module (func $f (export \"a\")) (memory $m (export \"b\") 1) (export \"c\" (func $f))"
    " (export \"d\" (memory $m)) (func (export \"e\")))");
  wasm_extern_vec_t exports;
  wasm_instance_exports(instance, &exports);
  for (size_t i = 0; i < 2; i++) wasm_extern_set_host_info(exports.data[i], &infos[i]);
  wasm_extern_vec_delete(&exports);
  tenon_store_collect(store);
  wasm_instance_exports(instance, &exports);
  for (size_t i = 0; i < 4; i++) {
    check(wasm_extern_get_host_info(exports.data[i]) == &infos[i % 2]);
    check(wasm_ref_get_host_info(wasm_extern_as_ref(exports.data[i])) == &infos[i % 2]);
  }
  check(wasm_extern_get_host_info(exports.data[4]) == NULL);
  wasm_extern_vec_delete(&exports);
  wasm_instance_delete(instance);
}

static void handles_of_one_module_see_the_same_info(wasm_store_t* store) {
  int info = 0;
  wasm_module_t* module = module_of(store, "(module)");
  wasm_shared_module_t* shared = wasm_module_share(module);
  wasm_module_t* obtained = wasm_module_obtain(store, shared);
  wasm_module_set_host_info_with_finalizer(module, &info, count);
  if (wasm_module_same(module, obtained)) check(wasm_module_get_host_info(obtained) == &info);
  wasm_module_delete(module);
  wasm_module_delete(obtained);
  wasm_shared_module_delete(shared);
  tenon_store_collect(store);
  check(info == 1);
}

/* What a finalizer works with. */
struct scene {
  wasm_store_t* store;
  wasm_func_t* func;
  wasm_foreign_t* other;
  int runs, other_runs;
};

/* A finalizer that uses whatever the API has. */
static void use_the_api(void* env) {
  struct scene* scene = env;
  scene->runs++;
  check(call_i32(scene->func, 4, NULL) == 5);
  wasm_foreign_t* foreign = wasm_foreign_new(scene->store);
  wasm_foreign_set_host_info_with_finalizer(foreign, &scene->other_runs, count);
  wasm_foreign_delete(foreign);
  wasm_instance_t* instance =
    instance_of(scene->store, "(module (func $s unreachable) (memory 1))");
  wasm_instance_delete(instance);
  wasm_foreign_delete(scene->other);
  tenon_store_collect(scene->store);
}

static void finalizers_may_use_the_api(const struct kind* kind) {
  struct scene scene = {.store = test_store()};
  wasm_instance_t* instance = instance_of(scene.store,
    "(module (func (export \"f\") (param i32) (result i32)"
    " (i32.add (local.get 0) (i32.const 1))))");
  scene.func = func_at(instance, 0);
  scene.other = wasm_foreign_new(scene.store);
  wasm_foreign_set_host_info_with_finalizer(scene.other, &scene.other_runs, count);
  void* thing = kind->make(scene.store);
  kind->set_with_finalizer(thing, &scene, use_the_api);
  kind->delete(thing);
  tenon_store_collect(scene.store);
  check(scene.runs == 1 && scene.other_runs == 2);
  wasm_func_delete(scene.func);
  wasm_instance_delete(instance);
  wasm_store_delete(scene.store);
}

static void replacing_may_use_the_api(wasm_store_t* store, const struct kind* kind) {
  struct scene scene = {.store = store};
  wasm_instance_t* instance = instance_of(store,
    "(module (func (export \"f\") (param i32) (result i32)"
    " (i32.add (local.get 0) (i32.const 1))))");
  scene.func = func_at(instance, 0);
  scene.other = wasm_foreign_new(store);
  void* thing = kind->make(store);
  kind->set_with_finalizer(thing, &scene, use_the_api);
  kind->set_with_finalizer(thing, NULL, NULL);
  check(scene.runs == 1);
  kind->delete(thing);
  tenon_store_collect(store);
  check(scene.runs == 1);
  wasm_func_delete(scene.func);
  wasm_instance_delete(instance);
}

/* A finalizer that sets the info of the same entity anew. */
static void set_again(void* env) {
  struct scene* scene = env;
  scene->runs++;
  wasm_foreign_set_host_info_with_finalizer(scene->other, &scene->other_runs, count);
}

static void a_finalizer_may_set_new_info(wasm_store_t* store) {
  struct scene scene = {.other = wasm_foreign_new(store)};
  wasm_foreign_set_host_info_with_finalizer(scene.other, &scene, set_again);
  wasm_foreign_set_host_info(scene.other, NULL);
  check(scene.runs == 1 && scene.other_runs == 0);
  check(wasm_foreign_get_host_info(scene.other) == &scene.other_runs);
  wasm_foreign_delete(scene.other);
  check(scene.runs == 1 && scene.other_runs == 1);
}

static void delete_foreign(void* foreign) {
  finalized++;
  wasm_foreign_delete(foreign);
}

static void long_chains_of_finalizers_take_no_stack(wasm_store_t* store) {
  int length = (int)rounds(100000, 1000);
  wasm_foreign_t* last = NULL;
  for (int i = 0; i < length; i++) {
    wasm_foreign_t* next = wasm_foreign_new(store);
    wasm_foreign_set_host_info_with_finalizer(next, last, delete_foreign);
    last = next;
  }
  finalized = 0;
  wasm_foreign_delete(last);
  check(finalized == length);
}

/* A callback that deletes the last handle of the thing in its environment. */
static own wasm_trap_t* delete_env(void* env, const wasm_val_vec_t* args, wasm_val_vec_t* results) {
  (void)args, (void)results;
  wasm_foreign_t** foreign = env;
  wasm_foreign_delete(*foreign);
  *foreign = NULL;
  return NULL;
}

static void what_a_callback_deletes_is_finalized_once(wasm_store_t* store) {
  wasm_foreign_t* foreign = wasm_foreign_new(store);
  finalized = 0;
  wasm_foreign_set_host_info_with_finalizer(foreign, NULL, count_finalized);
  wasm_func_t* func = func_with_env(store, wasm_functype_new_0_0(), delete_env, &foreign);
  check(call_empty(func) == NULL && foreign == NULL);
  tenon_store_collect(store);
  check(finalized == 1);
  wasm_func_delete(func);
}

static void deleting_the_store_finalizes_what_only_it_kept(void) {
  wasm_store_t* store = test_store();
  wasm_table_t* table = table_of(store, WASM_EXTERNREF, 100, 100);
  finalized = 0;
  for (wasm_table_size_t i = 0; i < 100; i++) {
    wasm_foreign_t* foreign = wasm_foreign_new(store);
    wasm_foreign_set_host_info_with_finalizer(foreign, NULL, count_finalized);
    wasm_table_set(table, i, wasm_foreign_as_ref(foreign));
    wasm_foreign_delete(foreign);
  }
  wasm_ref_t* element = wasm_table_get(table, 50);
  wasm_table_delete(table);
  wasm_store_delete(store);
  check(finalized <= 99);
  wasm_ref_delete(element);
  check(finalized == 100);
}

int main(void) {
  wasm_store_t* store = test_store();
  for (size_t i = 0; i < KINDS; i++) {
    info_belongs_to_the_entity(store, &kinds[i]);
    replacing_runs_the_old_finalizer(store, &kinds[i]);
    the_last_handle_takes_it_along(store, &kinds[i]);
    finalizers_of_null_run_too(store, &kinds[i]);
    a_global_of_an_instance_keeps_anything(&kinds[i]);
    finalizers_may_use_the_api(&kinds[i]);
    replacing_may_use_the_api(store, &kinds[i]);
  }
  for (wasm_externkind_t kind = WASM_EXTERN_FUNC; kind <= WASM_EXTERN_MEMORY; kind++) {
    an_instance_keeps_what_it_imports(kind);
    an_instance_keeps_what_it_defines(kind, kind);
  }
  a_table_of_the_host_keeps_its_elements(store);
  re_exports_see_the_same_info(store);
  handles_of_one_module_see_the_same_info(store);
  a_finalizer_may_set_new_info(store);
  long_chains_of_finalizers_take_no_stack(store);
  what_a_callback_deletes_is_finalized_once(store);
  deleting_the_store_finalizes_what_only_it_kept();
  wasm_store_delete(store);
  return done();
}
