/* What a careless caller may do: mix stores, pass garbage, nonsense and absurd sizes. Everything
 * has its result, nothing ends the process. What callbacks may do is in callbacks.c. */

#include "scenes.h"

static own wasm_trap_t* nothing(const wasm_val_vec_t* args, wasm_val_vec_t* results) {
  (void)args, (void)results;
  return NULL;
}

/* Proves that this is null, and that the last error is about a store. */
#define other_store(call) (refused(TENON_ERROR_TYPE, call), check(error_says("store")))

static void nothing_of_another_store_gets_in(wasm_store_t* here, wasm_store_t* there) {
  wasm_func_t* func = func_of_type(there, wasm_functype_new_0_0(), nothing);
  wasm_instance_t* instance = instance_of(there, "(module)");
  wasm_foreign_t* foreign = wasm_foreign_new(there);
  wasm_trap_t* trap = raised_in(there, "text");
  wasm_ref_t* references[] = {
    wasm_func_as_ref(func), wasm_instance_as_ref(instance), wasm_foreign_as_ref(foreign),
    wasm_trap_as_ref(trap),
  };
  wasm_instance_t* own_instance = instance_of(here,
    "(module (func (export \"e\") (param externref)) (func (export \"f\") (param funcref)))");
  for (size_t i = 0; i < 4; i++) {
    // The first is a function, and may be neither kind of reference.
    for (int as_func = 0; as_func < (i == 0 ? 2 : 1); as_func++) {
      wasm_valkind_t kind = as_func ? WASM_FUNCREF : WASM_EXTERNREF;
      wasm_val_t value = as_func ? func_val(references[i]) : extern_val(references[i]), got;
      wasm_table_t* table = table_of(here, kind, 1, 9);
      other_store(wasm_table_set(table, 0, references[i]));
      other_store(wasm_table_grow(table, 1, references[i]));
      check(wasm_table_size(table) == 1 && wasm_table_get(table, 0) == NULL);
      wasm_tabletype_t* table_type = wasm_table_type(table);
      other_store(wasm_table_new(here, table_type, references[i]));
      wasm_tabletype_delete(table_type);
      wasm_table_delete(table);
      wasm_val_t null = {.kind = kind, .of = {.ref = NULL}};
      wasm_global_t* global = global_of(here, WASM_VAR, null);
      other_store((wasm_global_set(global, &value), false));
      wasm_global_get(global, &got);
      check(got.kind == kind && got.of.ref == NULL);
      wasm_globaltype_t* global_type = wasm_global_type(global);
      other_store(wasm_global_new(here, global_type, &value));
      wasm_globaltype_delete(global_type);
      wasm_global_delete(global);
      wasm_func_t* takes = func_at(own_instance, (size_t)as_func);
      wasm_trap_t* refusal = call_with(takes, 1, &value, 0, NULL);
      check(refusal && mentions(refusal, "store") && tenon_last_error_code() == TENON_ERROR_TYPE);
      wasm_trap_delete(refusal);
      wasm_func_delete(takes);
    }
  }
  wasm_trap_delete(trap);
  wasm_foreign_delete(foreign);
  wasm_instance_delete(instance);
  wasm_func_delete(func);
  wasm_instance_delete(own_instance);
}

