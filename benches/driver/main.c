/* Measures any library that implements wasm.h: bench LIBRARY MEASURE MODULES REAL-MODULES
 *
 * Prints the measure's figure. MODULES is the folder of the modules that come with the bench,
 * REAL-MODULES that of modules of others. `bench - list` names the measures and their units. */

#include <dlfcn.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "bench.h"

api_t api;
const char *library_path, *modules, *real_modules;
static void* library;

void fail(const char* what) {
  fprintf(stderr, "bench: %s\n", what);
  exit(1);
}

void load(const char* path) {
  library = dlopen(path, RTLD_NOW | RTLD_LOCAL);
  if (!library) fail(dlerror());
#define FIND(name) if (!(*(void**)&api.name = dlsym(library, "wasm_" #name))) fail(dlerror());
  FUNCTIONS(FIND)
}

void* optional(const char* name) {
  return dlsym(library, name);
}

static double clock_of(clockid_t id) {
  struct timespec time;
  clock_gettime(id, &time);
  return (double)time.tv_sec + (double)time.tv_nsec / 1e9;
}

double wall(void) {
  return clock_of(CLOCK_MONOTONIC);
}

double cpu(void) {
  return clock_of(CLOCK_PROCESS_CPUTIME_ID);
}

static double least(void (*work)(void* context, size_t count), void* context, double (*now)(void)) {
  size_t count = 1;
  double least = INFINITY;
  for (int run = 0; run < 7;) {
    double begin = now();
    work(context, count);
    double taken = now() - begin;
    if (taken < 0.1 && run == 0) {
      count = taken < 0.01 ? count * 8 : (size_t)((double)count * 0.12 / taken) + 1;
      continue;
    }
    if (taken / (double)count < least) least = taken / (double)count;
    // What takes long is not repeated as often.
    run += taken > 1 ? 3 : 1;
  }
  return least;
}

double best(void (*work)(void* context, size_t count), void* context) {
  return least(work, context, cpu);
}

double best_wall(void (*work)(void* context, size_t count), void* context) {
  return least(work, context, wall);
}

wasm_byte_vec_t read_module(const char* folder, const char* name) {
  char path[4096];
  wasm_byte_vec_t bytes = WASM_EMPTY_VEC;
  snprintf(path, sizeof path, "%s/%s.wasm", folder, name);
  FILE* file = fopen(path, "rb");
  if (!file) return bytes;
  fseek(file, 0, SEEK_END);
  bytes.size = (size_t)ftell(file);
  rewind(file);
  bytes.data = malloc(bytes.size);
  if (fread(bytes.data, 1, bytes.size, file) != bytes.size) fail(path);
  fclose(file);
  return bytes;
}

double resident(void) {
  long whole, pages = 0;
  FILE* file = fopen("/proc/self/statm", "r");
  if (!file || fscanf(file, "%ld %ld", &whole, &pages) != 2) fail("statm");
  fclose(file);
  return (double)pages * (double)sysconf(_SC_PAGESIZE) / (1 << 20);
}

context_t context_of(const char* module) {
  context_t c = {.engine = api.engine_new()};
  c.store = api.store_new(c.engine);
  c.bytes = read_module(modules, module);
  c.module = api.module_new(c.store, &c.bytes);
  if (!c.module) fail(module);
  return c;
}

wasm_functype_t* i32_to_i32(void) {
  wasm_valtype_t *param = api.valtype_new(WASM_I32), *result = api.valtype_new(WASM_I32);
  wasm_valtype_vec_t params, results;
  api.valtype_vec_new(&params, 1, &param);
  api.valtype_vec_new(&results, 1, &result);
  return api.functype_new(&params, &results);
}

static wasm_trap_t* nothing(void* env, const wasm_val_vec_t* args, wasm_val_vec_t* results) {
  (void)args;
  if (results->size > 0) {
    results->data[0].kind = *(wasm_valkind_t*)env;
    results->data[0].of.i64 = 0;
  }
  return NULL;
}

wasm_instance_t* instance_with_dummies(wasm_store_t* store, const wasm_module_t* module) {
  static wasm_valkind_t kinds[256];
  wasm_extern_t* imports[256];
  wasm_importtype_vec_t types;
  api.module_imports(module, &types);
  if (types.size > 256) fail("too many imports");
  for (size_t i = 0; i < types.size; i++) {
    const wasm_functype_t* type =
      api.externtype_as_functype_const(api.importtype_type(types.data[i]));
    if (!type) fail("an import that is no function");
    const wasm_valtype_vec_t* results = api.functype_results(type);
    if (results->size > 0) kinds[i] = api.valtype_kind(results->data[0]);
    imports[i] = api.func_as_extern(api.func_new_with_env(store, type, nothing, &kinds[i], NULL));
  }
  wasm_extern_vec_t given = {types.size, imports};
  wasm_instance_t* instance = api.instance_new(store, module, &given, NULL);
  api.importtype_vec_delete(&types);
  return instance;
}

wasm_func_t* func_at(const wasm_instance_t* instance, size_t index) {
  wasm_extern_vec_t exports;
  api.instance_exports(instance, &exports);
  wasm_func_t* func = api.func_copy(api.extern_as_func(exports.data[index]));
  api.extern_vec_delete(&exports);
  return func;
}

wasm_extern_t* export_named(
  const wasm_module_t* module, const wasm_extern_vec_t* exports, const char* wanted
) {
  wasm_extern_t* found = NULL;
  wasm_exporttype_vec_t types;
  api.module_exports(module, &types);
  for (size_t i = 0; i < types.size; i++) {
    const wasm_name_t* name = api.exporttype_name(types.data[i]);
    if (name->size >= strlen(wanted) && memcmp(name->data, wanted, strlen(wanted)) == 0) {
      found = exports->data[i];
    }
  }
  api.exporttype_vec_delete(&types);
  return found;
}

int main(int argc, char** argv) {
  const measure_t* groups[] = {call_measures, instance_measures, module_measures,
                               process_measures};
  bool list = argc == 3 && strcmp(argv[2], "list") == 0;
  if (!list && argc != 5 && argc != 6) {
    fail("usage: bench LIBRARY MEASURE MODULES REAL-MODULES");
  }
  if (!list) {
    library_path = argv[1];
    modules = argv[3];
    real_modules = argv[4];
    load(library_path);
    if (argc == 6) {
      run_child(argv[2], argv[5]);
      return 0;
    }
  }
  for (size_t group = 0; group < sizeof groups / sizeof *groups; group++) {
    for (const measure_t* m = groups[group]; m->name; m++) {
      if (list) {
        printf("%s\t%s\t%s\n", m->name, m->unit, m->what);
      } else if (strcmp(argv[2], m->name) == 0) {
        printf("%g\n", m->measure());
        return 0;
      }
    }
  }
  if (!list) fail("no such measure");
}
