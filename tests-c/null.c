/* NULL: every function of both headers takes it, and says so by its result and the last error. */

#include "harness.h"

static wasm_engine_t* engine;
static wasm_store_t* store;

/* Proves that a call that returns nothing has set the last error. */
#define complains(call) \
  (tenon_last_error_clear(), (call), check(tenon_last_error_code() == TENON_ERROR_ARGUMENT))

#define null_refused(call) refused(TENON_ERROR_ARGUMENT, call)

/* Proves that `name` is an empty vector. */
#define is_empty(vec) check((vec).size == 0 && (vec).data == NULL)

#define VEC(name) \
  static void vectors_of_##name(void) { \
    static const wasm_##name##_vec_t garbage = {3, (void*)8}; \
    wasm_##name##_vec_t vec = garbage; \
    wasm_##name##_vec_new_empty(NULL); \
    wasm_##name##_vec_new_uninitialized(NULL, 2); \
    wasm_##name##_vec_new(NULL, 0, NULL); \
    wasm_##name##_vec_new(&vec, 2, NULL); \
    is_empty(vec); \
    vec = garbage; \
    wasm_##name##_vec_copy(&vec, NULL); \
    is_empty(vec); \
    wasm_##name##_vec_copy(NULL, &vec); \
    wasm_##name##_vec_copy(NULL, NULL); \
    wasm_##name##_vec_delete(NULL); \
  }

VEC(byte)
VEC(valtype)
VEC(functype)
VEC(globaltype)
VEC(tabletype)
VEC(memorytype)
VEC(tagtype)
VEC(externtype)
VEC(importtype)
VEC(exporttype)
VEC(val)
VEC(frame)
VEC(extern)

