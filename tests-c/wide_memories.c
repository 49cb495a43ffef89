/* Memories and tables with 64-bit addresses, and memories with pages of one byte: their types reflect
 * them in full, wasm.h says of them what it can, and bounds are exact. */

#include "harness.h"

enum { PAGE = 65536 };

static own wasm_memorytype_t* wide_type(uint64_t min, uint64_t max, uint32_t page_size) {
  tenon_limits_t limits = {min, max};
  return tenon_memorytype_new(&limits, WASM_I64, page_size, false);
}

static bool has_limits(const tenon_limits_t* limits, uint64_t min, uint64_t max) {
  return limits && limits->min == min && limits->max == max;
}

static bool has_narrow_limits(const wasm_limits_t* limits, uint32_t min, uint32_t max) {
  return limits && limits->min == min && limits->max == max;
}

static void types_say_what_they_were_made_of(void) {
  const uint64_t far = 1ull << 40;
  wasm_memorytype_t* type = wide_type(5, far, PAGE);
  wasm_memorytype_t* copy = wasm_memorytype_copy(type);
  wasm_memorytype_delete(type);
  check(has_limits(tenon_memorytype_limits(copy), 5, far));
  check(has_narrow_limits(wasm_memorytype_limits(copy), 5, 0xffffffff));
  check(tenon_memorytype_address(copy) == WASM_I64 && tenon_memorytype_page_size(copy) == PAGE);
  check(!tenon_memorytype_is_shared(copy));
  wasm_memorytype_delete(copy);

  tenon_limits_t limits = {1, 4};
  type = tenon_memorytype_new(&limits, WASM_I32, 1, true);
  check(tenon_memorytype_address(type) == WASM_I32 && tenon_memorytype_page_size(type) == 1);
  check(tenon_memorytype_is_shared(type));
  check(has_narrow_limits(wasm_memorytype_limits(type), 1, 4));
  wasm_memorytype_delete(type);

  type = type_of_memory(2, wasm_limits_max_default);
  check(has_limits(tenon_memorytype_limits(type), 2, UINT64_MAX));
  check(tenon_memorytype_address(type) == WASM_I32 && tenon_memorytype_page_size(type) == PAGE);
  wasm_memorytype_delete(type);

  limits = (tenon_limits_t){3, far};
  wasm_tabletype_t* table = tenon_tabletype_new(wasm_valtype_new(WASM_EXTERNREF), &limits, WASM_I64);
  check(has_limits(tenon_tabletype_limits(table), 3, far));
  check(has_narrow_limits(wasm_tabletype_limits(table), 3, 0xffffffff));
  check(tenon_tabletype_index(table) == WASM_I64);
  check(wasm_valtype_kind(wasm_tabletype_element(table)) == WASM_EXTERNREF);
  wasm_tabletype_delete(table);
}

static void types_that_make_no_sense_are_refused(void) {
  tenon_limits_t limits = {0, 1};
  refused(TENON_ERROR_ARGUMENT, tenon_memorytype_new(&limits, WASM_F64, PAGE, false));
  refused(TENON_ERROR_ARGUMENT, tenon_memorytype_new(&limits, WASM_I32, 4096, false));
  refused(TENON_ERROR_ARGUMENT, tenon_memorytype_new(&limits, WASM_I32, 0, false));
  refused(
    TENON_ERROR_ARGUMENT,
    tenon_tabletype_new(wasm_valtype_new(WASM_FUNCREF), &limits, WASM_EXTERNREF)
  );
}

static void memories_that_cannot_be_are_refused(wasm_store_t* store) {
  static const tenon_limits_t limits[] = {
    {(1ull << 48) + 1, UINT64_MAX},
    {1ull << 48, UINT64_MAX},
    {1ull << 40, UINT64_MAX},
    {UINT64_MAX, UINT64_MAX},
    {2, 1},
  };
  for (size_t i = 0; i < sizeof limits / sizeof *limits; i++) {
    wasm_memorytype_t* type = tenon_memorytype_new(&limits[i], WASM_I64, PAGE, false);
    refused(TENON_ERROR_LIMIT, wasm_memory_new(store, type));
    wasm_memorytype_delete(type);
  }
  wasm_memorytype_t* type = wide_type(UINT64_MAX - 1, UINT64_MAX, 1);
  refused(TENON_ERROR_LIMIT, wasm_memory_new(store, type));
  wasm_memorytype_delete(type);
}

/* The memory grows by host and guest, in pages of its own size, and never beyond the possible. */
static void sizes_have_64_bits(wasm_store_t* store) {
  static const uint64_t too_much[] = {1ull << 48, UINT64_MAX, UINT64_MAX - 1, 1ull << 63, 1ull << 47};
  wasm_memorytype_t* type = wide_type(1, UINT64_MAX, PAGE);
  wasm_memory_t* memory = wasm_memory_new(store, type);
  wasm_memorytype_delete(type);
  uint64_t before = 99;
  accepted(tenon_memory_grow(memory, 2, &before));
  check(before == 1 && tenon_memory_size(memory) == 3 && wasm_memory_size(memory) == 3);
  for (size_t i = 0; i < sizeof too_much / sizeof *too_much; i++) {
    refused(TENON_ERROR_LIMIT, tenon_memory_grow(memory, too_much[i], &before));
    check(before == 1 && tenon_memory_size(memory) == 3);
  }
  accepted(wasm_memory_grow(memory, 1));
  check(wasm_memory_data_size(memory) == 4 * PAGE);
  type = wasm_memory_type(memory);
  check(has_limits(tenon_memorytype_limits(type), 4, UINT64_MAX));
  check(tenon_memorytype_address(type) == WASM_I64);
  wasm_memorytype_delete(type);
  wasm_memory_delete(memory);
}

