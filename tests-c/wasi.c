/* wasi.h, function by function: imports with and without names, memories, start functions,
 * versions, how programs end; null is refused everywhere. What programs get is in wasi_programs.c. */

#include <wasi.h>

#define own

#include "scenes.h"

/* Proves that a call without a result sets the last error. */
#define objects(call) (tenon_last_error_clear(), (call), \
  check(tenon_last_error_code() == TENON_ERROR_ARGUMENT))

static own wasi_env_t* env_of(wasm_store_t* store) {
  wasi_config_t* config = wasi_config_new("program");
  wasi_config_capture_stdout(config);
  return wasi_env_new(store, config);
}

static bool is_name(const wasm_name_t* name, const char* text) {
  return name && name->size == strlen(text) && memcmp(name->data, text, name->size) == 0;
}

/* What a program imports that says hello. */
#define WRITES \
  "(import \"wasi_snapshot_preview1\" \"fd_write\"" \
  "  (func $write (param i32 i32 i32 i32) (result i32)))" \
  " (import \"wasi_snapshot_preview1\" \"proc_exit\" (func $exit (param i32)))"
#define SAYS_HELLO \
  " (data (i32.const 0) \"\\08\\00\\00\\00\\05\\00\\00\\00hello\") (func $hello" \
  "  (if (call $write (i32.const 1) (i32.const 0) (i32.const 1) (i32.const 16))" \
  "   (then unreachable)))"

static const char* const program =
  "(module " WRITES " (memory (export \"memory\") 1) " SAYS_HELLO
  " (func (export \"_start\") (call $hello))"
  " (func (export \"exit\") (param i32) (result i32) (call $exit (local.get 0)) unreachable)"
  " (func (export \"fault\") unreachable))";

/* Makes an instance of a program whose imports are all of WASI. */
static own wasm_instance_t* run_with(wasm_store_t* store, wasi_env_t* env, const char* text) {
  wasm_module_t* module = module_of(store, text);
  wasm_extern_vec_t imports;
  accepted(wasi_get_imports(store, env, module, &imports));
  wasm_instance_t* instance = wasm_instance_new(store, module, &imports, NULL);
  check(instance != NULL);
  wasm_extern_vec_delete(&imports);
  wasm_module_delete(module);
  return instance;
}

static bool has_written(wasi_env_t* env, const char* text) {
  char buffer[100];
  ptrdiff_t size = wasi_env_read_stdout(env, buffer, sizeof buffer);
  return size == (ptrdiff_t)strlen(text) && memcmp(buffer, text, (size_t)size) == 0;
}

/* Text of a module that imports every function of WASI's preview 1. */
static const char* const everything =
  "(module"
