/* What the test programs share. A program proves its sentences with `check`, and returns
 * `done()`: 0 if all held. With TEST_EXPLICIT_CHECKS=1 in the environment the engines check
 * everything by code, so that valgrind sees no fault; TEST_COMPILATION says when functions are
 * compiled: adaptive, eager, lazy or ahead. */

#ifndef HARNESS_H
#define HARNESS_H

#include <inttypes.h>
#include <pthread.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include <tenon.h>

#define own

/* Threads check as well. */
static _Atomic int checks, failures;

/* Proves a condition; says where if it does not hold. */
#define check(condition) check_at((condition), #condition, __FILE__, __LINE__)

static inline bool check_at(bool holds, const char* what, const char* file, int line) {
  checks++;
  if (!holds) {
    failures++;
    fprintf(stderr, "%s:%d: not true: %s\n", file, line, what);
  }
  return holds;
}

/* Proves that a call returns null, false or 0, and has set the last error to one of this kind. */
#define refused(code, call) \
  (tenon_last_error_clear(), check(!(call)), check(tenon_last_error_code() == (code)))

/* Proves that a call succeeds, which leaves the last error as it was. */
#define accepted(call) \
  (tenon_last_error_clear(), check(call), check(tenon_last_error_code() == TENON_OK))

static inline int done(void) {
  if (failures) fprintf(stderr, "%d of %d checks failed\n", failures, checks);
  return failures != 0 || checks == 0;
}

/* Whether an environment variable is set to 1. */
static inline bool is_set(const char* variable) {
  const char* value = getenv(variable);
  return value && strcmp(value, "1") == 0;
}

/* How often to repeat something: less often under valgrind, which is slow. */
static inline size_t rounds(size_t usually, size_t under_valgrind) {
  return is_set("TEST_VALGRIND") ? under_valgrind : usually;
}

/* Sets when and how functions are compiled, as the environment wants it. */
static inline void test_compilation(wasm_config_t* config) {
  const char* const names[] = {"adaptive", "eager", "lazy", "ahead"};
  const char* wanted = getenv("TEST_COMPILATION");
  for (uint8_t i = 0; wanted && i < sizeof names / sizeof *names; i++) {
    if (strcmp(wanted, names[i]) == 0) tenon_config_compilation_set(config, i);
  }
  const char* count = getenv("TEST_TIER_UP_AFTER");
  if (count) tenon_config_tier_up_after_set(config, (uint32_t)atoi(count));
}

/* Settings as the environment wants them. */
static inline own wasm_config_t* test_config(void) {
  wasm_config_t* config = wasm_config_new();
  tenon_config_explicit_checks_set(config, is_set("TEST_EXPLICIT_CHECKS"));
  test_compilation(config);
  return config;
}

static inline own wasm_engine_t* test_engine(void) {
  return wasm_engine_new_with_config(test_config());
}

/* A store whose engine nobody else has. */
static inline own wasm_store_t* test_store(void) {
  wasm_engine_t* engine = test_engine();
  wasm_store_t* store = wasm_store_new(engine);
  wasm_engine_delete(engine);
  return store;
}

/* The thread's last error, in a buffer that the next call overwrites; "" if there is none. */
static inline const char* last_error(void) {
  static _Thread_local char buffer[1024];
  if (tenon_last_error_message(buffer, sizeof buffer) == 0) buffer[0] = 0;
  return buffer;
}

/* Whether the last error contains this text. */
static inline bool error_says(const char* text) {
  bool found = strstr(last_error(), text) != NULL;
  if (!found) fprintf(stderr, "last error: '%s'\n", last_error());
  return found;
}

/* Bytes of a string, borrowed. */
static inline wasm_byte_vec_t bytes_of(const char* text) {
  return (wasm_byte_vec_t){strlen(text), (char*)text};
}

/* The binary form of a module of text; ends the program if the text is wrong. */
static inline own wasm_byte_vec_t binary_of(const char* text) {
  wasm_byte_vec_t source = bytes_of(text), binary;
  if (tenon_wat2wasm(&source, &binary) != TENON_OK) {
    fprintf(stderr, "%s\n%s\n", last_error(), text);
    exit(2);
  }
  return binary;
}

/* A module of text; ends the program if the text is wrong. */
static inline own wasm_module_t* module_of(wasm_store_t* store, const char* text) {
  wasm_byte_vec_t bytes = bytes_of(text);
  wasm_module_t* module = tenon_module_new_wat(store, &bytes);
  if (!module) {
    fprintf(stderr, "%s\n%s\n", last_error(), text);
    exit(2);
  }
  return module;
}

