/* A host for a real program: the compressor tests-c/guests/squeeze.c.
 *
 *   demo squeeze.wasm DIR FILE
 *
 * First it runs the program as a command that compresses FILE, which is in the directory DIR; then
 * it calls the program's functions itself, with a callback of its own; last it passes it garbage
 * and shows where that ended. `make demo` builds and runs it. */

#include <stdio.h>
#include <stdlib.h>

#include <tenon.h>
#include <wasi.h>

static void fail(const char* what) {
  char why[1024] = "";
  tenon_last_error_message(why, sizeof why);
  fprintf(stderr, "demo: %s: %s\n", what, why);
  exit(1);
}

static wasm_byte_vec_t read_file(const char* path) {
  wasm_byte_vec_t bytes = {0, NULL};
  FILE* file = fopen(path, "rb");
  if (!file || fseek(file, 0, SEEK_END)) fail(path);
  wasm_byte_vec_new_uninitialized(&bytes, (size_t)ftell(file));
  rewind(file);
  if (fread(bytes.data, 1, bytes.size, file) != bytes.size) fail(path);
  fclose(file);
  return bytes;
}

/* Prints a trap, and the functions that were running. */
static void print_trap(const wasm_trap_t* trap) {
  wasm_message_t message;
  wasm_trap_message(trap, &message);
  printf("trap: %s\n", message.data);
  wasm_byte_vec_delete(&message);
  wasm_frame_vec_t frames;
  wasm_trap_trace(trap, &frames);
  for (size_t i = 0; i < frames.size; i++) {
    const wasm_name_t* name = tenon_frame_func_name(frames.data[i]);
    printf("  at %.*s (function %u, module offset 0x%zx)\n", name ? (int)name->size : 1,
           name ? name->data : "?", wasm_frame_func_index(frames.data[i]),
           wasm_frame_module_offset(frames.data[i]));
  }
  wasm_frame_vec_delete(&frames);
}

/* An instance of the program, and its exports. */
typedef struct {
  wasm_store_t* store;
  wasi_env_t* env;
  wasm_instance_t* instance;
  wasm_exporttype_vec_t types;
  wasm_extern_vec_t exports;
} guest_t;

static guest_t start(wasm_engine_t* engine, const wasm_byte_vec_t* binary, wasi_config_t* config) {
  guest_t guest = {.store = wasm_store_new(engine)};
  wasm_module_t* module = wasm_module_new(guest.store, binary);
  if (!module) fail("the module");
  guest.env = wasi_env_new(guest.store, config);
  wasm_extern_vec_t imports;
  if (!wasi_get_imports(guest.store, guest.env, module, &imports)) fail("the imports");
  wasm_trap_t* trap = NULL;
  guest.instance = wasm_instance_new(guest.store, module, &imports, &trap);
  if (!guest.instance) fail("the instance");
  wasm_extern_vec_delete(&imports);
  wasm_module_exports(module, &guest.types);
  wasm_instance_exports(guest.instance, &guest.exports);
  wasm_module_delete(module);
  return guest;
}

static void stop(guest_t* guest) {
  wasm_extern_vec_delete(&guest->exports);
  wasm_exporttype_vec_delete(&guest->types);
  wasm_instance_delete(guest->instance);
  wasi_env_delete(guest->env);
  wasm_store_delete(guest->store);
}

static wasm_extern_t* find(const guest_t* guest, const char* name) {
  for (size_t i = 0; i < guest->types.size; i++) {
    const wasm_name_t* exported = wasm_exporttype_name(guest->types.data[i]);
    if (exported->size == strlen(name) && memcmp(exported->data, name, exported->size) == 0) {
      return guest->exports.data[i];
    }
  }
  fail(name);
  return NULL;
}

/* Calls an exported function of i32s; returns its result, or 0 and the trap. */
static uint32_t call(
  const guest_t* guest, const char* name, size_t count, const uint32_t* args, wasm_trap_t** trap
) {
  wasm_val_t values[4], results[1] = {WASM_INIT_VAL};
  for (size_t i = 0; i < count; i++) values[i] = (wasm_val_t)WASM_I32_VAL((int32_t)args[i]);
  wasm_val_vec_t arg_vec = {count, values}, result_vec = WASM_ARRAY_VEC(results);
  *trap = wasm_func_call(wasm_extern_as_func(find(guest, name)), &arg_vec, &result_vec);
  return *trap ? 0 : (uint32_t)results[0].of.i32;
}

static char* memory_of(const guest_t* guest) {
  return wasm_memory_data(wasm_extern_as_memory(find(guest, "memory")));
}

