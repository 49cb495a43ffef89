/* Imports: by position; what is missing or does not fit gives NULL, a trap and the last error,
 * which name the import, what was expected and what was given. What a failed instantiation wrote
 * stays. */

#include "harness.h"

static own wasm_trap_t* nothing(const wasm_val_vec_t* args, wasm_val_vec_t* results) {
  (void)args, (void)results;
  return NULL;
}

/* Whether the last error names the import. */
static bool error_names(const char* module, const char* name) {
  char buffer[64] = "", other[64] = "";
  size_t size = tenon_last_error_import_module(buffer, sizeof buffer);
  bool same = size == strlen(module) + 1 && strcmp(buffer, module) == 0;
  size = tenon_last_error_import_name(other, sizeof other);
  return same && size == strlen(name) + 1 && strcmp(other, name) == 0;
}

/* Instantiates a module, which has to fail with this error; the trap, which has its text. */
static own wasm_trap_t* fails_to_instantiate(
  wasm_store_t* store, const wasm_module_t* module, const wasm_extern_vec_t* imports,
  tenon_error_code_t code
) {
  wasm_trap_t* trap = NULL;
  refused(code, wasm_instance_new(store, module, imports, NULL));
  refused(code, wasm_instance_new(store, module, imports, &trap));
  if (check(trap != NULL)) check(has_message(trap, last_error()));
  return trap;
}

/* Things of the host that can be given for imports, their types as messages have them. */
enum { FUNC, GLOBAL, TABLE, MEMORY, KINDS };

static const char* const type_texts[KINDS] = {
  "func (i32) -> (i32)", "global (mut i64)", "table 2 5 funcref", "memory 1 3",
};

static void one_of_each(wasm_store_t* store, wasm_extern_t* items[KINDS]) {
  wasm_val_t value = WASM_I64_VAL(5);
  items[FUNC] = wasm_func_as_extern(func_of_type(store, type_i32_i32(), nothing));
  items[GLOBAL] = wasm_global_as_extern(global_of(store, WASM_VAR, value));
  items[TABLE] = wasm_table_as_extern(table_of(store, WASM_FUNCREF, 2, 5));
  items[MEMORY] = wasm_memory_as_extern(memory_of(store, 1, 3));
}

static void delete_all(wasm_extern_t* items[KINDS]) {
  for (size_t i = 0; i < KINDS; i++) wasm_extern_delete(items[i]);
}

/* What imports may look like, and what of the things above fits them. */
struct wanted {
  const char* import;
  int fitting;
  const char* expected;
};

static const struct wanted cases[] = {
  {"(func (param i32) (result i32))", FUNC, ""},
  {"(func (param i32))", -1, "func (i32) -> ()"},
  {"(func (result i32))", -1, "func () -> (i32)"},
  {"(func (param i64) (result i32))", -1, "func (i64) -> (i32)"},
  {"(func (param i32 i32) (result i32))", -1, "func (i32, i32) -> (i32)"},
  {"(func (param externref v128) (result funcref))", -1, "func (externref, v128) -> (funcref)"},
  {"(global (mut i64))", GLOBAL, ""},
  {"(global i64)", -1, "global i64"},
  {"(global (mut i32))", -1, "global (mut i32)"},
  {"(global (mut externref))", -1, "global (mut externref)"},
  {"(table 2 5 funcref)", TABLE, ""},
  {"(table 0 funcref)", TABLE, ""},
  {"(table 1 6 funcref)", TABLE, ""},
  {"(table 2 5 externref)", -1, "table 2 5 externref"},
  {"(table 3 5 funcref)", -1, "table 3 5 funcref"},
  {"(table 2 4 funcref)", -1, "table 2 4 funcref"},
  {"(memory 1 3)", MEMORY, ""},
  {"(memory 0)", MEMORY, ""},
  {"(memory 0 4)", MEMORY, ""},
  {"(memory 2)", -1, "memory 2"},
  {"(memory 1 2)", -1, "memory 1 2"},
};

