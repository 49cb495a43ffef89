/* Sizes and offsets that other languages' bindings rely on. */

#include <stddef.h>

#include <tenon.h>
#include <wasi.h>

#ifdef __cplusplus
#define HOLDS(condition) static_assert(condition, #condition)
#elif __STDC_VERSION__ >= 201112L
#define HOLDS(condition) _Static_assert(condition, #condition)
#else
#define JOIN(a, b) a##b
#define NAME(line) JOIN(holds_, line)
#define HOLDS(condition) typedef char NAME(__LINE__)[(condition) ? 1 : -1]
#endif

HOLDS(sizeof(byte_t) == 1);
HOLDS(sizeof(wasm_mutability_t) == 1);
HOLDS(sizeof(wasm_valkind_t) == 1);
HOLDS(sizeof(wasm_externkind_t) == 1);
HOLDS(sizeof(wasm_limits_t) == 8);
HOLDS(offsetof(wasm_limits_t, min) == 0);
HOLDS(offsetof(wasm_limits_t, max) == 4);
HOLDS(sizeof(wasm_byte_vec_t) == 2 * sizeof(void*));
HOLDS(offsetof(wasm_byte_vec_t, size) == 0);
HOLDS(offsetof(wasm_byte_vec_t, data) == sizeof(void*));
HOLDS(sizeof(wasm_extern_vec_t) == 2 * sizeof(void*));
HOLDS(sizeof(wasmer_named_extern_vec_t) == 2 * sizeof(void*));
HOLDS(sizeof(wasm_val_t) == 16);
HOLDS(offsetof(wasm_val_t, kind) == 0);
HOLDS(offsetof(wasm_val_t, of) == 8);
HOLDS(sizeof(wasm_table_size_t) == 4);
HOLDS(sizeof(wasm_memory_pages_t) == 4);
HOLDS(sizeof(tenon_error_code_t) == 1);
HOLDS(sizeof(tenon_trap_code_t) == 1);
HOLDS(sizeof(wasi_version_t) == 4);
HOLDS(WASM_I32 == 0 && WASM_I64 == 1 && WASM_F32 == 2 && WASM_F64 == 3);
HOLDS(WASM_EXTERNREF == 128 && WASM_FUNCREF == 129);
HOLDS(TENON_V128 == 4 && TENON_ANYREF == 130 && TENON_EXNREF == 131);
HOLDS(sizeof(tenon_raw_t) == 16 && offsetof(tenon_raw_t, v128) == 0);
HOLDS(sizeof(tenon_heap_kind_t) == 1 && sizeof(tenon_ref_kind_t) == 1);
HOLDS(offsetof(tenon_field_t, mutability) == 1);
HOLDS(offsetof(tenon_field_t, type) == sizeof(void*));
HOLDS(offsetof(tenon_definition_t, is_final) == 1);
HOLDS(offsetof(tenon_definition_t, supertype) == sizeof(void*));
HOLDS(offsetof(tenon_definition_t, fields) == 4 * sizeof(void*));
HOLDS(WASM_EXTERN_FUNC == 0 && WASM_EXTERN_GLOBAL == 1 && WASM_EXTERN_TABLE == 2);
HOLDS(WASM_EXTERN_MEMORY == 3 && WASM_EXTERN_TAG == 4);
HOLDS(WASM_CONST == 0 && WASM_VAR == 1);