static void the_stores_limit_holds(wasm_store_t* store) {
  wasm_memorytype_t* type = wide_type(0, UINT64_MAX, 1);
  wasm_memory_t* memory = wasm_memory_new(store, type);
  wasm_memorytype_delete(type);
  uint64_t used = tenon_store_memory_size(store);
  check(tenon_store_max_memory_set(store, used + 1000) == TENON_OK);
  refused(TENON_ERROR_LIMIT, tenon_memory_grow(memory, 1001, NULL));
  accepted(tenon_memory_grow(memory, 1000, NULL));
  refused(TENON_ERROR_LIMIT, tenon_memory_grow(memory, 1, NULL));
  check(tenon_store_memory_size(store) == used + 1000);
  check(tenon_store_max_memory_set(store, UINT64_MAX) == TENON_OK);
  wasm_memory_delete(memory);
}

/* A memory of bytes: what is behind its last one traps, although the system's page goes on. */
static void pages_of_one_byte(wasm_store_t* store) {
  static const char* const guest =
    "(module (memory (export \"m\") 3 10 (pagesize 1))"
    " (func (export \"load\") (param i32) (result i32) (i32.load8_u (local.get 0)))"
    " (func (export \"load2\") (param i32) (result i32) (i32.load16_u (local.get 0)))"
    " (func (export \"grow\") (param i32) (result i32) (memory.grow (local.get 0)))"
    " (func (export \"size\") (result i32) (memory.size)))";
  wasm_instance_t* instance = instance_of(store, guest);
  wasm_memory_t* memory = memory_at(instance, 0);
  wasm_func_t* load = func_at(instance, 1);
  wasm_func_t* load2 = func_at(instance, 2);
  wasm_func_t* grow = func_at(instance, 3);
  wasm_func_t* size = func_at(instance, 4);
  wasm_trap_t* trap = NULL;
  check(wasm_memory_data_size(memory) == 3 && wasm_memory_size(memory) == 3);
  wasm_memory_data(memory)[2] = 5;
  check(call_i32(load, 2, NULL) == 5);
  call_i32(load, 3, &trap);
  check(tenon_trap_code(trap) == TENON_TRAP_MEMORY_OUT_OF_BOUNDS);
  wasm_trap_delete(trap);
  call_i32(load2, 2, &trap);
  check(tenon_trap_code(trap) == TENON_TRAP_MEMORY_OUT_OF_BOUNDS);
  wasm_trap_delete(trap);
  check(call_i32(grow, 7, NULL) == 3 && call_i32(size, 0, NULL) == 10);
  check(call_i32(grow, 1, NULL) == -1);
  check(call_i32(load2, 8, NULL) == 0 && call_i32(load, 2, NULL) == 5);
  wasm_memorytype_t* type = wasm_memory_type(memory);
  check(tenon_memorytype_page_size(type) == 1);
  check(has_limits(tenon_memorytype_limits(type), 10, 10));
  wasm_memorytype_delete(type);
  wasm_func_delete(load), wasm_func_delete(load2), wasm_func_delete(grow), wasm_func_delete(size);
  wasm_memory_delete(memory);
  wasm_instance_delete(instance);
}

/* Calls a function of one i64; its i32, or -1 and the trap. */
static int32_t call_i64(wasm_func_t* func, uint64_t arg, own wasm_trap_t** trap) {
  wasm_val_t args[1] = {WASM_I64_VAL((int64_t)arg)}, results[1] = {WASM_INIT_VAL};
  *trap = call_with(func, 1, args, 1, results);
  return *trap ? -1 : results[0].of.i32;
}