static own wasm_module_t* importer_of(wasm_store_t* store, const char* import) {
  char text[200];
  snprintf(text, sizeof text, "(module (import \"some module\" \"some name\" %s))", import);
  return module_of(store, text);
}

static void things_that_fit_are_accepted(
  wasm_store_t* store, const struct wanted* wanted, wasm_extern_t* item
) {
  wasm_module_t* module = importer_of(store, wanted->import);
  wasm_extern_vec_t imports = {1, &item};
  wasm_trap_t* trap = (void*)8;
  wasm_instance_t* instance = wasm_instance_new(store, module, &imports, &trap);
  check(instance != NULL && trap == NULL);
  wasm_instance_delete(instance);
  wasm_module_delete(module);
}

static void things_that_do_not_fit_are_named(
  wasm_store_t* store, const struct wanted* wanted, wasm_extern_t* items[KINDS], int given
) {
  wasm_module_t* module = importer_of(store, wanted->import);
  wasm_extern_vec_t imports = {1, &items[given]};
  wasm_trap_t* trap = fails_to_instantiate(store, module, &imports, TENON_ERROR_LINK);
  check(mentions(trap, "some module") && mentions(trap, "some name"));
  char got[64];
  snprintf(got, sizeof got, "got %s", type_texts[given]);
  check(mentions(trap, "expected") && mentions(trap, wanted->expected) && mentions(trap, got));
  check(error_names("some module", "some name"));
  check(tenon_trap_code(trap) == TENON_TRAP_NONE);
  wasm_trap_delete(trap);
  wasm_module_delete(module);
}

static void every_kind_and_type_is_checked(wasm_store_t* store) {
  wasm_extern_t* items[KINDS];
  one_of_each(store, items);
  for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
    for (int given = 0; given < KINDS; given++) {
      if (given == cases[i].fitting) things_that_fit_are_accepted(store, &cases[i], items[given]);
      else things_that_do_not_fit_are_named(store, &cases[i], items, given);
    }
  }
  delete_all(items);
}

static void without_a_maximum_nothing_with_one_fits(wasm_store_t* store) {
  wasm_extern_t* items[] = {
    wasm_table_as_extern(table_of(store, WASM_FUNCREF, 2, wasm_limits_max_default)),
    wasm_memory_as_extern(memory_of(store, 1, wasm_limits_max_default)),
  };
  static const char* const imports[][2] = {
    {"(table 2 5 funcref)", "(table 2 funcref)"}, {"(memory 1 3)", "(memory 1)"},
  };
  for (size_t i = 0; i < 2; i++) {
    wasm_module_t* module = importer_of(store, imports[i][0]);
    wasm_extern_vec_t vec = {1, &items[i]};
    wasm_trap_delete(fails_to_instantiate(store, module, &vec, TENON_ERROR_LINK));
    wasm_module_delete(module);
    struct wanted wanted = {imports[i][1], 0, ""};
    things_that_fit_are_accepted(store, &wanted, items[i]);
    wasm_extern_delete(items[i]);
  }
}

static void growth_counts(wasm_store_t* store) {
  wasm_memory_t* memory = memory_of(store, 1, 3);
  wasm_extern_t* item = wasm_memory_as_extern(memory);
  wasm_extern_vec_t imports = {1, &item};
  wasm_module_t* module = importer_of(store, "(memory 2 3)");
  wasm_trap_delete(fails_to_instantiate(store, module, &imports, TENON_ERROR_LINK));
  check(wasm_memory_grow(memory, 1));
  wasm_instance_t* instance = wasm_instance_new(store, module, &imports, NULL);
  check(instance != NULL);
  wasm_instance_delete(instance);
  wasm_module_delete(module);
  wasm_memory_delete(memory);
}

static const char* const wants_four =
  "(module (import \"a\" \"func\" (func (param i32) (result i32)))"
  " (import \"b\" \"global\" (global (mut i64))) (import \"c\" \"table\" (table 1 funcref))"
  " (import \"d\" \"memory\" (memory 1)))";

