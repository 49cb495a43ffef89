/* What the measures share: the library's functions, clocks, modules. */

#ifndef BENCH_H
#define BENCH_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <wasm.h>

/* The functions that are used, found in the library at run time. */
#define FUNCTIONS(F) \
  F(engine_new) F(engine_delete) F(store_new) F(store_delete) F(module_new) F(module_delete) \
  F(module_serialize) F(module_deserialize) F(module_share) F(module_obtain) \
  F(shared_module_delete) F(module_imports) F(importtype_vec_delete) F(importtype_type) \
  F(importtype_module) F(importtype_name) F(externtype_as_functype_const) F(functype_results) \
  F(valtype_kind) F(instance_new) F(instance_delete) F(instance_exports) F(extern_vec_delete) \
  F(extern_as_func) F(extern_as_memory) F(func_new) F(func_new_with_env) F(func_as_extern) \
  F(func_call) F(func_copy) F(func_delete) F(functype_new) F(functype_delete) F(valtype_new) \
  F(valtype_vec_new) F(byte_vec_delete) F(memory_data) F(module_exports) \
  F(exporttype_vec_delete) F(exporttype_name)

#define POINTER(name) __typeof__(wasm_##name)* name;
typedef struct {
  FUNCTIONS(POINTER)
} api_t;
extern api_t api;

/* The path of the library, the folder of the modules that come with the bench, and that of
 * modules of others. */
extern const char *library_path, *modules, *real_modules;

/* A measure returns its figure, or NAN if the library lacks something that it needs. */
typedef struct {
  const char *name, *unit, *what;
  double (*measure)(void);
} measure_t;

/* The measures of each file, ended by one without a name. */
extern const measure_t call_measures[], instance_measures[], module_measures[],
  process_measures[];

/* Ends the process with a message. */
_Noreturn void fail(const char* what);

/* Loads the library; ends the process if it cannot be used. */
void load(const char* path);

/* A function of the library's beyond wasm.h, NULL if it has none. */
void* optional(const char* name);

/* Seconds that have passed, and seconds of processor time that this process has used. */
double wall(void);
double cpu(void);

/* Seconds of processor time that a piece of work takes for one of `count` repetitions: the least
 * of several runs of about a tenth of a second. */
double best(void (*work)(void* context, size_t count), void* context);

/* The same by wall clock, for work that uses several threads. */
double best_wall(void (*work)(void* context, size_t count), void* context);

/* Reads a file of a folder, NAME.wasm; size 0 if it is not there. */
wasm_byte_vec_t read_module(const char* folder, const char* name);

/* Bytes of memory that this process has resident, in MiB. */
double resident(void);

/* A module in a store. */
typedef struct {
  wasm_engine_t* engine;
  wasm_store_t* store;
  wasm_module_t* module;
  wasm_byte_vec_t bytes;
  wasm_func_t* func;
  wasm_val_vec_t args, results;
} context_t;

/* Engine, store, and one of the bench's own modules. */
context_t context_of(const char* module);

/* The function type (i32) -> i32. */
wasm_functype_t* i32_to_i32(void);

/* An instance of a module whose imports are functions that do nothing and return 0. */
wasm_instance_t* instance_with_dummies(wasm_store_t* store, const wasm_module_t* module);

/* The export of an instance at this place, or with this name; NULL if there is none. */
wasm_func_t* func_at(const wasm_instance_t* instance, size_t index);
wasm_extern_t* export_named(
  const wasm_module_t* module, const wasm_extern_vec_t* exports, const char* name);

/* Runs a script on a JavaScript engine; seconds until it has printed its result. */
double time_to_first_result(void);

/* What a child of the measures of processes does. */
void run_child(const char* what, const char* argument);

#endif
