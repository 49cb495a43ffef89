/* Serialized modules: work in any store of an engine with the same settings; whatever is damaged,
 * incomplete or from another engine is refused. */

#include "harness.h"

static const char* const guest =
  "(module $the_name (import \"m\" \"host\" (func $host (param i32) (result i32)))"
  " (memory (export \"memory\") 1 3) (data (i32.const 4) \"data\") (data $p \"passive\")"
  " (table $t 3 funcref) (elem (i32.const 1) $double $host)"
  " (global $g (mut i64) (i64.const 0x123456789))"
  " (func $double (param i32) (result i32) (i32.mul (local.get 0) (i32.const 2)))"
  " (func $f (export \"f\") (param i32) (result i32)"
  "  (global.set $g (i64.add (global.get $g) (i64.const 1)))"
  "  (memory.init $p (i32.const 20) (i32.const 0) (i32.const 7))"
  "  (i32.add (i32.add (i32.load8_u (i32.const 5)) (i32.load8_u (i32.const 20)))"
  "   (i32.add (call_indirect $t (param i32) (result i32) (local.get 0) (i32.const 1))"
  "    (call_indirect $t (param i32) (result i32) (local.get 0) (i32.const 2)))))"
  " (func $trap (export \"trap\") (drop (f32.add (f32.const 1) (f32.const nan))) unreachable))";

static own wasm_trap_t* plus_five(const wasm_val_vec_t* args, wasm_val_vec_t* results) {
  results->data[0] = i32_val(args->data[0].of.i32 + 5);
  return NULL;
}

static own wasm_byte_vec_t serialized(wasm_store_t* store, const char* text) {
  wasm_byte_vec_t bytes;
  wasm_module_t* module = module_of(store, text);
  wasm_module_serialize(module, &bytes);
  check(bytes.size > 0 && bytes.data != NULL);
  wasm_module_delete(module);
  return bytes;
}

static bool is_origin(const wasm_trap_t* trap, const char* name) {
  wasm_frame_t* frame = wasm_trap_origin(trap);
  const wasm_name_t* got = tenon_frame_func_name(frame);
  bool same = got && got->size == strlen(name) && memcmp(got->data, name, got->size) == 0;
  wasm_frame_delete(frame);
  return same;
}

/* Proves that the module does what it did before. */
static void does_as_ever(wasm_store_t* store, wasm_module_t* module) {
  if (!check(module != NULL)) return;
  wasm_func_t* host = func_of_type(store, type_i32_i32(), plus_five);
  wasm_extern_t* items[] = {wasm_func_as_extern(host)};
  wasm_extern_vec_t imports = WASM_ARRAY_VEC(items);
  wasm_instance_t* instance = wasm_instance_new(store, module, &imports, NULL);
  check(instance != NULL);
  wasm_func_t *func = func_at(instance, 1), *traps = func_at(instance, 2);
  check(call_i32(func, 10, NULL) == 'a' + 'p' + 20 + 15);
  wasm_trap_t* trap = call_empty(traps);
  check(has_message(trap, "unreachable") && is_origin(trap, "trap"));
  wasm_trap_delete(trap);
  wasm_func_delete(traps);
  wasm_func_delete(func);
  wasm_instance_delete(instance);
  wasm_func_delete(host);
}

static void looks_as_ever(const wasm_module_t* module) {
  wasm_importtype_vec_t imports;
  wasm_exporttype_vec_t exports;
  wasm_name_t name;
  wasm_module_imports(module, &imports);
  wasm_module_exports(module, &exports);
  check(imports.size == 1 && exports.size == 3);
  check(wasm_importtype_name(imports.data[0])->size == 4);
  check(wasm_exporttype_name(exports.data[2])->size == 4);
  check(tenon_module_name(module, &name) && name.size == strlen("the_name"));
  wasm_byte_vec_delete(&name);
  wasm_exporttype_vec_delete(&exports);
  wasm_importtype_vec_delete(&imports);
}

static void works_in(wasm_store_t* store, const wasm_byte_vec_t* bytes) {
  wasm_module_t* module = wasm_module_deserialize(store, bytes);
  if (!module) fprintf(stderr, "%s\n", last_error());
  does_as_ever(store, module);
  looks_as_ever(module);
  wasm_byte_vec_t again;
  wasm_module_serialize(module, &again);
  wasm_module_delete(module);
  module = wasm_module_deserialize(store, &again);
  does_as_ever(store, module);
  wasm_module_delete(module);
  wasm_byte_vec_delete(&again);
}

static void works_in_any_store_of_equal_settings(void) {
  wasm_engine_t* engine = test_engine();
  wasm_store_t* stores[] = {wasm_store_new(engine), wasm_store_new(engine), test_store()};
  wasm_byte_vec_t bytes = serialized(stores[0], guest);
  wasm_engine_delete(engine);
  for (size_t i = 0; i < 3; i++) {
    works_in(stores[i], &bytes);
    wasm_store_delete(stores[i]);
  }
  wasm_byte_vec_delete(&bytes);
}

