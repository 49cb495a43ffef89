/* The WebAssembly C API, as Tenon implements it: the standard's functions, types, and macros.
 *
 * Made by `make headers`; do not edit.
 *
 * Ownership: `own` marks what changes hands. An `own` result belongs to the caller, who deletes it;
 * an `own` parameter belongs to the function from then on. Everything else is borrowed.
 *
 * NULL: deleting NULL does nothing. A function that is passed NULL where it needs something returns
 * NULL, false, or 0. Whatever fails sets the thread's last error (see tenon.h).
 *
 * Threads: configurations, engines and shared modules may be used by any thread. A store, and all
 * that belongs to it, is used by one thread at a time, and may move between threads. */


#ifndef WASM_H
#define WASM_H

#include <assert.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#ifndef WASM_API_EXTERN
#if defined(_WIN32) && !defined(__MINGW32__) && !defined(LIBWASM_STATIC)
#define WASM_API_EXTERN __declspec(dllimport)
#else
#define WASM_API_EXTERN
#endif
#endif

#ifdef __cplusplus
extern "C" {
#endif

/* Marks what changes hands; means nothing to the compiler. */
#define own

typedef char byte_t;
typedef float float32_t;
typedef double float64_t;

/* Declarations that come in families. */

#define WASM_DECLARE_OWN(name) \
  typedef struct wasm_##name##_t wasm_##name##_t; \
  WASM_API_EXTERN void wasm_##name##_delete(own wasm_##name##_t*);

#define WASM_DECLARE_VEC(name, ptr_or_none) \
  typedef struct wasm_##name##_vec_t { \
    size_t size; \
    wasm_##name##_t ptr_or_none* data; \
  } wasm_##name##_vec_t; \
  WASM_API_EXTERN void wasm_##name##_vec_new_empty(own wasm_##name##_vec_t* out); \
  WASM_API_EXTERN void wasm_##name##_vec_new_uninitialized( \
    own wasm_##name##_vec_t* out, size_t); \
  WASM_API_EXTERN void wasm_##name##_vec_new( \
    own wasm_##name##_vec_t* out, size_t, own wasm_##name##_t ptr_or_none const[]); \
  WASM_API_EXTERN void wasm_##name##_vec_copy( \
    own wasm_##name##_vec_t* out, const wasm_##name##_vec_t*); \
  WASM_API_EXTERN void wasm_##name##_vec_delete(own wasm_##name##_vec_t*);

#define WASM_DECLARE_TYPE(name) \
  WASM_DECLARE_OWN(name) \
  WASM_DECLARE_VEC(name, *) \
  WASM_API_EXTERN own wasm_##name##_t* wasm_##name##_copy(const wasm_##name##_t*);

#define WASM_DECLARE_REF_BASE(name) \
  WASM_DECLARE_OWN(name) \
  WASM_API_EXTERN own wasm_##name##_t* wasm_##name##_copy(const wasm_##name##_t*); \
  WASM_API_EXTERN bool wasm_##name##_same(const wasm_##name##_t*, const wasm_##name##_t*); \
  WASM_API_EXTERN void* wasm_##name##_get_host_info(const wasm_##name##_t*); \
  WASM_API_EXTERN void wasm_##name##_set_host_info(wasm_##name##_t*, void*); \
  WASM_API_EXTERN void wasm_##name##_set_host_info_with_finalizer( \
    wasm_##name##_t*, void*, void (*)(void*));

#define WASM_DECLARE_REF(name) \
  WASM_DECLARE_REF_BASE(name) \
  WASM_API_EXTERN wasm_ref_t* wasm_##name##_as_ref(wasm_##name##_t*); \
  WASM_API_EXTERN wasm_##name##_t* wasm_ref_as_##name(wasm_ref_t*); \
  WASM_API_EXTERN const wasm_ref_t* wasm_##name##_as_ref_const(const wasm_##name##_t*); \
  WASM_API_EXTERN const wasm_##name##_t* wasm_ref_as_##name##_const(const wasm_ref_t*);

