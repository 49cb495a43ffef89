/* Soaking: what is made, used and deleted a great many times leaves nothing: no memory, no
 * mappings, no open files. With TEST_SOAK=1 in the environment (`make soak`) it is many more times. */

#include <dirent.h>
#include <wasi.h>

#define own

#include "harness.h"

/* How often to do what is done in one store. */
static size_t times(void) {
  return is_set("TEST_SOAK") ? 100000 : rounds(3000, 20);
}

static size_t open_files(void) {
  DIR* dir = opendir("/proc/self/fd");
  size_t count = 0;
  while (dir && readdir(dir)) count++;
  if (dir) closedir(dir);
  return count;
}

/* Repeats something, and proves that the process does not grow after a third of the times, or after
 * the ten thousandth. */
static void leaves_nothing(const char* name, size_t count, void (*once)(void*, size_t), void* arg) {
  size_t memory = 0, maps = 0, files = 0, warm = count / 3 < 10000 ? count / 3 : 10000;
  for (size_t i = 0; i < count; i++) {
    if (i == warm) {
      files = open_files();
      maps = lines_of("/proc/self/maps");
      memory = bytes_in_statm(1);
    }
    once(arg, i);
  }
  size_t memory_now = bytes_in_statm(1), maps_now = lines_of("/proc/self/maps");
  bool flat = check(open_files() == files);
  // Valgrind keeps what is freed for a while.
  if (!is_set("TEST_VALGRIND")) {
    flat &= check(memory_now < memory + (1 << 20));
    flat &= check(maps_now <= maps + 3);
  }
  if (flat) return;
  fprintf(stderr, "%s, %zu times: resident %zu -> %zu, maps %zu -> %zu, files %zu -> %zu\n", name,
    count, memory, memory_now, maps, maps_now, files, open_files());
}

static wasm_byte_vec_t binary;

static own wasm_trap_t* add_env(void* env, const wasm_val_vec_t* args, wasm_val_vec_t* results) {
  results->data[0] = i32_val(args->data[0].of.i32 + *(int32_t*)env);
  return NULL;
}

static void free_env(void* env) {
  free(env);
  finalized++;
}

/* One module, instance and callback with an environment: made, called, deleted. */
static void one_program(void* arg, size_t round) {
  wasm_store_t* store = arg;
  int32_t* env = malloc(sizeof *env);
  *env = (int32_t)round;
  wasm_module_t* module = wasm_module_new(store, &binary);
  wasm_functype_t* type = type_i32_i32();
  wasm_func_t* host = wasm_func_new_with_env(store, type, add_env, env, free_env);
  wasm_functype_delete(type);
  wasm_extern_t* items[] = {wasm_func_as_extern(host)};
  wasm_extern_vec_t imports = WASM_ARRAY_VEC(items);
  wasm_instance_t* instance = wasm_instance_new(store, module, &imports, NULL);
  wasm_func_t* func = func_at(instance, 0);
  int32_t result = call_i32(func, 7, NULL);
  if (result != (int32_t)round + 8) check(!"the sum is right");
  // In turn in two orders.
  if (round % 2) wasm_func_delete(func);
  wasm_instance_delete(instance);
  wasm_func_delete(host);
  wasm_module_delete(module);
  if (round % 2 == 0) wasm_func_delete(func);
}

static void one_store(void* arg, size_t round) {
  wasm_store_t* store = wasm_store_new(arg);
  one_program(store, round);
  wasm_store_delete(store);
}

static void one_engine(void* ignored, size_t round) {
  (void)ignored;
  wasm_engine_t* engine = test_engine();
  one_store(engine, round);
  wasm_engine_delete(engine);
}

static void programs_come_and_go(void) {
  size_t count = times();
  wasm_engine_t* engine = test_engine();
  wasm_store_t* store = wasm_store_new(engine);
  binary = binary_of(
    "(module (import \"\" \"\" (func $f (param i32) (result i32))) (memory 1) (table 2 funcref)"
    " (elem (i32.const 0) $f $g) (data (i32.const 4) \"\\01\")"
    " (func $g (export \"g\") (param i32) (result i32)"
    "  (i32.add (i32.load8_u (i32.const 4))"
    "   (call_indirect (param i32) (result i32) (local.get 0) (i32.const 0)))))");
  finalized = 0;
  leaves_nothing("in one store", count, one_program, store);
  tenon_store_collect(store);
  check(finalized == (int)count);
  wasm_store_delete(store);
  finalized = 0;
  leaves_nothing("in stores", count, one_store, engine);
  check(finalized == (int)count);
  wasm_engine_delete(engine);
  finalized = 0;
  count = count / 50 + 10;
  leaves_nothing("in engines", count, one_engine, NULL);
  check(finalized == (int)count);
  wasm_byte_vec_delete(&binary);
}

static own wasm_trap_t* raise_trap(void* env, const wasm_val_vec_t* args, wasm_val_vec_t* results) {
  (void)args, (void)results;
  wasm_byte_vec_t text = bytes_of("raised");
  return wasm_trap_new(env, &text);
}