#define NAMED(name, params) \
  " (import \"wasi_snapshot_preview1\" \"" name "\" (func (param " params ") (result i32)))"
  NAMED("args_get", "i32 i32") NAMED("args_sizes_get", "i32 i32") NAMED("environ_get", "i32 i32")
  NAMED("environ_sizes_get", "i32 i32") NAMED("clock_res_get", "i32 i32")
  NAMED("clock_time_get", "i32 i64 i32") NAMED("fd_advise", "i32 i64 i64 i32")
  NAMED("fd_allocate", "i32 i64 i64") NAMED("fd_close", "i32") NAMED("fd_datasync", "i32")
  NAMED("fd_fdstat_get", "i32 i32") NAMED("fd_fdstat_set_flags", "i32 i32")
  NAMED("fd_fdstat_set_rights", "i32 i64 i64") NAMED("fd_filestat_get", "i32 i32")
  NAMED("fd_filestat_set_size", "i32 i64") NAMED("fd_filestat_set_times", "i32 i64 i64 i32")
  NAMED("fd_pread", "i32 i32 i32 i64 i32") NAMED("fd_prestat_get", "i32 i32")
  NAMED("fd_prestat_dir_name", "i32 i32 i32") NAMED("fd_pwrite", "i32 i32 i32 i64 i32")
  NAMED("fd_read", "i32 i32 i32 i32") NAMED("fd_readdir", "i32 i32 i32 i64 i32")
  NAMED("fd_renumber", "i32 i32") NAMED("fd_seek", "i32 i64 i32 i32") NAMED("fd_sync", "i32")
  NAMED("fd_tell", "i32 i32") NAMED("fd_write", "i32 i32 i32 i32")
  NAMED("path_create_directory", "i32 i32 i32") NAMED("path_filestat_get", "i32 i32 i32 i32 i32")
  NAMED("path_filestat_set_times", "i32 i32 i32 i32 i64 i64 i32")
  NAMED("path_link", "i32 i32 i32 i32 i32 i32 i32")
  NAMED("path_open", "i32 i32 i32 i32 i32 i64 i64 i32 i32")
  NAMED("path_readlink", "i32 i32 i32 i32 i32 i32") NAMED("path_remove_directory", "i32 i32 i32")
  NAMED("path_rename", "i32 i32 i32 i32 i32 i32") NAMED("path_symlink", "i32 i32 i32 i32 i32")
  NAMED("path_unlink_file", "i32 i32 i32") NAMED("poll_oneoff", "i32 i32 i32 i32")
  NAMED("proc_raise", "i32") NAMED("random_get", "i32 i32") NAMED("sched_yield", "")
  NAMED("sock_accept", "i32 i32 i32") NAMED("sock_recv", "i32 i32 i32 i32 i32 i32")
  NAMED("sock_send", "i32 i32 i32 i32 i32") NAMED("sock_shutdown", "i32 i32")
  " (import \"wasi_snapshot_preview1\" \"proc_exit\" (func (param i32))) (memory 1))";

static void every_function_is_there(void) {
  wasm_store_t* store = test_store();
  wasi_env_t* env = env_of(store);
  wasm_module_t* module = module_of(store, everything);
  wasm_extern_vec_t imports;
  accepted(wasi_get_imports(store, env, module, &imports));
  check(imports.size == 46);
  for (size_t i = 0; i < imports.size; i++) {
    check(wasm_extern_kind(imports.data[i]) == WASM_EXTERN_FUNC);
  }
  wasm_instance_t* instance = wasm_instance_new(store, module, &imports, NULL);
  if (!check(instance != NULL)) fprintf(stderr, "%s\n", last_error());
  wasm_instance_delete(instance);
  wasm_extern_vec_delete(&imports);
  wasm_module_delete(module);
  wasi_env_delete(env);
  wasm_store_delete(store);
}

/* Imports of which the third and the last two are not WASI's. */
static const char* const mixed =
  "(module " WRITES
  " (import \"host\" \"memory\" (memory 1))"
  " (import \"wasi_snapshot_preview1\" \"sched_yield\" (func $yield (result i32)))"
  " (import \"wasi_snapshot_preview1\" \"no_such_function\" (func))"
  " (import \"wasi_snapshot_preview2\" \"fd_write\" (func))" SAYS_HELLO
  " (func (export \"_start\") (call $hello)))";