/* Imports a memory and a table of the host's; bounds hold to the end of 64 bits. */
static void guests_reach_all_of_a_wide_memory(wasm_store_t* store) {
  static const char* const guest =
    "(module (import \"\" \"m\" (memory i64 1 3)) (import \"\" \"t\" (table i64 2 funcref))"
    " (func (export \"load\") (param i64) (result i32) (i32.load (local.get 0)))"
    " (func (export \"far\") (param i64) (result i32)"
    "  (i32.load8_u offset=0xffffffffffff0000 (local.get 0)))"
    " (func (export \"call\") (param i64) (result i32) (call_indirect (result i32) (local.get 0)))"
    " (func $seven (result i32) (i32.const 7)) (elem (i64.const 1) func $seven))";
  wasm_memorytype_t* type = wide_type(1, 3, PAGE);
  wasm_memory_t* memory = wasm_memory_new(store, type);
  tenon_limits_t limits = {2, 5};
  wasm_tabletype_t* table_type =
    tenon_tabletype_new(wasm_valtype_new(WASM_FUNCREF), &limits, WASM_I64);
  wasm_table_t* table = wasm_table_new(store, table_type, NULL);
  wasm_extern_t* imports[] = {wasm_memory_as_extern(memory), wasm_table_as_extern(table)};
  wasm_instance_t* instance = instance_with(store, guest, 2, imports);
  wasm_func_t* load = func_at(instance, 0);
  wasm_func_t* far = func_at(instance, 1);
  wasm_func_t* call = func_at(instance, 2);
  wasm_trap_t* trap = NULL;
  memcpy(wasm_memory_data(memory) + PAGE - 4, "\1\2\3\4", 4);
  check(call_i64(load, PAGE - 4, &trap) == 0x04030201 && !trap);
  static const uint64_t outside[] = {
    PAGE - 3, PAGE, 1ull << 32, (1ull << 32) + 8, 1ull << 63, UINT64_MAX, UINT64_MAX - 3,
  };
  for (size_t i = 0; i < sizeof outside / sizeof *outside; i++) {
    call_i64(load, outside[i], &trap);
    check(tenon_trap_code(trap) == TENON_TRAP_MEMORY_OUT_OF_BOUNDS);
    wasm_trap_delete(trap);
    call_i64(far, outside[i], &trap);
    check(tenon_trap_code(trap) == TENON_TRAP_MEMORY_OUT_OF_BOUNDS);
    wasm_trap_delete(trap);
  }
  check(call_i64(call, 1, &trap) == 7 && !trap);
  call_i64(call, 0, &trap);
  check(tenon_trap_code(trap) == TENON_TRAP_UNINITIALIZED_ELEMENT);
  wasm_trap_delete(trap);
  call_i64(call, (1ull << 32) + 1, &trap);
  check(tenon_trap_code(trap) == TENON_TRAP_UNDEFINED_ELEMENT);
  wasm_trap_delete(trap);
  wasm_func_delete(load), wasm_func_delete(far), wasm_func_delete(call);
  wasm_instance_delete(instance);
  wasm_table_delete(table), wasm_tabletype_delete(table_type);
  wasm_memory_delete(memory), wasm_memorytype_delete(type);
}

static void narrow_ones_are_no_imports_for_wide_ones(wasm_store_t* store) {
  wasm_module_t* module = module_of(store, "(module (import \"\" \"m\" (memory i64 1)))");
  wasm_memory_t* memory = memory_of(store, 1, 2);
  wasm_extern_t* imports[] = {wasm_memory_as_extern(memory)};
  wasm_extern_vec_t vec = {1, imports};
  refused(TENON_ERROR_LINK, wasm_instance_new(store, module, &vec, NULL));
  check(error_says("expected memory i64 1, got memory 1 2"));
  wasm_memory_delete(memory);
  wasm_module_delete(module);
}

/* Whatever a valid module says, reflecting it does not fail. */
static void modules_reflect_them(wasm_store_t* store) {
  static const char* const guest =
    "(module (import \"\" \"m\" (memory i64 0x100000000 0x1000000000000))"
    " (import \"\" \"s\" (memory 1 2 shared)) (import \"\" \"b\" (memory 5 (pagesize 1)))"
    " (import \"\" \"t\" (table i64 0xffffffffff externref)))";
  wasm_module_t* module = module_of(store, guest);
  wasm_importtype_vec_t imports;
  wasm_module_imports(module, &imports);
  check(imports.size == 4);
  const wasm_externtype_t* types[4];
  for (size_t i = 0; i < 4; i++) types[i] = wasm_importtype_type(imports.data[i]);
  const wasm_memorytype_t* wide = wasm_externtype_as_memorytype_const(types[0]);
  check(has_narrow_limits(wasm_memorytype_limits(wide), 0xffffffff, 0xffffffff));
  check(has_limits(tenon_memorytype_limits(wide), 1ull << 32, 1ull << 48));
  check(tenon_memorytype_is_shared(wasm_externtype_as_memorytype_const(types[1])));
  check(tenon_memorytype_page_size(wasm_externtype_as_memorytype_const(types[2])) == 1);
  const wasm_tabletype_t* table = wasm_externtype_as_tabletype_const(types[3]);
  check(has_narrow_limits(wasm_tabletype_limits(table), 0xffffffff, 0xffffffff));
  check(has_limits(tenon_tabletype_limits(table), 0xffffffffff, UINT64_MAX));
  check(tenon_tabletype_index(table) == WASM_I64);
  wasm_importtype_vec_delete(&imports);
  wasm_module_delete(module);
}

int main(void) {
  wasm_store_t* store = test_store();
  types_say_what_they_were_made_of();
  types_that_make_no_sense_are_refused();
  memories_that_cannot_be_are_refused(store);
  sizes_have_64_bits(store);
  the_stores_limit_holds(store);
  pages_of_one_byte(store);
  guests_reach_all_of_a_wide_memory(store);
  narrow_ones_are_no_imports_for_wide_ones(store);
  modules_reflect_them(store);
  wasm_store_delete(store);
  return done();
}