/* Settings that change code, and some that do not. */
typedef tenon_error_code_t (*set_flag)(wasm_config_t*, bool);

static own wasm_store_t* store_with(set_flag set, bool on) {
  wasm_config_t* config = test_config();
  check(set(config, on) == TENON_OK);
  wasm_engine_t* engine = wasm_engine_new_with_config(config);
  wasm_store_t* store = wasm_store_new(engine);
  wasm_engine_delete(engine);
  return store;
}

static tenon_error_code_t reserve_little(wasm_config_t* config, bool on) {
  return on ? tenon_config_memory_reservation_set(config, 1 << 20) : TENON_OK;
}

static tenon_error_code_t without_bulk_memory(wasm_config_t* config, bool on) {
  return tenon_config_feature_set(config, "bulk-memory", !on);
}

static tenon_error_code_t use_little_stack(wasm_config_t* config, bool on) {
  return tenon_config_max_stack_set(config, on ? 100000 : 1 << 20);
}

static void refused_by(wasm_store_t* store, const wasm_byte_vec_t* bytes) {
  refused(TENON_ERROR_ARTIFACT, wasm_module_deserialize(store, bytes));
  check(strlen(last_error()) > 10);
}

static void is_refused_where_code_is_different(void) {
  static const set_flag flags[] = {
    tenon_config_nan_canonicalization_set, tenon_config_explicit_checks_set, reserve_little,
    tenon_config_relaxed_simd_deterministic_set, tenon_config_baseline_cpu_set,
  };
  for (size_t i = 0; i < sizeof flags / sizeof *flags; i++) {
    wasm_store_t* stores[2] = {store_with(flags[i], false), store_with(flags[i], true)};
    for (int from = 0; from < 2; from++) {
      // With explicit checks, memories of any reservation are checked alike.
      if (flags[i] == reserve_little && is_set("TEST_EXPLICIT_CHECKS")) continue;
      wasm_byte_vec_t bytes = serialized(stores[from], guest);
      refused_by(stores[1 - from], &bytes);
      works_in(stores[from], &bytes);
      wasm_byte_vec_delete(&bytes);
    }
    for (int j = 0; j < 2; j++) wasm_store_delete(stores[j]);
  }
}

static void is_refused_where_a_feature_is_off(void) {
  wasm_store_t* on = store_with(without_bulk_memory, false);
  wasm_store_t* off = store_with(without_bulk_memory, true);
  wasm_byte_vec_t bytes = serialized(on, guest);
  refused_by(off, &bytes);
  check(error_says("feature"));
  wasm_byte_vec_delete(&bytes);
  wasm_store_delete(off);
  wasm_store_delete(on);
}

static void works_where_only_other_things_are_different(void) {
  static const set_flag flags[] = {tenon_config_lazy_compilation_set, use_little_stack};
  for (size_t i = 0; i < sizeof flags / sizeof *flags; i++) {
    wasm_store_t* stores[2] = {store_with(flags[i], false), store_with(flags[i], true)};
    for (int from = 0; from < 2; from++) {
      wasm_byte_vec_t bytes = serialized(stores[from], guest);
      works_in(stores[1 - from], &bytes);
      wasm_byte_vec_delete(&bytes);
    }
    for (int j = 0; j < 2; j++) wasm_store_delete(stores[j]);
  }
}

static void garbage_is_refused(wasm_store_t* store) {
  wasm_byte_vec_t empty = WASM_EMPTY_VEC, without_data = {100, NULL};
  refused_by(store, &empty);
  refused_by(store, &without_data);
  wasm_byte_vec_t binary = binary_of(guest);
  refused_by(store, &binary);
  wasm_byte_vec_delete(&binary);
  uint32_t random = 1;
  wasm_byte_vec_t noise;
  wasm_byte_vec_new_uninitialized(&noise, 5000);
  for (size_t size = 0; size < noise.size; size += 37) {
    for (size_t i = 0; i < size; i++) {
      random = random * 1664525 + 1013904223;
      noise.data[i] = (byte_t)(random >> 24);
    }
    wasm_byte_vec_t part = {size, noise.data};
    refused_by(store, &part);
  }
  wasm_byte_vec_delete(&noise);
}

static void every_truncation_is_refused(wasm_store_t* store, const wasm_byte_vec_t* bytes) {
  size_t step = rounds(1, 61);
  for (size_t size = 0; size < bytes->size; size += step) {
    // In a block of its own, so that nothing beyond the end can be read unnoticed.
    wasm_byte_vec_t part;
    wasm_byte_vec_new(&part, size, bytes->data);
    refused(TENON_ERROR_ARTIFACT, wasm_module_deserialize(store, &part));
    wasm_byte_vec_delete(&part);
  }
}