static void what_is_not_wasi_is_left_to_the_host(void) {
  wasm_store_t* store = test_store();
  wasi_env_t* env = env_of(store);
  wasm_module_t* module = module_of(store, mixed);
  wasm_extern_vec_t imports = {7, NULL};
  refused(TENON_ERROR_LINK, wasi_get_imports(store, env, module, &imports));
  char name[20];
  check(tenon_last_error_import_module(name, sizeof name) == 5 && strcmp(name, "host") == 0);
  check(tenon_last_error_import_name(name, sizeof name) == 7 && strcmp(name, "memory") == 0);
  check(error_says("memory"));
  if (check(imports.size == 6)) {
    for (size_t i = 0; i < 6; i++) check((imports.data[i] != NULL) == (i < 2 || i == 3));
    // As it is it makes no instance.
    wasm_trap_t* trap = NULL;
    refused(TENON_ERROR_LINK, wasm_instance_new(store, module, &imports, &trap));
    check(trap && mentions(trap, "memory"));
    wasm_trap_delete(trap);
    imports.data[2] = wasm_memory_as_extern(memory_of(store, 1, 1));
    for (size_t i = 4; i < 6; i++) {
      imports.data[i] = wasm_func_as_extern(
        func_with_env(store, wasm_functype_new_0_0(), no_trap, NULL));
    }
    wasm_instance_t* instance = wasm_instance_new(store, module, &imports, NULL);
    wasm_func_t* start = wasi_get_start_function(instance);
    // The memory is imported, under another name, and is the instance's first.
    check(call_empty(start) == NULL && has_written(env, "hello"));
    wasm_func_delete(start);
    wasm_instance_delete(instance);
  }
  wasm_extern_vec_delete(&imports);
  wasm_module_delete(module);
  wasi_env_delete(env);
  wasm_store_delete(store);
}

static void wrong_types_do_not_link(void) {
  static const char* const texts[] = {
    "(module (import \"wasi_snapshot_preview1\" \"fd_write\" (func (param i32) (result i32))))",
    "(module (import \"wasi_snapshot_preview1\" \"fd_write\" (global i32)))",
  };
  wasm_store_t* store = test_store();
  wasi_env_t* env = env_of(store);
  for (size_t i = 0; i < 2; i++) {
    wasm_module_t* module = module_of(store, texts[i]);
    wasm_extern_vec_t imports;
    wasm_trap_t* trap = NULL;
    wasi_get_imports(store, env, module, &imports);
    check(imports.size == 1);
    refused(TENON_ERROR_LINK, wasm_instance_new(store, module, &imports, &trap));
    check(trap && mentions(trap, "fd_write"));
    wasm_trap_delete(trap);
    wasm_extern_vec_delete(&imports);
    wasm_module_delete(module);
  }
  wasi_env_delete(env);
  wasm_store_delete(store);
}

/* Proves that these are the names and functions of `mixed` that are WASI's. */
static void are_named(const wasmer_named_extern_vec_t* imports) {
  static const char* const names[] = {"fd_write", "proc_exit", "sched_yield"};
  if (!check(imports->size == 3)) return;
  for (size_t i = 0; i < 3; i++) {
    const wasmer_named_extern_t* item = imports->data[i];
    accepted(is_name(wasmer_named_extern_module(item), "wasi_snapshot_preview1"));
    accepted(is_name(wasmer_named_extern_name(item), names[i]));
    const wasm_extern_t* unwrapped = wasmer_named_extern_unwrap(item);
    const wasm_func_t* func = wasm_extern_as_func_const(unwrapped);
    check(func && wasm_func_param_arity(func) == (i == 0 ? 4 : i == 1 ? 1 : 0));
    check(unwrapped == wasmer_named_extern_unwrap(item));
  }
}

static void imports_come_with_names(void) {
  wasm_store_t* store = test_store();
  wasi_env_t* env = env_of(store);
  wasm_module_t *module = module_of(store, mixed), *without = module_of(store, "(module)");
  wasmer_named_extern_vec_t imports, copy, moved, none = {7, NULL};
  accepted(wasi_get_unordered_imports(env, module, &imports));
  are_named(&imports);
  accepted(wasi_get_unordered_imports(env, without, &none));
  check(none.size == 0 && none.data == NULL);
  wasmer_named_extern_vec_copy(&copy, &imports);
  check(copy.data[0] != imports.data[0]);
  wasmer_named_extern_vec_delete(&imports);
  check(imports.size == 0 && imports.data == NULL);
  wasm_module_delete(without);
  wasm_module_delete(module);
  wasi_env_delete(env);
  wasm_store_delete(store);
  are_named(&copy);
  wasmer_named_extern_vec_new(&moved, copy.size, copy.data);
  free(copy.data);
  are_named(&moved);
  wasmer_named_extern_vec_delete(&moved);
  wasmer_named_extern_vec_delete(&moved);
  wasmer_named_extern_vec_new_uninitialized(&moved, 3);
  check(moved.size == 3 && !moved.data[0] && !moved.data[1] && !moved.data[2]);
  wasmer_named_extern_vec_delete(&moved);
  wasmer_named_extern_vec_new_uninitialized(&moved, SIZE_MAX / 2);
  check(moved.size == 0 && moved.data == NULL);
  moved.size = 1;
  wasmer_named_extern_vec_new_empty(&moved);
  check(moved.size == 0 && moved.data == NULL);
}

