/* WASI for the WebAssembly C API: the functions of Wasmer's C API, version 3 and later, and what
 * Tenon adds to them (tenon_wasi_*).
 *
 * Made by `make headers`; do not edit. What begins with `tenon_` is Tenon's own.
 *
 * A program gets what its settings give and nothing more. Its functions work on the memory of
 * whoever calls them. How it has ended, `tenon_trap_exit_status` in tenon.h says. */


#ifndef WASI_H
#define WASI_H

#include "wasm.h"

#ifdef __cplusplus
extern "C" {
#endif

/* Marks what changes hands; means nothing to the compiler. */
#define own

typedef struct wasi_config_t wasi_config_t;
typedef struct wasi_env_t wasi_env_t;

WASM_API_EXTERN void wasi_config_delete(own wasi_config_t*);
WASM_API_EXTERN void wasi_env_delete(own wasi_env_t*);

/* Versions of WASI. */
typedef enum wasi_version_t {
  WASI_VERSION_INVALID = -1,
  WASI_VERSION_LATEST = 0,
  WASI_VERSION_SNAPSHOT0 = 1,
  WASI_VERSION_SNAPSHOT1 = 2,
  WASI_VERSION_WASIX32V1 = 3,
  WASI_VERSION_WASIX64V1 = 4
} wasi_version_t;

/* The standard streams of a program. */
typedef uint8_t tenon_wasi_stream_t;
enum tenon_wasi_stream_enum {
  TENON_WASI_STDIN = 0,
  TENON_WASI_STDOUT = 1,
  TENON_WASI_STDERR = 2
};

/* Fills a buffer of `len` bytes, which is never empty; returns how many bytes those are, 0 at the
 * end, or a negative number when that fails. Must return, and must not use the program's store. */
typedef ptrdiff_t (*tenon_wasi_read_t)(void* env, char* buffer, size_t len);

/* Takes `len` bytes, of which there is at least one; returns how many were taken, or a negative
 * number when that fails; 0 tells the program that there is no space. Must return, and must not
 * use the program's store. */
typedef ptrdiff_t (*tenon_wasi_write_t)(void* env, const char* bytes, size_t len);

/* Tells what a clock shows, in nanoseconds: 0 is the time of day, since 1970; 1 never goes back; 2
 * and 3 are the processor's time of process and thread. Must return, and must not use the
 * program's store. */
typedef uint64_t (*tenon_wasi_clock_t)(void* env, uint32_t clock);

/* Fills `len` bytes by chance. Must return, and must not use the program's store. */
typedef void (*tenon_wasi_random_t)(void* env, char* bytes, size_t len);

/* Things with the names under which a module imports them. */
typedef struct wasmer_named_extern_t wasmer_named_extern_t;
typedef struct wasmer_named_extern_vec_t {
  size_t size;
  wasmer_named_extern_t** data;
} wasmer_named_extern_vec_t;
WASM_API_EXTERN void wasmer_named_extern_vec_new_empty(own wasmer_named_extern_vec_t* out);
WASM_API_EXTERN void wasmer_named_extern_vec_new_uninitialized(
  own wasmer_named_extern_vec_t* out, size_t);
WASM_API_EXTERN void wasmer_named_extern_vec_new(
  own wasmer_named_extern_vec_t* out, size_t, own wasmer_named_extern_t* const[]);
WASM_API_EXTERN void wasmer_named_extern_vec_copy(
  own wasmer_named_extern_vec_t* out, const wasmer_named_extern_vec_t*);
WASM_API_EXTERN void wasmer_named_extern_vec_delete(own wasmer_named_extern_vec_t*);

#ifdef __cplusplus
}
#endif