static void bytes_too_many_are_refused(wasm_store_t* store, const wasm_byte_vec_t* bytes) {
  wasm_byte_vec_t more;
  wasm_byte_vec_new_uninitialized(&more, bytes->size + 1);
  memcpy(more.data, bytes->data, bytes->size);
  more.data[bytes->size] = 0;
  refused_by(store, &more);
  wasm_byte_vec_delete(&more);
}

static void every_flipped_bit_is_noticed(wasm_store_t* store, const wasm_byte_vec_t* bytes) {
  wasm_byte_vec_t damaged;
  wasm_byte_vec_copy(&damaged, bytes);
  size_t unnoticed = 0, step = rounds(1, 499);
  for (size_t bit = 0; bit < 8 * bytes->size; bit += step) {
    damaged.data[bit / 8] ^= (byte_t)(1 << bit % 8);
    wasm_module_t* module = wasm_module_deserialize(store, &damaged);
    unnoticed += module != NULL;
    wasm_module_delete(module);
    damaged.data[bit / 8] ^= (byte_t)(1 << bit % 8);
  }
  if (!check(unnoticed == 0)) fprintf(stderr, "%zu of %zu\n", unnoticed, 8 * bytes->size);
  wasm_byte_vec_delete(&damaged);
}

static void any_alignment_is_good(wasm_store_t* store, const wasm_byte_vec_t* bytes) {
  char* buffer = malloc(bytes->size + 8);
  for (size_t shift = 0; shift < 8; shift++) {
    memcpy(buffer + shift, bytes->data, bytes->size);
    wasm_byte_vec_t shifted = {bytes->size, buffer + shift};
    wasm_module_t* module = wasm_module_deserialize(store, &shifted);
    check(module != NULL);
    wasm_module_delete(module);
  }
  free(buffer);
}

static void write_file(const char* path, const char* bytes, size_t size) {
  FILE* file = fopen(path, "wb");
  check(file && fwrite(bytes, 1, size, file) == size && fclose(file) == 0);
}

/* A file is as good as bytes, also when it has been removed or replaced by another. */
static void files_are_used_where_they_are(wasm_store_t* store) {
  char path[] = "/tmp/tenon-test-XXXXXX";
  int fd = mkstemp(path);
  check(fd >= 0 && close(fd) == 0);
  refused(TENON_ERROR_ARTIFACT, tenon_module_deserialize_file(store, path));
  wasm_module_t* module = module_of(store, guest);
  check(tenon_module_serialize_file(module, path) == TENON_OK);
  check(tenon_module_serialize_file(module, "/no such directory/file") == TENON_ERROR_ARTIFACT);
  wasm_module_t* first = tenon_module_deserialize_file(store, path);
  check(tenon_module_serialize_file(first, path) == TENON_OK);
  wasm_module_t* second = tenon_module_deserialize_file(store, path);
  wasm_byte_vec_t bytes;
  wasm_module_serialize(second, &bytes);
  check(remove(path) == 0);
  does_as_ever(store, first);
  does_as_ever(store, second);
  looks_as_ever(second);
  refused(TENON_ERROR_ARTIFACT, tenon_module_deserialize_file(store, path));
  for (size_t size = 0; size < bytes.size; size += rounds(97, 997)) {
    write_file(path, bytes.data, size);
    refused(TENON_ERROR_ARTIFACT, tenon_module_deserialize_file(store, path));
    bytes.data[size] ^= 1;
    write_file(path, bytes.data, bytes.size);
    refused(TENON_ERROR_ARTIFACT, tenon_module_deserialize_file(store, path));
    bytes.data[size] ^= 1;
  }
  write_file(path, bytes.data, bytes.size);
  wasm_module_t* third = tenon_module_deserialize_file(store, path);
  check(remove(path) == 0);
  does_as_ever(store, third);
  wasm_byte_vec_delete(&bytes);
  wasm_module_delete(first);
  wasm_module_delete(second);
  wasm_module_delete(third);
  wasm_module_delete(module);
}

int main(void) {
  works_in_any_store_of_equal_settings();
  is_refused_where_code_is_different();
  is_refused_where_a_feature_is_off();
  works_where_only_other_things_are_different();
  wasm_store_t* store = test_store();
  garbage_is_refused(store);
  wasm_byte_vec_t small =
    serialized(store, "(module (func (export \"f\") (result i32) (i32.const 5)))");
  every_truncation_is_refused(store, &small);
  bytes_too_many_are_refused(store, &small);
  every_flipped_bit_is_noticed(store, &small);
  any_alignment_is_good(store, &small);
  files_are_used_where_they_are(store);
  wasm_byte_vec_delete(&small);
  wasm_store_delete(store);
  return done();
}