/* An instance of text without imports, or with `count` of them; ends the program if it fails. */
static inline own wasm_instance_t* instance_with(
  wasm_store_t* store, const char* text, size_t count, wasm_extern_t* imports[]
) {
  wasm_module_t* module = module_of(store, text);
  wasm_extern_vec_t vec = {count, imports};
  wasm_instance_t* instance = wasm_instance_new(store, module, &vec, NULL);
  if (!instance) {
    fprintf(stderr, "%s\n%s\n", last_error(), text);
    exit(2);
  }
  wasm_module_delete(module);
  return instance;
}

static inline own wasm_instance_t* instance_of(wasm_store_t* store, const char* text) {
  return instance_with(store, text, 0, NULL);
}

/* A copy of the export at a position; the caller deletes it. */
static inline own wasm_extern_t* export_at(const wasm_instance_t* instance, size_t index) {
  wasm_extern_vec_t exports;
  wasm_instance_exports(instance, &exports);
  wasm_extern_t* item = index < exports.size ? wasm_extern_copy(exports.data[index]) : NULL;
  wasm_extern_vec_delete(&exports);
  return item;
}

/* The same as a function; the caller deletes it. */
static inline own wasm_func_t* func_at(const wasm_instance_t* instance, size_t index) {
  wasm_extern_t* item = export_at(instance, index);
  wasm_func_t* func = item ? wasm_func_copy(wasm_extern_as_func(item)) : NULL;
  wasm_extern_delete(item);
  return func;
}

/* The same as a global, a table, a memory. */
static inline own wasm_global_t* global_at(const wasm_instance_t* instance, size_t index) {
  wasm_extern_t* item = export_at(instance, index);
  wasm_global_t* global = item ? wasm_global_copy(wasm_extern_as_global(item)) : NULL;
  wasm_extern_delete(item);
  return global;
}

static inline own wasm_table_t* table_at(const wasm_instance_t* instance, size_t index) {
  wasm_extern_t* item = export_at(instance, index);
  wasm_table_t* table = item ? wasm_table_copy(wasm_extern_as_table(item)) : NULL;
  wasm_extern_delete(item);
  return table;
}

static inline own wasm_memory_t* memory_at(const wasm_instance_t* instance, size_t index) {
  wasm_extern_t* item = export_at(instance, index);
  wasm_memory_t* memory = item ? wasm_memory_copy(wasm_extern_as_memory(item)) : NULL;
  wasm_extern_delete(item);
  return memory;
}

/* Calls a function with as many arguments and room for as many results as given. */
static inline own wasm_trap_t* call_with(
  const wasm_func_t* func, size_t arg_count, wasm_val_t args[], size_t room, wasm_val_t results[]
) {
  wasm_val_vec_t arg_vec = {arg_count, args}, result_vec = {room, results};
  return wasm_func_call(func, &arg_vec, &result_vec);
}

/* Calls a function without arguments and results. */
static inline own wasm_trap_t* call_empty(const wasm_func_t* func) {
  return call_with(func, 0, NULL, 0, NULL);
}

/* Calls a function of at most one i32 and returns its i32, or -1 and the trap. */
static inline int32_t call_i32(wasm_func_t* func, int32_t arg, own wasm_trap_t** trap) {
  wasm_val_t args[1] = {WASM_I32_VAL(arg)};
  wasm_val_t results[1] = {WASM_INIT_VAL};
  wasm_val_vec_t arg_vec = {wasm_func_param_arity(func), args};
  wasm_val_vec_t result_vec = {wasm_func_result_arity(func), results};
  wasm_trap_t* raised = wasm_func_call(func, &arg_vec, &result_vec);
  if (trap) *trap = raised;
  else wasm_trap_delete(raised);
  return raised ? -1 : results[0].of.i32;
}

/* Whether a trap's message is this text, zero byte included. */
static inline bool has_message(const wasm_trap_t* trap, const char* text) {
  wasm_message_t message;
  wasm_trap_message(trap, &message);
  size_t size = strlen(text) + 1;
  bool same = message.size == size && memcmp(message.data, text, size) == 0;
  if (!same && message.data) fprintf(stderr, "message: '%.*s'\n", (int)message.size, message.data);
  wasm_byte_vec_delete(&message);
  return same;
}

/* Whether a trap's message contains this text. */
static inline bool mentions(const wasm_trap_t* trap, const char* text) {
  wasm_message_t message;
  wasm_trap_message(trap, &message);
  bool found = message.data && strstr(message.data, text);
  if (!found && message.data) fprintf(stderr, "message: '%s'\n", message.data);
  wasm_byte_vec_delete(&message);
  return found;
}