static void imports_of_another_store_are_refused(wasm_store_t* here, wasm_store_t* there) {
  wasm_extern_t* items[] = {
    wasm_func_as_extern(func_of_type(there, wasm_functype_new_0_0(), nothing)),
    wasm_global_as_extern(global_of(there, WASM_VAR, i32_val(3))),
    wasm_table_as_extern(table_of(there, WASM_FUNCREF, 1, 2)),
    wasm_memory_as_extern(memory_of(there, 1, 2)),
  };
  static const char* const types[] = {
    "(func)", "(global (mut i32))", "(table 1 funcref)", "(memory 1)",
  };
  for (size_t i = 0; i < 4; i++) {
    char text[100];
    snprintf(text, sizeof text, "(module (import \"m\" \"n\" %s))", types[i]);
    wasm_module_t* module = module_of(here, text);
    wasm_extern_vec_t imports = {1, &items[i]};
    wasm_trap_t* trap = NULL;
    other_store(wasm_instance_new(here, module, &imports, &trap));
    check(trap && mentions(trap, "store"));
    wasm_trap_delete(trap);
    // Everything the thing is made of is in the other store: that is where it fits.
    wasm_module_t* theirs = module_of(there, text);
    wasm_instance_t* instance = wasm_instance_new(there, theirs, &imports, NULL);
    check(instance != NULL);
    wasm_instance_delete(instance);
    wasm_module_delete(theirs);
    wasm_module_delete(module);
    wasm_extern_delete(items[i]);
  }
}

static own wasm_trap_t* return_env(
  void* env, const wasm_val_vec_t* args, wasm_val_vec_t* results
) {
  (void)args;
  results->data[0] = extern_val(wasm_ref_copy(env));
  return NULL;
}

static void a_result_of_another_store_traps(wasm_store_t* here, wasm_store_t* there) {
  wasm_foreign_t* foreign = wasm_foreign_new(there);
  wasm_func_t* host = func_with_env(here, wasm_functype_new_0_1(wasm_valtype_new(WASM_EXTERNREF)),
    return_env, wasm_foreign_as_ref(foreign));
  wasm_val_t result = WASM_INIT_VAL;
  wasm_trap_t* trap = call_with(host, 0, NULL, 1, &result);
  check(trap && mentions(trap, "result 0") && mentions(trap, "store"));
  wasm_trap_delete(trap);
  wasm_func_delete(host);
  wasm_foreign_delete(foreign);
}

static void stores_do_not_mix(void) {
  wasm_engine_t* engine = test_engine();
  wasm_store_t *here = wasm_store_new(engine), *same = wasm_store_new(engine);
  wasm_store_t* other = test_store();
  for (int i = 0; i < 2; i++) {
    wasm_store_t* there = i ? other : same;
    nothing_of_another_store_gets_in(here, there);
    imports_of_another_store_are_refused(here, there);
    a_result_of_another_store_traps(here, there);
  }
  wasm_store_delete(other);
  wasm_store_delete(same);
  wasm_store_delete(here);
  wasm_engine_delete(engine);
}

/* A module with every section, and a name that is not ASCII. */
static const char* const rich =
  "(module $m (type $t (func (param i32) (result i32))) (import \"i\" \"f\" (func $f (type $t)))"
  " (import \"i\" \"g\" (global $g i32)) (table $u 2 4 funcref) (memory (export \"m\") 1 2)"
  " (global $v (mut i64) (i64.const 5)) (export \"\\c3\\a9\" (func $h)) (start $s)"
  " (elem (i32.const 0) $f $h) (elem $p funcref (ref.func $h)) (data (global.get $g) \"abc\")"
  " (data $d \"passive\") (func $s (global.set $v (i64.const 6)))"
  " (func $h (type $t) (local f64 v128) (block $b (result i32)"
  "  (br_table $b $b (i32.const 1) (local.get 0)))"
  "  (call_indirect $u (type $t) (i32.const 0)) (memory.init $d (i32.const 0) (i32.const 0)"
  "  (i32.const 2)) (table.init $u $p (i32.const 0) (i32.const 0) (i32.const 1))"
  "  (local.set 1 (f64.convert_i32_s (local.get 0)))))";

/* Proves that validation and compilation agree on bytes in a block of their own, and that what
 * they accept can be asked, linked or refused, and serialized. */
