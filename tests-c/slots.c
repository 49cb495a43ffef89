/* What idle memories keep goes back to the system with the last engine; forked children and
 * processes with little address space have memories too. */

#include "harness.h"

#include <sys/resource.h>

static const char* const guest =
  "(module (memory 1) (data (i32.const 70) \"x\")"
  "  (func (export \"touch\") (result i32)"
  "    (i32.store (i32.const 9000) (i32.add (i32.load (i32.const 9000)) (i32.const 1)))"
  "    (i32.add (i32.load (i32.const 9000)) (i32.load8_u (i32.const 70))))"
  "  (func (export \"beyond\") (drop (i32.load (i32.const 65536)))))";

/* KiB of address space that the process has. */
static long address_space(void) {
  char line[256];
  long size = 0;
  FILE* status = fopen("/proc/self/status", "r");
  while (status && fgets(line, sizeof line, status)) sscanf(line, "VmSize: %ld", &size);
  if (status) fclose(status);
  return size;
}

/* Makes an instance, in whose memory nobody has been before, and leaves traces in it. */
static void use_one(wasm_store_t* store, wasm_module_t* module) {
  wasm_extern_vec_t none = WASM_EMPTY_VEC;
  wasm_instance_t* instance = wasm_instance_new(store, module, &none, NULL);
  if (!check(instance != NULL)) return;
  wasm_func_t* touch = func_at(instance, 0);
  wasm_func_t* beyond = func_at(instance, 1);
  wasm_val_t result = WASM_INIT_VAL;
  wasm_val_vec_t args = WASM_EMPTY_VEC, results = {1, &result};
  check(wasm_func_call(touch, &args, &results) == NULL && result.of.i32 == 1 + 'x');
  results.size = 0;
  wasm_trap_t* trap = wasm_func_call(beyond, &args, &results);
  check(trap != NULL);
  wasm_trap_delete(trap);
  wasm_func_delete(touch);
  wasm_func_delete(beyond);
  wasm_instance_delete(instance);
}

static void use_some(wasm_engine_t* engine) {
  wasm_store_t* store = wasm_store_new(engine);
  wasm_module_t* module = module_of(store, guest);
  for (int i = 0; i < 40; i++) use_one(store, module);
  wasm_module_delete(module);
  wasm_store_delete(store);
}

static void* thread(void* engine) {
  use_some(engine);
  return NULL;
}

/* Gigabytes are reserved, and used again; but not longer than there is an engine. */
static void address_space_goes_with_the_engine(void) {
  static const long gigabyte = 1 << 20;
  long before = 0;
  for (int round = 0; round < 3; round++) {
    wasm_engine_t* engine = test_engine();
    pthread_t other;
    pthread_create(&other, NULL, thread, engine);
    pthread_join(other, NULL);
    use_some(engine);
    wasm_engine_delete(engine);
    if (round == 0) before = address_space();
  }
  check(before > 0 && before < 4 * gigabyte);
  check(address_space() < before + gigabyte);
}

static int status_of(pid_t child) {
  int status = 1;
  check(child > 0 && waitpid(child, &status, 0) == child);
  return status;
}

/* A child goes on with copies of the memories that there are, and with new ones; so does a child of
 * its. */
static void children_have_memories(void) {
  wasm_engine_t* engine = test_engine();
  wasm_store_t* store = wasm_store_new(engine);
  wasm_module_t* module = module_of(store, guest);
  for (int i = 0; i < 5; i++) use_one(store, module);
  int generation = 0;
  pid_t child;
  while ((child = fork()) == 0 && ++generation < 2) {
    for (int i = 0; i < 20; i++) use_one(store, module);
  }
  for (int i = 0; i < 20; i++) use_one(store, module);
  if (child != 0) check(status_of(child) == 0);
  use_one(store, module);
  wasm_module_delete(module);
  wasm_store_delete(store);
  wasm_engine_delete(engine);
  if (generation > 0) _exit(done());
}

/* Where address space is limited nobody keeps any, and memories are as small as they can be. */
static void little_address_space_is_enough(void) {
  pid_t child = fork();
  if (child == 0) {
    for (long spare = 256; spare <= 16 << 10; spare *= 4) {
      rlim_t limit = ((rlim_t)address_space() << 10) + ((rlim_t)spare << 20);
      struct rlimit limits = {limit, RLIM_INFINITY};
      setrlimit(RLIMIT_AS, &limits);
      wasm_engine_t* engine = test_engine();
      use_some(engine);
      wasm_engine_delete(engine);
    }
    _exit(done());
  }
  check(status_of(child) == 0);
}

