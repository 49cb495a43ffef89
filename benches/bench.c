/* Measures any library that implements wasm.h: bench LIBRARY MEASURE MODULES
 *
 * Prints the measure's figure, the best of several runs of about a tenth of a second. MODULES is
 * the folder of the modules. `bench LIBRARY list` names the measures and their units. */

#include <dlfcn.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include <wasm.h>

/* The functions that are used, found in the library at run time. */
#define FUNCTIONS(F) \
  F(engine_new) F(store_new) F(store_delete) F(module_new) F(module_delete) F(instance_new) \
  F(instance_delete) F(instance_exports) F(extern_vec_delete) F(extern_as_func) F(func_new) \
  F(func_as_extern) F(func_call) F(func_copy) F(functype_new) F(valtype_new) F(valtype_vec_new) \
  F(func_delete) F(functype_delete)

#define POINTER(name) __typeof__(wasm_##name)* name;
static struct {
  FUNCTIONS(POINTER)
} api;

static const char* modules;

static void fail(const char* what) {
  fprintf(stderr, "bench: %s\n", what);
  exit(1);
}

static void load(const char* path) {
  void* library = dlopen(path, RTLD_NOW | RTLD_LOCAL);
  if (!library) fail(dlerror());
#define FIND(name) if (!(*(void**)&api.name = dlsym(library, "wasm_" #name))) fail(dlerror());
  FUNCTIONS(FIND)
}

static double now(void) {
  struct timespec time;
  clock_gettime(CLOCK_MONOTONIC, &time);
  return (double)time.tv_sec + (double)time.tv_nsec / 1e9;
}

/* Seconds that a piece of work takes for one of `count` repetitions: the best of several runs. */
static double best(void (*work)(void* context, size_t count), void* context) {
  size_t count = 1;
  double least = 1e9;
  for (int run = 0; run < 7;) {
    double begin = now();
    work(context, count);
    double taken = now() - begin;
    if (taken < 0.1 && run == 0) {
      count = taken < 0.01 ? count * 8 : (size_t)((double)count * 0.12 / taken) + 1;
      continue;
    }
    if (taken / (double)count < least) least = taken / (double)count;
    run++;
  }
  return least;
}

static wasm_byte_vec_t read_module(const char* name) {
  char path[4096];
  snprintf(path, sizeof path, "%s/%s.wasm", modules, name);
  FILE* file = fopen(path, "rb");
  if (!file) fail(path);
  fseek(file, 0, SEEK_END);
  wasm_byte_vec_t bytes = {(size_t)ftell(file), NULL};
  rewind(file);
  bytes.data = malloc(bytes.size);
  if (fread(bytes.data, 1, bytes.size, file) != bytes.size) fail(path);
  fclose(file);
  return bytes;
}

typedef struct {
  wasm_engine_t* engine;
  wasm_store_t* store;
  wasm_module_t* module;
  wasm_byte_vec_t bytes;
  wasm_func_t* func;
  wasm_val_vec_t args, results;
} context_t;

static context_t context_of(const char* module) {
  context_t c = {.engine = api.engine_new()};
  c.store = api.store_new(c.engine);
  c.bytes = read_module(module);
  c.module = api.module_new(c.store, &c.bytes);
  if (!c.module) fail(module);
  return c;
}

static wasm_trap_t* next(const wasm_val_vec_t* args, wasm_val_vec_t* results) {
  results->data[0].kind = WASM_I32;
  results->data[0].of.i32 = args->data[0].of.i32 + 1;
  return NULL;
}

/* An export of the module of calls. */
static context_t function(size_t export) {
  context_t c = context_of("call");
  wasm_valtype_t *param = api.valtype_new(WASM_I32), *result = api.valtype_new(WASM_I32);
  wasm_valtype_vec_t params, results;
  api.valtype_vec_new(&params, 1, &param);
  api.valtype_vec_new(&results, 1, &result);
  wasm_functype_t* type = api.functype_new(&params, &results);
  wasm_extern_t* imports[] = {api.func_as_extern(api.func_new(c.store, type, next))};
  wasm_extern_vec_t import_vec = WASM_ARRAY_VEC(imports), exports;
  wasm_instance_t* instance = api.instance_new(c.store, c.module, &import_vec, NULL);
  if (!instance) fail("the module of calls");
  api.instance_exports(instance, &exports);
  c.func = api.func_copy(api.extern_as_func(exports.data[export]));
  return c;
}