/* Copies bytes into the program's memory; returns their address there. */
static uint32_t give(const guest_t* guest, const char* data, size_t size) {
  wasm_trap_t* trap;
  uint32_t address = call(guest, "allocate", 1, (uint32_t[]){(uint32_t)size}, &trap);
  if (!address) fail("allocate");
  memcpy(memory_of(guest) + address, data, size);
  return address;
}

/* The callback: counts its calls, and draws a bar. */
static wasm_trap_t* on_progress(void* env, const wasm_val_vec_t* args, wasm_val_vec_t* results) {
  uint32_t done = (uint32_t)args->data[0].of.i32, total = (uint32_t)args->data[1].of.i32;
  printf("  progress: %u of %u bytes\n", done, total);
  ++*(int*)env;
  results->data[0] = (wasm_val_t)WASM_I32_VAL(0);
  return NULL;
}

/* Makes a function of the host one that the program can call through a pointer. */
static uint32_t as_pointer(const guest_t* guest, wasm_func_callback_with_env_t callback, void* env) {
  wasm_functype_t* type = wasm_functype_new_2_1(
    wasm_valtype_new_i32(), wasm_valtype_new_i32(), wasm_valtype_new_i32());
  wasm_func_t* func = wasm_func_new_with_env(guest->store, type, callback, env, NULL);
  wasm_table_t* table = wasm_extern_as_table(find(guest, "__indirect_function_table"));
  uint32_t index = wasm_table_size(table);
  if (!wasm_table_grow(table, 1, wasm_func_as_ref(func))) fail("the table");
  wasm_func_delete(func);
  wasm_functype_delete(type);
  return index;
}

/* The program as a command: arguments, a directory, its output kept. */
static void run_command(
  wasm_engine_t* engine, const wasm_byte_vec_t* binary, const char* dir, const char* file
) {
  char path[4096], output[4096];
  snprintf(path, sizeof path, "/data/%s", file);
  wasi_config_t* config = wasi_config_new("squeeze");
  wasi_config_arg(config, "c");
  wasi_config_arg(config, path);
  wasi_config_capture_stdout(config);
  if (!wasi_config_mapdir(config, "/data", dir)) fail(dir);
  guest_t guest = start(engine, binary, config);

  wasm_func_t* main_func = wasi_get_start_function(guest.instance);
  if (!main_func) fail("_start");
  wasm_val_vec_t none = WASM_EMPTY_VEC;
  wasm_trap_t* trap = wasm_func_call(main_func, &none, &none);
  uint32_t status = 0;
  if (trap && !tenon_trap_exit_status(trap, &status)) print_trap(trap);
  intptr_t size = wasi_env_read_stdout(guest.env, output, sizeof output);
  printf("command: exit status %u, it wrote: %.*s", status, (int)size, output);
  if (trap || size <= 0) fail("the command");
  wasm_func_delete(main_func);
  stop(&guest);
}

/* The program as a library: data in and out through memory, a callback, a trap. */
static void call_functions(wasm_engine_t* engine, const wasm_byte_vec_t* binary) {
  guest_t guest = start(engine, binary, wasi_config_new("squeeze"));
  wasm_trap_t* trap;
  int calls = 0;
  uint32_t data = give(&guest, binary->data, binary->size);
  uint32_t size_at = give(&guest, "\0\0\0\0", 4);
  uint32_t progress = as_pointer(&guest, on_progress, &calls);
  printf("library: compressing the program itself\n");
  call(&guest, "compress", 4, (uint32_t[]){data, (uint32_t)binary->size, progress, size_at}, &trap);
  if (trap) fail("compress");
  uint32_t size;
  memcpy(&size, memory_of(&guest) + size_at, sizeof size);
  printf("library: %zu -> %u bytes, %d callbacks\n", binary->size, size, calls);
  if (!calls) fail("the callback");

  printf("library: decompressing what is no gzip\n");
  call(&guest, "decompress", 4, (uint32_t[]){data, 100, 0, size_at}, &trap);
  if (!trap) fail("decompress");
  print_trap(trap);
  wasm_trap_delete(trap);
  stop(&guest);
}

int main(int argc, char** argv) {
  if (argc != 4) {
    fprintf(stderr, "usage: demo squeeze.wasm DIR FILE\n");
    return 1;
  }
  /* One line after the other, also of what the program writes itself. */
  setvbuf(stdout, NULL, _IOLBF, 0);
  wasm_engine_t* engine = wasm_engine_new();
  wasm_byte_vec_t binary = read_file(argv[1]);
  run_command(engine, &binary, argv[2], argv[3]);
  call_functions(engine, &binary);
  wasm_byte_vec_delete(&binary);
  wasm_engine_delete(engine);
  return 0;
}