static inline own wasm_functype_t* type_i32_i32(void) {
  return wasm_functype_new_1_1(wasm_valtype_new_i32(), wasm_valtype_new_i32());
}

/* A table type or memory type of these limits. */
static inline own wasm_tabletype_t* type_of_table(wasm_valkind_t kind, uint32_t min, uint32_t max) {
  wasm_limits_t limits = {min, max};
  return wasm_tabletype_new(wasm_valtype_new(kind), &limits);
}

static inline own wasm_memorytype_t* type_of_memory(uint32_t min, uint32_t max) {
  wasm_limits_t limits = {min, max};
  return wasm_memorytype_new(&limits);
}

/* A host function, its type deleted. */
static inline own wasm_func_t* func_of_type(
  wasm_store_t* store, own wasm_functype_t* type, wasm_func_callback_t callback
) {
  wasm_func_t* func = wasm_func_new(store, type, callback);
  wasm_functype_delete(type);
  return func;
}

static inline own wasm_func_t* func_with_env(
  wasm_store_t* store, own wasm_functype_t* type, wasm_func_callback_with_env_t callback, void* env
) {
  wasm_func_t* func = wasm_func_new_with_env(store, type, callback, env, NULL);
  wasm_functype_delete(type);
  return func;
}

/* A host's table, memory, global, their types deleted. */
static inline own wasm_table_t* table_of(
  wasm_store_t* store, wasm_valkind_t kind, uint32_t min, uint32_t max
) {
  wasm_tabletype_t* type = type_of_table(kind, min, max);
  wasm_table_t* table = wasm_table_new(store, type, NULL);
  wasm_tabletype_delete(type);
  return table;
}

static inline own wasm_memory_t* memory_of(wasm_store_t* store, uint32_t min, uint32_t max) {
  wasm_memorytype_t* type = type_of_memory(min, max);
  wasm_memory_t* memory = wasm_memory_new(store, type);
  wasm_memorytype_delete(type);
  return memory;
}

static inline own wasm_global_t* global_of(
  wasm_store_t* store, wasm_mutability_t mutability, wasm_val_t value
) {
  wasm_globaltype_t* type = wasm_globaltype_new(wasm_valtype_new(value.kind), mutability);
  wasm_global_t* global = wasm_global_new(store, type, &value);
  wasm_globaltype_delete(type);
  return global;
}

static inline wasm_val_t i32_val(int32_t value) {
  return (wasm_val_t)WASM_I32_VAL(value);
}

static inline wasm_val_t extern_val(wasm_ref_t* reference) {
  return (wasm_val_t)WASM_REF_VAL(reference);
}

static inline wasm_val_t func_val(wasm_ref_t* reference) {
  return (wasm_val_t){.kind = WASM_FUNCREF, .of = {.ref = reference}};
}

/* A finalizer that counts its runs, and what it counts in. */
static _Atomic int finalized;

static inline void count_finalized(void* info) {
  (void)info;
  finalized++;
}

/* The number of lines in a file such as /proc/self/maps. */
static inline size_t lines_of(const char* path) {
  FILE* file = fopen(path, "r");
  size_t lines = 0;
  for (int c; file && (c = getc(file)) != EOF;) lines += c == '\n';
  if (file) fclose(file);
  return lines;
}

/* Bytes of the process: field 0 of /proc/self/statm is its address space, 1 is what is resident. */
static inline size_t bytes_in_statm(int field) {
  FILE* file = fopen("/proc/self/statm", "r");
  size_t pages[2] = {0, 0};
  if (file && fscanf(file, "%zu %zu", &pages[0], &pages[1]) != 2) pages[0] = 0;
  if (file) fclose(file);
  return pages[field] * (size_t)sysconf(_SC_PAGESIZE);
}

/* Runs a part of the test in a child process; the child's status as waitpid has it. */
static inline int in_child(void (*part)(void)) {
  fflush(NULL);
  pid_t child = fork();
  if (child == 0) {
    failures = 0;
    part();
    _exit(failures != 0);
  }
  int status = -1;
  while (child > 0 && waitpid(child, &status, 0) < 0) continue;
  return status;
}

/* Runs a part of the test on a thread with a stack of this size. */
static inline void* on_thread(size_t stack, void* (*part)(void*), void* arg) {
  pthread_attr_t attributes;
  pthread_t thread;
  void* result = NULL;
  pthread_attr_init(&attributes);
  pthread_attr_setstacksize(&attributes, stack);
  if (check(pthread_create(&thread, &attributes, part, arg) == 0)) pthread_join(thread, &result);
  pthread_attr_destroy(&attributes);
  return result;
}

#endif