static void versions_are_told_by_the_imports(void) {
  static const struct {
    const char* text;
    wasi_version_t version;
  } cases[] = {
    {"(module (import \"wasi_snapshot_preview1\" \"any\" (func)))", WASI_VERSION_SNAPSHOT1},
    {"(module (import \"env\" \"f\" (func)) (import \"wasi_snapshot_preview1\" \"g\" (memory 1)))",
     WASI_VERSION_SNAPSHOT1},
    {"(module (import \"wasi_unstable\" \"fd_write\" (func)))", WASI_VERSION_SNAPSHOT0},
    {"(module (import \"wasi_snapshot_preview1\" \"f\" (func)) (import \"wasix_32v1\" \"g\" (func)))",
     WASI_VERSION_WASIX32V1},
    {"(module (import \"env\" \"wasi_snapshot_preview1\" (func)))", WASI_VERSION_INVALID},
    {"(module (import \"wasi_snapshot_preview11\" \"f\" (func)))", WASI_VERSION_INVALID},
    {"(module)", WASI_VERSION_INVALID},
  };
  wasm_store_t* store = test_store();
  for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
    wasm_module_t* module = module_of(store, cases[i].text);
    tenon_last_error_clear();
    if (!check(wasi_get_wasi_version(module) == cases[i].version)) fprintf(stderr, "%zu\n", i);
    check((tenon_last_error_code() == TENON_OK) == (cases[i].version != WASI_VERSION_INVALID));
    wasm_module_delete(module);
  }
  wasm_store_delete(store);
}

/* A program that is built for snapshot 0, or for both. */
static void older_programs_run(void) {
  wasm_store_t* store = test_store();
  wasi_env_t* env = env_of(store);
  wasm_instance_t* instance = run_with(store, env,
    "(module (import \"wasi_unstable\" \"fd_write\""
    "  (func $write (param i32 i32 i32 i32) (result i32)))"
    " (import \"wasi_snapshot_preview1\" \"sched_yield\" (func (result i32)))"
    " (memory (export \"memory\") 1)" SAYS_HELLO " (func (export \"_start\") (call $hello)))");
  wasm_func_t* start = wasi_get_start_function(instance);
  check(call_empty(start) == NULL && has_written(env, "hello"));
  wasm_func_delete(start);
  wasm_instance_delete(instance);
  // What came later is not there.
  wasm_module_t* module = module_of(store,
    "(module (import \"wasi_unstable\" \"sock_accept\" (func (param i32 i32 i32) (result i32))))");
  wasm_extern_vec_t imports;
  refused(TENON_ERROR_LINK, wasi_get_imports(store, env, module, &imports));
  check(imports.size == 1 && imports.data[0] == NULL);
  wasm_extern_vec_delete(&imports);
  wasm_module_delete(module);
  wasi_env_delete(env);
  wasm_store_delete(store);
}

static void programs_start_at_start(void) {
  static const char* const others[] = {
    "(module)", "(module (func (export \"main\")))", "(module (memory (export \"_start\") 1))",
    "(module (func $s) (start $s))",
  };
  wasm_store_t* store = test_store();
  for (size_t i = 0; i < 4; i++) {
    wasm_instance_t* instance = instance_of(store, others[i]);
    refused(TENON_ERROR_ARGUMENT, wasi_get_start_function(instance));
    check(error_says("_start"));
    wasm_instance_delete(instance);
  }
  wasm_store_delete(store);
}