/* What the scenes in one store work with. */
struct scene {
  wasm_store_t* store;
  wasm_instance_t* instance;
  wasm_func_t* funcs[5];
  wasm_table_t* table;
  wasm_module_t* failing;
};

static void one_trap(void* arg, size_t round) {
  struct scene* scene = arg;
  // Overflows, which have hundreds of frames, are rare.
  wasm_trap_t* trap = call_empty(scene->funcs[round % 50 ? round % 2 : 2]);
  wasm_frame_vec_t trace;
  wasm_trap_trace(trap, &trace);
  if (trace.size == 0) check(!"there are frames");
  wasm_frame_t* origin = wasm_trap_origin(trap);
  wasm_trap_delete(trap);
  wasm_frame_vec_delete(&trace);
  wasm_frame_delete(origin);
  if (wasm_instance_new(scene->store, scene->failing, NULL, &trap)) check(!"made");
  wasm_trap_delete(trap);
}

/* A memory of the host and one of a guest, which both grow. */
static void one_memory(void* arg, size_t round) {
  struct scene* scene = arg;
  wasm_memory_t* memory = memory_of(scene->store, 0, wasm_limits_max_default);
  for (uint32_t i = 1; i < 5; i++) {
    if (!wasm_memory_grow(memory, i)) check(!"grown");
    wasm_memory_data(memory)[wasm_memory_data_size(memory) - 1] = (byte_t)round;
  }
  wasm_memory_delete(memory);
  wasm_instance_t* instance = instance_of(scene->store,
    "(module (memory (export \"m\") 1) (func $s (drop (memory.grow (i32.const 3)))"
    " (i32.store (i32.const 262140) (i32.const 1))) (start $s))");
  memory = memory_at(instance, 0);
  wasm_instance_delete(instance);
  if (wasm_memory_size(memory) != 4) check(!"grown by the guest");
  wasm_memory_delete(memory);
}

/* A table filled with functions of all origins and emptied again, and one that goes full. */
static void one_table(void* arg, size_t round) {
  struct scene* scene = arg;
  wasm_table_t* table = table_of(scene->store, WASM_FUNCREF, 4, 64);
  wasm_table_grow(table, 60, wasm_func_as_ref(scene->funcs[round % 4]));
  for (wasm_table_size_t i = 0; i < 64; i += 3) {
    wasm_func_t* host = func_with_env(scene->store, wasm_functype_new_0_0(), raise_trap, NULL);
    wasm_table_set(table, i, wasm_func_as_ref(host));
    wasm_table_set(scene->table, i, wasm_func_as_ref(host));
    wasm_func_delete(host);
  }
  wasm_instance_t* instance = instance_with(scene->store,
    "(module (import \"\" \"\" (table 64 funcref)) (func $f) (elem (i32.const 5) $f $f $f))", 1,
    (wasm_extern_t*[]){wasm_table_as_extern(scene->table)});
  wasm_instance_delete(instance);
  for (wasm_table_size_t i = 0; i < 64; i++) wasm_table_set(scene->table, i, NULL);
  wasm_table_delete(table);
}

/* An object that wasm has held. */
static void one_object(void* arg, size_t round) {
  struct scene* scene = arg;
  wasm_foreign_t* foreign = wasm_foreign_new(scene->store);
  wasm_foreign_set_host_info_with_finalizer(foreign, NULL, count_finalized);
  wasm_val_t value = extern_val(wasm_foreign_as_ref(foreign)), result;
  if (call_with(scene->funcs[3], 1, &value, 1, &result)) check(!"passed");
  if (round % 100 == 0) check(wasm_ref_same(result.of.ref, value.of.ref));
  wasm_val_delete(&result);
  wasm_foreign_delete(foreign);
}

/* Structs and arrays that refer to each other and to an object of the host, some with host info. */
static void one_heap(void* arg, size_t round) {
  struct scene* scene = arg;
  wasm_foreign_t* foreign = wasm_foreign_new(scene->store);
  wasm_foreign_set_host_info_with_finalizer(foreign, NULL, count_finalized);
  wasm_val_t value = extern_val(wasm_foreign_as_ref(foreign)), object;
  if (call_with(scene->funcs[4], 1, &value, 1, &object)) check(!"made");
  if (tenon_object_set(object.of.ref, 1, &object) != TENON_OK) check(!"tied");
  wasm_ref_set_host_info_with_finalizer(object.of.ref, NULL, count_finalized);
  tenon_deftype_t* type = tenon_object_type(object.of.ref);
  wasm_val_t fields[] = {value, object};
  wasm_val_vec_t vec = WASM_ARRAY_VEC(fields);
  wasm_ref_t* other = tenon_struct_new(scene->store, type, &vec);
  wasm_val_t got;
  tenon_object_get(other, 0, &got);
  if (round % 100 == 0) check(wasm_ref_same(got.of.ref, wasm_foreign_as_ref(foreign)));
  wasm_val_delete(&got);
  wasm_val_delete(&object);
  wasm_ref_delete(other);
  wasm_ref_delete(wasm_ref_copy(wasm_foreign_as_ref(foreign)));
  tenon_deftype_delete(type);
  wasm_foreign_delete(foreign);
}

