/* What the test programs share. A program proves its sentences with `check`, and returns
 * `done()`: 0 if all held. With TEST_EXPLICIT_CHECKS=1 in the environment the engines check
 * everything by code, so that valgrind sees no fault; TEST_LAZY=1 compiles functions on their
 * first call. */

#ifndef HARNESS_H
#define HARNESS_H

#include <inttypes.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <tenon.h>

#define own

static int checks, failures;

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

static inline int done(void) {
  if (failures) fprintf(stderr, "%d of %d checks failed\n", failures, checks);
  return failures != 0 || checks == 0;
}

/* Whether an environment variable is set to 1. */
static inline bool is_set(const char* variable) {
  const char* value = getenv(variable);
  return value && strcmp(value, "1") == 0;
}

/* Settings as the environment wants them. */
static inline own wasm_config_t* test_config(void) {
  wasm_config_t* config = wasm_config_new();
  tenon_config_explicit_checks_set(config, is_set("TEST_EXPLICIT_CHECKS"));
  tenon_config_lazy_compilation_set(config, is_set("TEST_LAZY"));
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
  static char buffer[1024];
  if (tenon_last_error_message(buffer, sizeof buffer) == 0) buffer[0] = 0;
  return buffer;
}

/* A module of text; ends the program if the text is wrong. */
static inline own wasm_module_t* module_of(wasm_store_t* store, const char* text) {
  wasm_byte_vec_t bytes = {strlen(text), (char*)text};
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

#endif
