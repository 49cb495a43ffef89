/* What a process pays: memory, and the time until it has its first result. */

#include <fcntl.h>
#include <math.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "bench.h"

extern char** environ;

static double resident_loaded(void) {
  return resident();
}

static double resident_small(void) {
  context_t c = context_of("tiny");
  if (!instance_with_dummies(c.store, c.module)) fail("an instance");
  return resident();
}

static double resident_splicer(void) {
  context_t c = {.engine = api.engine_new()};
  c.store = api.store_new(c.engine);
  c.bytes = read_module(real_modules, "splicer");
  if (c.bytes.size == 0) return NAN;
  c.module = api.module_new(c.store, &c.bytes);
  if (!c.module || !instance_with_dummies(c.store, c.module)) fail("an instance");
  free(c.bytes.data);
  return resident();
}

/* Calls the only function of the tiny module. */
static void call_tiny(context_t* c) {
  wasm_instance_t* instance = instance_with_dummies(c->store, c->module);
  if (!instance) fail("an instance");
  wasm_val_t results[] = {WASM_INIT_VAL};
  c->results = (wasm_val_vec_t)WASM_ARRAY_VEC(results);
  if (api.func_call(func_at(instance, 0), &c->args, &c->results)) fail("a trap");
}

void run_child(const char* what, const char* argument) {
  if (strcmp(what, "cold") == 0) {
    context_t c = context_of("tiny");
    call_tiny(&c);
  } else {
    context_t c = {.engine = api.engine_new()};
    c.store = api.store_new(c.engine);
    c.bytes = read_module(argument, "artifact");
    c.module = api.module_deserialize(c.store, &c.bytes);
    if (!c.module) fail("the compiled module");
    call_tiny(&c);
  }
  _exit(0);
}

/* Seconds from the start of a process of this driver to its end, the least of many. */
static double child(const char* what, const char* argument) {
  char program[4096] = {0};
  if (readlink("/proc/self/exe", program, sizeof program - 1) < 0) fail("the driver's own path");
  const char* argv[] = {program, library_path, what, modules, real_modules, argument, NULL};
  double least = INFINITY;
  for (int run = 0; run < 60; run++) {
    double begin = wall();
    pid_t pid;
    int status;
    if (posix_spawn(&pid, program, NULL, NULL, (char* const*)argv, environ) != 0) fail("a process");
    if (waitpid(pid, &status, 0) != pid || status != 0) fail("the process");
    double taken = wall() - begin;
    if (taken < least) least = taken;
  }
  return least;
}

static double cold(void) {
  return child("cold", "") * 1e3;
}

static double cold_artifact(void) {
  char folder[] = "/tmp/tenon-bench-XXXXXX", path[64];
  context_t c = context_of("tiny");
  wasm_byte_vec_t artifact;
  api.module_serialize(c.module, &artifact);
  if (artifact.size == 0) return NAN;
  if (!mkdtemp(folder)) fail("a folder");
  snprintf(path, sizeof path, "%s/artifact.wasm", folder);
  FILE* file = fopen(path, "wb");
  if (!file || fwrite(artifact.data, 1, artifact.size, file) != artifact.size) fail("a file");
  fclose(file);
  double taken = child("cold_artifact", folder) * 1e3;
  unlink(path);
  rmdir(folder);
  return taken;
}

const measure_t process_measures[] = {
  {"cold", "ms", "process to first result, tiny module", cold},
  {"cold_artifact", "ms", "process to first result, compiled tiny module", cold_artifact},
  {"resident_loaded", "MiB", "resident, library loaded", resident_loaded},
  {"resident_small", "MiB", "resident, tiny module with instance", resident_small},
  {"resident_splicer", "MiB", "resident, component tool with instance", resident_splicer},
  {0},
};
