/* Modules: compiled, written and read. */

#include <fcntl.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "bench.h"

static void make(void* context, size_t count) {
  context_t* c = context;
  for (size_t i = 0; i < count; i++) {
    wasm_module_t* module = api.module_new(c->store, &c->bytes);
    if (!module) fail("a module");
    api.module_delete(module);
  }
}

/* An engine, a store, and bytes; none if there is no such module. */
static bool bytes_of(context_t* c, const char* folder, const char* name) {
  c->bytes = read_module(folder, name);
  c->engine = api.engine_new();
  c->store = api.store_new(c->engine);
  return c->bytes.size > 0;
}

static double compile(const char* folder, const char* name) {
  context_t c = {0};
  return bytes_of(&c, folder, name) ? best_wall(make, &c) * 1e3 : NAN;
}

static double compile_small(void) {
  return compile(modules, "call");
}

static double compile_squeeze(void) {
  return compile(modules, "squeeze");
}

static double compile_sqlite(void) {
  return compile(real_modules, "sqlite");
}

static double compile_splicer(void) {
  return compile(real_modules, "splicer");
}

static double compile_starling(void) {
  return compile(real_modules, "starling");
}

/* The splicer compiled, as bytes. */
static bool artifact_of_splicer(context_t* c, wasm_byte_vec_t* artifact) {
  if (!bytes_of(c, real_modules, "splicer")) return false;
  c->module = api.module_new(c->store, &c->bytes);
  if (!c->module) fail("a module");
  api.module_serialize(c->module, artifact);
  return artifact->size > 0;
}

static double artifact_size(void) {
  context_t c = {0};
  wasm_byte_vec_t artifact;
  return artifact_of_splicer(&c, &artifact) ? (double)artifact.size / 1e6 : NAN;
}

/* What reads a compiled module from a file. */
typedef struct {
  context_t c;
  const char* path;
  wasm_module_t* (*tenon)(wasm_store_t*, const char*);
  void* (*wasmtime)(wasm_engine_t*, const char*, void**);
  void (*wasmtime_delete)(void*);
} file_t;

/* By the library's own function if it has one, else by reading the file. */
static void read_files(void* context, size_t count) {
  file_t* f = context;
  for (size_t i = 0; i < count; i++) {
    if (f->wasmtime) {
      void* module;
      if (f->wasmtime(f->c.engine, f->path, &module)) fail("the compiled module");
      f->wasmtime_delete(module);
      continue;
    }
    wasm_module_t* module;
    if (f->tenon) {
      module = f->tenon(f->c.store, f->path);
    } else {
      int file = open(f->path, O_RDONLY);
      struct stat status;
      fstat(file, &status);
      wasm_byte_vec_t bytes = {(size_t)status.st_size, malloc((size_t)status.st_size)};
      if (read(file, bytes.data, bytes.size) != (ssize_t)bytes.size) fail("the file");
      close(file);
      module = api.module_deserialize(f->c.store, &bytes);
      free(bytes.data);
    }
    if (!module) fail("the compiled module");
    api.module_delete(module);
  }
}

static double deserialize(void) {
  char path[] = "/tmp/tenon-bench-XXXXXX";
  file_t f = {.path = path};
  wasm_byte_vec_t artifact;
  if (!artifact_of_splicer(&f.c, &artifact)) return NAN;
  *(void**)&f.tenon = optional("tenon_module_deserialize_file");
  *(void**)&f.wasmtime = optional("wasmtime_module_deserialize_file");
  *(void**)&f.wasmtime_delete = optional("wasmtime_module_delete");
  int file = mkstemp(path);
  if (file < 0 || write(file, artifact.data, artifact.size) != (ssize_t)artifact.size) {
    fail("a file for the compiled module");
  }
  close(file);
  double taken = best(read_files, &f) * 1e3;
  unlink(path);
  return taken;
}

static double script(void) {
  return time_to_first_result() * 1e3;
}

const measure_t module_measures[] = {
  {"compile_small", "ms", "`wasm_module_new`, 0.2 kB", compile_small},
  {"compile_squeeze", "ms", "`wasm_module_new`, compressor, 54 kB", compile_squeeze},
  {"compile_sqlite", "ms", "`wasm_module_new`, SQLite, 0.7 MB", compile_sqlite},
  {"compile_splicer", "ms", "`wasm_module_new`, component tool, 5.7 MB", compile_splicer},
  {"compile_starling", "ms", "`wasm_module_new`, JavaScript engine, 10.5 MB", compile_starling},
  {"script", "ms", "first result of a script on the JavaScript engine", script},
  {"deserialize", "ms", "compiled component tool, from a file", deserialize},
  {"artifact_size", "MB", "compiled component tool, size", artifact_size},
  {0},
};