#define EXTERNTYPE(name) \
  static void casts_of_##name(void) { \
    null_refused(wasm_##name##_as_externtype(NULL)); \
    null_refused(wasm_externtype_as_##name(NULL)); \
    null_refused(wasm_##name##_as_externtype_const(NULL)); \
    null_refused(wasm_externtype_as_##name##_const(NULL)); \
  }

EXTERNTYPE(functype)
EXTERNTYPE(globaltype)
EXTERNTYPE(tabletype)
EXTERNTYPE(memorytype)
EXTERNTYPE(tagtype)

#define REF_BASE(name) \
  static void references_to_##name(const wasm_ref_t* some) { \
    const wasm_##name##_t* live = (const wasm_##name##_t*)some; \
    wasm_##name##_delete(NULL); \
    null_refused(wasm_##name##_copy(NULL)); \
    null_refused(wasm_##name##_same(NULL, NULL)); \
    null_refused(wasm_##name##_same(live, NULL)); \
    null_refused(wasm_##name##_same(NULL, live)); \
    null_refused(wasm_##name##_get_host_info(NULL)); \
    complains(wasm_##name##_set_host_info(NULL, engine)); \
    complains(wasm_##name##_set_host_info_with_finalizer(NULL, engine, count_finalized)); \
    complains(wasm_##name##_set_host_info_with_finalizer(NULL, NULL, NULL)); \
  }

#define REF(name) \
  REF_BASE(name) \
  static void casts_of_##name(void) { \
    null_refused(wasm_##name##_as_ref(NULL)); \
    null_refused(wasm_ref_as_##name(NULL)); \
    null_refused(wasm_##name##_as_ref_const(NULL)); \
    null_refused(wasm_ref_as_##name##_const(NULL)); \
  }

REF_BASE(ref)
REF(trap)
REF(foreign)
REF(module)
REF(func)
REF(global)
REF(table)
REF(memory)
REF(extern)
REF(instance)

#define EXTERN(name) \
  static void casts_of_##name##_and_extern(void) { \
    null_refused(wasm_##name##_as_extern(NULL)); \
    null_refused(wasm_extern_as_##name(NULL)); \
    null_refused(wasm_##name##_as_extern_const(NULL)); \
    null_refused(wasm_extern_as_##name##_const(NULL)); \
  }

EXTERN(func)
EXTERN(global)
EXTERN(table)
EXTERN(memory)

#define TENON_REF(name) \
  static void references_to_##name(const wasm_ref_t* some) { \
    const tenon_##name##_t* live = (const tenon_##name##_t*)some; \
    tenon_##name##_delete(NULL); \
    null_refused(tenon_##name##_copy(NULL)); \
    null_refused(tenon_##name##_same(live, NULL)); \
    null_refused(tenon_##name##_same(NULL, live)); \
    null_refused(tenon_##name##_as_ref(NULL)); \
    null_refused(tenon_ref_as_##name(NULL)); \
    null_refused(tenon_##name##_as_ref_const(NULL)); \
    null_refused(tenon_ref_as_##name##_const(NULL)); \
  }

TENON_REF(tag)
TENON_REF(exception)

static void vectors(void) {
  vectors_of_byte();
  vectors_of_valtype();
  vectors_of_functype();
  vectors_of_globaltype();
  vectors_of_tabletype();
  vectors_of_memorytype();
  vectors_of_tagtype();
  vectors_of_externtype();
  vectors_of_importtype();
  vectors_of_exporttype();
  vectors_of_val();
  vectors_of_frame();
  vectors_of_extern();
}

static void engines_and_stores(void) {
  wasm_config_delete(NULL);
  wasm_engine_delete(NULL);
  wasm_store_delete(NULL);
  wasm_config_delete(wasm_config_new());
  wasm_engine_t* by_default = wasm_engine_new();
  check(by_default != NULL);
  wasm_engine_delete(by_default);
  by_default = wasm_engine_new_with_config(NULL);
  check(by_default != NULL);
  wasm_engine_delete(by_default);
  null_refused(wasm_store_new(NULL));
}

static void value_and_function_types(void) {
  wasm_valtype_delete(NULL);
  null_refused(wasm_valtype_copy(NULL));
  check(wasm_valtype_kind(NULL) == WASM_I32);
  wasm_functype_delete(NULL);
  null_refused(wasm_functype_copy(NULL));
  wasm_valtype_vec_t vec = WASM_EMPTY_VEC;
  null_refused(wasm_functype_new(NULL, NULL));
  null_refused(wasm_functype_new(&vec, NULL));
  null_refused(wasm_functype_new(NULL, &vec));
  null_refused(wasm_functype_params(NULL));
  null_refused(wasm_functype_results(NULL));
}

static void global_table_and_memory_types(void) {
  static const wasm_limits_t limits = {1, 2};
  wasm_globaltype_delete(NULL);
  null_refused(wasm_globaltype_copy(NULL));
  null_refused(wasm_globaltype_new(NULL, WASM_VAR));
  null_refused(wasm_globaltype_content(NULL));
  check(wasm_globaltype_mutability(NULL) == WASM_CONST);
  wasm_tabletype_delete(NULL);
  null_refused(wasm_tabletype_copy(NULL));
  null_refused(wasm_tabletype_new(NULL, NULL));
  null_refused(wasm_tabletype_new(NULL, &limits));
  null_refused(wasm_tabletype_new(wasm_valtype_new(WASM_FUNCREF), NULL));
  null_refused(wasm_tabletype_element(NULL));
  null_refused(wasm_tabletype_limits(NULL));
  wasm_memorytype_delete(NULL);
  null_refused(wasm_memorytype_copy(NULL));
  null_refused(wasm_memorytype_new(NULL));
  null_refused(wasm_memorytype_limits(NULL));
}

static void tag_and_extern_types(void) {
  wasm_tagtype_delete(NULL);
  null_refused(wasm_tagtype_copy(NULL));
  null_refused(wasm_tagtype_new(NULL));
  null_refused(wasm_tagtype_functype(NULL));
  wasm_externtype_delete(NULL);
  null_refused(wasm_externtype_copy(NULL));
  check(wasm_externtype_kind(NULL) == WASM_EXTERN_FUNC);
  casts_of_functype();
  casts_of_globaltype();
  casts_of_tabletype();
  casts_of_memorytype();
  casts_of_tagtype();
}

static own wasm_externtype_t* a_type(void) {
  return wasm_functype_as_externtype(wasm_functype_new_0_0());
}

static void import_and_export_types(void) {
  wasm_name_t name = WASM_EMPTY_VEC;
  wasm_importtype_delete(NULL);
  null_refused(wasm_importtype_copy(NULL));
  null_refused(wasm_importtype_new(NULL, NULL, NULL));
  null_refused(wasm_importtype_new(NULL, &name, a_type()));
  null_refused(wasm_importtype_new(&name, NULL, a_type()));
  null_refused(wasm_importtype_new(&name, &name, NULL));
  null_refused(wasm_importtype_module(NULL));
  null_refused(wasm_importtype_name(NULL));
  null_refused(wasm_importtype_type(NULL));
  wasm_exporttype_delete(NULL);
  null_refused(wasm_exporttype_copy(NULL));
  null_refused(wasm_exporttype_new(NULL, NULL));
  null_refused(wasm_exporttype_new(NULL, a_type()));
  null_refused(wasm_exporttype_new(&name, NULL));
  null_refused(wasm_exporttype_name(NULL));
  null_refused(wasm_exporttype_type(NULL));
}

static void values(void) {
  wasm_val_t value = i32_val(7);
  wasm_val_delete(NULL);
  wasm_val_copy(NULL, &value);
  wasm_val_copy(NULL, NULL);
  wasm_val_copy(&value, NULL);
  check(value.kind == WASM_EXTERNREF && value.of.ref == NULL);
  wasm_val_delete(&value);
}

static void frames(void) {
  wasm_frame_delete(NULL);
  null_refused(wasm_frame_copy(NULL));
  null_refused(wasm_frame_instance(NULL));
  check(wasm_frame_func_index(NULL) == 0);
  check(wasm_frame_func_offset(NULL) == 0);
  check(wasm_frame_module_offset(NULL) == 0);
  null_refused(tenon_frame_func_name(NULL));
}

static void traps(void) {
  wasm_message_t message = {3, (void*)8};
  wasm_frame_vec_t trace = {3, (void*)8};
  wasm_byte_vec_t text = bytes_of("text");
  null_refused(wasm_trap_new(NULL, NULL));
  null_refused(wasm_trap_new(NULL, &text));
  null_refused(wasm_trap_new(store, NULL));
  complains(wasm_trap_message(NULL, &message));
  is_empty(message);
  wasm_trap_message(NULL, NULL);
  null_refused(wasm_trap_origin(NULL));
  complains(wasm_trap_trace(NULL, &trace));
  is_empty(trace);
  wasm_trap_trace(NULL, NULL);
  wasm_trap_t* trap = wasm_trap_new(store, &text);
  wasm_trap_message(trap, NULL);
  wasm_trap_trace(trap, NULL);
  check(tenon_trap_code(NULL) == TENON_TRAP_NONE);
  check(!tenon_trap_exit_status(NULL, NULL) && !tenon_trap_exit_status(trap, NULL));
  wasm_trap_delete(trap);
}

static void references(void) {
  wasm_foreign_t* foreign = wasm_foreign_new(store);
  const wasm_ref_t* some = wasm_foreign_as_ref(foreign);
  finalized = 0;
  references_to_ref(some);
  references_to_trap(some);
  references_to_foreign(some);
  references_to_module(some);
  references_to_func(some);
  references_to_global(some);
  references_to_table(some);
  references_to_memory(some);
  references_to_extern(some);
  references_to_instance(some);
  references_to_tag(some);
  references_to_exception(some);
  wasm_foreign_set_host_info(foreign, NULL);
  check(wasm_foreign_get_host_info(foreign) == NULL);
  wasm_foreign_set_host_info_with_finalizer(foreign, NULL, NULL);
  wasm_foreign_delete(foreign);
  null_refused(wasm_foreign_new(NULL));
}

static void casts(void) {
  casts_of_trap();
  casts_of_foreign();
  casts_of_module();
  casts_of_func();
  casts_of_global();
  casts_of_table();
  casts_of_memory();
  casts_of_extern();
  casts_of_instance();
  casts_of_func_and_extern();
  casts_of_global_and_extern();
  casts_of_table_and_extern();
  casts_of_memory_and_extern();
}

static void making_modules(void) {
  wasm_byte_vec_t binary = binary_of("(module)");
  null_refused(wasm_module_new(NULL, NULL));
  null_refused(wasm_module_new(NULL, &binary));
  null_refused(wasm_module_new(store, NULL));
  null_refused(wasm_module_validate(NULL, NULL));
  null_refused(wasm_module_validate(NULL, &binary));
  null_refused(wasm_module_validate(store, NULL));
  null_refused(wasm_module_deserialize(NULL, NULL));
  null_refused(wasm_module_deserialize(NULL, &binary));
  null_refused(wasm_module_deserialize(store, NULL));
  null_refused(tenon_module_deserialize_file(NULL, NULL));
  null_refused(tenon_module_deserialize_file(NULL, "file"));
  null_refused(tenon_module_deserialize_file(store, NULL));
  null_refused(tenon_module_new_wat(NULL, NULL));
  null_refused(tenon_module_new_wat(NULL, &binary));
  null_refused(tenon_module_new_wat(store, NULL));
  wasm_byte_vec_delete(&binary);
}

static void asking_modules(void) {
  wasm_module_t* module = module_of(store, "(module $name)");
  wasm_importtype_vec_t imports = {3, (void*)8};
  wasm_exporttype_vec_t exports = {3, (void*)8};
  wasm_byte_vec_t bytes = {3, (void*)8};
  complains(wasm_module_imports(NULL, &imports));
  is_empty(imports);
  complains(wasm_module_exports(NULL, &exports));
  is_empty(exports);
  complains(wasm_module_serialize(NULL, &bytes));
  is_empty(bytes);
  bytes = (wasm_byte_vec_t){3, (void*)8};
  check(tenon_module_serialize_file(NULL, NULL) == TENON_ERROR_ARGUMENT);
  check(tenon_module_serialize_file(NULL, "file") == TENON_ERROR_ARGUMENT);
  check(tenon_module_serialize_file(module, NULL) == TENON_ERROR_ARGUMENT);
  null_refused(tenon_module_name(NULL, &bytes));
  is_empty(bytes);
  null_refused(tenon_module_name(NULL, NULL));
  wasm_module_imports(module, NULL);
  wasm_module_exports(module, NULL);
  wasm_module_serialize(module, NULL);
  check(tenon_module_name(module, NULL));
  wasm_module_imports(NULL, NULL);
  wasm_module_exports(NULL, NULL);
  wasm_module_serialize(NULL, NULL);
  wasm_module_delete(module);
}

static void sharing_modules(void) {
  wasm_module_t* module = module_of(store, "(module)");
  wasm_shared_module_t* shared = wasm_module_share(module);
  wasm_shared_module_delete(NULL);
  null_refused(wasm_module_share(NULL));
  null_refused(wasm_module_obtain(NULL, NULL));
  null_refused(wasm_module_obtain(store, NULL));
  null_refused(wasm_module_obtain(NULL, shared));
  wasm_shared_module_delete(shared);
  wasm_module_delete(module);
}

static own wasm_trap_t* nothing(const wasm_val_vec_t* args, wasm_val_vec_t* results) {
  (void)args, (void)results;
  return NULL;
}

static own wasm_trap_t* nothing_of(void* env, const wasm_val_vec_t* args, wasm_val_vec_t* results) {
  (void)env;
  return nothing(args, results);
}

static void making_functions(void) {
  wasm_functype_t* type = wasm_functype_new_0_0();
  finalized = 0;
  null_refused(wasm_func_new(NULL, type, nothing));
  null_refused(wasm_func_new(store, NULL, nothing));
  null_refused(wasm_func_new(store, type, NULL));
  null_refused(wasm_func_new(NULL, NULL, NULL));
  null_refused(wasm_func_new_with_env(NULL, type, nothing_of, NULL, count_finalized));
  null_refused(wasm_func_new_with_env(store, NULL, nothing_of, NULL, count_finalized));
  null_refused(wasm_func_new_with_env(store, type, NULL, NULL, count_finalized));
  null_refused(wasm_func_new_with_env(NULL, NULL, NULL, NULL, NULL));
  check(finalized == 3);
  wasm_func_t* func = wasm_func_new_with_env(store, type, nothing_of, NULL, NULL);
  check(func != NULL);
  wasm_func_delete(func);
  wasm_functype_delete(type);
}

static void calling_functions(void) {
  wasm_val_vec_t none = WASM_EMPTY_VEC;
  wasm_func_t* func = func_of_type(store, wasm_functype_new_0_0(), nothing);
  null_refused(wasm_func_type(NULL));
  check(wasm_func_param_arity(NULL) == 0);
  check(wasm_func_result_arity(NULL) == 0);
  null_refused(wasm_func_call(NULL, NULL, NULL));
  null_refused(wasm_func_call(NULL, &none, &none));
  check(wasm_func_call(func, NULL, NULL) == NULL);
  check(wasm_func_call(func, &none, NULL) == NULL);
  check(wasm_func_call(func, NULL, &none) == NULL);
  wasm_func_t* unary = func_of_type(store, type_i32_i32(), nothing);
  wasm_trap_t* trap = wasm_func_call(unary, NULL, NULL);
  check(trap != NULL && tenon_last_error_code() == TENON_ERROR_TYPE);
  wasm_trap_delete(trap);
  wasm_func_delete(unary);
  wasm_func_delete(func);
}

static void globals(void) {
  wasm_globaltype_t* type = wasm_globaltype_new(wasm_valtype_new_i32(), WASM_VAR);
  wasm_val_t value = i32_val(1);
  null_refused(wasm_global_new(NULL, type, &value));
  null_refused(wasm_global_new(store, NULL, &value));
  null_refused(wasm_global_new(store, type, NULL));
  null_refused(wasm_global_type(NULL));
  wasm_global_t* global = wasm_global_new(store, type, &value);
  complains(wasm_global_set(NULL, &value));
  complains(wasm_global_set(global, NULL));
  complains(wasm_global_set(NULL, NULL));
  complains(wasm_global_get(NULL, &value));
  check(value.kind == WASM_EXTERNREF && value.of.ref == NULL);
  wasm_global_get(global, NULL);
  wasm_global_get(NULL, NULL);
  wasm_global_get(global, &value);
  check(value.kind == WASM_I32 && value.of.i32 == 1);
  wasm_global_delete(global);
  wasm_globaltype_delete(type);
}

static void tables(void) {
  wasm_tabletype_t* type = type_of_table(WASM_EXTERNREF, 1, 2);
  null_refused(wasm_table_new(NULL, type, NULL));
  null_refused(wasm_table_new(store, NULL, NULL));
  null_refused(wasm_table_type(NULL));
  null_refused(wasm_table_get(NULL, 0));
  null_refused(wasm_table_set(NULL, 0, NULL));
  check(wasm_table_size(NULL) == 0);
  null_refused(wasm_table_grow(NULL, 0, NULL));
  wasm_table_t* table = wasm_table_new(store, type, NULL);
  accepted(table != NULL);
  accepted(wasm_table_get(table, 0) == NULL);
  accepted(wasm_table_set(table, 0, NULL));
  accepted(wasm_table_grow(table, 1, NULL));
  wasm_table_delete(table);
  wasm_tabletype_delete(type);
}

static void memories(void) {
  wasm_memorytype_t* type = type_of_memory(1, 2);
  null_refused(wasm_memory_new(NULL, type));
  null_refused(wasm_memory_new(store, NULL));
  null_refused(wasm_memory_type(NULL));
  null_refused(wasm_memory_data(NULL));
  check(wasm_memory_data_size(NULL) == 0);
  check(wasm_memory_size(NULL) == 0);
  null_refused(wasm_memory_grow(NULL, 0));
  wasm_memorytype_delete(type);
}

static void externs_and_instances(void) {
  wasm_module_t* module = module_of(store, "(module)");
  wasm_extern_vec_t imports = WASM_EMPTY_VEC;
  wasm_trap_t* trap = (void*)8;
  check(wasm_extern_kind(NULL) == WASM_EXTERN_FUNC);
  null_refused(wasm_extern_type(NULL));
  null_refused(wasm_instance_new(NULL, module, &imports, &trap));
  check(trap == NULL);
  null_refused(wasm_instance_new(store, NULL, &imports, &trap));
  check(trap == NULL);
  null_refused(wasm_instance_new(NULL, NULL, NULL, NULL));
  wasm_instance_t* instance = wasm_instance_new(store, module, NULL, NULL);
  accepted(instance != NULL);
  wasm_extern_vec_t exports = {3, (void*)8};
  complains(wasm_instance_exports(NULL, &exports));
  is_empty(exports);
  wasm_instance_exports(instance, NULL);
  wasm_instance_exports(NULL, NULL);
  wasm_instance_delete(instance);
  wasm_module_delete(module);
}

static void last_errors(void) {
  check(wasm_store_new(NULL) == NULL);
  size_t size = tenon_last_error_message(NULL, 0);
  check(size > 1 && tenon_last_error_message(NULL, 100) == size);
  check(!tenon_last_error_offset(NULL));
  check(tenon_last_error_import_module(NULL, 0) == 0);
  check(tenon_last_error_import_name(NULL, 100) == 0);
}

static void settings(void) {
  wasm_config_t* config = wasm_config_new();
  check(tenon_config_feature_set(NULL, "simd", true) == TENON_ERROR_ARGUMENT);
  check(tenon_config_feature_set(config, NULL, true) == TENON_ERROR_ARGUMENT);
  check(tenon_config_feature_set(NULL, NULL, true) == TENON_ERROR_ARGUMENT);
  check(tenon_config_explicit_checks_set(NULL, true) == TENON_ERROR_ARGUMENT);
  check(tenon_config_memory_reservation_set(NULL, 1) == TENON_ERROR_ARGUMENT);
  check(tenon_config_max_stack_set(NULL, 1) == TENON_ERROR_ARGUMENT);
  check(tenon_config_nan_canonicalization_set(NULL, true) == TENON_ERROR_ARGUMENT);
  check(tenon_config_relaxed_simd_deterministic_set(NULL, true) == TENON_ERROR_ARGUMENT);
  check(tenon_config_baseline_cpu_set(NULL, true) == TENON_ERROR_ARGUMENT);
  check(tenon_config_serialize_source_set(NULL, true) == TENON_ERROR_ARGUMENT);
  check(tenon_config_lazy_compilation_set(NULL, true) == TENON_ERROR_ARGUMENT);
  check(tenon_config_compilation_set(NULL, TENON_COMPILATION_LAZY) == TENON_ERROR_ARGUMENT);
  check(tenon_config_tier_up_after_set(NULL, 1) == TENON_ERROR_ARGUMENT);
  check(tenon_last_error_code() == TENON_ERROR_ARGUMENT);
  complains(tenon_engine_reinstall_signal_handlers(NULL));
  complains(tenon_store_collect(NULL));
  wasm_config_delete(config);
}

static void limits(void) {
  check(tenon_config_interruptible_set(NULL, true) == TENON_ERROR_ARGUMENT);
  check(tenon_config_fuel_set(NULL, true) == TENON_ERROR_ARGUMENT);
  null_refused(tenon_interrupt_new(NULL));
  tenon_interrupt_raise(NULL);
  tenon_interrupt_clear(NULL);
  tenon_interrupt_delete(NULL);
  uint64_t fuel = 1;
  check(tenon_store_deadline_set(NULL, 1) == TENON_ERROR_ARGUMENT);
  check(tenon_store_deadline_clear(NULL) == TENON_ERROR_ARGUMENT);
  check(tenon_store_fuel_set(NULL, 1) == TENON_ERROR_ARGUMENT);
  check(tenon_store_fuel_get(NULL, &fuel) == TENON_ERROR_ARGUMENT && fuel == 1);
  check(tenon_store_max_memory_set(NULL, 1) == TENON_ERROR_ARGUMENT);
  check(tenon_store_max_table_elements_set(NULL, 1) == TENON_ERROR_ARGUMENT);
  check(tenon_store_max_instances_set(NULL, 1) == TENON_ERROR_ARGUMENT);
  complains(check(tenon_store_memory_size(NULL) == 0));
  check(tenon_store_max_heap_set(NULL, 1) == TENON_ERROR_ARGUMENT);
  complains(check(tenon_store_heap_size(NULL) == 0));
  complains(check(tenon_store_heap_used(NULL) == 0));
  check(tenon_config_collect_always_set(NULL, true) == TENON_ERROR_ARGUMENT);
}

static void wide_types(void) {
  static const tenon_limits_t limits = {1, 2};
  null_refused(tenon_memorytype_new(NULL, WASM_I64, 65536, false));
  null_refused(tenon_memorytype_limits(NULL));
  check(tenon_memorytype_address(NULL) == WASM_I32);
  check(tenon_memorytype_page_size(NULL) == 0);
  check(!tenon_memorytype_is_shared(NULL));
  null_refused(tenon_tabletype_new(NULL, &limits, WASM_I64));
  null_refused(tenon_tabletype_new(wasm_valtype_new(WASM_FUNCREF), NULL, WASM_I64));
  null_refused(tenon_tabletype_limits(NULL));
  check(tenon_tabletype_index(NULL) == WASM_I32);
  uint64_t before = 7;
  check(tenon_memory_size(NULL) == 0);
  null_refused(tenon_memory_grow(NULL, 0, &before));
  wasm_memory_t* memory = memory_of(store, 1, 2);
  accepted(tenon_memory_grow(memory, 0, NULL));
  wasm_memory_delete(memory);
  check(before == 7);
}

static void shared_memories(void) {
  static const tenon_limits_t limits = {1, 2};
  uint64_t before = 7;
  wasm_memorytype_t* type = tenon_memorytype_new(&limits, WASM_I32, 65536, true);
  tenon_shared_memory_t* memory = tenon_shared_memory_new(engine, type);
  null_refused(tenon_shared_memory_new(NULL, type));
  null_refused(tenon_shared_memory_new(engine, NULL));
  null_refused(tenon_memory_share(NULL));
  null_refused(tenon_memory_obtain(NULL, memory));
  null_refused(tenon_memory_obtain(store, NULL));
  null_refused(tenon_shared_memory_copy(NULL));
  null_refused(tenon_shared_memory_same(NULL, memory));
  null_refused(tenon_shared_memory_same(memory, NULL));
  null_refused(tenon_shared_memory_type(NULL));
  null_refused(tenon_shared_memory_data(NULL));
  check(tenon_shared_memory_data_size(NULL) == 0);
  null_refused(tenon_shared_memory_grow(NULL, 0, &before));
  accepted(tenon_shared_memory_grow(memory, 0, NULL));
  check(tenon_shared_memory_notify(NULL, 0, 1) == 0);
  tenon_shared_memory_delete(NULL);
  tenon_shared_memory_delete(memory);
  wasm_memorytype_delete(type);
  check(before == 7);
}

static void defined_types(void) {
  tenon_definition_t definition = {.kind = TENON_TYPE_STRUCT}, no_array = {TENON_TYPE_ARRAY},
    no_func = {TENON_TYPE_FUNC}, no_fields = {.kind = TENON_TYPE_STRUCT, .field_count = 1};
  tenon_deftype_t *type = tenon_deftype_new(engine, &definition), *out[] = {(void*)8, (void*)8};
  tenon_field_t field = {.type = (void*)8};
  wasm_valtype_t* number = wasm_valtype_new_i32();
  null_refused(tenon_valtype_ref_new(TENON_HEAP_DEFINED, NULL, true));
  check(tenon_valtype_heap_kind(NULL) == TENON_HEAP_NUMBER);
  check(!tenon_valtype_is_nullable(NULL));
  null_refused(tenon_valtype_deftype(NULL, number));
  null_refused(tenon_valtype_deftype(engine, NULL));
  null_refused(tenon_valtype_deftype(engine, number));
  null_refused(tenon_valtype_same(NULL, number));
  null_refused(tenon_valtype_same(number, NULL));
  null_refused(tenon_valtype_matches(NULL, number, number));
  null_refused(tenon_valtype_matches(engine, NULL, number));
  null_refused(tenon_valtype_matches(engine, number, NULL));
  null_refused(tenon_deftype_new(NULL, &definition));
  null_refused(tenon_deftype_new(engine, NULL));
  null_refused(tenon_deftype_new(engine, &no_array));
  null_refused(tenon_deftype_new(engine, &no_func));
  null_refused(tenon_deftype_new(engine, &no_fields));
  null_refused(tenon_deftype_place(0, 0));
  check(tenon_deftype_group(NULL, 2, &definition, out) == TENON_ERROR_ARGUMENT && !out[0] && !out[1]);
  check(tenon_deftype_group(engine, 1, NULL, out) == TENON_ERROR_ARGUMENT);
  check(tenon_deftype_group(engine, 1, &definition, NULL) == TENON_ERROR_ARGUMENT);
  check(tenon_deftype_group(engine, 0, NULL, out) == TENON_OK);
  tenon_deftype_delete(NULL);
  null_refused(tenon_deftype_copy(NULL));
  null_refused(tenon_deftype_same(NULL, type));
  null_refused(tenon_deftype_same(type, NULL));
  null_refused(tenon_deftype_matches(NULL, type));
  null_refused(tenon_deftype_matches(type, NULL));
  check(tenon_deftype_kind(NULL) == 0 && !tenon_deftype_is_final(NULL));
  null_refused(tenon_deftype_supertype(NULL, type));
  null_refused(tenon_deftype_supertype(engine, NULL));
  null_refused(tenon_deftype_functype(NULL));
  check(tenon_deftype_field_count(NULL) == 0 && tenon_deftype_field_count(type) == 0);
  check(tenon_deftype_field(NULL, 0, &field) == TENON_ERROR_ARGUMENT && !field.type);
  check(tenon_deftype_field(type, 0, NULL) == TENON_ERROR_ARGUMENT);
  null_refused(tenon_func_deftype(NULL));
  wasm_valtype_delete(number);
  tenon_deftype_delete(type);
}

static void objects(void) {
  tenon_definition_t definition = {.kind = TENON_TYPE_STRUCT};
  tenon_deftype_t* type = tenon_deftype_new(engine, &definition);
  wasm_ref_t* object = tenon_struct_new(store, type, NULL);
  wasm_val_vec_t none = WASM_EMPTY_VEC;
  wasm_val_t value = i32_val(1);
  int32_t number;
  check(object && tenon_ref_kind(NULL) == TENON_REF_NULL);
  null_refused(tenon_object_type(NULL));
  null_refused(tenon_i31_new(NULL, 1));
  check(tenon_i31_get(NULL, &number) == TENON_ERROR_ARGUMENT);
  null_refused(tenon_struct_new(NULL, type, &none));
  null_refused(tenon_struct_new(store, NULL, &none));
  null_refused(tenon_array_new(NULL, type, 1, &value));
  null_refused(tenon_array_new(store, NULL, 1, NULL));
  null_refused(tenon_array_new_of(NULL, type, &none));
  null_refused(tenon_array_new_of(store, NULL, &none));
  null_refused(tenon_array_new_of(store, type, NULL));
  null_refused(tenon_array_new_from(NULL, type, &number, 4));
  null_refused(tenon_array_new_from(store, NULL, &number, 4));
  null_refused(tenon_array_new_from(store, type, NULL, 4));
  check(tenon_object_size(NULL) == 0);
  check(tenon_object_get(NULL, 0, &value) == TENON_ERROR_ARGUMENT);
  check(value.kind == WASM_EXTERNREF && value.of.ref == NULL);
  check(tenon_object_get(object, 0, NULL) == TENON_ERROR_ARGUMENT);
  check(tenon_object_set(NULL, 0, &value) == TENON_ERROR_ARGUMENT);
  check(tenon_object_set(object, 0, NULL) == TENON_ERROR_ARGUMENT);
  check(tenon_array_read(NULL, 0, 1, &number) == TENON_ERROR_ARGUMENT);
  check(tenon_array_write(NULL, 0, 1, &number) == TENON_ERROR_ARGUMENT);
  wasm_ref_delete(object);
  tenon_deftype_delete(type);
}

static own wasm_trap_t* nothing_raw(void* env, const tenon_raw_t args[], tenon_raw_t results[]) {
  (void)env, (void)args, (void)results;
  return NULL;
}

static void nothing_native(void) {}

static void native_functions(void) {
  wasm_functype_t* type = wasm_functype_new_0_0();
  finalized = 0;
  null_refused(tenon_func_new_native(NULL, type, nothing_native));
  null_refused(tenon_func_new_native(store, NULL, nothing_native));
  null_refused(tenon_func_new_native(store, type, NULL));
  null_refused(tenon_func_new_native_with_env(NULL, type, nothing_native, NULL, count_finalized));
  null_refused(tenon_func_new_native_with_env(store, NULL, nothing_native, NULL, count_finalized));
  null_refused(tenon_func_new_native_with_env(store, type, NULL, NULL, count_finalized));
  null_refused(tenon_func_new_native_with_env(store, type, NULL, NULL, NULL));
  check(finalized == 3);
  wasm_func_t* func = tenon_func_new_native_with_env(store, type, nothing_native, NULL, NULL);
  null_refused(tenon_func_pointer(NULL, type));
  null_refused(tenon_func_pointer(func, NULL));
  null_refused(tenon_store_take_trap(NULL));
  null_refused(tenon_store_trap_waiting(NULL));
  complains(tenon_store_put_trap(NULL, NULL));
  complains(tenon_store_put_trap(store, NULL));
  wasm_byte_vec_t message = bytes_of("lost");
  complains(tenon_store_put_trap(NULL, wasm_trap_new(store, &message)));
  check(*tenon_store_trap_waiting(store) == 0 && tenon_store_take_trap(store) == NULL);
  wasm_func_delete(func);
  wasm_functype_delete(type);
}

static void raw_values(void) {
  wasm_functype_t* type = wasm_functype_new_0_0();
  wasm_globaltype_t* of_global = wasm_globaltype_new(wasm_valtype_new_i32(), WASM_VAR);
  tenon_raw_t value = {.i32 = 1};
  finalized = 0;
  null_refused(tenon_func_call_raw(NULL, 0, NULL, 0, NULL));
  null_refused(tenon_func_new_raw(NULL, type, nothing_raw, NULL, count_finalized));
  null_refused(tenon_func_new_raw(store, NULL, nothing_raw, NULL, count_finalized));
  null_refused(tenon_func_new_raw(store, type, NULL, NULL, count_finalized));
  null_refused(tenon_func_new_raw(store, type, NULL, NULL, NULL));
  check(finalized == 3);
  wasm_func_t* func = tenon_func_new_raw(store, type, nothing_raw, NULL, NULL);
  check(tenon_func_call_raw(func, 0, NULL, 0, NULL) == NULL);
  wasm_func_t* unary = func_of_type(store, type_i32_i32(), nothing);
  wasm_trap_t* trap = tenon_func_call_raw(unary, 1, NULL, 1, &value);
  check(trap != NULL);
  wasm_trap_delete(trap);
  trap = tenon_func_call_raw(unary, 1, &value, 1, NULL);
  check(trap != NULL);
  wasm_trap_delete(trap);
  null_refused(tenon_global_new_raw(NULL, of_global, &value));
  null_refused(tenon_global_new_raw(store, NULL, &value));
  null_refused(tenon_global_new_raw(store, of_global, NULL));
  wasm_global_t* global = tenon_global_new_raw(store, of_global, &value);
  check(tenon_global_get_raw(NULL, &value) == TENON_ERROR_ARGUMENT && value.i32 == 0);
  check(tenon_global_get_raw(global, NULL) == TENON_ERROR_ARGUMENT);
  check(tenon_global_set_raw(NULL, &value) == TENON_ERROR_ARGUMENT);
  check(tenon_global_set_raw(global, NULL) == TENON_ERROR_ARGUMENT);
  check(tenon_object_get_raw(NULL, 0, &value) == TENON_ERROR_ARGUMENT);
  check(tenon_object_get_raw(NULL, 0, NULL) == TENON_ERROR_ARGUMENT);
  check(tenon_object_set_raw(NULL, 0, &value) == TENON_ERROR_ARGUMENT);
  check(tenon_object_set_raw(NULL, 0, NULL) == TENON_ERROR_ARGUMENT);
  wasm_func_delete(unary);
  wasm_func_delete(func);
  wasm_global_delete(global);
  wasm_globaltype_delete(of_global);
  wasm_functype_delete(type);
}

static void text(void) {
  wasm_byte_vec_t source = bytes_of("(module)"), binary = {3, (void*)8};
  check(tenon_wat2wasm(NULL, NULL) == TENON_ERROR_ARGUMENT);
  check(tenon_wat2wasm(&source, NULL) == TENON_ERROR_ARGUMENT);
  check(tenon_wat2wasm(NULL, &binary) == TENON_ERROR_ARGUMENT);
  is_empty(binary);
}

static void tags_and_exceptions(void) {
  null_refused(tenon_tag_get_host_info(NULL));
  complains(tenon_tag_set_host_info(NULL, engine));
  complains(tenon_tag_set_host_info_with_finalizer(NULL, engine, count_finalized));
  null_refused(tenon_tag_as_extern(NULL));
  null_refused(tenon_extern_as_tag(NULL));
  null_refused(tenon_tag_as_extern_const(NULL));
  null_refused(tenon_extern_as_tag_const(NULL));
  wasm_tagtype_t* type = wasm_tagtype_new(wasm_functype_new_0_0());
  null_refused(tenon_tag_new(NULL, type));
  null_refused(tenon_tag_new(store, NULL));
  null_refused(tenon_tag_type(NULL));
  tenon_tag_t* tag = tenon_tag_new(store, type);
  wasm_val_vec_t none = WASM_EMPTY_VEC, values = {3, (void*)8};
  null_refused(tenon_exception_new(NULL, tag, &none));
  null_refused(tenon_exception_new(store, NULL, &none));
  null_refused(tenon_exception_new(store, tag, NULL));
  null_refused(tenon_exception_tag(NULL));
  complains(tenon_exception_values(NULL, &values));
  is_empty(values);
  complains(tenon_exception_values(NULL, NULL));
  uint8_t lanes[16];
  null_refused(tenon_exception_vector(NULL, 0, lanes));
  null_refused(tenon_exception_vector(NULL, 0, NULL));
  null_refused(tenon_trap_new_exception(NULL));
  null_refused(tenon_trap_exception(NULL));
  tenon_tag_delete(tag);
  wasm_tagtype_delete(type);
}

int main(void) {
  engine = test_engine();
  store = wasm_store_new(engine);
  vectors();
  engines_and_stores();
  value_and_function_types();
  global_table_and_memory_types();
  tag_and_extern_types();
  import_and_export_types();
  values();
  frames();
  traps();
  references();
  casts();
  making_modules();
  asking_modules();
  sharing_modules();
  making_functions();
  calling_functions();
  globals();
  tables();
  memories();
  externs_and_instances();
  last_errors();
  settings();
  limits();
  wide_types();
  shared_memories();
  defined_types();
  objects();
  raw_values();
  native_functions();
  text();
  tags_and_exceptions();
  wasm_store_delete(store);
  wasm_engine_delete(engine);
  return done();
}
