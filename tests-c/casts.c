/* Casts between references: the same pointer, or NULL and the last error for another kind. */

#include "harness.h"

/* A kind of references, by functions on anything. */
struct kind {
  const char* name;
  wasm_ref_t* (*as_ref)(void*);
  const wasm_ref_t* (*as_ref_const)(const void*);
  void* (*ref_as)(wasm_ref_t*);
  const void* (*ref_as_const)(const wasm_ref_t*);
  bool (*works)(const void*);
};

/* A kind of externs likewise. */
struct extern_kind {
  wasm_extern_t* (*as_extern)(void*);
  const wasm_extern_t* (*as_extern_const)(const void*);
  void* (*extern_as)(wasm_extern_t*);
  const void* (*extern_as_const)(const wasm_extern_t*);
};

#define WRAP(name, works_one) \
  static wasm_ref_t* name##_as_ref(void* thing) { \
    return wasm_##name##_as_ref(thing); \
  } \
  static const wasm_ref_t* name##_as_ref_const(const void* thing) { \
    return wasm_##name##_as_ref_const(thing); \
  } \
  static void* ref_as_##name(wasm_ref_t* reference) { \
    return wasm_ref_as_##name(reference); \
  } \
  static const void* ref_as_##name##_const(const wasm_ref_t* reference) { \
    return wasm_ref_as_##name##_const(reference); \
  } \
  static bool name##_works(const void* thing) { \
    return works_one; \
  }

#define WRAP_EXTERN(name) \
  static wasm_extern_t* name##_as_extern(void* thing) { \
    return wasm_##name##_as_extern(thing); \
  } \
  static const wasm_extern_t* name##_as_extern_const(const void* thing) { \
    return wasm_##name##_as_extern_const(thing); \
  } \
  static void* extern_as_##name(wasm_extern_t* item) { \
    return wasm_extern_as_##name(item); \
  } \
  static const void* extern_as_##name##_const(const wasm_extern_t* item) { \
    return wasm_extern_as_##name##_const(item); \
  }

