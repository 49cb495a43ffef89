/* Measures one kernel: kernels LIBRARY KERNEL [MODULE]
 *
 * LIBRARY implements wasm.h and runs MODULE, or, without MODULE, contains the kernel itself. Prints
 * the least processor time of several runs, in milliseconds, and the kernel's checksum. */

#include <dlfcn.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <wasm.h>

enum { LEAST_RUNS = 5, MOST_RUNS = 100 };
/* Runs are repeated until they have taken this many milliseconds together. */
static const double ENOUGH = 150;
static const uint32_t SEED = 7;

/* The functions that are used, found in the library at run time. */
#define FUNCTIONS(F) \
  F(engine_new) F(store_new) F(module_new) F(module_exports) F(instance_new) F(instance_exports) \
  F(exporttype_name) F(extern_as_func) F(func_call)

#define POINTER(name) __typeof__(wasm_##name)* name;
static struct {
  FUNCTIONS(POINTER)
} api;

static uint64_t (*native)(uint32_t seed);
static const wasm_func_t* func;

static void fail(const char* what) {
  fprintf(stderr, "kernels: %s\n", what);
  exit(1);
}

static double now(void) {
  struct timespec time;
  clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &time);
  return (double)time.tv_sec * 1e3 + (double)time.tv_nsec / 1e6;
}

static uint64_t run(void) {
  if (native) return native(SEED);
  wasm_val_t args[] = {WASM_I32_VAL((int32_t)SEED)}, results[] = {WASM_INIT_VAL};
  wasm_val_vec_t arg_vec = WASM_ARRAY_VEC(args), result_vec = WASM_ARRAY_VEC(results);
  if (api.func_call(func, &arg_vec, &result_vec)) fail("a trap");
  return (uint64_t)results[0].of.i64;
}

static wasm_byte_vec_t read_file(const char* path) {
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

/* Finds the kernel among the module's exports. */
static void instantiate(void* library, const char* kernel, const char* path) {
#define FIND(name) if (!(*(void**)&api.name = dlsym(library, "wasm_" #name))) fail(dlerror());
  FUNCTIONS(FIND)
  wasm_store_t* store = api.store_new(api.engine_new());
  wasm_byte_vec_t bytes = read_file(path);
  wasm_module_t* module = api.module_new(store, &bytes);
  if (!module) fail("the module is refused");
  wasm_extern_vec_t imports = WASM_EMPTY_VEC, exports;
  wasm_instance_t* instance = api.instance_new(store, module, &imports, NULL);
  if (!instance) fail("the module cannot be instantiated");
  wasm_exporttype_vec_t types;
  api.module_exports(module, &types);
  api.instance_exports(instance, &exports);
  for (size_t i = 0; i < types.size; i++) {
    const wasm_name_t* name = api.exporttype_name(types.data[i]);
    if (name->size == strlen(kernel) && !memcmp(name->data, kernel, name->size)) {
      func = api.extern_as_func(exports.data[i]);
    }
  }
  if (!func) fail("the module has no such kernel");
}

int main(int argc, char** argv) {
  if (argc != 3 && argc != 4) fail("kernels LIBRARY KERNEL [MODULE]");
  void* library = dlopen(argv[1], RTLD_NOW | RTLD_LOCAL);
  if (!library) fail(dlerror());
  if (argc == 4) {
    instantiate(library, argv[2], argv[3]);
  } else {
    char name[64];
    snprintf(name, sizeof name, "kernel_%s", argv[2]);
    if (!(*(void**)&native = dlsym(library, name))) fail(dlerror());
  }
  uint64_t sum = run();
  double least = 1e9, all = 0;
  for (int i = 0; i < MOST_RUNS && (i < LEAST_RUNS || all < ENOUGH); i++) {
    double begin = now();
    if (run() != sum) fail("two runs have different checksums");
    double taken = now() - begin;
    all += taken;
    if (taken < least) least = taken;
  }
  printf("%.4f %016" PRIx64 "\n", least, sum);
}
