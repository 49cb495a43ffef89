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

/* The kinds of values that wasm.h does not know: vectors, for which wasm_val_t has no room, and
 * references to exceptions, which are a wasm_ref_t, see tenon_ref_as_exception. */
enum {
  TENON_V128 = 4,
  TENON_EXNREF = 131,
};

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
 Sets whether each function is compiled when it is called for the first time, instead of all when
 their module is made. Off by default.

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
 keep the garbage a small part of the store. Does nothing while code of the store runs.

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

#ifdef __cplusplus
}  // extern "C"
#endif  // __cplusplus

#endif  /* TENON_H */
