/* A script on a real JavaScript engine (StarlingMonkey, 10.5 MB): what it takes until the script
 * has printed its result, compiling included.
 *
 * The engine is made to read a command line and a script when it is prepared for a snapshot; it
 * does so through WASI preview 1, of which what it needs is here: the two files, output, a clock
 * and random numbers that are always the same. What it imports beyond that is not called. */

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "bench.h"

#define BAD_DESCRIPTOR 8
#define NOT_SUPPORTED 58
#define CANNOT_SEEK 29

enum { STDIN, STDOUT, STDERR, ROOT, SCRIPT };

static const char command_line[] = "bench /script.js\n";

static const char program[] =
  "function fib(n) { return n < 2 ? n : fib(n - 1) + fib(n - 2); }\n"
  "const words = {};\n"
  "for (let i = 0; i < 1000; i++) {\n"
  "  const key = 'k' + i * 7919 % 97;\n"
  "  words[key] = (words[key] || 0) + i;\n"
  "}\n"
  "console.log('result', fib(15), JSON.stringify(words).length, [3, 1, 2].sort().join());\n";

static const char expected[] = "result 610 1058 1,2,3\n";

/* A file that is read. */
typedef struct {
  const char* bytes;
  size_t size, at;
} stream_t;

static stream_t in = {command_line, sizeof command_line - 1, 0};
static stream_t script = {program, sizeof program - 1, 0};
static wasm_memory_t* memory;
static char printed[256];
static size_t printed_size;

static char* at(uint32_t address) {
  return api.memory_data(memory) + address;
}

static uint32_t load32(uint32_t address) {
  uint32_t value;
  memcpy(&value, at(address), sizeof value);
  return value;
}

static void store32(uint32_t address, uint32_t value) {
  memcpy(at(address), &value, sizeof value);
}

static void store64(uint32_t address, uint64_t value) {
  memcpy(at(address), &value, sizeof value);
}

static stream_t* stream(uint32_t descriptor) {
  return descriptor == STDIN ? &in : descriptor == SCRIPT ? &script : NULL;
}

/* Argument `n`, a number of 32 bits. */
#define ARG(n) ((uint32_t)args[n].of.i32)

static uint32_t nothing_there(const wasm_val_t* args) {
  store32(ARG(0), 0);
  store32(ARG(1), 0);
  return 0;
}

static uint32_t success(const wasm_val_t* args) {
  (void)args;
  return 0;
}

static uint32_t clock_time_get(const wasm_val_t* args) {
  store64(ARG(2), 1000000000);
  return 0;
}

static uint32_t random_get(const wasm_val_t* args) {
  memset(at(ARG(0)), 7, ARG(1));
  return 0;
}

static uint32_t fd_prestat_get(const wasm_val_t* args) {
  if (ARG(0) != ROOT) return BAD_DESCRIPTOR;
  store32(ARG(1), 0);
  store32(ARG(1) + 4, 1);
  return 0;
}

static uint32_t fd_prestat_dir_name(const wasm_val_t* args) {
  *at(ARG(1)) = '/';
  return 0;
}

/* The numbers of file types. */
static char type_of(uint32_t descriptor) {
  return descriptor == ROOT ? 3 : descriptor == SCRIPT ? 4 : 2;
}

static uint32_t fd_fdstat_get(const wasm_val_t* args) {
  memset(at(ARG(1)), 0, 8);
  *at(ARG(1)) = type_of(ARG(0));
  store64(ARG(1) + 8, UINT64_MAX);
  store64(ARG(1) + 16, UINT64_MAX);
  return 0;
}

static uint32_t path_filestat_get(const wasm_val_t* args) {
  memset(at(ARG(4)), 0, 64);
  // The path is the root, or the script.
  *at(ARG(4) + 16) = type_of(ARG(3) <= 1 ? ROOT : SCRIPT);
  store64(ARG(4) + 32, script.size);
  return 0;
}

static uint32_t path_open(const wasm_val_t* args) {
  script.at = 0;
  store32(ARG(8), SCRIPT);
  return 0;
}

static uint32_t fd_read(const wasm_val_t* args) {
  stream_t* from = stream(ARG(0));
  if (!from) return BAD_DESCRIPTOR;
  uint32_t total = 0;
  for (uint32_t i = 0; i < ARG(2); i++) {
    uint32_t size = load32(ARG(1) + 8 * i + 4);
    if (size > from->size - from->at) size = (uint32_t)(from->size - from->at);
    memcpy(at(load32(ARG(1) + 8 * i)), from->bytes + from->at, size);
    from->at += size;
    total += size;
  }
  store32(ARG(3), total);
  return 0;
}

static uint32_t fd_write(const wasm_val_t* args) {
  uint32_t total = 0;
  for (uint32_t i = 0; i < ARG(2); i++) {
    uint32_t size = load32(ARG(1) + 8 * i + 4), kept = size;
    if (kept > sizeof printed - printed_size) kept = (uint32_t)(sizeof printed - printed_size);
    memcpy(printed + printed_size, at(load32(ARG(1) + 8 * i)), kept);
    printed_size += kept;
    total += size;
  }
  store32(ARG(3), total);
  return 0;
}