static bool is_module(wasm_store_t* store, size_t size, const char* data) {
  wasm_byte_vec_t bytes, artifact;
  wasm_byte_vec_new(&bytes, size, data);
  bool valid = wasm_module_validate(store, &bytes);
  tenon_last_error_clear();
  wasm_module_t* module = wasm_module_new(store, &bytes);
  wasm_byte_vec_delete(&bytes);
  if (!module) {
    // What is valid may still be more than a limit allows.
    tenon_error_code_t code = tenon_last_error_code();
    check(code == TENON_ERROR_INVALID ? !valid : code == TENON_ERROR_LIMIT);
    return false;
  }
  check(valid);
  wasm_importtype_vec_t imports;
  wasm_exporttype_vec_t exports;
  wasm_module_imports(module, &imports);
  wasm_module_exports(module, &exports);
  wasm_func_t* host = func_of_type(store, type_i32_i32(), nothing);
  wasm_global_t* global = global_of(store, WASM_CONST, i32_val(9));
  wasm_extern_t* items[] = {wasm_func_as_extern(host), wasm_global_as_extern(global)};
  wasm_extern_vec_t vec = {imports.size < 2 ? imports.size : 2, items};
  wasm_trap_t* trap = NULL;
  // Its start function has no loop, nor would one be within the reach of a flipped bit.
  wasm_instance_t* instance = wasm_instance_new(store, module, &vec, &trap);
  check((instance == NULL) == (trap != NULL));
  wasm_instance_delete(instance);
  wasm_trap_delete(trap);
  wasm_global_delete(global);
  wasm_func_delete(host);
  wasm_exporttype_vec_delete(&exports);
  wasm_importtype_vec_delete(&imports);
  wasm_module_serialize(module, &artifact);
  check(artifact.size > 0);
  wasm_byte_vec_delete(&artifact);
  wasm_module_delete(module);
  return true;
}

static uint32_t random_state = 1;

static uint32_t next_random(void) {
  random_state = random_state * 1664525 + 1013904223;
  return random_state >> 8;
}

static void garbage_is_no_module(void) {
  wasm_store_t* store = test_store();
  wasm_byte_vec_t binary = binary_of(rich);
  char* bytes = malloc(binary.size);
  memcpy(bytes, binary.data, binary.size);
  check(is_module(store, binary.size, bytes));
  size_t prefixes = 0, step = rounds(1, 7);
  for (size_t size = 0; size < binary.size; size += step) prefixes += is_module(store, size, bytes);
  // A module may end after a section, unless that announces functions.
  check(prefixes < 30);
  step = rounds(1, 41);
  for (size_t bit = 0; bit < 9 * binary.size; bit += step) {
    char* byte = bytes + bit / 9;
    *byte ^= (char)(bit % 9 == 8 ? 0xff : 1 << bit % 9);
    bool accepted = is_module(store, binary.size, bytes);
    if (bit / 9 < 8) check(!accepted);
    *byte = binary.data[bit / 9];
  }
  for (size_t round = 0; round < rounds(3000, 60); round++) {
    size_t size = next_random() % 200;
    char noise[200] = "\0asm\1\0\0";
    for (size_t i = round % 2 ? 8 : 0; i < size; i++) noise[i] = (char)next_random();
    is_module(store, size, noise);
    wasm_byte_vec_t vec = {size, noise}, out;
    wasm_module_t* module = tenon_module_new_wat(store, &vec);
    wasm_module_delete(module);
    refused(TENON_ERROR_ARTIFACT, wasm_module_deserialize(store, &vec));
    tenon_error_code_t code = tenon_wat2wasm(&vec, &out);
    check(code == TENON_OK || (code == TENON_ERROR_INVALID && out.size == 0 && out.data == NULL));
    wasm_byte_vec_delete(&out);
  }
  free(bytes);
  wasm_byte_vec_delete(&binary);
  wasm_store_delete(store);
}