/* A compiled module has code for memories that are reserved. Where there is no room for one, other
 * code is made if the module's source has been kept; else the instance is refused. */
static void compiled_modules_need_their_source_then(bool keeps_source) {
  pid_t child = fork();
  if (child == 0) {
    wasm_config_t* config = test_config();
    check(tenon_config_serialize_source_set(config, keeps_source) == TENON_OK);
    wasm_engine_t* engine = wasm_engine_new_with_config(config);
    wasm_store_t* store = wasm_store_new(engine);
    wasm_module_t* module = module_of(store, guest);
    wasm_byte_vec_t bytes;
    wasm_module_serialize(module, &bytes);
    wasm_module_delete(module);
    module = wasm_module_deserialize(store, &bytes);
    wasm_byte_vec_delete(&bytes);
    rlim_t limit = ((rlim_t)address_space() << 10) + (256 << 20);
    struct rlimit limits = {limit, RLIM_INFINITY};
    setrlimit(RLIMIT_AS, &limits);
    // Where everything is checked by code, there is no other code to be made.
    if (keeps_source || is_set("TEST_EXPLICIT_CHECKS")) {
      for (int i = 0; i < 40; i++) use_one(store, module);
    } else {
      wasm_extern_vec_t none = WASM_EMPTY_VEC;
      refused(TENON_ERROR_LIMIT, wasm_instance_new(store, module, &none, NULL));
      check(error_says("serialized without its source"));
    }
    wasm_module_delete(module);
    wasm_store_delete(store);
    wasm_engine_delete(engine);
    _exit(done());
  }
  check(status_of(child) == 0);
}

/* A memory without data gets its bytes when somebody gets hold of something in its instance. If the
 * system has none then, the memory has none, and can grow when it has. */
static void bytes_that_cannot_be_had_are_out_of_bounds(void) {
  // Where everything is checked by code, memories have their bytes from the start.
  if (is_set("TEST_EXPLICIT_CHECKS")) return;
  pid_t child = fork();
  if (child == 0) {
    wasm_engine_t* engine = test_engine();
    wasm_store_t* store = wasm_store_new(engine);
    wasm_module_t* module = module_of(store,
      "(module (memory (export \"m\") 1)"
      "  (func (export \"load\") (result i32) (i32.load (i32.const 65532))))");
    wasm_extern_vec_t none = WASM_EMPTY_VEC, exports[2];
    wasm_instance_t* instances[2];
    for (int i = 0; i < 2; i++) instances[i] = wasm_instance_new(store, module, &none, NULL);
    struct rlimit before, nothing;
    getrlimit(RLIMIT_DATA, &before);
    nothing = before;
    nothing.rlim_cur = 1;
    setrlimit(RLIMIT_DATA, &nothing);
    wasm_instance_exports(instances[0], &exports[0]);
    setrlimit(RLIMIT_DATA, &before);
    wasm_instance_exports(instances[1], &exports[1]);
    for (int i = 0; i < 2; i++) {
      wasm_memory_t* memory = wasm_extern_as_memory(exports[i].data[0]);
      wasm_func_t* load = wasm_extern_as_func(exports[i].data[1]);
      check(wasm_memory_size(memory) == (wasm_memory_pages_t)i);
      check(wasm_memory_data_size(memory) == (size_t)i * MEMORY_PAGE_SIZE);
      wasm_val_t result = WASM_INIT_VAL;
      wasm_val_vec_t args = WASM_EMPTY_VEC, results = {1, &result};
      wasm_trap_t* trap = wasm_func_call(load, &args, &results);
      check((trap != NULL) == (i == 0));
      if (trap) wasm_trap_delete(trap);
      if (i == 0) check(wasm_memory_grow(memory, 1));
      check(wasm_func_call(load, &args, &results) == NULL && result.of.i32 == 0);
      wasm_extern_vec_delete(&exports[i]);
      wasm_instance_delete(instances[i]);
    }
    wasm_module_delete(module);
    wasm_store_delete(store);
    wasm_engine_delete(engine);
    _exit(done());
  }
  check(status_of(child) == 0);
}

int main(void) {
  address_space_goes_with_the_engine();
  children_have_memories();
  little_address_space_is_enough();
  compiled_modules_need_their_source_then(false);
  compiled_modules_need_their_source_then(true);
  bytes_that_cannot_be_had_are_out_of_bounds();
  return done();
}