#define WASM_DECLARE_SHARABLE_REF(name) \
  WASM_DECLARE_REF(name) \
  WASM_DECLARE_OWN(shared_##name) \
  WASM_API_EXTERN own wasm_shared_##name##_t* wasm_##name##_share(const wasm_##name##_t*); \
  WASM_API_EXTERN own wasm_##name##_t* wasm_##name##_obtain( \
    wasm_store_t*, const wasm_shared_##name##_t*);

/* Casts that borrow: the same thing under another type, or NULL if it is of another kind. */
#define TENON_DECLARE_CASTS(name, base) \
  WASM_API_EXTERN wasm_##base##_t* wasm_##name##_as_##base(wasm_##name##_t*); \
  WASM_API_EXTERN wasm_##name##_t* wasm_##base##_as_##name(wasm_##base##_t*); \
  WASM_API_EXTERN const wasm_##base##_t* wasm_##name##_as_##base##_const( \
    const wasm_##name##_t*); \
  WASM_API_EXTERN const wasm_##name##_t* wasm_##base##_as_##name##_const( \
    const wasm_##base##_t*);

/* Bytes and names. A name is UTF-8 and not terminated. Buffers of vectors come from malloc. */

typedef byte_t wasm_byte_t;
WASM_DECLARE_VEC(byte, )

typedef wasm_byte_vec_t wasm_name_t;
#define wasm_name wasm_byte_vec
#define wasm_name_new wasm_byte_vec_new
#define wasm_name_new_empty wasm_byte_vec_new_empty
#define wasm_name_new_uninitialized wasm_byte_vec_new_uninitialized
#define wasm_name_new_new_uninitialized wasm_byte_vec_new_uninitialized
#define wasm_name_copy wasm_byte_vec_copy
#define wasm_name_delete wasm_byte_vec_delete

static inline void wasm_name_new_from_string(own wasm_name_t* out, const char* s) {
  wasm_name_new(out, strlen(s), s);
}

/* With the terminating zero byte. */
static inline void wasm_name_new_from_string_nt(own wasm_name_t* out, const char* s) {
  wasm_name_new(out, strlen(s) + 1, s);
}

/* Settings, engines, stores. */

WASM_DECLARE_OWN(config)
WASM_DECLARE_OWN(engine)
WASM_DECLARE_OWN(store)

/* Types. */

typedef uint8_t wasm_mutability_t;
enum wasm_mutability_enum {
  WASM_CONST,
  WASM_VAR,
};

typedef struct wasm_limits_t {
  uint32_t min;
  uint32_t max;
} wasm_limits_t;

/* The maximum of what has none. */
static const uint32_t wasm_limits_max_default = 0xffffffff;

WASM_DECLARE_TYPE(valtype)

/* Vectors, for which wasm_val_t has no room, are of kind 4. */
typedef uint8_t wasm_valkind_t;
enum wasm_valkind_enum {
  WASM_I32,
  WASM_I64,
  WASM_F32,
  WASM_F64,
  WASM_EXTERNREF = 128,
  WASM_FUNCREF,
};

WASM_DECLARE_TYPE(functype)
WASM_DECLARE_TYPE(globaltype)
WASM_DECLARE_TYPE(tabletype)
WASM_DECLARE_TYPE(memorytype)
WASM_DECLARE_TYPE(tagtype)

WASM_DECLARE_TYPE(externtype)

typedef uint8_t wasm_externkind_t;
enum wasm_externkind_enum {
  WASM_EXTERN_FUNC,
  WASM_EXTERN_GLOBAL,
  WASM_EXTERN_TABLE,
  WASM_EXTERN_MEMORY,
  WASM_EXTERN_TAG,
};

TENON_DECLARE_CASTS(functype, externtype)
TENON_DECLARE_CASTS(globaltype, externtype)
TENON_DECLARE_CASTS(tabletype, externtype)
TENON_DECLARE_CASTS(memorytype, externtype)
TENON_DECLARE_CASTS(tagtype, externtype)

WASM_DECLARE_TYPE(importtype)
WASM_DECLARE_TYPE(exporttype)

/* Values. */

struct wasm_ref_t;

typedef struct wasm_val_t {
  wasm_valkind_t kind;
  union {
    int32_t i32;
    int64_t i64;
    float32_t f32;
    float64_t f64;
    struct wasm_ref_t* ref;
  } of;
} wasm_val_t;

WASM_DECLARE_VEC(val, )

/* References. */

WASM_DECLARE_REF_BASE(ref)

WASM_DECLARE_OWN(frame)
WASM_DECLARE_VEC(frame, *)
WASM_API_EXTERN own wasm_frame_t* wasm_frame_copy(const wasm_frame_t*);

/* Terminated by a zero byte, which the size counts. */
typedef wasm_name_t wasm_message_t;
WASM_DECLARE_REF(trap)

WASM_DECLARE_REF(foreign)
WASM_DECLARE_REF(module)
WASM_DECLARE_OWN(shared_module)
WASM_DECLARE_REF(func)
WASM_DECLARE_REF(global)
WASM_DECLARE_REF(table)
WASM_DECLARE_REF(memory)
WASM_DECLARE_REF(extern)
WASM_DECLARE_VEC(extern, *)
WASM_DECLARE_REF(instance)

TENON_DECLARE_CASTS(func, extern)
TENON_DECLARE_CASTS(global, extern)
TENON_DECLARE_CASTS(table, extern)
TENON_DECLARE_CASTS(memory, extern)

typedef uint32_t wasm_table_size_t;
typedef uint32_t wasm_memory_pages_t;
static const size_t MEMORY_PAGE_SIZE = 0x10000;

/* Functions of the host: they borrow their arguments, and own references among the results they
 * set until they return. */
typedef own wasm_trap_t* (*wasm_func_callback_t)(
  const wasm_val_vec_t* args, own wasm_val_vec_t* results);
typedef own wasm_trap_t* (*wasm_func_callback_with_env_t)(
  void* env, const wasm_val_vec_t* args, wasm_val_vec_t* results);

#ifdef __cplusplus
}
#endif