/* Functions that a guest without a memory passes on to the host, who calls them. */
static void functions_can_be_given_a_memory(void) {
  wasm_store_t *store = test_store(), *other = test_store();
  wasi_env_t* env = env_of(store);
  wasm_instance_t* bare = run_with(store, env,
    "(module " WRITES " (export \"write\" (func $write)))");
  wasm_instance_t* unnamed = instance_of(store, "(module (memory (export \"mem\") 1))");
  wasm_instance_t* elsewhere = instance_of(other, "(module (memory (export \"memory\") 1))");
  wasm_func_t* write = func_at(bare, 0);
  wasm_val_t args[] = {i32_val(1), i32_val(0), i32_val(1), i32_val(16)}, result;
  wasm_trap_t* trap = call_with(write, 4, args, 1, &result);
  check(trap && mentions(trap, "memory") && !tenon_trap_exit_status(trap, NULL));
  wasm_trap_delete(trap);
  refused(TENON_ERROR_ARGUMENT, wasi_env_initialize_instance(env, store, bare));
  check(error_says("memory"));
  refused(TENON_ERROR_ARGUMENT, wasi_env_initialize_instance(env, store, unnamed));
  refused(tenon_last_error_code(), wasi_env_initialize_instance(env, store, elsewhere));
  check(error_says("store"));
  refused(tenon_last_error_code(), wasi_env_initialize_instance(env, other, elsewhere));
  check(error_says("store"));
  wasm_memory_t *memory = memory_at(unnamed, 0), *wrong = memory_at(elsewhere, 0);
  tenon_last_error_clear();
  wasi_env_set_memory(env, wrong);
  check(tenon_last_error_code() != TENON_OK && error_says("store"));
  wasi_env_set_memory(env, memory);
  memcpy(wasm_memory_data(memory), "\10\0\0\0\4\0\0\0text", 12);
  check(call_with(write, 4, args, 1, &result) == NULL && result.of.i32 == 0);
  check(has_written(env, "text"));
  wasm_instance_t* named = run_with(store, env, program);
  accepted(wasi_env_initialize_instance(env, store, named));
  check(call_with(write, 4, args, 1, &result) == NULL && has_written(env, "hello"));
  wasm_memory_delete(wrong);
  wasm_memory_delete(memory);
  wasm_func_delete(write);
  wasm_instance_t* const instances[] = {named, elsewhere, unnamed, bare};
  for (size_t i = 0; i < 4; i++) wasm_instance_delete(instances[i]);
  wasi_env_delete(env);
  wasm_store_delete(other);
  wasm_store_delete(store);
}

/* A store is used by one thread at a time, and so is the state that its functions share. */
static void the_state_stays_in_its_store(void) {
  wasm_store_t *store = test_store(), *other = test_store();
  wasi_env_t* env = env_of(store);
  wasm_module_t* module = module_of(other, program);
  wasm_extern_vec_t imports = {7, NULL};
  refused(tenon_last_error_code(), wasi_get_imports(other, env, module, &imports));
  check(tenon_last_error_code() != TENON_OK && imports.size == 0);
  wasm_extern_vec_delete(&imports);
  wasm_module_delete(module);
  wasi_env_delete(env);
  wasm_store_delete(other);
  wasm_store_delete(store);
}

static void functions_outlive_the_state(void) {
  wasm_store_t* store = test_store();
  wasi_env_t *env = env_of(store), *second = env_of(store);
  wasm_instance_t* instance = run_with(store, env, program);
  wasm_instance_t* other = run_with(store, second, program);
  wasm_func_t* start = wasi_get_start_function(instance);
  check(call_empty(start) == NULL && has_written(env, "hello") && has_written(second, ""));
  wasi_env_delete(env);
  wasm_store_delete(store);
  wasm_instance_delete(instance);
  check(call_empty(start) == NULL && has_written(second, ""));
  wasm_func_delete(start);
  start = wasi_get_start_function(other);
  wasm_instance_delete(other);
  check(call_empty(start) == NULL);
  wasm_func_delete(start);
  check(has_written(second, "hello"));
  wasi_env_delete(second);
}