#define ROW(name) \
  {#name, name##_as_ref, name##_as_ref_const, ref_as_##name, ref_as_##name##_const, name##_works}

#define EXTERN_ROW(name) \
  {name##_as_extern, name##_as_extern_const, extern_as_##name, extern_as_##name##_const}

static bool exports_nothing(const wasm_instance_t* instance) {
  wasm_extern_vec_t exports;
  wasm_instance_exports(instance, &exports);
  wasm_extern_vec_delete(&exports);
  return exports.size == 0;
}

static bool imports_nothing(const wasm_module_t* module) {
  wasm_importtype_vec_t imports;
  wasm_module_imports(module, &imports);
  wasm_importtype_vec_delete(&imports);
  return imports.size == 0;
}

WRAP(func, wasm_func_param_arity(thing) == 1)
WRAP(global, (wasm_global_set((void*)thing, &(wasm_val_t)WASM_I32_VAL(5)), true))
WRAP(table, wasm_table_size(thing) == 2)
WRAP(memory, wasm_memory_size(thing) == 1)
WRAP(extern, wasm_extern_kind(thing) <= WASM_EXTERN_MEMORY)
WRAP(trap, has_message(thing, "text"))
WRAP(foreign, wasm_foreign_get_host_info(thing) == NULL)
WRAP(module, imports_nothing(thing))
WRAP(instance, exports_nothing(thing))

WRAP_EXTERN(func)
WRAP_EXTERN(global)
WRAP_EXTERN(table)
WRAP_EXTERN(memory)

/* The first four are externs, in the order of their numbers. */
enum { FUNC, GLOBAL, TABLE, MEMORY, EXTERN, TRAP, FOREIGN, MODULE, INSTANCE, KINDS };

static const struct kind kinds[KINDS] = {
  ROW(func), ROW(global), ROW(table), ROW(memory), ROW(extern),
  ROW(trap), ROW(foreign), ROW(module), ROW(instance),
};

static const struct extern_kind extern_kinds[] = {
  EXTERN_ROW(func), EXTERN_ROW(global), EXTERN_ROW(table), EXTERN_ROW(memory),
};

static own wasm_trap_t* nothing(const wasm_val_vec_t* args, wasm_val_vec_t* results) {
  (void)args, (void)results;
  return NULL;
}

/* One thing of each kind; the one that is made as an extern is a memory. */
static void one_of_each(wasm_store_t* store, void* things[KINDS]) {
  wasm_byte_vec_t text = bytes_of("text");
  wasm_instance_t* exporter = instance_of(store, "(module (memory (export \"m\") 1))");
  things[FUNC] = func_of_type(store, type_i32_i32(), nothing);
  things[GLOBAL] = global_of(store, WASM_VAR, i32_val(3));
  things[TABLE] = table_of(store, WASM_FUNCREF, 2, 2);
  things[MEMORY] = memory_of(store, 1, 1);
  things[EXTERN] = export_at(exporter, 0);
  things[TRAP] = wasm_trap_new(store, &text);
  things[FOREIGN] = wasm_foreign_new(store);
  things[MODULE] = module_of(store, "(module)");
  things[INSTANCE] = instance_of(store, "(module)");
  wasm_instance_delete(exporter);
}

/* Whether what was made as one kind is also of another. */
static bool is_also(size_t made_as, size_t kind) {
  if (made_as == kind) return true;
  if (made_as == EXTERN) return kind == MEMORY;
  return kind == EXTERN && made_as < EXTERN;
}

static void references_cast_to_their_kind_only(void* things[KINDS]) {
  for (size_t from = 0; from < KINDS; from++) {
    wasm_ref_t* reference = kinds[from].as_ref(things[from]);
    check((void*)reference == things[from]);
    check((const void*)kinds[from].as_ref_const(things[from]) == things[from]);
    for (size_t to = 0; to < KINDS; to++) {
      void* wanted = is_also(from, to) ? things[from] : NULL;
      tenon_last_error_clear();
      check(kinds[to].ref_as(reference) == wanted);
      check((tenon_last_error_code() != TENON_OK) == (wanted == NULL));
      tenon_last_error_clear();
      check(kinds[to].ref_as_const(reference) == wanted);
      check((tenon_last_error_code() != TENON_OK) == (wanted == NULL));
      if (wanted) check(kinds[to].works(wanted));
    }
    check(kinds[from].works(things[from]));
  }
}

static void externs_cast_to_their_kind_only(void* things[KINDS]) {
  for (size_t from = 0; from < EXTERN; from++) {
    wasm_extern_t* item = extern_kinds[from].as_extern(things[from]);
    check((void*)item == things[from] && wasm_extern_kind(item) == from);
    check((const void*)extern_kinds[from].as_extern_const(things[from]) == things[from]);
    for (size_t to = 0; to < EXTERN; to++) {
      void* wanted = from == to ? things[from] : NULL;
      tenon_last_error_clear();
      check(extern_kinds[to].extern_as(item) == wanted);
      check((tenon_last_error_code() != TENON_OK) == (wanted == NULL));
      tenon_last_error_clear();
      check(extern_kinds[to].extern_as_const(item) == wanted);
      check((tenon_last_error_code() != TENON_OK) == (wanted == NULL));
      if (wanted) check(kinds[to].works(wanted));
    }
  }
}

static void copies_of_references_cast_likewise(void* things[KINDS]) {
  for (size_t kind = 0; kind < KINDS; kind++) {
    wasm_ref_t* copy = wasm_ref_copy(kinds[kind].as_ref(things[kind]));
    check((void*)copy != things[kind]);
    void* thing = kinds[kind].ref_as(copy);
    check(thing == (void*)copy && kinds[kind].works(thing));
    wasm_ref_delete(copy);
  }
}

/* What a cast gives belongs to the same owner: it is deleted once, by whichever name. */
static void things_are_deleted_under_any_name(void* things[KINDS]) {
  for (size_t kind = 0; kind < KINDS; kind++) {
    wasm_ref_set_host_info_with_finalizer(things[kind], NULL, count_finalized);
  }
  finalized = 0;
  for (size_t kind = 0; kind < KINDS; kind++) wasm_ref_delete(kinds[kind].as_ref(things[kind]));
  check(finalized == KINDS);
}

int main(void) {
  wasm_store_t* store = test_store();
  void* things[KINDS];
  one_of_each(store, things);
  references_cast_to_their_kind_only(things);
  externs_cast_to_their_kind_only(things);
  copies_of_references_cast_likewise(things);
  things_are_deleted_under_any_name(things);
  wasm_store_delete(store);
  return done();
}