static uint32_t fd_seek(const wasm_val_t* args) {
  if (ARG(0) != SCRIPT) return CANNOT_SEEK;
  size_t origin = ARG(2) == 0 ? 0 : ARG(2) == 1 ? script.at : script.size;
  script.at = origin + (size_t)args[1].of.i64;
  store64(ARG(3), script.at);
  return 0;
}

static const struct {
  const char* name;
  uint32_t (*body)(const wasm_val_t* args);
} functions[] = {
  {"args_get", success},
  {"args_sizes_get", nothing_there},
  {"clock_time_get", clock_time_get},
  {"environ_get", success},
  {"environ_sizes_get", nothing_there},
  {"fd_close", success},
  {"fd_fdstat_get", fd_fdstat_get},
  {"fd_prestat_dir_name", fd_prestat_dir_name},
  {"fd_prestat_get", fd_prestat_get},
  {"fd_read", fd_read},
  {"fd_seek", fd_seek},
  {"fd_write", fd_write},
  {"path_filestat_get", path_filestat_get},
  {"path_open", path_open},
  {"random_get", random_get},
};

/* Calls the function whose place in the table `env` is; what is not there does nothing. */
static wasm_trap_t* call(void* env, const wasm_val_vec_t* args, wasm_val_vec_t* results) {
  size_t index = (size_t)env;
  uint32_t number = NOT_SUPPORTED;
  if (index < sizeof functions / sizeof *functions) number = functions[index].body(args->data);
  if (results->size > 0) {
    results->data[0] = (wasm_val_t)WASM_I32_VAL((int32_t)number);
  }
  return NULL;
}

/* What a component's interface gives: nothing, in the type that is wanted. */
static wasm_trap_t* absent(void* env, const wasm_val_vec_t* args, wasm_val_vec_t* results) {
  // Lists that are returned through memory are empty.
  if (args->size == 1 && results->size == 0 && memory) nothing_there((wasm_val_t[]){
    args->data[0], WASM_I32_VAL(args->data[0].of.i32 + 4)});
  if (results->size > 0) {
    results->data[0].kind = (wasm_valkind_t)(size_t)env;
    results->data[0].of.i64 = 0;
  }
  return NULL;
}

static wasm_extern_t* import(wasm_store_t* store, const wasm_importtype_t* type) {
  const wasm_functype_t* func = api.externtype_as_functype_const(api.importtype_type(type));
  if (!func) fail("an import that is no function");
  const wasm_name_t *module = api.importtype_module(type), *name = api.importtype_name(type);
  const wasm_valtype_vec_t* results = api.functype_results(func);
  size_t env = results->size > 0 ? api.valtype_kind(results->data[0]) : 0;
  wasm_func_callback_with_env_t body = absent;
  if (module->size >= 22 && memcmp(module->data, "wasi_snapshot_preview1", 22) == 0) {
    body = call;
    for (env = 0; env < sizeof functions / sizeof *functions; env++) {
      size_t size = strlen(functions[env].name);
      if (name->size >= size && memcmp(name->data, functions[env].name, size) == 0) break;
    }
  }
  return api.func_as_extern(api.func_new_with_env(store, func, body, (void*)env, NULL));
}

double time_to_first_result(void) {
  wasm_byte_vec_t bytes = read_module(real_modules, "starling");
  if (bytes.size == 0) return NAN;
  double begin = wall();
  wasm_store_t* store = api.store_new(api.engine_new());
  wasm_module_t* module = api.module_new(store, &bytes);
  if (!module) fail("the JavaScript engine");
  wasm_importtype_vec_t types;
  wasm_extern_t* imports[128];
  api.module_imports(module, &types);
  if (types.size > 128) fail("too many imports");
  for (size_t i = 0; i < types.size; i++) imports[i] = import(store, types.data[i]);
  wasm_extern_vec_t given = {types.size, imports}, exports;
  wasm_instance_t* instance = api.instance_new(store, module, &given, NULL);
  if (!instance) fail("an instance of the JavaScript engine");
  api.instance_exports(instance, &exports);
  memory = api.extern_as_memory(export_named(module, &exports, "memory"));
  const char* steps[] = {"_initialize", "wizer-initialize"};
  for (size_t i = 0; i < 2; i++) {
    wasm_func_t* step = api.extern_as_func(export_named(module, &exports, steps[i]));
    wasm_val_vec_t none = WASM_EMPTY_VEC;
    if (!step || api.func_call(step, &none, &none)) fail("the JavaScript engine has trapped");
  }
  double taken = wall() - begin;
  if (printed_size != sizeof expected - 1 || memcmp(printed, expected, printed_size) != 0) {
    fail("the script's result is wrong");
  }
  return taken;
}