static void missing_imports_are_named(wasm_store_t* store) {
  static const char* const names[KINDS][3] = {
    {"a", "func", "func (i32) -> (i32)"}, {"b", "global", "global (mut i64)"},
    {"c", "table", "table 1 funcref"}, {"d", "memory", "memory 1"},
  };
  wasm_extern_t *items[KINDS], *holed[KINDS];
  one_of_each(store, items);
  wasm_module_t* module = module_of(store, wants_four);
  for (size_t missing = 0; missing < KINDS; missing++) {
    memcpy(holed, items, sizeof items);
    holed[missing] = NULL;
    wasm_extern_vec_t vecs[] = {{missing, items}, {KINDS, holed}, {missing + 1, holed}};
    for (size_t i = 0; i < 3; i++) {
      wasm_trap_t* trap = fails_to_instantiate(store, module, &vecs[i], TENON_ERROR_LINK);
      for (size_t j = 0; j < 3; j++) check(mentions(trap, names[missing][j]));
      check(error_names(names[missing][0], names[missing][1]));
      wasm_trap_delete(trap);
    }
  }
  wasm_trap_delete(fails_to_instantiate(store, module, NULL, TENON_ERROR_LINK));
  wasm_extern_vec_t without_data = {KINDS, NULL};
  wasm_trap_delete(fails_to_instantiate(store, module, &without_data, TENON_ERROR_LINK));
  wasm_module_delete(module);
  delete_all(items);
}

static void too_many_imports_are_refused(wasm_store_t* store) {
  wasm_extern_t *items[KINDS], *more[KINDS + 1];
  one_of_each(store, items);
  memcpy(more, items, sizeof items);
  wasm_module_t* module = module_of(store, wants_four);
  for (int i = 0; i < 2; i++) {
    more[KINDS] = i ? NULL : items[0];
    wasm_extern_vec_t imports = {KINDS + 1, more};
    wasm_trap_t* trap = NULL;
    check(wasm_instance_new(store, module, &imports, NULL) == NULL);
    tenon_last_error_clear();
    check(wasm_instance_new(store, module, &imports, &trap) == NULL);
    check(tenon_last_error_code() != TENON_OK && has_message(trap, last_error()));
    wasm_trap_delete(trap);
  }
  wasm_module_delete(module);
  delete_all(items);
}

static void the_vector_stays_as_it_is(wasm_store_t* store) {
  wasm_extern_t *items[KINDS], *before[KINDS];
  one_of_each(store, items);
  memcpy(before, items, sizeof items);
  wasm_module_t* module = module_of(store, wants_four);
  wasm_extern_vec_t imports = {KINDS, items};
  wasm_instance_t* instance = wasm_instance_new(store, module, &imports, NULL);
  check(instance && imports.size == KINDS && memcmp(items, before, sizeof items) == 0);
  delete_all(items);
  wasm_instance_delete(instance);
  wasm_module_delete(module);
}

static void things_of_another_store_are_refused(wasm_store_t* store, wasm_store_t* other) {
  wasm_extern_t *items[KINDS], *foreign[KINDS], *mixed[KINDS];
  one_of_each(store, items);
  one_of_each(other, foreign);
  wasm_module_t* module = module_of(store, wants_four);
  for (size_t i = 0; i < KINDS; i++) {
    memcpy(mixed, items, sizeof items);
    mixed[i] = foreign[i];
    wasm_extern_vec_t imports = {KINDS, mixed};
    wasm_trap_t* trap = fails_to_instantiate(store, module, &imports, TENON_ERROR_TYPE);
    check(mentions(trap, "store"));
    wasm_trap_delete(trap);
  }
  wasm_module_delete(module);
  delete_all(foreign);
  delete_all(items);
}