#ifdef __cplusplus
extern "C" {
#endif // __cplusplus

/*
 Makes settings for a program of this name: no further arguments, no variables, no directories;
 its standard streams are those of the host. Returns null when the name is.

 Ownership: borrows the name; the caller owns the result and passes it to `wasi_env_new` or
 releases it with `wasi_config_delete`.

 # Safety

 The name is terminated by a zero byte, or null.
 */
WASM_API_EXTERN wasi_config_t *wasi_config_new(const char *program_name);

/*
 Appends an argument.

 Ownership: borrows both.

 # Safety

 The settings are live or null, the text is terminated by a zero byte or null.
 */
WASM_API_EXTERN void wasi_config_arg(wasi_config_t *config, const char *arg);

/*
 Adds a variable to the environment.

 Ownership: borrows all.

 # Safety

 The settings are live or null, the texts are terminated by a zero byte or null.
 */
WASM_API_EXTERN void wasi_config_env(wasi_config_t *config, const char *key, const char *value);

/*
 Gives the program a directory of the host, to read and to write, under the name that the host
 has for it. Returns false when it cannot be opened.

 Ownership: borrows both.

 # Safety

 The settings are live or null, the text is terminated by a zero byte or null.
 */
WASM_API_EXTERN bool wasi_config_preopen_dir(wasi_config_t *config, const char *dir);

/*
 Gives the program a directory of the host, to read and to write, under a name of its own.
 Returns false when it cannot be opened.

 Ownership: borrows all.

 # Safety

 The settings are live or null, the texts are terminated by a zero byte or null.
 */
WASM_API_EXTERN bool wasi_config_mapdir(wasi_config_t *config, const char *alias, const char *dir);

/*
 Lets the program read the host's standard input, as it does by default.

 Ownership: borrows the settings.

 # Safety

 The settings are live or null.
 */
WASM_API_EXTERN void wasi_config_inherit_stdin(wasi_config_t *config);

/*
 Lets the program write to the host's standard output, as it does by default.

 Ownership: borrows the settings.

 # Safety

 The settings are live or null.
 */
WASM_API_EXTERN void wasi_config_inherit_stdout(wasi_config_t *config);

/*
 Lets the program write to the host's standard error, as it does by default.

 Ownership: borrows the settings.

 # Safety

 The settings are live or null.
 */
WASM_API_EXTERN void wasi_config_inherit_stderr(wasi_config_t *config);

/*
 Keeps what the program writes to its standard output, for `wasi_env_read_stdout`: at
 most 64 MiB that nobody has read yet, after which writing fails in the program. Another bound is
 set by `tenon_wasi_config_capture`.

 Ownership: borrows the settings.

 # Safety

 The settings are live or null.
 */
WASM_API_EXTERN void wasi_config_capture_stdout(wasi_config_t *config);

/*
 Keeps what the program writes to its standard error, for `wasi_env_read_stderr`: at
 most 64 MiB that nobody has read yet, after which writing fails in the program. Another bound is
 set by `tenon_wasi_config_capture`.

 Ownership: borrows the settings.

 # Safety

 The settings are live or null.
 */
WASM_API_EXTERN void wasi_config_capture_stderr(wasi_config_t *config);

/*
 Makes the state of a program's system in a store. Returns null when an argument is null.

 Ownership: borrows the store, takes the settings over; the caller owns the result and releases
 it with `wasi_env_delete`. The functions got from it keep what they need.

 # Safety

 The store is live or null, the settings are owned or null.
 */
WASM_API_EXTERN wasi_env_t *wasi_env_new(wasm_store_t *store, wasi_config_t *config);

/*
 Moves what the program has written to its captured standard output, and nobody has read yet, to
 a buffer of `len` bytes. Returns how many bytes that were, 0 when there are none; -1 when the
 stream is not captured.

 Ownership: borrows both.

 # Safety

 The state is live or null, `len` bytes can be written to the buffer or it is null.
 */
WASM_API_EXTERN ptrdiff_t wasi_env_read_stdout(wasi_env_t *env, char *buffer, size_t len);

/*
 As `wasi_env_read_stdout`, for the standard error.

 Ownership: borrows both.

 # Safety

 The state is live or null, `len` bytes can be written to the buffer or it is null.
 */
WASM_API_EXTERN ptrdiff_t wasi_env_read_stderr(wasi_env_t *env, char *buffer, size_t len);

/*
 Names the memory that the functions work on where the caller has none of its own. They use the
 memory that the calling instance exports as `memory`, or its first one, so that nobody has to
 call this.

 Ownership: borrows both.

 # Safety

 The pointers are live or null.
 */
WASM_API_EXTERN void wasi_env_set_memory(wasi_env_t *env, const wasm_memory_t *memory);

/*
 As `wasi_env_set_memory`, with the memory that an instance exports as `memory`. Returns false
 when it exports none.

 Ownership: borrows all.

 # Safety

 The pointers are live or null.
 */
WASM_API_EXTERN
bool wasi_env_initialize_instance(wasi_env_t *env,
                                  wasm_store_t *store,
                                  wasm_instance_t *instance);

/*
 Gets what a module imports from WASI, in the order of its imports; for a standalone module of
 Emscripten also what it imports from `env`. When it imports other things too, returns false with
 null in their places, for the caller to fill; the last error names the first. Also returns false,
 with an empty vector, when an argument is null.

 Ownership: borrows store, state and module; the caller owns the vector.

 # Safety

 The pointers are live or null, `imports` can be written or is null.
 */
WASM_API_EXTERN
bool wasi_get_imports(const wasm_store_t *store,
                      wasi_env_t *env,
                      const wasm_module_t *module,
                      wasm_extern_vec_t *imports);

/*
 Returns the name of the module that a thing is imported from; null for null.

 Ownership: the result belongs to the argument.

 # Safety

 The pointer is live or null.
 */
WASM_API_EXTERN
const wasm_name_t *wasmer_named_extern_module(const wasmer_named_extern_t *named_extern);

/*
 Returns the name that a thing is imported by; null for null.

 Ownership: the result belongs to the argument.

 # Safety

 The pointer is live or null.
 */
WASM_API_EXTERN
const wasm_name_t *wasmer_named_extern_name(const wasmer_named_extern_t *named_extern);

/*
 Returns the thing without its names; null for null.

 Ownership: the result belongs to the argument.

 # Safety

 The pointer is live or null.
 */
WASM_API_EXTERN
const wasm_extern_t *wasmer_named_extern_unwrap(const wasmer_named_extern_t *named_extern);

/*
 Gets what a module imports from WASI, with names. Imports of other things are left out. Returns
 false, with an empty vector, when an argument is null.

 Ownership: borrows state and module; the caller owns the vector.

 # Safety

 The pointers are live or null, `imports` can be written or is null.
 */
WASM_API_EXTERN
bool wasi_get_unordered_imports(wasi_env_t *env,
                                const wasm_module_t *module,
                                wasmer_named_extern_vec_t *imports);

/*
 Gets the function that runs a program: what its instance exports as `_start`. Returns null when
 it exports no such function. A program ends by returning, or by a trap that
 `tenon_trap_exit_status` knows.

 Ownership: borrows the instance; the caller owns the function.

 # Safety

 The pointer is live or null.
 */
WASM_API_EXTERN wasm_func_t *wasi_get_start_function(wasm_instance_t *instance);

/*
 Returns the version of WASI that a module is for, by the names of the modules it imports from;
 `WASI_VERSION_INVALID` when it imports from none of them.

 Ownership: borrows the module.

 # Safety

 The pointer is live or null.
 */
WASM_API_EXTERN wasi_version_t wasi_get_wasi_version(const wasm_module_t *module);

/*
 Gives the program a directory of the host under a name of its own, to read, and to write if
 `writable`. What is opened below it has no more rights than that. Returns false when it cannot
 be opened.

 Ownership: borrows all.

 # Safety

 The settings are live or null, the texts are terminated by a zero byte or null.
 */
WASM_API_EXTERN
bool tenon_wasi_config_dir(wasi_config_t *config,
                           const char *host,
                           const char *guest,
                           bool writable);

/*
 Lets a standard stream lead nowhere: reads end at once, writes vanish. Returns false when there
 is no such stream.

 Ownership: borrows the settings.

 # Safety

 The settings are live or null.
 */
WASM_API_EXTERN bool tenon_wasi_config_null(wasi_config_t *config, tenon_wasi_stream_t stream);

/*
 Lets a standard stream be a descriptor of the host's: a file, a pipe, a socket. Writing to a pipe
 that nobody reads fails in the program; the host gets no SIGPIPE. Returns false when the
 descriptor is not open or there is no such stream.

 Ownership: borrows the settings; the descriptor is duplicated, so that the caller closes its own.

 # Safety

 The settings are live or null; the descriptor is not closed meanwhile.
 */
WASM_API_EXTERN
bool tenon_wasi_config_fd(wasi_config_t *config,
                          tenon_wasi_stream_t stream,
                          int32_t fd);

/*
 Lets the program read `len` bytes from its standard input. Returns false when there are bytes
 but the pointer to them is null.

 Ownership: borrows the settings; the bytes are copied.

 # Safety

 The settings are live or null, `len` bytes can be read or the pointer is null.
 */
WASM_API_EXTERN
bool tenon_wasi_config_stdin_bytes(wasi_config_t *config,
                                   const char *bytes,
                                   size_t len);

/*
 Keeps what the program writes to its standard output or error, at most `bound` bytes that nobody
 has read yet (`wasi_env_read_stdout`, `wasi_env_read_stderr`); writing more fails in the program.
 Returns false when there is no such stream.

 Ownership: borrows the settings.

 # Safety

 The settings are live or null.
 */
WASM_API_EXTERN
bool tenon_wasi_config_capture(wasi_config_t *config,
                               tenon_wasi_stream_t stream,
                               size_t bound);

/*
 Calls a function whenever the program reads from its standard input. Returns false when
 settings or callback are null; the finalizer has run then.

 Ownership: borrows the settings, takes the environment over: the finalizer, unless it is null,
 runs when nothing can call the callback any more.

 # Safety

 The settings are live or null; callback and finalizer keep to their contracts.
 */
WASM_API_EXTERN
bool tenon_wasi_config_read(wasi_config_t *config,
                            tenon_wasi_read_t read,
                            void *env,
                            void (*finalizer)(void*));

/*
 Calls a function whenever the program writes to its standard output or error. Returns false when
 settings or callback are null or there is no such stream; the finalizer has run then.

 Ownership: borrows the settings, takes the environment over: the finalizer, unless it is null,
 runs when nothing can call the callback any more.

 # Safety

 The settings are live or null; callback and finalizer keep to their contracts.
 */
WASM_API_EXTERN
bool tenon_wasi_config_write(wasi_config_t *config,
                             tenon_wasi_stream_t stream,
                             tenon_wasi_write_t write,
                             void *env,
                             void (*finalizer)(void*));

/*
 Gives the program clocks of the host's making, for instance such that show the same in every
 run. When the program waits for one of them, it waits for the difference to what the clock shows
 then. Returns false when settings or callback are null; the finalizer has run then.

 Ownership: borrows the settings, takes the environment over: the finalizer, unless it is null,
 runs when nothing can call the callback any more.

 # Safety

 The settings are live or null; callback and finalizer keep to their contracts.
 */
WASM_API_EXTERN
bool tenon_wasi_config_clock(wasi_config_t *config,
                             tenon_wasi_clock_t clock,
                             void *env,
                             void (*finalizer)(void*));

/*
 Gives the program random bytes of the host's making, for instance the same in every run. Returns
 false when settings or callback are null; the finalizer has run then.

 Ownership: borrows the settings, takes the environment over: the finalizer, unless it is null,
 runs when nothing can call the callback any more.

 # Safety

 The settings are live or null; callback and finalizer keep to their contracts.
 */
WASM_API_EXTERN
bool tenon_wasi_config_random(wasi_config_t *config,
                              tenon_wasi_random_t random,
                              void *env,
                              void (*finalizer)(void*));

/*
 Gives the program a listener on an address of the machine, `ADDRESS:PORT` or `NAME:PORT`, where
 it accepts connections (`sock_accept`) from whoever makes them. Its descriptor follows those of
 the directories; several listeners have theirs in the order of the calls. With port 0 the
 system chooses a port. Writes the port to `port` unless that is null. The machine takes
 connections from this call on. Returns false when the address cannot be listened on.

 Ownership: borrows all.

 # Safety

 The settings are live or null, the text is terminated by a zero byte or null, `port` can be
 written or is null.
 */
WASM_API_EXTERN
bool tenon_wasi_config_tcp_listen(wasi_config_t *config,
                                  const char *address,
                                  uint16_t *port);

/*
 Lets the program make sockets and reach `HOST:PORT` with them: connect and send to it, bind to
 it, and learn that a name leads to it. Without any grant a program has no network but the
 listeners that it is given. Each call adds to what is granted.

 HOST is an address (of version 6 in brackets), a block of addresses `ADDRESS/BITS`, a name, or
 `*` for every address and every name. PORT is a number, a range `FIRST-LAST`, or `*`; port 0 is
 the one that the system chooses when a socket is bound. Addresses are what counts: a name is
 looked up by this call and stands for the addresses that it has now.

 Returns false when the text is no grant, or the name has no address.

 Ownership: borrows both.

 # Safety

 The settings are live or null, the text is terminated by a zero byte or null.
 */
WASM_API_EXTERN bool tenon_wasi_config_allow_net(wasi_config_t *config, const char *grant);

#ifdef __cplusplus
}  // extern "C"
#endif  // __cplusplus

#endif  /* WASI_H */


#undef own
