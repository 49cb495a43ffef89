/* What Tenon adds to the WebAssembly C API.
 *
 * Made by `make headers`; do not edit. */


#ifndef TENON_H
#define TENON_H

#include "wasm.h"

#ifdef __cplusplus
extern "C" {
#endif

/* Whether a call has succeeded, or what kind of error it has met. */
typedef uint8_t tenon_error_code_t;
enum tenon_error_code_enum {
  TENON_OK = 0,
  /* An argument is null or makes no sense. */
  TENON_ERROR_ARGUMENT = 1,
  /* The bytes are no valid module. */
  TENON_ERROR_INVALID = 2,
  /* The module cannot be compiled. */
  TENON_ERROR_COMPILE = 3,
  /* An import is missing or does not fit. */
  TENON_ERROR_LINK = 4,
  /* A value or an object is of the wrong type or store. */
  TENON_ERROR_TYPE = 5,
  /* A limit is reached, or the system has no more of something. */
  TENON_ERROR_LIMIT = 6,
  /* The bytes are no compiled module of this engine. */
  TENON_ERROR_ARTIFACT = 7,
  /* A setting is wrong. */
  TENON_ERROR_CONFIG = 8,
  /* Execution has ended by a trap. */
  TENON_ERROR_TRAP = 9,
  /* The library has failed. */
  TENON_ERROR_INTERNAL = 10,
};

/* The traps that WebAssembly defines, and those by which limits end execution. */
typedef uint8_t tenon_trap_code_t;
enum tenon_trap_code_enum {
  TENON_TRAP_NONE = 0,
  TENON_TRAP_UNREACHABLE = 1,
  TENON_TRAP_MEMORY_OUT_OF_BOUNDS = 2,
  TENON_TRAP_TABLE_OUT_OF_BOUNDS = 3,
  TENON_TRAP_UNDEFINED_ELEMENT = 4,
  TENON_TRAP_UNINITIALIZED_ELEMENT = 5,
  TENON_TRAP_INDIRECT_CALL_TYPE_MISMATCH = 6,
  TENON_TRAP_INTEGER_DIVIDE_BY_ZERO = 7,
  TENON_TRAP_INTEGER_OVERFLOW = 8,
  TENON_TRAP_INVALID_CONVERSION_TO_INTEGER = 9,
  TENON_TRAP_STACK_OVERFLOW = 10,
  /* tenon_interrupt_raise has been called. */
  TENON_TRAP_INTERRUPT = 11,
  /* The store's deadline has passed. */
  TENON_TRAP_DEADLINE_EXCEEDED = 12,
  /* The store's fuel is used up. */
  TENON_TRAP_OUT_OF_FUEL = 13,
  TENON_TRAP_UNALIGNED_ATOMIC = 14,
  TENON_TRAP_EXPECTED_SHARED_MEMORY = 15,
};

/* What ends execution in a store from other threads. */
typedef struct tenon_interrupt_t tenon_interrupt_t;

/* Limits of a table (elements) or a memory (pages). */
typedef struct tenon_limits_t {
  /* The size at the start. */
  uint64_t min;
  /* The size it may grow to; UINT64_MAX: as far as there can be such a thing. */
  uint64_t max;
} tenon_limits_t;

/* A shared memory, which many stores on many threads may have a share of. */
typedef struct tenon_shared_memory_t tenon_shared_memory_t;

/* Kinds of values that wasm.h does not know. Vectors have no room in wasm_val_t: their kind is only
 * that of types (see tenon_raw_t). A reference of the kind TENON_ANYREF is to what wasm sees from
 * inside: a number of 31 bits, a struct, an array, or something from outside. */
enum { TENON_V128 = 4, TENON_ANYREF = 130, TENON_EXNREF = 131 };

/* What references of a type refer to (core spec, section 2.3.4). */
typedef uint8_t tenon_heap_kind_t;
enum tenon_heap_kind_enum {
  /* The type is not one of references. */
  TENON_HEAP_NUMBER = 0,
  TENON_HEAP_FUNC = 1,
  TENON_HEAP_NOFUNC = 2,
  TENON_HEAP_EXTERN = 3,
  TENON_HEAP_NOEXTERN = 4,
  TENON_HEAP_ANY = 5,
  TENON_HEAP_EQ = 6,
  TENON_HEAP_I31 = 7,
  TENON_HEAP_STRUCT = 8,
  TENON_HEAP_ARRAY = 9,
  TENON_HEAP_NONE = 10,
  TENON_HEAP_EXN = 11,
  TENON_HEAP_NOEXN = 12,
  /* Something of a tenon_deftype_t. */
  TENON_HEAP_DEFINED = 13,
};

/* What a defined type is one of. */
typedef uint8_t tenon_type_kind_t;
enum tenon_type_kind_enum {
  TENON_TYPE_FUNC = 1,
  TENON_TYPE_STRUCT = 2,
  TENON_TYPE_ARRAY = 3,
};

/* How a field is stored. */
typedef uint8_t tenon_storage_t;
enum tenon_storage_enum {
  /* As a value of its type. */
  TENON_STORAGE_VALUE = 0,
  /* Packed: the low 8 or 16 bits of an i32. */
  TENON_STORAGE_I8 = 1,
  TENON_STORAGE_I16 = 2,
};

/* A type of functions, structs or arrays that a module or the host has defined. */
typedef struct tenon_deftype_t tenon_deftype_t;

/* A field of a struct, or the elements of an array. */
typedef struct tenon_field_t {
  tenon_storage_t storage;
  wasm_mutability_t mutability;
  /* The type of its values; not looked at in definitions if the storage is packed. */
  wasm_valtype_t* type;
} tenon_field_t;

/* How a type is defined; what it points to is borrowed. */
typedef struct tenon_definition_t {
  tenon_type_kind_t kind;
  /* Whether no type can be declared below it. */
  bool is_final;
  /* The type that it is declared below, or NULL. */
  const tenon_deftype_t* supertype;
  /* For functions: what they take and return. */
  const wasm_functype_t* func;
  /* For structs the number of fields, for arrays 1. */
  size_t field_count;
  /* For structs their fields, for arrays their elements. */
  const tenon_field_t* fields;
} tenon_definition_t;

/* When functions are compiled. Modules are validated whole when they are made in any case. */
typedef uint8_t tenon_compilation_t;
enum tenon_compilation_enum {
  /* Small modules as TENON_COMPILATION_EAGER says, others as TENON_COMPILATION_AHEAD. */
  TENON_COMPILATION_ADAPTIVE = 0,
  /* All when the module is made, in parallel. */
  TENON_COMPILATION_EAGER = 1,
  /* Each when it is called for the first time. */
  TENON_COMPILATION_LAZY = 2,
  /* Each when it is called for the first time, or before: threads compile what functions call
   * while these run. The threads belong to the engine; they take no signals, and end when there is
   * nothing to do. */
  TENON_COMPILATION_AHEAD = 3,
};

/* What a reference refers to. */
typedef uint8_t tenon_ref_kind_t;
enum tenon_ref_kind_enum {
  TENON_REF_NULL = 0,
  TENON_REF_FUNC = 1,
  TENON_REF_GLOBAL = 2,
  TENON_REF_TABLE = 3,
  TENON_REF_MEMORY = 4,
  TENON_REF_TAG = 5,
  TENON_REF_INSTANCE = 6,
  /* An object of the host: wasm_foreign_t, wasm_trap_t or wasm_module_t. */
  TENON_REF_HOST = 7,
  /* A number of 31 bits. */
  TENON_REF_I31 = 8,
  TENON_REF_STRUCT = 9,
  TENON_REF_ARRAY = 10,
  TENON_REF_EXCEPTION = 11,
};

/* A value whose type is known from elsewhere. */
typedef union tenon_raw_t {
  int32_t i32;
  int64_t i64;
  float32_t f32;
  float64_t f64;
  wasm_ref_t* ref;
  /* A vector, lane 0 first, in little-endian form. */
  uint8_t v128[16];
} tenon_raw_t;

/* A function of the host that gets values without kinds. Borrows its environment and its arguments;
 * owns references that it puts among its results, which begin as zero. Returns NULL, or a trap,
 * which it passes on. */
typedef wasm_trap_t* (*tenon_raw_callback_t)(
  void* env, const tenon_raw_t args[], tenon_raw_t results[]
);

/* A C function of any type; it is cast to its own before it is called. `i32` is int32_t there, `i64`
 * is int64_t, `f32` is float, `f64` is double; without a result it is void. */
typedef void (*tenon_native_t)(void);

/* Tags and exceptions are references as those of wasm.h are, with the same functions. Exceptions
 * have no host info. */

#define TENON_DECLARE_HANDLE(name) \
  typedef struct tenon_##name##_t tenon_##name##_t; \
  WASM_API_EXTERN void tenon_##name##_delete(tenon_##name##_t*); \
  WASM_API_EXTERN tenon_##name##_t* tenon_##name##_copy(const tenon_##name##_t*); \
  WASM_API_EXTERN bool tenon_##name##_same(const tenon_##name##_t*, const tenon_##name##_t*);

#define TENON_DECLARE_REF(name) \
  TENON_DECLARE_HANDLE(name) \
  WASM_API_EXTERN void* tenon_##name##_get_host_info(const tenon_##name##_t*); \
  WASM_API_EXTERN void tenon_##name##_set_host_info(tenon_##name##_t*, void*); \
  WASM_API_EXTERN void tenon_##name##_set_host_info_with_finalizer( \
    tenon_##name##_t*, void*, void (*)(void*));

/* Casts that borrow: the same thing under another type, or NULL if it is of another kind. */
#define TENON_DECLARE_CASTS_TO(name, base) \
  WASM_API_EXTERN wasm_##base##_t* tenon_##name##_as_##base(tenon_##name##_t*); \
  WASM_API_EXTERN tenon_##name##_t* tenon_##base##_as_##name(wasm_##base##_t*); \
  WASM_API_EXTERN const wasm_##base##_t* tenon_##name##_as_##base##_const( \
    const tenon_##name##_t*); \
  WASM_API_EXTERN const tenon_##name##_t* tenon_##base##_as_##name##_const( \
    const wasm_##base##_t*);

/* A tag: what tells exceptions of one sort from others. An import or export of kind
 * WASM_EXTERN_TAG. */
TENON_DECLARE_REF(tag)
TENON_DECLARE_CASTS_TO(tag, ref)
TENON_DECLARE_CASTS_TO(tag, extern)

/* An exception: a tag and the values that go with it. */
TENON_DECLARE_HANDLE(exception)
TENON_DECLARE_CASTS_TO(exception, ref)

#ifdef __cplusplus
}
#endif