static void names_need_not_be_text(void) {
  static const char latin[] = "(module (func (export \"gr\xfc\xdf\")))";
  wasm_store_t* store = test_store();
  wasm_byte_vec_t text = bytes_of(latin), out;
  refused(TENON_ERROR_INVALID, tenon_module_new_wat(store, &text));
  check(tenon_wat2wasm(&text, &out) == TENON_ERROR_INVALID && out.data == NULL);
  wasm_byte_vec_t binary =
    binary_of("(module (import \"mm\" \"nn\" (func)) (export \"ee\" (func 0)))");
  for (int i = 0; i < 3; i++) {
    char* name = memmem(binary.data, binary.size, i == 0 ? "mm" : i == 1 ? "nn" : "ee", 2);
    char before = name[1];
    name[1] = (char)0xff;
    check(!is_module(store, binary.size, binary.data) && error_says("UTF-8"));
    name[1] = before;
  }
  check(is_module(store, binary.size, binary.data));
  wasm_byte_vec_delete(&binary);
  wasm_name_t names[2];
  wasm_byte_vec_new(&names[0], 3, "\xff\0\xfe");
  wasm_byte_vec_new(&names[1], 2, "\xc3\x28");
  wasm_importtype_t* type = wasm_importtype_new(&names[0], &names[1],
    wasm_memorytype_as_externtype(type_of_memory(0, 1)));
  check(type && memcmp(wasm_importtype_module(type)->data, "\xff\0\xfe", 3) == 0);
  check(wasm_importtype_name(type)->size == 2);
  wasm_importtype_delete(type);
  wasm_config_t* config = wasm_config_new();
  check(tenon_config_feature_set(config, "\xff\xfe", true) == TENON_ERROR_CONFIG);
  wasm_config_delete(config);
  wasm_store_delete(store);
}

static void sizes_may_be_absurd(void) {
  wasm_store_t* store = test_store();
  static const uint32_t limits[][2] = {
    {5, 3}, {0xffffffff, 0xffffffff}, {0xffffffff, 0}, {0xfffffffe, 0xffffffff}, {0x80000000, 1},
  };
  for (size_t i = 0; i < 5; i++) {
    wasm_memorytype_t* memory = type_of_memory(limits[i][0], limits[i][1]);
    wasm_tabletype_t* table = type_of_table(WASM_EXTERNREF, limits[i][0], limits[i][1]);
    check(wasm_memorytype_limits(memory)->min == limits[i][0]);
    check(wasm_tabletype_limits(table)->max == limits[i][1]);
    refused(TENON_ERROR_LIMIT, wasm_memory_new(store, memory));
    refused(TENON_ERROR_LIMIT, wasm_table_new(store, table, NULL));
    wasm_tabletype_delete(table);
    wasm_memorytype_delete(memory);
  }
  wasm_memory_t* memory = memory_of(store, 0, 0);
  wasm_table_t* table = table_of(store, WASM_EXTERNREF, 0, 0xffffffff);
  refused(TENON_ERROR_LIMIT, wasm_memory_grow(memory, 0xffffffff));
  refused(TENON_ERROR_LIMIT, wasm_table_grow(table, 0xffffffff, NULL));
  refused(TENON_ERROR_LIMIT, wasm_table_set(table, 0xffffffff, NULL));
  refused(TENON_ERROR_LIMIT, wasm_table_get(table, 0xffffffff));
  wasm_table_delete(table);
  wasm_memory_delete(memory);
  wasm_val_vec_t values = {7, NULL};
  wasm_extern_vec_t externs = {7, NULL};
  // Valgrind's calloc can only tell sizes that no address has.
  for (size_t size = SIZE_MAX / 4; size >= SIZE_MAX / rounds(64, 4); size /= 2) {
    wasm_val_vec_new_uninitialized(&values, size);
    wasm_extern_vec_new_uninitialized(&externs, size);
    check(values.size == 0 && !values.data && externs.size == 0 && !externs.data);
    if (is_set("TEST_VALGRIND")) continue;
    wasm_byte_vec_t bytes = {7, NULL};
    wasm_byte_vec_new_uninitialized(&bytes, SIZE_MAX - size);
    check(bytes.size == 0 && !bytes.data);
  }
  wasm_func_t* func = func_of_type(store, type_i32_i32(), nothing);
  wasm_val_t value = i32_val(1);
  const size_t counts[][2] = {{SIZE_MAX, 1}, {0, 1}, {2, 1}, {1, 0}};
  for (size_t i = 0; i < 4; i++) {
    wasm_trap_t* trap = call_with(func, counts[i][0], &value, counts[i][1], &value);
    check(trap && tenon_last_error_code() == TENON_ERROR_TYPE);
    wasm_trap_delete(trap);
  }
  wasm_func_delete(func);
  wasm_store_delete(store);
}