static void modules_of_another_engine_are_refused(wasm_store_t* store, wasm_store_t* other) {
  wasm_module_t* module = module_of(other, "(module)");
  wasm_trap_t* trap = fails_to_instantiate(store, module, NULL, TENON_ERROR_TYPE);
  check(mentions(trap, "engine"));
  wasm_trap_delete(trap);
  wasm_module_delete(module);
}

/* What the guests below write to. */
struct scene {
  wasm_store_t* store;
  wasm_memory_t* memory;
  wasm_table_t* table;
  wasm_global_t* global;
};

/* A module that writes to all three, and then this. */
static own wasm_trap_t* fails_after_writing(struct scene* scene, const char* rest) {
  char text[1000];
  snprintf(text, sizeof text,
    "(module (import \"\" \"\" (memory 1)) (import \"\" \"\" (table $t 4 funcref))"
    " (import \"\" \"\" (global $g externref))"
    " (global $kept (mut externref) (global.get $g))"
    " (table $refs 2 externref) (elem (table $refs) (i32.const 1) externref (global.get $g))"
    " (memory $own 1) (data (memory $own) (i32.const 3) \"own\")"
    " (elem (table $t) (i32.const 1) func $f)"
    " (func $f (result i32) (i32.load8_u $own (i32.const 3)))"
    " (data (memory 0) (i32.const 5) \"\\07\") %s)", rest);
  wasm_module_t* module = module_of(scene->store, text);
  wasm_extern_t* items[] = {
    wasm_memory_as_extern(scene->memory), wasm_table_as_extern(scene->table),
    wasm_global_as_extern(scene->global),
  };
  wasm_extern_vec_t imports = WASM_ARRAY_VEC(items);
  wasm_trap_t* trap = fails_to_instantiate(scene->store, module, &imports, TENON_ERROR_TRAP);
  wasm_module_delete(module);
  return trap;
}

static void set_up(struct scene* scene) {
  wasm_foreign_t* foreign = wasm_foreign_new(scene->store);
  wasm_foreign_set_host_info_with_finalizer(foreign, NULL, count_finalized);
  finalized = 0;
  scene->memory = memory_of(scene->store, 1, 1);
  scene->table = table_of(scene->store, WASM_FUNCREF, 4, 4);
  scene->global = global_of(scene->store, WASM_CONST, extern_val(wasm_foreign_as_ref(foreign)));
  wasm_foreign_delete(foreign);
}

/* Proves that the function of the failed instance is in the table and still works. */
static void element_works(struct scene* scene, wasm_table_size_t index, int32_t result) {
  wasm_ref_t* element = wasm_table_get(scene->table, index);
  wasm_func_t* func = element ? wasm_ref_as_func(element) : NULL;
  tenon_store_collect(scene->store);
  if (check(func != NULL)) check(call_i32(func, 0, NULL) == result);
  wasm_ref_delete(element);
}

/* Deletes everything. The reference in the global lives as long as the table if a function in that
 * belongs to an instance that holds it. */
static void tear_down(struct scene* scene, bool held) {
  wasm_memory_delete(scene->memory);
  wasm_global_delete(scene->global);
  tenon_store_collect(scene->store);
  check(finalized == (held ? 0 : 1));
  wasm_table_delete(scene->table);
  tenon_store_collect(scene->store);
  check(finalized == 1);
}

static void a_failed_element_segment_leaves_those_before_it(wasm_store_t* store) {
  struct scene scene = {.store = store};
  set_up(&scene);
  wasm_trap_t* trap = fails_after_writing(&scene,
    "(elem (table $t) (i32.const 2) func $f) (elem (table $t) (i32.const 3) func $f $f)");
  check(has_message(trap, "out of bounds table access"));
  check(tenon_trap_code(trap) == TENON_TRAP_TABLE_OUT_OF_BOUNDS);
  wasm_trap_delete(trap);
  element_works(&scene, 1, 0);
  element_works(&scene, 2, 0);
  check(wasm_table_get(scene.table, 3) == NULL);
  check(wasm_memory_data(scene.memory)[5] == 0);
  tear_down(&scene, true);
}

