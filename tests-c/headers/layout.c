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
HOLDS(WASM_EXTERN_FUNC == 0 && WASM_EXTERN_GLOBAL == 1 && WASM_EXTERN_TABLE == 2);
HOLDS(WASM_EXTERN_MEMORY == 3 && WASM_EXTERN_TAG == 4);
HOLDS(WASM_CONST == 0 && WASM_VAR == 1);