static int call_count;

static own wasm_trap_t* count_call(
  void* env, const wasm_val_vec_t* args, wasm_val_vec_t* results
) {
  (void)args, (void)results;
  ++*(int*)env;
  return NULL;
}

/* A store that several threads use one after the other, each for its own things and the others'. */
struct shared_store {
  wasm_store_t* store;
  wasm_func_t *func, *traps, *deep;
};

static void* use_shared_store(void* arg) {
  struct shared_store* shared = arg;
  int before = call_count;
  check(call_empty(shared->func) == NULL && call_count == before + 1);
  wasm_func_t* const trapping[] = {shared->traps, shared->deep};
  for (int i = 0; i < 2; i++) {
    wasm_trap_t* trap = call_empty(trapping[i]);
    check(has_message(trap, i ? "call stack exhausted" : "out of bounds memory access"));
    wasm_trap_delete(trap);
  }
  wasm_instance_delete(instance_of(shared->store, "(module (memory 1) (func $s) (start $s))"));
  tenon_store_collect(shared->store);
  return NULL;
}

static void a_store_may_go_from_hand_to_hand(void) {
  struct shared_store shared = {.store = test_store()};
  wasm_func_t* host =
    func_with_env(shared.store, wasm_functype_new_0_0(), count_call, &call_count);
  wasm_extern_t* imports[] = {wasm_func_as_extern(host)};
  wasm_instance_t* instance = instance_with(shared.store,
    "(module (import \"\" \"\" (func $f)) (memory 1) (func (export \"f\") (call $f))"
    " (func (export \"trap\") (drop (i32.load (i32.const -1))))"
    " (func $deep (export \"deep\") (call $deep)))", 1, imports);
  shared.func = func_at(instance, 0);
  shared.traps = func_at(instance, 1);
  shared.deep = func_at(instance, 2);
  for (size_t i = 0; i < rounds(20, 2); i++) {
    on_thread(256 << 10, use_shared_store, &shared);
    use_shared_store(&shared);
    on_thread(1 << 20, use_shared_store, &shared);
  }
  wasm_func_delete(shared.deep);
  wasm_func_delete(shared.traps);
  wasm_func_delete(shared.func);
  wasm_instance_delete(instance);
  wasm_func_delete(host);
  wasm_store_delete(shared.store);
}

/* What C casts without asking is found out. */
static void other_objects_are_no_functions(void) {
  wasm_store_t* store = test_store();
  wasm_memory_t* memory = memory_of(store, 1, 2);
  const wasm_val_vec_t args = WASM_EMPTY_VEC;
  wasm_val_vec_t results = WASM_EMPTY_VEC;
  for (int i = 0; i < 20; i++) {
    refused(TENON_ERROR_INTERNAL, wasm_func_call((const wasm_func_t*)memory, &args, &results));
  }
  check(wasm_memory_size(memory) == 1);
  wasm_memory_delete(memory);
  wasm_store_delete(store);
}

int main(void) {
  SURVIVES(stores_do_not_mix);
  SURVIVES(garbage_is_no_module);
  SURVIVES(names_need_not_be_text);
  SURVIVES(sizes_may_be_absurd);
  SURVIVES(a_store_may_go_from_hand_to_hand);
  SURVIVES(other_objects_are_no_functions);
  return done();
}