static void a_failed_data_segment_leaves_what_was_before_it(wasm_store_t* store) {
  struct scene scene = {.store = store};
  set_up(&scene);
  wasm_trap_t* trap =
    fails_after_writing(&scene, "(data (memory 0) (i32.const 65535) \"two bytes\")");
  check(has_message(trap, "out of bounds memory access"));
  check(tenon_trap_code(trap) == TENON_TRAP_MEMORY_OUT_OF_BOUNDS);
  wasm_trap_delete(trap);
  element_works(&scene, 1, 'o');
  check(wasm_memory_data(scene.memory)[5] == 7 && wasm_memory_data(scene.memory)[65535] == 0);
  tear_down(&scene, true);
}

static void a_trap_in_the_start_function_leaves_everything(wasm_store_t* store) {
  struct scene scene = {.store = store};
  set_up(&scene);
  wasm_trap_t* trap = fails_after_writing(&scene,
    "(start $s) (func $s (i32.store8 $own (i32.const 3) (i32.const 99))"
    " (i32.store8 (i32.const 6) (i32.const 8)) unreachable)");
  check(has_message(trap, "unreachable"));
  wasm_frame_t* frame = wasm_trap_origin(trap);
  check(frame != NULL && wasm_frame_func_index(frame) == 1);
  wasm_frame_delete(frame);
  wasm_trap_delete(trap);
  element_works(&scene, 1, 99);
  check(wasm_memory_data(scene.memory)[5] == 7 && wasm_memory_data(scene.memory)[6] == 8);
  tear_down(&scene, true);
}

static void a_failed_import_writes_nothing(wasm_store_t* store) {
  struct scene scene = {.store = store};
  set_up(&scene);
  wasm_module_t* module = module_of(store,
    "(module (import \"\" \"\" (memory 1)) (import \"\" \"\" (table 4 funcref))"
    " (import \"\" \"\" (global externref)) (import \"\" \"\" (func $s)) (start $s)"
    " (data (i32.const 5) \"\\07\") (elem (i32.const 0) $s))");
  wasm_extern_t* items[] = {
    wasm_memory_as_extern(scene.memory), wasm_table_as_extern(scene.table),
    wasm_global_as_extern(scene.global), wasm_global_as_extern(scene.global),
  };
  wasm_extern_vec_t imports = WASM_ARRAY_VEC(items);
  wasm_trap_delete(fails_to_instantiate(store, module, &imports, TENON_ERROR_LINK));
  check(wasm_memory_data(scene.memory)[5] == 0 && wasm_table_get(scene.table, 0) == NULL);
  wasm_module_delete(module);
  tear_down(&scene, false);
}

static void too_large_memories_and_tables_are_refused(wasm_store_t* store) {
  static const char* const texts[] = {
    "(module (table 0xffffffff funcref))", "(module (table 0xfffffff0 externref))",
  };
  for (size_t i = 0; i < sizeof texts / sizeof *texts; i++) {
    wasm_module_t* module = module_of(store, texts[i]);
    wasm_trap_delete(fails_to_instantiate(store, module, NULL, TENON_ERROR_LIMIT));
    wasm_module_delete(module);
  }
}

int main(void) {
  wasm_store_t* store = test_store();
  wasm_store_t* other = test_store();
  every_kind_and_type_is_checked(store);
  without_a_maximum_nothing_with_one_fits(store);
  growth_counts(store);
  missing_imports_are_named(store);
  too_many_imports_are_refused(store);
  the_vector_stays_as_it_is(store);
  things_of_another_store_are_refused(store, other);
  modules_of_another_engine_are_refused(store, other);
  a_failed_element_segment_leaves_those_before_it(store);
  a_failed_data_segment_leaves_what_was_before_it(store);
  a_trap_in_the_start_function_leaves_everything(store);
  a_failed_import_writes_nothing(store);
  too_large_memories_and_tables_are_refused(store);
  wasm_store_delete(other);
  wasm_store_delete(store);
  return done();
}