/* A callback that calls a function with 7 and passes its trap on. */
static own wasm_trap_t* pass_on(void* env, const wasm_val_vec_t* args, wasm_val_vec_t* results) {
  (void)args, (void)results;
  wasm_val_t arg = i32_val(7), result;
  return call_with(env, 1, &arg, 1, &result);
}

static void exits_are_told_from_traps(void) {
  static const uint32_t statuses[] = {0, 1, 3, 255, 256, 0x80000000, 0xffffffff};
  wasm_store_t* store = test_store();
  wasi_env_t* env = env_of(store);
  wasm_instance_t* instance = run_with(store, env, program);
  wasm_func_t *exit = func_at(instance, 2), *fault = func_at(instance, 3);
  for (size_t i = 0; i < sizeof statuses / sizeof *statuses; i++) {
    wasm_trap_t* trap = NULL;
    uint32_t status = 77;
    call_i32(exit, (int32_t)statuses[i], &trap);
    if (!check(trap != NULL)) continue;
    accepted(tenon_trap_exit_status(trap, &status) && status == statuses[i]);
    accepted(tenon_trap_exit_status(trap, NULL));
    check(tenon_trap_code(trap) == TENON_TRAP_NONE && mentions(trap, "exit"));
    has_trace(trap, 1, (wasm_instance_t*[]){instance}, (uint32_t[]){4});
    wasm_trap_t* copy = wasm_trap_copy(trap);
    wasm_trap_delete(trap);
    check(tenon_trap_exit_status(copy, &status) && status == statuses[i]);
    wasm_trap_delete(copy);
  }
  // Through a host and another guest.
  wasm_instance_t* outer = around(store, pass_on, exit);
  uint32_t status = 77;
  wasm_trap_t* trap = call_export(outer, 2);
  check(tenon_trap_exit_status(trap, &status) && status == 7);
  wasm_trap_delete(trap);
  wasm_trap_t* others[] = {call_empty(fault), raised_in(store, "exit with status 3"), NULL};
  for (size_t i = 0; i < 3; i++) {
    status = 77;
    check(!tenon_trap_exit_status(others[i], &status) && status == 77);
    check(!tenon_trap_exit_status(others[i], NULL));
    wasm_trap_delete(others[i]);
  }
  wasm_instance_delete(outer);
  wasm_func_delete(fault);
  wasm_func_delete(exit);
  wasm_instance_delete(instance);
  wasi_env_delete(env);
  wasm_store_delete(store);
}

/* Settings, and what is made of them, of null. */
static void null_settings_are_refused(void) {
  wasm_store_t* store = test_store();
  wasi_config_t* config = wasi_config_new("program");
  refused(TENON_ERROR_ARGUMENT, wasi_config_new(NULL));
  for (int i = 0; i < 2; i++) {
    wasi_config_t* some = i ? config : NULL;
    const char* text = i ? NULL : "text";
    objects(wasi_config_arg(some, text));
    objects(wasi_config_env(some, text, "value"));
    objects(wasi_config_env(some, "key", text));
    refused(TENON_ERROR_ARGUMENT, wasi_config_preopen_dir(some, i ? NULL : "."));
    refused(TENON_ERROR_ARGUMENT, wasi_config_mapdir(some, text, "."));
    refused(TENON_ERROR_ARGUMENT, wasi_config_mapdir(some, "/", i ? NULL : "."));
  }
  objects(wasi_config_inherit_stdin(NULL));
  objects(wasi_config_inherit_stdout(NULL));
  objects(wasi_config_inherit_stderr(NULL));
  objects(wasi_config_capture_stdout(NULL));
  objects(wasi_config_capture_stderr(NULL));
  refused(TENON_ERROR_ARGUMENT, wasi_env_new(store, NULL));
  // Takes the settings over all the same.
  refused(TENON_ERROR_ARGUMENT, wasi_env_new(NULL, config));
  accepted((wasi_config_delete(NULL), wasi_env_delete(NULL), true));
  wasm_store_delete(store);
}