#ifdef __cplusplus
extern "C" {
#endif // __cplusplus

/*
 Makes default settings.

 Ownership: the caller owns the result and passes it to `wasm_engine_new_with_config` or releases
 it with `wasm_config_delete`.
 */
WASM_API_EXTERN wasm_config_t *wasm_config_new(void);

/*
 Makes an engine with default settings. Returns null when no code can be made for this machine.

 Ownership: the caller owns the result and releases it with `wasm_engine_delete`; what is made
 with the engine keeps it alive.
 */
WASM_API_EXTERN wasm_engine_t *wasm_engine_new(void);

/*
 Makes an engine with these settings, the default ones for null. Returns null when they make no
 sense, or no code can be made for this machine.

 Ownership: takes the settings over; the caller owns the result and releases it with
 `wasm_engine_delete`.

 # Safety

 The pointer is owned or null.
 */
WASM_API_EXTERN wasm_engine_t *wasm_engine_new_with_config(wasm_config_t *config);

/*
 Makes an empty store. Returns null when the engine is.

 Ownership: borrows the engine; the caller owns the result and releases it with
 `wasm_store_delete`; what is made in the store keeps it alive.

 # Safety

 The pointer is live or null.
 */
WASM_API_EXTERN wasm_store_t *wasm_store_new(wasm_engine_t *engine);

/*
 Makes a value type of a kind. Returns null when there is no such kind.

 Ownership: the caller owns the result and releases it with `wasm_valtype_delete`.
 */
WASM_API_EXTERN wasm_valtype_t *wasm_valtype_new(wasm_valkind_t kind);

/*
 Returns the kind of a value type; vectors are of kind 4. Null is of kind `WASM_I32`.

 # Safety

 The pointer is live or null.
 */
WASM_API_EXTERN wasm_valkind_t wasm_valtype_kind(const wasm_valtype_t *ty);

/*
 Makes a function type. Returns null when a vector is null.

 Ownership: takes both vectors over and leaves them empty; the caller owns the result and
 releases it with `wasm_functype_delete`.

 # Safety

 The vectors are whole or null.
 */
WASM_API_EXTERN
wasm_functype_t *wasm_functype_new(wasm_valtype_vec_t *params,
                                   wasm_valtype_vec_t *results);

/*
 Returns the types of a function's parameters.

 Ownership: the result belongs to the function type.

 # Safety

 The pointer is live or null.
 */
WASM_API_EXTERN const wasm_valtype_vec_t *wasm_functype_params(const wasm_functype_t *ty);

/*
 Returns the types of a function's results.

 Ownership: the result belongs to the function type.

 # Safety

 The pointer is live or null.
 */
WASM_API_EXTERN const wasm_valtype_vec_t *wasm_functype_results(const wasm_functype_t *ty);

/*
 Makes a global type. Returns null when the value type is.

 Ownership: takes the value type over; the caller owns the result and releases it with
 `wasm_globaltype_delete`.

 # Safety

 The pointer is owned or null.
 */
WASM_API_EXTERN
wasm_globaltype_t *wasm_globaltype_new(wasm_valtype_t *content,
                                       wasm_mutability_t mutability);

/*
 Returns the type of a global's value.

 Ownership: the result belongs to the global type.

 # Safety

 The pointer is live or null.
 */
WASM_API_EXTERN const wasm_valtype_t *wasm_globaltype_content(const wasm_globaltype_t *ty);

/*
 Returns whether a global can be set. Null counts as `WASM_CONST`.

 # Safety

 The pointer is live or null.
 */
WASM_API_EXTERN wasm_mutability_t wasm_globaltype_mutability(const wasm_globaltype_t *ty);

/*
 Makes a table type. Returns null when an argument is null. Whether there can be such a table is
 not checked before it is used.

 Ownership: takes the value type over, borrows the limits; the caller owns the result and
 releases it with `wasm_tabletype_delete`.

 # Safety

 The pointers are owned, or live, or null.
 */
WASM_API_EXTERN
wasm_tabletype_t *wasm_tabletype_new(wasm_valtype_t *element,
                                     const wasm_limits_t *limits);

/*
 Returns the type of a table's elements.

 Ownership: the result belongs to the table type.

 # Safety

 The pointer is live or null.
 */
WASM_API_EXTERN const wasm_valtype_t *wasm_tabletype_element(const wasm_tabletype_t *ty);

/*
 Returns the limits of a table. What is too large for them is `0xffffffff` (see
 `tenon_tabletype_limits`).

 Ownership: the result belongs to the table type.

 # Safety

 The pointer is live or null.
 */
WASM_API_EXTERN const wasm_limits_t *wasm_tabletype_limits(const wasm_tabletype_t *ty);

/*
 Makes a memory type. Returns null when the limits are. Whether there can be such a memory is
 not checked before it is used.

 Ownership: borrows the limits; the caller owns the result and releases it with
 `wasm_memorytype_delete`.

 # Safety

 The pointer is live or null.
 */
WASM_API_EXTERN wasm_memorytype_t *wasm_memorytype_new(const wasm_limits_t *limits);

/*
 Returns the limits of a memory. What is too large for them is `0xffffffff` (see
 `tenon_memorytype_limits`).

 Ownership: the result belongs to the memory type.

 # Safety

 The pointer is live or null.
 */
WASM_API_EXTERN const wasm_limits_t *wasm_memorytype_limits(const wasm_memorytype_t *ty);

/*
 Makes a tag type: that of exceptions that carry what the function type takes. Returns null when
 the function type is.

 Ownership: takes the function type over; the caller owns the result and releases it with
 `wasm_tagtype_delete`.

 # Safety

 The pointer is owned or null.
 */
WASM_API_EXTERN wasm_tagtype_t *wasm_tagtype_new(wasm_functype_t *func);

/*
 Returns the function type of a tag.

 Ownership: the result belongs to the tag type.

 # Safety

 The pointer is live or null.
 */
WASM_API_EXTERN const wasm_functype_t *wasm_tagtype_functype(const wasm_tagtype_t *ty);

/*
 Returns the kind of a type. Null is of kind `WASM_EXTERN_FUNC`.

 # Safety

 The pointer is live or null.
 */
WASM_API_EXTERN wasm_externkind_t wasm_externtype_kind(const wasm_externtype_t *ty);

/*
 Makes the type of an import. Returns null when an argument is.

 Ownership: takes the names over and leaves them empty, and takes the type over; the caller owns
 the result and releases it with `wasm_importtype_delete`.

 # Safety

 The names are whole or null, the type is owned or null.
 */
WASM_API_EXTERN
wasm_importtype_t *wasm_importtype_new(wasm_name_t *module,
                                       wasm_name_t *name,
                                       wasm_externtype_t *ty);

/*
 Returns the first part of an import's name.

 Ownership: the result belongs to the import type.

 # Safety

 The pointer is live or null.
 */
WASM_API_EXTERN const wasm_name_t *wasm_importtype_module(const wasm_importtype_t *ty);

/*
 Returns the second part of an import's name.

 Ownership: the result belongs to the import type.

 # Safety

 The pointer is live or null.
 */
WASM_API_EXTERN const wasm_name_t *wasm_importtype_name(const wasm_importtype_t *ty);

/*
 Returns what an import has to be.

 Ownership: the result belongs to the import type.

 # Safety

 The pointer is live or null.
 */
WASM_API_EXTERN const wasm_externtype_t *wasm_importtype_type(const wasm_importtype_t *ty);

/*
 Makes the type of an export. Returns null when an argument is.

 Ownership: takes the name over and leaves it empty, and takes the type over; the caller owns the
 result and releases it with `wasm_exporttype_delete`.

 # Safety

 The name is whole or null, the type is owned or null.
 */
WASM_API_EXTERN wasm_exporttype_t *wasm_exporttype_new(wasm_name_t *name, wasm_externtype_t *ty);

/*
 Returns an export's name.

 Ownership: the result belongs to the export type.

 # Safety

 The pointer is live or null.
 */
WASM_API_EXTERN const wasm_name_t *wasm_exporttype_name(const wasm_exporttype_t *ty);

/*
 Returns what an export is.

 Ownership: the result belongs to the export type.

 # Safety

 The pointer is live or null.
 */
WASM_API_EXTERN const wasm_externtype_t *wasm_exporttype_type(const wasm_exporttype_t *ty);

/*
 Deletes what a value owns: the reference, if it is one.

 Ownership: takes over what is in the value, not the value's memory.

 # Safety

 The pointer is live or null; a reference in the value is owned or null.
 */
WASM_API_EXTERN void wasm_val_delete(wasm_val_t *value);

/*
 Copies a value; a reference in the copy has an owner of its own.

 Ownership: borrows the value; the caller owns what is in the copy.

 # Safety

 The pointers are live or null; a reference in the value is live or null.
 */
WASM_API_EXTERN void wasm_val_copy(wasm_val_t *out, const wasm_val_t *value);

/*
 Returns the instance whose function was running.

 Ownership: the result belongs to the frame.

 # Safety

 The pointer is live or null.
 */
WASM_API_EXTERN wasm_instance_t *wasm_frame_instance(const wasm_frame_t *frame);

/*
 Returns the function's index in its module; 0 for null.

 # Safety

 The pointer is live or null.
 */
WASM_API_EXTERN uint32_t wasm_frame_func_index(const wasm_frame_t *frame);

/*
 Returns the offset in bytes, from the start of the function's body, of the instruction that was
 being executed; 0 for null.

 # Safety

 The pointer is live or null.
 */
WASM_API_EXTERN size_t wasm_frame_func_offset(const wasm_frame_t *frame);

/*
 Returns the offset in bytes, from the start of the module, of the instruction that was being
 executed; 0 for null.

 # Safety

 The pointer is live or null.
 */
WASM_API_EXTERN size_t wasm_frame_module_offset(const wasm_frame_t *frame);

/*
 Makes a trap for a host function to return. The message may or may not be terminated by a zero
 byte. Returns null when an argument is.

 Ownership: borrows both; the caller owns the result and returns it from a callback or releases
 it with `wasm_trap_delete`.

 # Safety

 The store is live or null, the message is whole or null.
 */
WASM_API_EXTERN wasm_trap_t *wasm_trap_new(wasm_store_t *store, const wasm_message_t *message);

/*
 Returns a trap's message, terminated by a zero byte that its size counts. For a trap of
 WebAssembly it is in the words of the specification's test suite.

 Ownership: borrows the trap; the caller owns the message.

 # Safety

 The trap is live or null, `out` can be written or is null.
 */
WASM_API_EXTERN void wasm_trap_message(const wasm_trap_t *trap, wasm_message_t *out);

/*
 Returns the innermost function that was running; null when none was.

 Ownership: borrows the trap; the caller owns the frame and releases it with
 `wasm_frame_delete`.

 # Safety

 The pointer is live or null.
 */
WASM_API_EXTERN wasm_frame_t *wasm_trap_origin(const wasm_trap_t *trap);

/*
 Returns the functions that were running, innermost first.

 Ownership: borrows the trap; the caller owns the frames, which outlive the trap.

 # Safety

 The trap is live or null, `out` can be written or is null.
 */
WASM_API_EXTERN void wasm_trap_trace(const wasm_trap_t *trap, wasm_frame_vec_t *out);

/*
 Makes an object that wasm can hold as `externref`. Returns null when the store is.

 Ownership: borrows the store; the caller owns the result and releases it with
 `wasm_foreign_delete`.

 # Safety

 The pointer is live or null.
 */
WASM_API_EXTERN wasm_foreign_t *wasm_foreign_new(wasm_store_t *store);

/*
 Makes a module of bytes. Returns null when they are no valid module.

 Ownership: borrows store and bytes; the caller owns the result and releases it with
 `wasm_module_delete`.

 # Safety

 The store is live or null, the vector is whole or null.
 */
WASM_API_EXTERN wasm_module_t *wasm_module_new(wasm_store_t *store, const wasm_byte_vec_t *binary);

/*
 Returns whether bytes are a valid module.

 Ownership: borrows both.

 # Safety

 The store is live or null, the vector is whole or null.
 */
WASM_API_EXTERN bool wasm_module_validate(wasm_store_t *store, const wasm_byte_vec_t *binary);

/*
 Lists what a module imports, in its order.

 Ownership: borrows the module; the caller owns the vector.

 # Safety

 The module is live or null, `out` can be written or is null.
 */
WASM_API_EXTERN void wasm_module_imports(const wasm_module_t *module, wasm_importtype_vec_t *out);

/*
 Lists what a module exports, in its order.

 Ownership: borrows the module; the caller owns the vector.

 # Safety

 The module is live or null, `out` can be written or is null.
 */
WASM_API_EXTERN void wasm_module_exports(const wasm_module_t *module, wasm_exporttype_vec_t *out);

/*
 Writes the compiled module to bytes that `wasm_module_deserialize` takes; an empty vector when
 that fails.

 Ownership: borrows the module; the caller owns the vector.

 # Safety

 The module is live or null, `out` can be written or is null.
 */
WASM_API_EXTERN void wasm_module_serialize(const wasm_module_t *module, wasm_byte_vec_t *out);

/*
 Makes a module of what `wasm_module_serialize` has written. Returns null when the bytes are
 anything else, damaged, from another version or for another machine. Do not pass bytes that
 somebody may have made up: they contain machine code.

 Ownership: borrows both; the caller owns the result and releases it with `wasm_module_delete`.

 # Safety

 The store is live or null, the vector is whole or null, and the bytes are trusted.
 */
WASM_API_EXTERN
wasm_module_t *wasm_module_deserialize(wasm_store_t *store,
                                       const wasm_byte_vec_t *binary);

/*
 Makes a form of a module that other threads and stores of the engine can obtain it from.

 Ownership: borrows the module; the caller owns the result and releases it with
 `wasm_shared_module_delete`.

 # Safety

 The pointer is live or null.
 */
WASM_API_EXTERN wasm_shared_module_t *wasm_module_share(const wasm_module_t *module);

/*
 Obtains a shared module in a store. Returns null when the store is of another engine.

 Ownership: borrows both; the caller owns the result and releases it with `wasm_module_delete`.

 # Safety

 The pointers are live or null.
 */
WASM_API_EXTERN
wasm_module_t *wasm_module_obtain(wasm_store_t *store,
                                  const wasm_shared_module_t *module);

/*
 Makes a function of a callback. Returns null when an argument is.

 Ownership: borrows store and type; the caller owns the result and releases it with
 `wasm_func_delete`.

 # Safety

 Store and type are live or null; the callback keeps to its contract.
 */
WASM_API_EXTERN
wasm_func_t *wasm_func_new(wasm_store_t *store,
                           const wasm_functype_t *ty,
                           wasm_func_callback_t callback);

/*
 Makes a function of a callback with an environment, which may be null. The finalizer, unless it
 is null, runs when nothing can call the function any more. Returns null when store, type or
 callback are; the finalizer has run then.

 Ownership: borrows store and type, takes the environment over; the caller owns the result and
 releases it with `wasm_func_delete`.

 # Safety

 Store and type are live or null; callback and finalizer keep to their contracts.
 */
WASM_API_EXTERN
wasm_func_t *wasm_func_new_with_env(wasm_store_t *store,
                                    const wasm_functype_t *ty,
                                    wasm_func_callback_with_env_t callback,
                                    void *env,
                                    void (*finalizer)(void*));

/*
 Returns a function's type.

 Ownership: borrows the function; the caller owns the result and releases it with
 `wasm_functype_delete`.

 # Safety

 The pointer is live or null.
 */
WASM_API_EXTERN wasm_functype_t *wasm_func_type(const wasm_func_t *func);

/*
 Returns the number of a function's parameters; 0 for null.

 # Safety

 The pointer is live or null.
 */
WASM_API_EXTERN size_t wasm_func_param_arity(const wasm_func_t *func);

/*
 Returns the number of a function's results; 0 for null.

 # Safety

 The pointer is live or null.
 */
WASM_API_EXTERN size_t wasm_func_result_arity(const wasm_func_t *func);

/*
 Calls a function. Returns null when it returns, its results in `results`; else a trap, also
 when there are too few or too many arguments, arguments of a wrong kind, or too little room for
 the results; more room than needed is left alone. A null function is not called: the last error
 alone tells.

 Ownership: borrows function and arguments; the caller owns the trap, and references among the
 results.

 # Safety

 The function is live or null, the vectors are whole or null; references among the arguments are
 live.
 */
WASM_API_EXTERN
wasm_trap_t *wasm_func_call(const wasm_func_t *func,
                            const wasm_val_vec_t *args,
                            wasm_val_vec_t *results);

/*
 Makes a global. Returns null when an argument is, or the value is not of the global's type.

 Ownership: borrows all; the caller owns the result and releases it with `wasm_global_delete`.

 # Safety

 The pointers are live or null; a reference in the value is live or null.
 */
WASM_API_EXTERN
wasm_global_t *wasm_global_new(wasm_store_t *store,
                               const wasm_globaltype_t *ty,
                               const wasm_val_t *value);

/*
 Returns a global's type.

 Ownership: borrows the global; the caller owns the result and releases it with
 `wasm_globaltype_delete`.

 # Safety

 The pointer is live or null.
 */
WASM_API_EXTERN wasm_globaltype_t *wasm_global_type(const wasm_global_t *global);

/*
 Returns a global's value. A vector, which has no form in `wasm_val_t`, comes as a null
 reference.

 Ownership: borrows the global; the caller owns a reference in the value.

 # Safety

 The global is live or null, `out` can be written or is null.
 */
WASM_API_EXTERN void wasm_global_get(const wasm_global_t *global, wasm_val_t *out);

/*
 Sets a global's value. Does nothing but set the last error when the global is immutable, or the
 value is not of its type.

 Ownership: borrows both.

 # Safety

 The pointers are live or null; a reference in the value is live or null.
 */
WASM_API_EXTERN void wasm_global_set(wasm_global_t *global, const wasm_val_t *value);

/*
 Makes a table whose elements are `init`, which may be null. Returns null when another argument
 is, when there cannot be such a table, or when `init` is not of the element type.

 Ownership: borrows all; the caller owns the result and releases it with `wasm_table_delete`.

 # Safety

 The pointers are live or null.
 */
WASM_API_EXTERN
wasm_table_t *wasm_table_new(wasm_store_t *store,
                             const wasm_tabletype_t *ty,
                             wasm_ref_t *init);

/*
 Returns a table's type as it is now: its minimum is its size.

 Ownership: borrows the table; the caller owns the result and releases it with
 `wasm_tabletype_delete`.

 # Safety

 The pointer is live or null.
 */
WASM_API_EXTERN wasm_tabletype_t *wasm_table_type(const wasm_table_t *table);

/*
 Returns an element. Returns null when it is a null reference, or there is no such element: then
 the last error is set.

 Ownership: borrows the table; the caller owns the result and releases it with
 `wasm_ref_delete`.

 # Safety

 The pointer is live or null.
 */
WASM_API_EXTERN wasm_ref_t *wasm_table_get(const wasm_table_t *table, wasm_table_size_t index);

/*
 Sets an element, to null if the reference is. Returns false when there is no such element, or
 the reference is not of the element type.

 Ownership: borrows both.

 # Safety

 The pointers are live or null.
 */
WASM_API_EXTERN
bool wasm_table_set(wasm_table_t *table,
                    wasm_table_size_t index,
                    wasm_ref_t *value);

/*
 Returns the number of elements; 0 for null.

 # Safety

 The pointer is live or null.
 */
WASM_API_EXTERN wasm_table_size_t wasm_table_size(const wasm_table_t *table);

/*
 Adds `delta` elements of `init`, which may be null. Returns false when the table cannot grow so
 far, or the reference is not of the element type.

 Ownership: borrows both.

 # Safety

 The pointers are live or null.
 */
WASM_API_EXTERN
bool wasm_table_grow(wasm_table_t *table,
                     wasm_table_size_t delta,
                     wasm_ref_t *init);

/*
 Makes a memory of zeros. Returns null when an argument is, there cannot be such a memory, or
 the system has none.

 Ownership: borrows both; the caller owns the result and releases it with `wasm_memory_delete`.

 # Safety

 The pointers are live or null.
 */
WASM_API_EXTERN wasm_memory_t *wasm_memory_new(wasm_store_t *store, const wasm_memorytype_t *ty);

/*
 Returns a memory's type as it is now: its minimum is its size.

 Ownership: borrows the memory; the caller owns the result and releases it with
 `wasm_memorytype_delete`.

 # Safety

 The pointer is live or null.
 */
WASM_API_EXTERN wasm_memorytype_t *wasm_memory_type(const wasm_memory_t *memory);

/*
 Returns the address of a memory's first byte, which is not null even when the memory is empty.
 Growing the memory may change it, unless the address space for all of it is reserved, as it is
 by default for memories with 32-bit addresses, and always for shared memories. Who accesses the
 bytes of a shared memory while guests run has to order that as for any memory that threads share.

 Ownership: the bytes belong to the memory.

 # Safety

 The pointer is live or null.
 */
WASM_API_EXTERN byte_t *wasm_memory_data(wasm_memory_t *memory);

/*
 Returns a memory's size in bytes; 0 for null.

 # Safety

 The pointer is live or null.
 */
WASM_API_EXTERN size_t wasm_memory_data_size(const wasm_memory_t *memory);

/*
 Returns a memory's size in pages, of 64 KiB unless its type says otherwise; 0 for null. A number
 that is too large for the result is `0xffffffff` (see `tenon_memory_size`).

 # Safety

 The pointer is live or null.
 */
WASM_API_EXTERN wasm_memory_pages_t wasm_memory_size(const wasm_memory_t *memory);

/*
 Adds `delta` pages of zeros. Returns false when the memory cannot grow so far.

 Ownership: borrows the memory.

 # Safety

 The pointer is live or null.
 */
WASM_API_EXTERN bool wasm_memory_grow(wasm_memory_t *memory, wasm_memory_pages_t delta);

/*
 Returns the kind of a thing. Null is of kind `WASM_EXTERN_FUNC`.

 # Safety

 The pointer is live or null.
 */
WASM_API_EXTERN wasm_externkind_t wasm_extern_kind(const wasm_extern_t *item);

/*
 Returns the type of a thing as it is now: the minimum of a memory or table is its size.

 Ownership: borrows the thing; the caller owns the result and releases it with
 `wasm_externtype_delete`.

 # Safety

 The pointer is live or null.
 */
WASM_API_EXTERN wasm_externtype_t *wasm_extern_type(const wasm_extern_t *item);

/*
 Instantiates a module with imports in the module's order. Returns null, and a trap in `trap`
 unless that is null, when an import is missing, of the wrong type or too many, when a segment
 does not fit, or when the start function traps.

 Ownership: borrows store, module and imports; the caller owns the result, which it releases
 with `wasm_instance_delete`, and the trap.

 # Safety

 Store and module are live or null, the vector is whole or null, `trap` can be written or is
 null.
 */
WASM_API_EXTERN
wasm_instance_t *wasm_instance_new(wasm_store_t *store,
                                   const wasm_module_t *module,
                                   const wasm_extern_vec_t *imports,
                                   wasm_trap_t **trap);

/*
 Lists what an instance exports, in its module's order.

 Ownership: borrows the instance; the caller owns the vector.

 # Safety

 The instance is live or null, `out` can be written or is null.
 */
WASM_API_EXTERN void wasm_instance_exports(const wasm_instance_t *instance, wasm_extern_vec_t *out);

#ifdef __cplusplus
}  // extern "C"
#endif  // __cplusplus

