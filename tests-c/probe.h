/* A program of WASI that does what the host tells it: it exports the functions that it imports, and
 * the host puts their arguments into its memory. */

#ifndef PROBE_H
#define PROBE_H

#include <wasi.h>

#define own

#include "harness.h"

/* The functions that the probe passes on to the host, with their parameters. */
static const char* const functions[][2] = {
  {"args_sizes_get", "i32 i32"}, {"args_get", "i32 i32"}, {"environ_sizes_get", "i32 i32"},
  {"environ_get", "i32 i32"}, {"fd_write", "i32 i32 i32 i32"}, {"fd_read", "i32 i32 i32 i32"},
  {"fd_prestat_get", "i32 i32"}, {"fd_prestat_dir_name", "i32 i32 i32"},
  {"path_open", "i32 i32 i32 i32 i32 i64 i64 i32 i32"}, {"fd_close", "i32"},
  {"path_unlink_file", "i32 i32 i32"}, {"path_symlink", "i32 i32 i32 i32 i32"},
  {"clock_time_get", "i32 i64 i32"}, {"random_get", "i32 i32"}, {"poll_oneoff", "i32 i32 i32 i32"},
};

enum {
  ARGS_SIZES, ARGS, ENVIRON_SIZES, ENVIRON, WRITE, READ, PRESTAT, DIR_NAME, OPEN, CLOSE, UNLINK,
  SYMLINK, CLOCK_TIME, RANDOM, POLL, FUNCTIONS
};

/* Error numbers of WASI. */
enum {
  SUCCESS = 0, BAD_FD = 8, IO_ERROR = 29, NO_ENTRY = 44, NO_SPACE = 51, NOT_PERMITTED = 63, PIPE = 64,
  NOT_CAPABLE = 76
};

/* A module that exports a memory and, under their names, functions that pass their arguments on. */
static inline own wasm_module_t* probe_module(wasm_store_t* store) {
  static char text[8000];
  char* end = text + sprintf(text, "(module");
  for (size_t i = 0; i < FUNCTIONS; i++) {
    end += sprintf(end, " (import \"wasi_snapshot_preview1\" \"%s\" (func $%s (param %s)"
      " (result i32)))", functions[i][0], functions[i][0], functions[i][1]);
  }
  end += sprintf(end,
    " (import \"wasi_snapshot_preview1\" \"proc_exit\" (func $exit (param i32)))");
  for (size_t i = 0; i < FUNCTIONS; i++) {
    end += sprintf(end, " (func (export \"%s\") (param %s) (result i32)", functions[i][0],
      functions[i][1]);
    // The types are of three letters and a space.
    for (size_t j = 0; j < (strlen(functions[i][1]) + 1) / 4; j++) {
      end += sprintf(end, " local.get %zu", j);
    }
    end += sprintf(end, " call $%s)", functions[i][0]);
  }
  sprintf(end, " (memory (export \"memory\") 2) (func (export \"exit\") (param i32) (result i32)"
    "  (call $exit (local.get 0)) unreachable) (func (export \"_start\")))");
  return module_of(store, text);
}

/* A program that does what the host tells it. */
struct probe {
  wasm_store_t* store;
  wasi_env_t* env;
  wasm_instance_t* instance;
  wasm_memory_t* memory;
};

/* Makes a program with these settings. */
static inline void set_up(struct probe* probe, own wasi_config_t* config) {
  probe->store = test_store();
  probe->env = wasi_env_new(probe->store, config);
  wasm_module_t* module = probe_module(probe->store);
  wasm_extern_vec_t imports;
  check(probe->env != NULL);
  accepted(wasi_get_imports(probe->store, probe->env, module, &imports));
  check(imports.size == FUNCTIONS + 1);
  probe->instance = wasm_instance_new(probe->store, module, &imports, NULL);
  check(probe->instance != NULL);
  wasm_extern_vec_delete(&imports);
  wasm_module_delete(module);
  probe->memory = memory_at(probe->instance, FUNCTIONS);
}

static inline void tear_down(struct probe* probe) {
  wasm_memory_delete(probe->memory);
  wasm_instance_delete(probe->instance);
  wasi_env_delete(probe->env);
  wasm_store_delete(probe->store);
}

/* Has the program call a function; the error number. */
static inline int32_t calls(struct probe* probe, size_t function, const int64_t args[]) {
  wasm_func_t* func = func_at(probe->instance, function);
  wasm_functype_t* type = wasm_func_type(func);
  const wasm_valtype_vec_t* params = wasm_functype_params(type);
  wasm_val_t values[9], result = WASM_INIT_VAL;
  for (size_t i = 0; i < params->size; i++) {
    values[i].kind = wasm_valtype_kind(params->data[i]);
    values[i].of.i64 = args[i];
  }
  wasm_trap_t* trap = call_with(func, params->size, values, 1, &result);
  check(trap == NULL);
  wasm_trap_delete(trap);
  wasm_functype_delete(type);
  wasm_func_delete(func);
  return result.of.i32;
}

#define CALL(probe, function, ...) calls(probe, function, (const int64_t[]){__VA_ARGS__})

/* What is at an address in the program's memory. */
static inline char* at(struct probe* probe, uint32_t address) {
  return wasm_memory_data(probe->memory) + address;
}

static inline uint32_t word_at(struct probe* probe, uint32_t address) {
  uint32_t word;
  memcpy(&word, at(probe, address), sizeof word);
  return word;
}

/* Puts text at 4096, described by the buffer at 0. */
static inline size_t put(struct probe* probe, const char* text) {
  uint32_t buffer[] = {4096, (uint32_t)strlen(text)};
  memcpy(at(probe, 0), buffer, sizeof buffer);
  memcpy(at(probe, 4096), text, strlen(text));
  return strlen(text);
}

static inline void writes(struct probe* probe, int fd, const char* text) {
  size_t size = put(probe, text);
  check(CALL(probe, WRITE, fd, 0, 1, 16) == SUCCESS && word_at(probe, 16) == size);
}

/* Opens a file below a directory, to read it, or to write it anew; the error number. */
static inline int32_t opens(struct probe* probe, int dir, const char* path, bool new) {
  int64_t size = (int64_t)put(probe, path), rights = new ? 1 << 6 : 1 << 1;
  return CALL(probe, OPEN, dir, 1, 4096, size, new ? 9 : 0, rights, 0, 0, 20);
}

/* Proves that a file below a directory has this text. */
static inline void reads(struct probe* probe, int dir, const char* path, const char* text) {
  if (!check(opens(probe, dir, path, false) == SUCCESS)) return;
  uint32_t buffer[] = {8192, 1000}, fd = word_at(probe, 20);
  memcpy(at(probe, 0), buffer, sizeof buffer);
  check(CALL(probe, READ, fd, 0, 1, 16) == SUCCESS && word_at(probe, 16) == strlen(text));
  check(memcmp(at(probe, 8192), text, strlen(text)) == 0);
  check(CALL(probe, CLOSE, fd) == SUCCESS && CALL(probe, CLOSE, fd) == BAD_FD);
}

/* Settings of a program without anything. */
static inline own wasi_config_t* settings(void) {
  wasi_config_t* config = wasi_config_new("probe");
  check(config != NULL);
  return config;
}

#endif