static void null_is_refused_by_the_rest(void) {
  char byte;
  wasm_store_t* store = test_store();
  wasi_env_t* env = env_of(store);
  wasm_module_t* module = module_of(store, program);
  wasm_instance_t* instance = run_with(store, env, program);
  wasm_memory_t* memory = memory_at(instance, 0);
  objects(check(wasi_env_read_stdout(NULL, &byte, 1) == -1));
  objects(check(wasi_env_read_stderr(NULL, &byte, 1) == -1));
  objects(wasi_env_set_memory(NULL, memory));
  objects(wasi_env_set_memory(env, NULL));
  refused(TENON_ERROR_ARGUMENT, wasi_env_initialize_instance(NULL, store, instance));
  refused(TENON_ERROR_ARGUMENT, wasi_env_initialize_instance(env, NULL, instance));
  refused(TENON_ERROR_ARGUMENT, wasi_env_initialize_instance(env, store, NULL));
  wasm_extern_vec_t imports;
  for (int i = 0; i < 3; i++) {
    imports = (wasm_extern_vec_t){7, NULL};
    refused(TENON_ERROR_ARGUMENT, wasi_get_imports(
      i == 0 ? NULL : store, i == 1 ? NULL : env, i == 2 ? NULL : module, &imports));
    check(imports.size == 0 && imports.data == NULL);
  }
  refused(TENON_ERROR_ARGUMENT, wasi_get_imports(store, env, module, NULL));
  wasmer_named_extern_vec_t named;
  for (int i = 0; i < 2; i++) {
    named = (wasmer_named_extern_vec_t){7, NULL};
    refused(TENON_ERROR_ARGUMENT,
      wasi_get_unordered_imports(i == 0 ? NULL : env, i == 1 ? NULL : module, &named));
    check(named.size == 0 && named.data == NULL);
  }
  refused(TENON_ERROR_ARGUMENT, wasi_get_unordered_imports(env, module, NULL));
  refused(TENON_ERROR_ARGUMENT, wasmer_named_extern_module(NULL));
  refused(TENON_ERROR_ARGUMENT, wasmer_named_extern_name(NULL));
  refused(TENON_ERROR_ARGUMENT, wasmer_named_extern_unwrap(NULL));
  refused(TENON_ERROR_ARGUMENT, wasi_get_start_function(NULL));
  objects(check(wasi_get_wasi_version(NULL) == WASI_VERSION_INVALID));
  wasmer_named_extern_vec_new_empty(NULL);
  wasmer_named_extern_vec_new_uninitialized(NULL, 3);
  wasmer_named_extern_vec_new(NULL, 0, NULL);
  wasmer_named_extern_vec_new(&named, 3, NULL);
  check(named.size == 0 && named.data == NULL);
  named.size = 7;
  wasmer_named_extern_vec_copy(&named, NULL);
  check(named.size == 0 && named.data == NULL);
  wasmer_named_extern_vec_copy(NULL, &named);
  wasmer_named_extern_vec_delete(NULL);
  wasm_memory_delete(memory);
  wasm_instance_delete(instance);
  wasm_module_delete(module);
  wasi_env_delete(env);
  wasm_store_delete(store);
}

int main(void) {
  every_function_is_there();
  what_is_not_wasi_is_left_to_the_host();
  wrong_types_do_not_link();
  imports_come_with_names();
  versions_are_told_by_the_imports();
  older_programs_run();
  programs_start_at_start();
  functions_can_be_given_a_memory();
  the_state_stays_in_its_store();
  functions_outlive_the_state();
  exits_are_told_from_traps();
  null_settings_are_refused();
  null_is_refused_by_the_rest();
  return done();
}