#endif  /* WASM_H */


/* Short hands. They need what stands above, so they come after it, with a guard of their own. */
#ifndef WASM_H_SHORT_HANDS
#define WASM_H_SHORT_HANDS

#ifdef __cplusplus
extern "C" {
#endif

static inline bool wasm_valkind_is_num(wasm_valkind_t k) {
  return k < WASM_EXTERNREF;
}
static inline bool wasm_valkind_is_ref(wasm_valkind_t k) {
  return k >= WASM_EXTERNREF;
}
static inline bool wasm_valtype_is_num(const wasm_valtype_t* t) {
  return wasm_valkind_is_num(wasm_valtype_kind(t));
}
static inline bool wasm_valtype_is_ref(const wasm_valtype_t* t) {
  return wasm_valkind_is_ref(wasm_valtype_kind(t));
}

static inline own wasm_valtype_t* wasm_valtype_new_i32(void) {
  return wasm_valtype_new(WASM_I32);
}
static inline own wasm_valtype_t* wasm_valtype_new_i64(void) {
  return wasm_valtype_new(WASM_I64);
}
static inline own wasm_valtype_t* wasm_valtype_new_f32(void) {
  return wasm_valtype_new(WASM_F32);
}
static inline own wasm_valtype_t* wasm_valtype_new_f64(void) {
  return wasm_valtype_new(WASM_F64);
}
static inline own wasm_valtype_t* wasm_valtype_new_externref(void) {
  return wasm_valtype_new(WASM_EXTERNREF);
}
static inline own wasm_valtype_t* wasm_valtype_new_funcref(void) {
  return wasm_valtype_new(WASM_FUNCREF);
}

/* Function types of up to three parameters (p) and two results (r). */

static inline own wasm_functype_t* wasm_functype_new_0_0(void) {
  wasm_valtype_vec_t params, results;
  wasm_valtype_vec_new_empty(&params);
  wasm_valtype_vec_new_empty(&results);
  return wasm_functype_new(&params, &results);
}
static inline own wasm_functype_t* wasm_functype_new_1_0(own wasm_valtype_t* p) {
  wasm_valtype_t* ps[1] = {p};
  wasm_valtype_vec_t params, results;
  wasm_valtype_vec_new(&params, 1, ps);
  wasm_valtype_vec_new_empty(&results);
  return wasm_functype_new(&params, &results);
}
static inline own wasm_functype_t* wasm_functype_new_2_0(
  own wasm_valtype_t* p1, own wasm_valtype_t* p2
) {
  wasm_valtype_t* ps[2] = {p1, p2};
  wasm_valtype_vec_t params, results;
  wasm_valtype_vec_new(&params, 2, ps);
  wasm_valtype_vec_new_empty(&results);
  return wasm_functype_new(&params, &results);
}
static inline own wasm_functype_t* wasm_functype_new_3_0(
  own wasm_valtype_t* p1, own wasm_valtype_t* p2, own wasm_valtype_t* p3
) {
  wasm_valtype_t* ps[3] = {p1, p2, p3};
  wasm_valtype_vec_t params, results;
  wasm_valtype_vec_new(&params, 3, ps);
  wasm_valtype_vec_new_empty(&results);
  return wasm_functype_new(&params, &results);
}
static inline own wasm_functype_t* wasm_functype_new_0_1(own wasm_valtype_t* r) {
  wasm_valtype_t* rs[1] = {r};
  wasm_valtype_vec_t params, results;
  wasm_valtype_vec_new_empty(&params);
  wasm_valtype_vec_new(&results, 1, rs);
  return wasm_functype_new(&params, &results);
}
static inline own wasm_functype_t* wasm_functype_new_1_1(
  own wasm_valtype_t* p, own wasm_valtype_t* r
) {
  wasm_valtype_t* ps[1] = {p};
  wasm_valtype_t* rs[1] = {r};
  wasm_valtype_vec_t params, results;
  wasm_valtype_vec_new(&params, 1, ps);
  wasm_valtype_vec_new(&results, 1, rs);
  return wasm_functype_new(&params, &results);
}
static inline own wasm_functype_t* wasm_functype_new_2_1(
  own wasm_valtype_t* p1, own wasm_valtype_t* p2, own wasm_valtype_t* r
) {
  wasm_valtype_t* ps[2] = {p1, p2};
  wasm_valtype_t* rs[1] = {r};
  wasm_valtype_vec_t params, results;
  wasm_valtype_vec_new(&params, 2, ps);
  wasm_valtype_vec_new(&results, 1, rs);
  return wasm_functype_new(&params, &results);
}
static inline own wasm_functype_t* wasm_functype_new_3_1(
  own wasm_valtype_t* p1, own wasm_valtype_t* p2, own wasm_valtype_t* p3, own wasm_valtype_t* r
) {
  wasm_valtype_t* ps[3] = {p1, p2, p3};
  wasm_valtype_t* rs[1] = {r};
  wasm_valtype_vec_t params, results;
  wasm_valtype_vec_new(&params, 3, ps);
  wasm_valtype_vec_new(&results, 1, rs);
  return wasm_functype_new(&params, &results);
}
static inline own wasm_functype_t* wasm_functype_new_0_2(
  own wasm_valtype_t* r1, own wasm_valtype_t* r2
) {
  wasm_valtype_t* rs[2] = {r1, r2};
  wasm_valtype_vec_t params, results;
  wasm_valtype_vec_new_empty(&params);
  wasm_valtype_vec_new(&results, 2, rs);
  return wasm_functype_new(&params, &results);
}
static inline own wasm_functype_t* wasm_functype_new_1_2(
  own wasm_valtype_t* p, own wasm_valtype_t* r1, own wasm_valtype_t* r2
) {
  wasm_valtype_t* ps[1] = {p};
  wasm_valtype_t* rs[2] = {r1, r2};
  wasm_valtype_vec_t params, results;
  wasm_valtype_vec_new(&params, 1, ps);
  wasm_valtype_vec_new(&results, 2, rs);
  return wasm_functype_new(&params, &results);
}
static inline own wasm_functype_t* wasm_functype_new_2_2(
  own wasm_valtype_t* p1, own wasm_valtype_t* p2, own wasm_valtype_t* r1, own wasm_valtype_t* r2
) {
  wasm_valtype_t* ps[2] = {p1, p2};
  wasm_valtype_t* rs[2] = {r1, r2};
  wasm_valtype_vec_t params, results;
  wasm_valtype_vec_new(&params, 2, ps);
  wasm_valtype_vec_new(&results, 2, rs);
  return wasm_functype_new(&params, &results);
}
static inline own wasm_functype_t* wasm_functype_new_3_2(
  own wasm_valtype_t* p1, own wasm_valtype_t* p2, own wasm_valtype_t* p3,
  own wasm_valtype_t* r1, own wasm_valtype_t* r2
) {
  wasm_valtype_t* ps[3] = {p1, p2, p3};
  wasm_valtype_t* rs[2] = {r1, r2};
  wasm_valtype_vec_t params, results;
  wasm_valtype_vec_new(&params, 3, ps);
  wasm_valtype_vec_new(&results, 2, rs);
  return wasm_functype_new(&params, &results);
}

/* Addresses as values. */

static inline void wasm_val_init_ptr(own wasm_val_t* out, void* p) {
#if UINTPTR_MAX == UINT32_MAX
  out->kind = WASM_I32;
  out->of.i32 = (int32_t)(intptr_t)p;
#elif UINTPTR_MAX == UINT64_MAX
  out->kind = WASM_I64;
  out->of.i64 = (int64_t)(intptr_t)p;
#endif
}
static inline void* wasm_val_ptr(const wasm_val_t* val) {
#if UINTPTR_MAX == UINT32_MAX
  return (void*)(intptr_t)val->of.i32;
#elif UINTPTR_MAX == UINT64_MAX
  return (void*)(intptr_t)val->of.i64;
#endif
}

#define WASM_I32_VAL(i) {.kind = WASM_I32, .of = {.i32 = i}}
#define WASM_I64_VAL(i) {.kind = WASM_I64, .of = {.i64 = i}}
#define WASM_F32_VAL(z) {.kind = WASM_F32, .of = {.f32 = z}}
#define WASM_F64_VAL(z) {.kind = WASM_F64, .of = {.f64 = z}}
#define WASM_REF_VAL(r) {.kind = WASM_EXTERNREF, .of = {.ref = r}}
#define WASM_INIT_VAL {.kind = WASM_EXTERNREF, .of = {.ref = NULL}}

#define WASM_EMPTY_VEC {0, NULL}
#define WASM_ARRAY_VEC(array) {sizeof(array) / sizeof(*(array)), array}

#ifdef __cplusplus
}
#endif

#undef own

#endif