static ptrdiff_t take_all(void* env, const char* bytes, size_t len) {
  (void)env, (void)bytes;
  return (ptrdiff_t)len;
}

/* A program with open directories, a captured stream, and one that is a callback. */
static void one_wasi_program(void* arg, size_t round) {
  struct scene* scene = arg;
  wasi_config_t* config = wasi_config_new("program");
  if (!wasi_config_preopen_dir(config, "/") || !wasi_config_mapdir(config, "tmp", ".")) {
    check(!"the directories are opened");
  }
  wasi_config_capture_stdout(config);
  int32_t* env_of_stream = malloc(sizeof *env_of_stream);
  tenon_wasi_config_write(config, TENON_WASI_STDERR, take_all, env_of_stream, free_env);
  if (round % 3 == 0) {
    wasi_config_delete(config);
    return;
  }
  wasi_env_t* env = wasi_env_new(scene->store, config);
  wasm_module_t* module = module_of(scene->store,
    "(module (import \"wasi_snapshot_preview1\" \"fd_write\""
    "  (func $w (param i32 i32 i32 i32) (result i32))) (memory (export \"memory\") 1)"
    " (data (i32.const 0) \"\\08\\00\\00\\00\\05\\00\\00\\00hello\")"
    " (func (export \"_start\")"
    "  (drop (call $w (i32.const 1) (i32.const 0) (i32.const 1) (i32.const 16)))))");
  wasm_extern_vec_t imports;
  if (!wasi_get_imports(scene->store, env, module, &imports)) check(!"all imports");
  wasm_instance_t* instance = wasm_instance_new(scene->store, module, &imports, NULL);
  wasm_extern_vec_delete(&imports);
  wasi_env_initialize_instance(env, scene->store, instance);
  wasm_func_t* start = wasi_get_start_function(instance);
  char text[8];
  if (call_empty(start) || wasi_env_read_stdout(env, text, 8) != 5) check(!"five bytes written");
  wasm_func_delete(start);
  wasm_instance_delete(instance);
  wasm_module_delete(module);
  wasi_env_delete(env);
}

/* A store whose stack is small, so that overflows are not about buffers for all of their frames. */
static own wasm_store_t* store_of_small_stack(void) {
  wasm_config_t* config = test_config();
  tenon_config_max_stack_set(config, 32 << 10);
  wasm_engine_t* engine = wasm_engine_new_with_config(config);
  wasm_store_t* store = wasm_store_new(engine);
  wasm_engine_delete(engine);
  return store;
}

static void a_long_life_leaves_nothing(void) {
  struct scene scene = {.store = store_of_small_stack()};
  wasm_func_t* host =
    func_with_env(scene.store, wasm_functype_new_0_0(), raise_trap, scene.store);
  wasm_extern_t* imports[] = {wasm_func_as_extern(host)};
  scene.instance = instance_with(scene.store,
    "(module (import \"\" \"\" (func $f)) (memory 1) (func (export \"host\") (call $f))"
    " (func (export \"fault\") (drop (i32.load (i32.const -1))))"
    " (func $o (export \"overflow\") (call $o))"
    " (func (export \"pass\") (param externref) (result externref) (local.get 0))"
    " (type $o (struct (field externref) (field (mut anyref))))"
    " (func (export \"make\") (param externref) (result (ref $o))"
    "  (struct.new $o (local.get 0) (ref.i31 (i32.const 5)))))", 1, imports);
  for (size_t i = 0; i < 5; i++) scene.funcs[i] = func_at(scene.instance, i);
  scene.table = table_of(scene.store, WASM_FUNCREF, 64, 64);
  scene.failing = module_of(scene.store, "(module (memory 2) (func $s unreachable) (start $s))");
  leaves_nothing("traps", times(), one_trap, &scene);
  leaves_nothing("memories", times(), one_memory, &scene);
  leaves_nothing("tables", times() / 5, one_table, &scene);
  finalized = 0;
  leaves_nothing("objects", times(), one_object, &scene);
  tenon_store_collect(scene.store);
  check(finalized == (int)times());
  finalized = 0;
  leaves_nothing("structs", times(), one_heap, &scene);
  tenon_store_collect(scene.store);
  check(finalized == 2 * (int)times() && tenon_store_heap_used(scene.store) == 0);
  finalized = 0;
  size_t programs = is_set("TEST_SOAK") ? times() : rounds(10000, 20);
  leaves_nothing("programs of WASI", programs, one_wasi_program, &scene);
  tenon_store_collect(scene.store);
  check(finalized == (int)programs);
  for (size_t i = 0; i < 5; i++) wasm_func_delete(scene.funcs[i]);
  wasm_module_delete(scene.failing);
  wasm_table_delete(scene.table);
  wasm_instance_delete(scene.instance);
  wasm_func_delete(host);
  wasm_store_delete(scene.store);
}

int main(void) {
  programs_come_and_go();
  a_long_life_leaves_nothing();
  return done();
}