#ifdef __cplusplus
extern "C" {
#endif // __cplusplus

/*
 Returns the version of the library, as in `"1.2.3"`.

 Ownership: the text lives as long as the library.
 */
WASM_API_EXTERN const char *tenon_version(void);

/*
 Returns the kind of the last error on this thread, 0 if there was none. Whatever returns null or
 false sets the last error; what succeeds leaves it as it is.
 */
WASM_API_EXTERN tenon_error_code_t tenon_last_error_code(void);

/*
 Copies the text of the last error on this thread to a buffer, cut to its size and terminated by
 a zero byte. Returns the size that the whole text takes, its zero byte included; 0 if there was
 no error.

 Ownership: borrows the buffer.

 # Safety

 `size` bytes can be written to the buffer, or it is null.
 */
WASM_API_EXTERN size_t tenon_last_error_message(char *buffer, size_t size);

/*
 Returns whether the last error on this thread is about a place in a module's bytes, and writes
 the place's offset to `out` unless that is null.

 Ownership: borrows `out`.

 # Safety

 `out` can be written or is null.
 */
WASM_API_EXTERN bool tenon_last_error_offset(size_t *out);

/*
 As `tenon_last_error_message`, the module name of the import that the last error is about.

 Ownership: borrows the buffer.

 # Safety

 `size` bytes can be written to the buffer, or it is null.
 */
WASM_API_EXTERN size_t tenon_last_error_import_module(char *buffer, size_t size);

/*
 As `tenon_last_error_message`, the name of the import that the last error is about.

 Ownership: borrows the buffer.

 # Safety

 `size` bytes can be written to the buffer, or it is null.
 */
WASM_API_EXTERN size_t tenon_last_error_import_name(char *buffer, size_t size);

/*
 Forgets the last error on this thread.
 */
WASM_API_EXTERN void tenon_last_error_clear(void);

/*
 Returns the name of a WebAssembly feature that can be switched on and off; null when `index` is
 not below their number. Features are numbered from 0 on.

 Ownership: the text lives as long as the library.
 */
WASM_API_EXTERN const char *tenon_feature_name(size_t index);

/*
 Returns whether a feature (see `tenon_feature_name`) is on unless it is switched off; false for
 numbers that no feature has.
 */
WASM_API_EXTERN bool tenon_feature_is_default(size_t index);

/*
 Switches a WebAssembly feature on or off by its name (see `tenon_feature_name`). Modules that
 need a feature that is off are invalid.

 Ownership: borrows both.

 # Safety

 The settings are live or null, the name is terminated by a zero byte or null.
 */
WASM_API_EXTERN
tenon_error_code_t tenon_config_feature_set(wasm_config_t *config,
                                            const char *name,
                                            bool on);

/*
 Sets whether every condition that traps is checked by code, so that no signal handler is needed
 and none is installed. Off by default.

 Ownership: borrows the settings.

 # Safety

 The settings are live or null.
 */
WASM_API_EXTERN tenon_error_code_t tenon_config_explicit_checks_set(wasm_config_t *config, bool on);

/*
 Sets how many bytes of address space to reserve for each memory. With 4 GiB (the default) or
 more, code needs no bounds checks; with less, accesses are checked, and memories move when they
 grow beyond what is reserved.

 Ownership: borrows the settings.

 # Safety

 The settings are live or null.
 */
WASM_API_EXTERN
tenon_error_code_t tenon_config_memory_reservation_set(wasm_config_t *config,
                                                       uint64_t bytes);

/*
 Sets how many bytes of stack wasm may use, counted from where the host calls it; 1 MiB by
 default. Smaller stacks of threads are respected in any case.

 Ownership: borrows the settings.

 # Safety

 The settings are live or null.
 */
WASM_API_EXTERN tenon_error_code_t tenon_config_max_stack_set(wasm_config_t *config, size_t bytes);

/*
 Sets whether every NaN that an operation makes is the canonical one, so that results do not
 depend on the machine. Includes `tenon_config_relaxed_simd_deterministic_set`. Off by default.

 Ownership: borrows the settings.

 # Safety

 The settings are live or null.
 */
WASM_API_EXTERN
tenon_error_code_t tenon_config_nan_canonicalization_set(wasm_config_t *config,
                                                         bool on);

/*
 Sets whether relaxed vector instructions have the results of the specification's deterministic
 profile, the same on every machine, instead of those that are the fastest on this one. Off by
 default.

 Ownership: borrows the settings.

 # Safety

 The settings are live or null.
 */
WASM_API_EXTERN
tenon_error_code_t tenon_config_relaxed_simd_deterministic_set(wasm_config_t *config,
                                                               bool on);

/*
 Sets whether code uses only what every supported processor has, so that serialized modules can
 be used on others than this one, by engines with the same setting. Off by default.

 Ownership: borrows the settings.

 # Safety

 The settings are live or null.
 */
WASM_API_EXTERN tenon_error_code_t tenon_config_baseline_cpu_set(wasm_config_t *config, bool on);

/*
 Sets whether `wasm_module_serialize` and `tenon_module_serialize_file` keep the bytes that a
 module was made of. Off by default: compiled modules are smaller without the bodies of
 functions. What needs them is an instance for whose memory there is no address space to reserve
 (see `tenon_config_memory_reservation_set`): with the source, other code is compiled for it;
 without, `wasm_instance_new` fails.

 Ownership: borrows the settings.

 # Safety

 The settings are live or null.
 */
WASM_API_EXTERN
tenon_error_code_t tenon_config_serialize_source_set(wasm_config_t *config,
                                                     bool on);

/*
 Sets when functions are compiled: `TENON_COMPILATION_ADAPTIVE` by default.

 Ownership: borrows the settings.

 # Safety

 The settings are live or null.
 */
WASM_API_EXTERN
tenon_error_code_t tenon_config_compilation_set(wasm_config_t *config,
                                                tenon_compilation_t when);

/*
 Sets after how many calls of a function, and turns of its loops, it is compiled again, to optimized
 code; until then it runs baseline code, which is made in half the time and takes about twice as
 long. With 0, functions are optimized at once, as they are where they are compiled before they are
 called (`TENON_COMPILATION_EAGER`, small modules). 1000 by default.

 Threads of the engine make optimized code, or the calling thread with `TENON_COMPILATION_LAZY`.
 Loops go on in it. What code does is the same, but for how much stack it takes.

 Ownership: borrows the settings.

 # Safety

 The settings are live or null.
 */
WASM_API_EXTERN
tenon_error_code_t tenon_config_tier_up_after_set(wasm_config_t *config,
                                                  uint32_t count);

/*
 Sets whether each function is compiled when it is called for the first time, instead of all when
 their module is made: `TENON_COMPILATION_LAZY` or `TENON_COMPILATION_EAGER`.

 Ownership: borrows the settings.

 # Safety

 The settings are live or null.
 */
WASM_API_EXTERN
tenon_error_code_t tenon_config_lazy_compilation_set(wasm_config_t *config,
                                                     bool on);

/*
 Puts the signal handlers of the library back where the host has replaced them since the engine
 was made. Traps of wasm then work again, and the host's handlers get all other signals.

 Ownership: borrows the engine.

 # Safety

 The pointer is live or null.
 */
WASM_API_EXTERN void tenon_engine_reinstall_signal_handlers(wasm_engine_t *engine);

/*
 Frees everything in a store that nothing reaches, now; without it that happens often enough to
 keep the garbage a small part of the store. While code of the store runs, that is, in a callback,
 only objects are freed: structs, arrays, exceptions, and those of the host.

 Ownership: borrows the store.

 # Safety

 The pointer is live or null.
 */
WASM_API_EXTERN void tenon_store_collect(wasm_store_t *store);

/*
 Makes a module of text in the text format, or of bytes in the binary format. Returns null when
 they are neither.

 Ownership: borrows store and text; the caller owns the result and releases it with
 `wasm_module_delete`.

 # Safety

 The store is live or null, the vector is whole or null.
 */
WASM_API_EXTERN
wasm_module_t *tenon_module_new_wat(wasm_store_t *store,
                                    const wasm_byte_vec_t *text);

/*
 Writes what `wasm_module_serialize` returns to a file, for `tenon_module_deserialize_file`. A file
 of this name is replaced, which modules that have been made of it do not notice.

 Ownership: borrows both.

 # Safety

 The module is live or null, the path is terminated by a zero byte or null.
 */
WASM_API_EXTERN
tenon_error_code_t tenon_module_serialize_file(const wasm_module_t *module,
                                               const char *path);

/*
 Makes a module of a file that `tenon_module_serialize_file` has written, or of one with the
 bytes of `wasm_module_serialize`. The file is used where it is: what is not needed of it is not
 read, and processes that use the same file share its memory. Returns null when the file cannot
 be read, or as `wasm_module_deserialize` does.

 For as long as the module, or an instance of it, is there, nobody may write to the file or make
 it shorter; a process that runs code of such a file ends by SIGBUS. The file may be removed, and
 replaced by another of its name.

 Ownership: borrows both; the caller owns the result and releases it with `wasm_module_delete`.

 # Safety

 The store is live or null, the path is terminated by a zero byte or null, and the file is
 trusted.
 */
WASM_API_EXTERN wasm_module_t *tenon_module_deserialize_file(wasm_store_t *store, const char *path);

/*
 Translates text in the text format to the binary format; bytes in the binary format are copied.
 Writes an empty vector when it fails.

 Ownership: borrows the text; the caller owns the vector.

 # Safety

 The text is whole or null, `out` can be written or is null.
 */
WASM_API_EXTERN
tenon_error_code_t tenon_wat2wasm(const wasm_byte_vec_t *text,
                                  wasm_byte_vec_t *out);

/*
 Returns whether a module's name section names it, and writes the name to `out`, an empty one if
 not.

 Ownership: borrows the module; the caller owns the name.

 # Safety

 The module is live or null, `out` can be written or is null.
 */
WASM_API_EXTERN bool tenon_module_name(const wasm_module_t *module, wasm_name_t *out);

/*
 Returns the name of the function that was running, if its module's name section has one; else
 null.

 Ownership: the result belongs to the frame.

 # Safety

 The pointer is live or null.
 */
WASM_API_EXTERN const wasm_name_t *tenon_frame_func_name(const wasm_frame_t *frame);

/*
 Returns which of the traps of `tenon_trap_code_enum` it is; 0 for any other trap, and for null.

 Ownership: borrows the trap.

 # Safety

 The pointer is live or null.
 */
WASM_API_EXTERN tenon_trap_code_t tenon_trap_code(const wasm_trap_t *trap);

/*
 Returns whether a trap is the end of a program by WASI's `proc_exit`, and writes the program's
 exit status to `out` unless that is null.

 Ownership: borrows both.

 # Safety

 The trap is live or null, `out` can be written or is null.
 */
WASM_API_EXTERN bool tenon_trap_exit_status(const wasm_trap_t *trap, uint32_t *out);

/*
 Sets whether what a store runs can be ended from outside, by a `tenon_interrupt_t` or a
 deadline. Code then looks for it at the beginning of functions and in loops, which costs it some
 speed. Off by default.

 Ownership: borrows the settings.

 # Safety

 The settings are live or null.
 */
WASM_API_EXTERN tenon_error_code_t tenon_config_interruptible_set(wasm_config_t *config, bool on);

/*
 Sets whether instructions consume the store's fuel (see `tenon_store_fuel_set`). Counting costs
 speed. Off by default.

 Ownership: borrows the settings.

 # Safety

 The settings are live or null.
 */
WASM_API_EXTERN tenon_error_code_t tenon_config_fuel_set(wasm_config_t *config, bool on);

/*
 Makes what ends execution in a store from other threads. Returns null when the engine's code
 cannot be interrupted (see `tenon_config_interruptible_set`).

 Ownership: borrows the store; the caller owns the result, which may outlive the store, and
 releases it with `tenon_interrupt_delete`.

 # Safety

 The store is live or null.
 */
WASM_API_EXTERN tenon_interrupt_t *tenon_interrupt_new(wasm_store_t *store);

/*
 Releases it; null is nothing to release. What it has raised stays raised.

 Ownership: takes it over.

 # Safety

 It is live or null, and no other thread uses it.
 */
WASM_API_EXTERN void tenon_interrupt_delete(tenon_interrupt_t *interrupt);

/*
 Lets what the store runs end by the trap `TENON_TRAP_INTERRUPT`; if it runs nothing, what it runs
 next. Loops, calls, long operations on memory and waiting, in WASI or on a shared memory, all end
 soon; callbacks only when they return. Any thread may call it at any time, and signal handlers.

 Ownership: borrows it.

 # Safety

 It is live or null.
 */
WASM_API_EXTERN void tenon_interrupt_raise(const tenon_interrupt_t *interrupt);

/*
 Takes back an interrupt that nothing has ended by, so that it does not end what comes next.

 Ownership: borrows it.

 # Safety

 It is live or null.
 */
WASM_API_EXTERN void tenon_interrupt_clear(const tenon_interrupt_t *interrupt);

/*
 Lets everything that the store runs after so many nanoseconds from now end by the trap
 `TENON_TRAP_DEADLINE_EXCEEDED`, until another deadline is set or it is cleared. Fails when the
 engine's code cannot be interrupted (see `tenon_config_interruptible_set`).

 Ownership: borrows the store.

 # Safety

 The store is live or null.
 */
WASM_API_EXTERN
tenon_error_code_t tenon_store_deadline_set(wasm_store_t *store,
                                            uint64_t nanoseconds);

/*
 Lets the store run for ever again.

 Ownership: borrows the store.

 # Safety

 The store is live or null.
 */
WASM_API_EXTERN tenon_error_code_t tenon_store_deadline_clear(wasm_store_t *store);

/*
 Sets how much the store's code may execute: every instruction but those that only give structure
 takes one unit, operations on ranges one more for 64 bytes or 8 elements. When nothing is left,
 execution ends by the trap `TENON_TRAP_OUT_OF_FUEL` at the next beginning of a function or turn
 of a loop. A new store has none. Fails when the engine's code consumes no fuel (see
 `tenon_config_fuel_set`), and for more than 2⁶³ − 1.

 Ownership: borrows the store.

 # Safety

 The store is live or null.
 */
WASM_API_EXTERN tenon_error_code_t tenon_store_fuel_set(wasm_store_t *store, uint64_t amount);

/*
 Writes to `out` how much fuel is left. Fails when the engine's code consumes none.

 Ownership: borrows both.

 # Safety

 The store is live or null, `out` can be written or is null.
 */
WASM_API_EXTERN tenon_error_code_t tenon_store_fuel_get(wasm_store_t *store, uint64_t *out);

/*
 Sets how many bytes all linear memories of the store may have together. Growing beyond it fails
 as growing can fail; making a memory or an instance beyond it fails with `TENON_ERROR_LIMIT`.
 What there is already stays. Without it there is no such limit.

 Ownership: borrows the store.

 # Safety

 The store is live or null.
 */
WASM_API_EXTERN tenon_error_code_t tenon_store_max_memory_set(wasm_store_t *store, uint64_t bytes);

/*
 As `tenon_store_max_memory_set`, for the elements of all tables.

 Ownership: borrows the store.

 # Safety

 The store is live or null.
 */
WASM_API_EXTERN
tenon_error_code_t tenon_store_max_table_elements_set(wasm_store_t *store,
                                                      uint64_t elements);

/*
 As `tenon_store_max_memory_set`, for the number of instances.

 Ownership: borrows the store.

 # Safety

 The store is live or null.
 */
WASM_API_EXTERN
tenon_error_code_t tenon_store_max_instances_set(wasm_store_t *store,
                                                 uint64_t count);

/*
 Returns how many bytes all linear memories of the store have together; 0 for null.

 Ownership: borrows the store.

 # Safety

 The store is live or null.
 */
WASM_API_EXTERN uint64_t tenon_store_memory_size(wasm_store_t *store);

/*
 Sets how many bytes the heap of the store may have, on which structs, arrays and exceptions are.
 When it is full of what is still referred to, making more of them ends by a trap. While the
 collector runs, the heap takes up to twice as much memory.

 Ownership: borrows the store.

 # Safety

 The store is live or null.
 */
WASM_API_EXTERN tenon_error_code_t tenon_store_max_heap_set(wasm_store_t *store, uint64_t bytes);

/*
 Returns how many bytes the heap of the store has, used ones and free ones; 0 for null.

 Ownership: borrows the store.

 # Safety

 The store is live or null.
 */
WASM_API_EXTERN uint64_t tenon_store_heap_size(wasm_store_t *store);

/*
 Returns how many bytes of the heap of the store objects have, those included that nothing refers to
 any more and that have not been freed yet; 0 for null.

 Ownership: borrows the store.

 # Safety

 The store is live or null.
 */
WASM_API_EXTERN uint64_t tenon_store_heap_used(wasm_store_t *store);

/*
 Sets whether every making of a struct or an array first frees and moves what can be: for tests,
 in which it brings to light references that are not kept. Off by default.

 Ownership: borrows the settings.

 # Safety

 The settings are live or null.
 */
WASM_API_EXTERN tenon_error_code_t tenon_config_collect_always_set(wasm_config_t *config, bool on);

/*
 Makes the type of a memory: its limits in pages; the kind of its addresses, `WASM_I32` or
 `WASM_I64`; the size of its pages in bytes, 65536 or 1; and whether it is shared, for which it
 needs a maximum. Returns null when the limits are null, or kind or page size are none of these.
 Whether there can be such a memory is not checked before it is used. For modules that import such
 memories the features `memory64`, `custom-page-sizes` and `threads` have to be on.

 Ownership: borrows the limits; the caller owns the result and releases it with
 `wasm_memorytype_delete`.

 # Safety

 The pointer is live or null.
 */
WASM_API_EXTERN
wasm_memorytype_t *tenon_memorytype_new(const tenon_limits_t *limits,
                                        wasm_valkind_t address,
                                        uint32_t page_size,
                                        bool shared);

/*
 Returns the limits of a memory.

 Ownership: the result belongs to the memory type.

 # Safety

 The pointer is live or null.
 */
WASM_API_EXTERN const tenon_limits_t *tenon_memorytype_limits(const wasm_memorytype_t *ty);

/*
 Returns the kind of a memory's addresses: `WASM_I32`, also for null, or `WASM_I64`.

 # Safety

 The pointer is live or null.
 */
WASM_API_EXTERN wasm_valkind_t tenon_memorytype_address(const wasm_memorytype_t *ty);

/*
 Returns the size of a memory's pages in bytes; 0 for null.

 # Safety

 The pointer is live or null.
 */
WASM_API_EXTERN uint32_t tenon_memorytype_page_size(const wasm_memorytype_t *ty);

/*
 Returns whether a memory is shared; false for null.

 # Safety

 The pointer is live or null.
 */
WASM_API_EXTERN bool tenon_memorytype_is_shared(const wasm_memorytype_t *ty);

/*
 Makes the type of a table with limits of 64 bits; its indices are of kind `WASM_I32` or
 `WASM_I64`. Returns null when a pointer is, or the kind is another. Whether there can be such a
 table is not checked before it is used: none has more than 10,000,000 elements, so that the
 functions of `wasm.h` can reach all of them.

 Ownership: takes the value type over, borrows the limits; the caller owns the result and
 releases it with `wasm_tabletype_delete`.

 # Safety

 The pointers are owned, or live, or null.
 */
WASM_API_EXTERN
wasm_tabletype_t *tenon_tabletype_new(wasm_valtype_t *element,
                                      const tenon_limits_t *limits,
                                      wasm_valkind_t index);

/*
 Returns the limits of a table.

 Ownership: the result belongs to the table type.

 # Safety

 The pointer is live or null.
 */
WASM_API_EXTERN const tenon_limits_t *tenon_tabletype_limits(const wasm_tabletype_t *ty);

/*
 Returns the kind of a table's indices: `WASM_I32`, also for null, or `WASM_I64`.

 # Safety

 The pointer is live or null.
 */
WASM_API_EXTERN wasm_valkind_t tenon_tabletype_index(const wasm_tabletype_t *ty);

/*
 Returns a memory's size in pages of the size that its type says; 0 for null.

 # Safety

 The pointer is live or null.
 */
WASM_API_EXTERN uint64_t tenon_memory_size(const wasm_memory_t *memory);

/*
 Adds `delta` pages of zeros, and writes the number of pages before to `before` unless that is
 null. Returns false when the memory cannot grow so far.

 Ownership: borrows both.

 # Safety

 The memory is live or null, `before` can be written or is null.
 */
WASM_API_EXTERN bool tenon_memory_grow(wasm_memory_t *memory, uint64_t delta, uint64_t *before);

/*
 Makes a shared memory of zeros, which belongs to no store and counts for no store's limits. Its
 address space is reserved up to its maximum, so it never moves. Returns null when an argument is,
 the type is not that of a shared memory with a maximum, or the system has not so much.

 Any thread may use a shared memory at any time. What guests do to its bytes at the same time is
 defined by WebAssembly; who accesses them from C while guests run has to order that as for any
 memory that threads share.

 Ownership: borrows both; the caller owns the result and releases it with
 `tenon_shared_memory_delete`. It may outlive the engine.

 # Safety

 The pointers are live or null.
 */
WASM_API_EXTERN
tenon_shared_memory_t *tenon_shared_memory_new(wasm_engine_t *engine,
                                               const wasm_memorytype_t *ty);

/*
 Returns the shared memory that a store's memory is a share of. Returns null when the memory is
 not shared.

 Ownership: borrows the memory; the caller owns the result and releases it with
 `tenon_shared_memory_delete`.

 # Safety

 The pointer is live or null.
 */
WASM_API_EXTERN tenon_shared_memory_t *tenon_memory_share(const wasm_memory_t *memory);

/*
 Gives a store a share of a shared memory, which its instances can then import. What the memory
 grows by in this store counts for the store's limit.

 Ownership: borrows both; the caller owns the result and releases it with `wasm_memory_delete`.

 # Safety

 The pointers are live or null.
 */
WASM_API_EXTERN
wasm_memory_t *tenon_memory_obtain(wasm_store_t *store,
                                   const tenon_shared_memory_t *memory);

/*
 Makes another handle to the same shared memory.

 Ownership: borrows it; the caller owns the result and releases it with
 `tenon_shared_memory_delete`.

 # Safety

 The pointer is live or null.
 */
WASM_API_EXTERN
tenon_shared_memory_t *tenon_shared_memory_copy(const tenon_shared_memory_t *memory);

/*
 Releases a handle to a shared memory; null is nothing to release. The memory is there as long as
 other handles or stores have it.

 Ownership: takes it over.

 # Safety

 It is live or null, and no other thread uses it.
 */
WASM_API_EXTERN void tenon_shared_memory_delete(tenon_shared_memory_t *memory);

/*
 Returns whether both are handles to the same shared memory; false when one is null.

 # Safety

 The pointers are live or null.
 */
WASM_API_EXTERN
bool tenon_shared_memory_same(const tenon_shared_memory_t *a,
                              const tenon_shared_memory_t *b);

/*
 Returns a shared memory's type as it is now: its minimum is its size.

 Ownership: borrows it; the caller owns the result and releases it with
 `wasm_memorytype_delete`.

 # Safety

 The pointer is live or null.
 */
WASM_API_EXTERN wasm_memorytype_t *tenon_shared_memory_type(const tenon_shared_memory_t *memory);

/*
 Returns the address of a shared memory's first byte, which never changes.

 Ownership: the bytes belong to the memory.

 # Safety

 The pointer is live or null.
 */
WASM_API_EXTERN byte_t *tenon_shared_memory_data(const tenon_shared_memory_t *memory);

/*
 Returns a shared memory's size in bytes, to which it has grown at least; 0 for null.

 # Safety

 The pointer is live or null.
 */
WASM_API_EXTERN size_t tenon_shared_memory_data_size(const tenon_shared_memory_t *memory);

/*
 Adds `delta` pages of zeros for all who share the memory, and writes the number of pages before
 to `before` unless that is null. They count for no store's limit. Returns false when the memory
 cannot grow so far.

 Ownership: borrows both.

 # Safety

 The memory is live or null, `before` can be written or is null.
 */
WASM_API_EXTERN
bool tenon_shared_memory_grow(const tenon_shared_memory_t *memory,
                              uint64_t delta,
                              uint64_t *before);

/*
 Wakes up to `count` of the threads that wait in a guest at an address of a shared memory, as the
 guests' `memory.atomic.notify` does. Returns how many; 0 for null.

 Ownership: borrows it.

 # Safety

 The pointer is live or null.
 */
WASM_API_EXTERN
uint32_t tenon_shared_memory_notify(const tenon_shared_memory_t *memory,
                                    uint64_t address,
                                    uint32_t count);

/*
 Makes a tag. Returns null when an argument is null, or when the type has results.

 Ownership: borrows both; the caller owns the result and releases it with `tenon_tag_delete`.

 # Safety

 The pointers are live or null.
 */
WASM_API_EXTERN tenon_tag_t *tenon_tag_new(wasm_store_t *store, const wasm_tagtype_t *ty);

/*
 Returns a tag's type.

 Ownership: borrows the tag; the caller owns the result and releases it with
 `wasm_tagtype_delete`.

 # Safety

 The pointer is live or null.
 */
WASM_API_EXTERN wasm_tagtype_t *tenon_tag_type(const tenon_tag_t *tag);

/*
 Makes an exception with a tag, which carries these values. Returns null when a pointer is null,
 when the tag is of another store, or when there are other values than the tag's type wants.
 `wasm_val_t` has no room for vectors, so C makes none that carry any.

 Ownership: borrows all; the caller owns the result and releases it with
 `tenon_exception_delete`.

 # Safety

 The pointers are live or null, the vector is whole or null; references among the values are live
 or null.
 */
WASM_API_EXTERN
tenon_exception_t *tenon_exception_new(wasm_store_t *store,
                                       const tenon_tag_t *tag,
                                       const wasm_val_vec_t *values);

/*
 Returns an exception's tag.

 Ownership: borrows the exception; the caller owns the result and releases it with
 `tenon_tag_delete`.

 # Safety

 The pointer is live or null.
 */
WASM_API_EXTERN tenon_tag_t *tenon_exception_tag(const tenon_exception_t *exception);

/*
 Writes the values that an exception carries to `out`. A vector is a value of kind `TENON_V128`
 without content; `tenon_exception_vector` has that. Writes an empty vector when the exception is
 null.

 Ownership: borrows the exception; the caller owns the values.

 # Safety

 The exception is live or null, `out` can be written or is null.
 */
WASM_API_EXTERN
void tenon_exception_values(const tenon_exception_t *exception,
                            wasm_val_vec_t *out);

/*
 Writes the vector that is the value at `index` of what an exception carries to `out`, lane 0
 first, each lane in little-endian form. Returns whether there is a vector there.

 Ownership: borrows both.

 # Safety

 The exception is live or null; 16 bytes can be written to `out`, or it is null.
 */
WASM_API_EXTERN
bool tenon_exception_vector(const tenon_exception_t *exception,
                            size_t index,
                            uint8_t *out);

/*
 Makes a trap that carries an exception. A callback that returns it throws the exception: wasm
 that has called the callback can catch it. Returns null when the exception is.

 Ownership: borrows the exception; the caller owns the result and returns it from a callback or
 releases it with `wasm_trap_delete`.

 # Safety

 The pointer is live or null.
 */
WASM_API_EXTERN wasm_trap_t *tenon_trap_new_exception(const tenon_exception_t *exception);

/*
 Returns the exception that a trap carries: what has been thrown and nothing has caught. Null,
 without an error, when the trap is something else. A callback that returns such a trap throws
 the exception again.

 Ownership: borrows the trap; the caller owns the result and releases it with
 `tenon_exception_delete`.

 # Safety

 The pointer is live or null.
 */
WASM_API_EXTERN tenon_exception_t *tenon_trap_exception(const wasm_trap_t *trap);

/*
 Makes a type of references: to what `heap` says, or, if that is `TENON_HEAP_DEFINED`, to what is
 of the defined type `type`, which is not looked at otherwise. Returns null when there is no such
 kind, or it is one of numbers, or the defined type is needed and null.

 The result names the defined type, but does not keep it: that lasts as long as a
 `tenon_deftype_t`, a module, an instance or an object with it.

 Ownership: borrows the defined type; the caller owns the result and releases it with
 `wasm_valtype_delete`.

 # Safety

 The pointer is live or null.
 */
WASM_API_EXTERN
wasm_valtype_t *tenon_valtype_ref_new(tenon_heap_kind_t heap,
                                      const tenon_deftype_t *ty,
                                      bool nullable);

/*
 Returns what references of a type refer to; `TENON_HEAP_NUMBER` if its values are no references,
 and for null.

 # Safety

 The pointer is live or null.
 */
WASM_API_EXTERN tenon_heap_kind_t tenon_valtype_heap_kind(const wasm_valtype_t *ty);

/*
 Returns whether null is a value of a type. No numbers and no null pointers are.

 # Safety

 The pointer is live or null.
 */
WASM_API_EXTERN bool tenon_valtype_is_nullable(const wasm_valtype_t *ty);

/*
 Returns the defined type that a type of references names. Returns null when it names none, or one
 that the engine does not have any more.

 Ownership: borrows both; the caller owns the result and releases it with `tenon_deftype_delete`.

 # Safety

 The pointers are live or null.
 */
WASM_API_EXTERN
tenon_deftype_t *tenon_valtype_deftype(wasm_engine_t *engine,
                                       const wasm_valtype_t *ty);

/*
 Returns whether two value types are the same.

 Ownership: borrows both.

 # Safety

 The pointers are live or null.
 */
WASM_API_EXTERN bool tenon_valtype_same(const wasm_valtype_t *a, const wasm_valtype_t *b);

/*
 Returns whether every value of a type is one of the type `wanted` (core spec, section 3.3.4).
 What the engine does not know any more only matches itself.

 Ownership: borrows all.

 # Safety

 The pointers are live or null.
 */
WASM_API_EXTERN
bool tenon_valtype_matches(wasm_engine_t *engine,
                           const wasm_valtype_t *ty,
                           const wasm_valtype_t *wanted);

/*
 Defines a type. One that is defined alike already is the same. Returns null when an argument is,
 the definition makes no sense, or it does not match the type that it is declared below.

 Ownership: borrows both; the caller owns the result and releases it with `tenon_deftype_delete`.

 # Safety

 The pointers, and those in the definition, are live or null.
 */
WASM_API_EXTERN
tenon_deftype_t *tenon_deftype_new(wasm_engine_t *engine,
                                   const tenon_definition_t *definition);

/*
 Makes what stands for one of the types of a group until that is defined by `tenon_deftype_group`:
 the type of this kind at this index. Definitions of the group name it as supertype, and by
 `tenon_valtype_ref_new`. Returns null when there is no such kind.

 Ownership: the caller owns the result and releases it with `tenon_deftype_delete`.
 */
WASM_API_EXTERN tenon_deftype_t *tenon_deftype_place(tenon_type_kind_t kind, uint32_t index);

/*
 Defines `count` types that may name each other (core spec, section 2.3.9: a recursive group) and
 writes them to `out`, null for all when it fails.

 Ownership: borrows engine and definitions; the caller owns the types and releases them with
 `tenon_deftype_delete`.

 # Safety

 The engine is live or null; there are as many definitions, whose pointers are live or null, and
 places for types, or null.
 */
WASM_API_EXTERN
tenon_error_code_t tenon_deftype_group(wasm_engine_t *engine,
                                       size_t count,
                                       const tenon_definition_t *definitions,
                                       tenon_deftype_t **out);

/*
 Gives a defined type back.

 Ownership: takes it over.

 # Safety

 The pointer is owned or null.
 */
WASM_API_EXTERN void tenon_deftype_delete(tenon_deftype_t *ty);

/*
 Returns another owner of a defined type.

 Ownership: borrows it; the caller owns the result and releases it with `tenon_deftype_delete`.

 # Safety

 The pointer is live or null.
 */
WASM_API_EXTERN tenon_deftype_t *tenon_deftype_copy(const tenon_deftype_t *ty);

/*
 Returns whether two defined types are the same. Equal types of different modules of an engine are.

 Ownership: borrows both.

 # Safety

 The pointers are live or null.
 */
WASM_API_EXTERN bool tenon_deftype_same(const tenon_deftype_t *a, const tenon_deftype_t *b);

/*
 Returns whether a defined type is `other` or declared below it.

 Ownership: borrows both.

 # Safety

 The pointers are live or null.
 */
WASM_API_EXTERN bool tenon_deftype_matches(const tenon_deftype_t *ty, const tenon_deftype_t *other);

/*
 Returns what a defined type is one of; 0 for null.

 # Safety

 The pointer is live or null.
 */
WASM_API_EXTERN tenon_type_kind_t tenon_deftype_kind(const tenon_deftype_t *ty);

/*
 Returns whether nothing can be declared below a defined type; false for null.

 # Safety

 The pointer is live or null.
 */
WASM_API_EXTERN bool tenon_deftype_is_final(const tenon_deftype_t *ty);

/*
 Returns the type that a defined type is declared below. Returns null when there is none: the last
 error stays as it is.

 Ownership: borrows both; the caller owns the result and releases it with `tenon_deftype_delete`.

 # Safety

 The pointers are live or null.
 */
WASM_API_EXTERN
tenon_deftype_t *tenon_deftype_supertype(wasm_engine_t *engine,
                                         const tenon_deftype_t *ty);

/*
 Returns what functions of a defined type take and return. Returns null when it is not one of
 functions.

 Ownership: borrows it; the caller owns the result and releases it with `wasm_functype_delete`.

 # Safety

 The pointer is live or null.
 */
WASM_API_EXTERN wasm_functype_t *tenon_deftype_functype(const tenon_deftype_t *ty);

/*
 Returns the number of fields of structs of a defined type, 1 for arrays, 0 for functions and null.

 # Safety

 The pointer is live or null.
 */
WASM_API_EXTERN size_t tenon_deftype_field_count(const tenon_deftype_t *ty);

/*
 Writes to `out` what the field of a struct with this index is, or, for index 0, the elements of an
 array. The type of a packed field's values is `i32`. When there is no such field, the type is
 null.

 Ownership: borrows the defined type; the caller owns the value type in the field and releases it
 with `wasm_valtype_delete`.

 # Safety

 The type is live or null, `out` can be written or is null.
 */
WASM_API_EXTERN
tenon_error_code_t tenon_deftype_field(const tenon_deftype_t *ty,
                                       size_t index,
                                       tenon_field_t *out);

/*
 Returns the defined type of a function.

 Ownership: borrows it; the caller owns the result and releases it with `tenon_deftype_delete`.

 # Safety

 The pointer is live or null.
 */
WASM_API_EXTERN tenon_deftype_t *tenon_func_deftype(const wasm_func_t *func);

/*
 Returns what a reference refers to; `TENON_REF_NULL` for null.

 Ownership: borrows it.

 # Safety

 The pointer is live or null.
 */
WASM_API_EXTERN tenon_ref_kind_t tenon_ref_kind(const wasm_ref_t *reference);

/*
 Returns the type that the struct or array was made with which a reference is to. Returns null when
 it is to something else.

 Ownership: borrows it; the caller owns the result and releases it with `tenon_deftype_delete`.

 # Safety

 The pointer is live or null.
 */
WASM_API_EXTERN tenon_deftype_t *tenon_object_type(const wasm_ref_t *reference);

/*
 Makes a reference to the number in the low 31 bits of `value`. Returns null when the store is.

 Ownership: borrows the store; the caller owns the result and releases it with `wasm_ref_delete`.

 # Safety

 The pointer is live or null.
 */
WASM_API_EXTERN wasm_ref_t *tenon_i31_new(wasm_store_t *store, int32_t value);

/*
 Writes to `out` the number of 31 bits that a reference is to, extended with its sign. Fails when
 it is to something else.

 Ownership: borrows both.

 # Safety

 The reference is live or null, `out` can be written or is null.
 */
WASM_API_EXTERN tenon_error_code_t tenon_i31_get(const wasm_ref_t *reference, int32_t *out);

/*
 Makes a struct of a defined type with these fields, or, if they are null, with fields that are zero
 or null. Returns null when another argument is; when the type is not one of structs of the store's
 engine; when the fields are too few or too many, not of their types, or needed, because one has no
 zero; when the heap is exhausted: the last error is `TENON_ERROR_TRAP` then. May free and move
 objects that nothing refers to any more.

 Ownership: borrows all; the caller owns the result and releases it with `wasm_ref_delete`.

 # Safety

 Store and type are live or null, the vector is whole or null, references in it are live or null.
 */
WASM_API_EXTERN
wasm_ref_t *tenon_struct_new(wasm_store_t *store,
                             const tenon_deftype_t *ty,
                             const wasm_val_vec_t *fields);

/*
 Makes an array of a defined type with `size` times the same element, or, if that is null, with
 elements that are zero or null. Returns null as `tenon_struct_new` does.

 Ownership: borrows all; the caller owns the result and releases it with `wasm_ref_delete`.

 # Safety

 The pointers are live or null; a reference in the element is live or null.
 */
WASM_API_EXTERN
wasm_ref_t *tenon_array_new(wasm_store_t *store,
                            const tenon_deftype_t *ty,
                            size_t size,
                            const wasm_val_t *element);

/*
 Makes an array of a defined type with these elements. Returns null as `tenon_struct_new` does, and
 when the elements are.

 Ownership: borrows all; the caller owns the result and releases it with `wasm_ref_delete`.

 # Safety

 As `tenon_struct_new`.
 */
WASM_API_EXTERN
wasm_ref_t *tenon_array_new_of(wasm_store_t *store,
                               const tenon_deftype_t *ty,
                               const wasm_val_vec_t *elements);

/*
 Makes an array of a defined type from `bytes` bytes: the elements one after the other, in
 little-endian form, each as large as it is stored (1 byte for `i8`, 16 for vectors). Returns null
 as `tenon_struct_new` does, when the elements are no numbers, and when the last one is not whole.

 Ownership: borrows all; the caller owns the result and releases it with `wasm_ref_delete`.

 # Safety

 Store and type are live or null; so many bytes can be read, or `data` is null.
 */
WASM_API_EXTERN
wasm_ref_t *tenon_array_new_from(wasm_store_t *store,
                                 const tenon_deftype_t *ty,
                                 const void *data,
                                 size_t bytes);

/*
 Returns the number of fields of a struct, or of elements of an array; 0 for anything else, and for
 null.

 Ownership: borrows it.

 # Safety

 The pointer is live or null.
 */
WASM_API_EXTERN size_t tenon_object_size(const wasm_ref_t *reference);

/*
 Writes to `out` a field of a struct, or an element of an array, by its index. A value that is
 stored in fewer bits is extended with zeros. Fails, and writes a null reference, when there is no
 such value, or it is a vector (see `tenon_object_get_raw`).

 Ownership: borrows the reference to the object; the caller owns a reference in the value.

 # Safety

 The reference is live or null, `out` can be written or is null.
 */
WASM_API_EXTERN
tenon_error_code_t tenon_object_get(const wasm_ref_t *reference,
                                    size_t index,
                                    wasm_val_t *out);

/*
 Sets a field of a struct, or an element of an array, by its index. Fails when there is no such
 value, it cannot be set, or the new one is not of its type.

 Ownership: borrows both.

 # Safety

 The pointers are live or null; a reference in the value is live or null.
 */
WASM_API_EXTERN
tenon_error_code_t tenon_object_set(wasm_ref_t *reference,
                                    size_t index,
                                    const wasm_val_t *value);

/*
 Copies `count` elements of an array of numbers, from index `start` on, to memory of C: one after
 the other, in little-endian form, each as large as it is stored. Fails, and writes nothing, when
 the array has not so many, or its elements are no numbers.

 Ownership: borrows both.

 # Safety

 The reference is live or null; so many elements can be written to `out`, or it is null.
 */
WASM_API_EXTERN
tenon_error_code_t tenon_array_read(const wasm_ref_t *reference,
                                    size_t start,
                                    size_t count,
                                    void *out);

/*
 Sets `count` elements of an array of numbers, from index `start` on, to what is in memory of C, as
 `tenon_array_read` writes it. Fails, and sets nothing, also when elements cannot be set.

 Ownership: borrows both.

 # Safety

 The reference is live or null; so many elements can be read from `data`, or it is null.
 */
WASM_API_EXTERN
tenon_error_code_t tenon_array_write(wasm_ref_t *reference,
                                     size_t start,
                                     size_t count,
                                     const void *data);

/*
 Calls a function as `wasm_func_call` does, with values without kinds: the function's type says what
 they are, so vectors can be among them. Returns null when it returns, its results in `results`;
 else a trap. A null function is not called: the last error alone tells.

 Ownership: borrows function and arguments; the caller owns the trap, and references among the
 results.

 # Safety

 The function is live or null; there are so many arguments and places for results, which may be the
 same; references among the arguments are live or null.
 */
WASM_API_EXTERN
wasm_trap_t *tenon_func_call_raw(const wasm_func_t *func,
                                 size_t arg_count,
                                 const tenon_raw_t *args,
                                 size_t room,
                                 tenon_raw_t *results);

/*
 Makes a function of a callback as `wasm_func_new_with_env` does; vectors may go in and out. Returns
 null when store, type or callback are; the finalizer has run then.

 Ownership: borrows store and type, takes the environment over; the caller owns the result and
 releases it with `wasm_func_delete`.

 # Safety

 Store and type are live or null; callback and finalizer keep to their contracts.
 */
WASM_API_EXTERN
wasm_func_t *tenon_func_new_raw(wasm_store_t *store,
                                const wasm_functype_t *ty,
                                tenon_raw_callback_t callback,
                                void *env,
                                void (*finalizer)(void*));

/*
 Makes a global of any type, vectors included. Returns null when an argument is, or the value is not
 of the global's type.

 Ownership: borrows all; the caller owns the result and releases it with `wasm_global_delete`.

 # Safety

 The pointers are live or null; a reference in the value is live or null.
 */
WASM_API_EXTERN
wasm_global_t *tenon_global_new_raw(wasm_store_t *store,
                                    const wasm_globaltype_t *ty,
                                    const tenon_raw_t *value);

/*
 Writes a global's value to `out`, whatever its type is; zero for null.

 Ownership: borrows the global; the caller owns a reference in the value.

 # Safety

 The global is live or null, `out` can be written or is null.
 */
WASM_API_EXTERN
tenon_error_code_t tenon_global_get_raw(const wasm_global_t *global,
                                        tenon_raw_t *out);

/*
 Sets a global's value, whatever its type is. Fails when the global is immutable, or the value is
 not of its type.

 Ownership: borrows both.

 # Safety

 The pointers are live or null; a reference in the value is live or null.
 */
WASM_API_EXTERN
tenon_error_code_t tenon_global_set_raw(wasm_global_t *global,
                                        const tenon_raw_t *value);

/*
 As `tenon_object_get`, for values of any type.

 Ownership: borrows the reference to the object; the caller owns a reference in the value.

 # Safety

 The reference is live or null, `out` can be written or is null.
 */
WASM_API_EXTERN
tenon_error_code_t tenon_object_get_raw(const wasm_ref_t *reference,
                                        size_t index,
                                        tenon_raw_t *out);

/*
 As `tenon_object_set`, for values of any type.

 Ownership: borrows both.

 # Safety

 The pointers are live or null; a reference in the value is live or null.
 */
WASM_API_EXTERN
tenon_error_code_t tenon_object_set_raw(wasm_ref_t *reference,
                                        size_t index,
                                        const tenon_raw_t *value);

/*
 Returns the C function that calls a function of numbers with at most one result; the same each
 time. Returns null when an argument is, or the function's type is not `type`, so that what the
 pointer is cast to fits whatever module the function is of.

 The pointer can be called by the thread that may use the store, as long as there is a handle to
 the function or to its instance; it keeps nothing alive itself. A call that traps returns zero,
 and the trap waits in the store: see `tenon_store_take_trap`.

 Ownership: borrows both; the pointer goes with the function.

 # Safety

 The pointers are live or null.
 */
WASM_API_EXTERN
tenon_native_t tenon_func_pointer(const wasm_func_t *func,
                                  const wasm_functype_t *ty);

/*
 Makes a function of a C function that gets the parameters of a type of numbers and returns its
 result, of which there is at most one. A call costs little more than one in C. To end execution
 by a trap, the function leaves one in the store by `tenon_store_put_trap` and returns anything.
 It may leave by `longjmp`; an exception of C++ that it does not catch itself ends the process.
 Returns null when an argument is, or the type does not fit.

 Ownership: borrows store and type; the caller owns the result and releases it with
 `wasm_func_delete`.

 # Safety

 Store and type are live or null; the function is of the type.
 */
WASM_API_EXTERN
wasm_func_t *tenon_func_new_native(wasm_store_t *store,
                                   const wasm_functype_t *ty,
                                   tenon_native_t function);

/*
 As `tenon_func_new_native`, for a C function that gets an environment, which may be null, before
 the parameters. The finalizer, unless it is null, runs when nothing can call the function any
 more. Returns null when store, type or function are, or the type does not fit; the finalizer has
 run then.

 Ownership: borrows store and type, takes the environment over; the caller owns the result and
 releases it with `wasm_func_delete`.

 # Safety

 Store and type are live or null; the function is of the type, with a pointer before it.
 */
WASM_API_EXTERN
wasm_func_t *tenon_func_new_native_with_env(wasm_store_t *store,
                                            const wasm_functype_t *ty,
                                            tenon_native_t function,
                                            void *env,
                                            void (*finalizer)(void*));

/*
 Takes the trap that waits in a store; null when none does. A trap waits after a call by a pointer
 of `tenon_func_pointer` has trapped, or after `tenon_store_put_trap`. While one waits, calls by
 such pointers do nothing and return zero, so that several can be made before a trap is looked
 for. If it still waits when a function of `tenon_func_new_native` returns to wasm, execution ends
 by it.

 Ownership: borrows the store; the caller owns the trap.

 # Safety

 The pointer is live or null.
 */
WASM_API_EXTERN wasm_trap_t *tenon_store_take_trap(wasm_store_t *store);

/*
 Lets a trap wait in a store, see `tenon_store_take_trap`. If one waits already, that one stays
 and this one is deleted.

 Ownership: borrows the store, takes the trap.

 # Safety

 The pointers are live or null.
 */
WASM_API_EXTERN void tenon_store_put_trap(wasm_store_t *store, wasm_trap_t *trap);

/*
 Returns the address of a word that is not 0 while a trap waits in the store, so that looking for
 one costs one load. Returns null when the store is.

 Ownership: borrows the store; the word goes with it.

 # Safety

 The pointer is live or null.
 */
WASM_API_EXTERN const uint32_t *tenon_store_trap_waiting(const wasm_store_t *store);

#ifdef __cplusplus
}  // extern "C"
#endif  // __cplusplus

#endif  /* TENON_H */