static void call(void* context, size_t count) {
  context_t* c = context;
  for (size_t i = 0; i < count; i++) {
    if (api.func_call(c->func, &c->args, &c->results)) fail("a trap");
  }
}

static double call_empty(void) {
  context_t c = function(0);
  return best(call, &c) * 1e9;
}

static double call_add(void) {
  context_t c = function(1);
  wasm_val_t args[] = {WASM_I32_VAL(1), WASM_I32_VAL(2)}, results[] = {WASM_INIT_VAL};
  c.args = (wasm_val_vec_t)WASM_ARRAY_VEC(args);
  c.results = (wasm_val_vec_t)WASM_ARRAY_VEC(results);
  double taken = best(call, &c) * 1e9;
  if (results[0].of.i32 != 3) fail("1 + 2");
  return taken;
}

static double callback(void) {
  const int32_t calls = 10000;
  context_t c = function(2);
  wasm_val_t args[] = {WASM_I32_VAL(calls)}, results[] = {WASM_INIT_VAL};
  c.args = (wasm_val_vec_t)WASM_ARRAY_VEC(args);
  c.results = (wasm_val_vec_t)WASM_ARRAY_VEC(results);
  double taken = best(call, &c) / calls * 1e9;
  if (results[0].of.i32 != calls) fail("the callbacks");
  return taken;
}

static void instantiate(context_t* c, wasm_store_t* store) {
  wasm_extern_vec_t none = WASM_EMPTY_VEC;
  wasm_instance_t* instance = api.instance_new(store, c->module, &none, NULL);
  if (!instance) fail("an instance");
  api.instance_delete(instance);
}

static void instances_in_fresh_stores(void* context, size_t count) {
  context_t* c = context;
  for (size_t i = 0; i < count; i++) {
    wasm_store_t* store = api.store_new(c->engine);
    instantiate(c, store);
    api.store_delete(store);
  }
}

/* A thousand instances to a store: not every library frees them before their store. */
static void instances_in_one_store(void* context, size_t count) {
  context_t* c = context;
  for (size_t i = 0; i < count;) {
    wasm_store_t* store = api.store_new(c->engine);
    for (size_t end = i + 1000; i < end && i < count; i++) instantiate(c, store);
    api.store_delete(store);
  }
}

static double instance_tiny(void) {
  context_t c = context_of("tiny");
  return best(instances_in_one_store, &c) * 1e9;
}

static double instance_tiny_fresh(void) {
  context_t c = context_of("tiny");
  return best(instances_in_fresh_stores, &c) * 1e9;
}

static double instance_page_fresh(void) {
  context_t c = context_of("page");
  return best(instances_in_fresh_stores, &c) * 1e9;
}

static void make_modules(void* context, size_t count) {
  context_t* c = context;
  for (size_t i = 0; i < count; i++) {
    wasm_module_t* module = api.module_new(c->store, &c->bytes);
    if (!module) fail("a module");
    api.module_delete(module);
  }
}

static double compile(void) {
  context_t c = context_of("squeeze");
  return best(make_modules, &c) * 1e3;
}

static const struct {
  const char *name, *unit, *what;
  double (*measure)(void);
} measures[] = {
  {"call_add", "ns", "`wasm_func_call` of (i32, i32) → i32", call_add},
  {"call_empty", "ns", "`wasm_func_call` of () → ()", call_empty},
  {"callback", "ns", "host callback (i32) → i32, its loop included", callback},
  {"instance_tiny", "ns", "instantiate and delete, tiny, one store", instance_tiny},
  {"instance_tiny_fresh", "ns", "instantiate and delete, tiny, fresh store", instance_tiny_fresh},
  {"instance_page_fresh", "ns", "instantiate and delete, one page, fresh store", instance_page_fresh},
  {"compile", "ms", "`wasm_module_new`, compressor of 54 kB", compile},
};

int main(int argc, char** argv) {
  size_t count = sizeof measures / sizeof *measures;
  if (argc == 3 && strcmp(argv[2], "list") == 0) {
    for (size_t i = 0; i < count; i++) {
      printf("%s\t%s\t%s\n", measures[i].name, measures[i].unit, measures[i].what);
    }
    return 0;
  }
  if (argc != 4) fail("usage: bench LIBRARY MEASURE MODULES");
  modules = argv[3];
  load(argv[1]);
  for (size_t i = 0; i < count; i++) {
    if (strcmp(argv[2], measures[i].name) == 0) {
      printf("%g\n", measures[i].measure());
      return 0;
    }
  }
  fail("no such measure");
}
