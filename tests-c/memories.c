/* Memories: host and guests see the same bytes, before and after growth, however much address space
 * is reserved; nothing is accessible beyond the end. */

#include "harness.h"

enum { PAGE = 65536 };

/* A store whose engine reserves so many bytes for each memory. */
static own wasm_store_t* store_reserving(uint64_t bytes) {
  wasm_config_t* config = test_config();
  check(tenon_config_memory_reservation_set(config, bytes) == TENON_OK);
  wasm_engine_t* engine = wasm_engine_new_with_config(config);
  wasm_store_t* store = wasm_store_new(engine);
  wasm_engine_delete(engine);
  return store;
}

static void empty_memories_have_an_address(wasm_store_t* store) {
  wasm_memory_t* memory = memory_of(store, 0, 2);
  check(wasm_memory_data(memory) != NULL);
  check(wasm_memory_data_size(memory) == 0 && wasm_memory_size(memory) == 0);
  accepted(wasm_memory_grow(memory, 0));
  accepted(wasm_memory_grow(memory, 1));
  check(wasm_memory_data_size(memory) == PAGE && wasm_memory_size(memory) == 1);
  check(wasm_memory_data(memory)[0] == 0 && wasm_memory_data(memory)[PAGE - 1] == 0);
  wasm_memory_delete(memory);
}

static void memories_grow_up_to_their_maximum(wasm_store_t* store) {
  static const wasm_memory_pages_t too_much[] = {1, 2, 65536, 0x7fffffff, 0xffffffff};
  wasm_memory_t* memory = memory_of(store, 1, 3);
  wasm_memory_data(memory)[5] = 9;
  accepted(wasm_memory_grow(memory, 2));
  check(wasm_memory_size(memory) == 3 && wasm_memory_data_size(memory) == 3 * PAGE);
  check(wasm_memory_data(memory)[5] == 9 && wasm_memory_data(memory)[3 * PAGE - 1] == 0);
  for (size_t i = 0; i < sizeof too_much / sizeof *too_much; i++) {
    refused(TENON_ERROR_LIMIT, wasm_memory_grow(memory, too_much[i]));
    check(wasm_memory_size(memory) == 3);
  }
  accepted(wasm_memory_grow(memory, 0));
  wasm_memory_delete(memory);
}

static void no_memory_has_more_than_65536_pages(wasm_store_t* store) {
  wasm_memory_t* memory = memory_of(store, 1, wasm_limits_max_default);
  refused(TENON_ERROR_LIMIT, wasm_memory_grow(memory, 65536));
  refused(TENON_ERROR_LIMIT, wasm_memory_grow(memory, 0xffffffff));
  check(wasm_memory_size(memory) == 1);
  wasm_memory_delete(memory);
  static const wasm_limits_t limits[] = {{65537, 65537}, {2, 1}, {0xffffffff, 0xffffffff}};
  for (size_t i = 0; i < sizeof limits / sizeof *limits; i++) {
    wasm_memorytype_t* type = wasm_memorytype_new(&limits[i]);
    refused(TENON_ERROR_LIMIT, wasm_memory_new(store, type));
    wasm_memorytype_delete(type);
  }
}

/* Reads and writes bytes, and grows. */
static const char* const guest =
  "(module (import \"\" \"\" (memory $m 0))"
  " (import \"\" \"\" (func $host (param i32) (result i32)))"
  " (func (export \"load\") (param i32) (result i32) (i32.load8_u (local.get 0)))"
  " (func (export \"store\") (param i32) (result i32)"
  "  (i32.store8 (local.get 0) (i32.const 77)) (local.get 0))"
  " (func (export \"load 4\") (param i32) (result i32) (i32.load (local.get 0)))"
  " (func (export \"grow\") (param i32) (result i32) (memory.grow (local.get 0)))"
  " (func (export \"size\") (param i32) (result i32) (memory.size))"
  // Grows inside, each time in another way, and accesses the last byte at once.
  " (func (export \"grow itself\") (param i32) (result i32)"
  "  (i32.store8 (i32.const 1) (i32.const 1)) (drop (memory.grow (local.get 0)))"
  "  (call $touch))"
  " (func (export \"grow by host\") (param i32) (result i32)"
  "  (i32.store8 (i32.const 1) (i32.const 1)) (drop (call $host (local.get 0)))"
  "  (call $touch))"
  " (func (export \"grow by call\") (param i32) (result i32)"
  "  (i32.store8 (i32.const 1) (i32.const 1))"
  "  (drop (call_indirect (param i32) (result i32) (local.get 0) (i32.const 0)))"
  "  (i32.store8 (i32.sub (i32.mul (memory.size) (i32.const 65536)) (i32.const 1)) (i32.const 2))"
  "  (i32.add (i32.load8_u (i32.const 1)) (i32.load8_u"
  "   (i32.sub (i32.mul (memory.size) (i32.const 65536)) (i32.const 1)))))"
  " (table 1 funcref) (elem (i32.const 0) $by_table)"
  " (func $by_table (param i32) (result i32) (memory.grow (local.get 0)))"
  " (func $touch (result i32) (local i32)"
  "  (local.set 0 (i32.sub (i32.mul (memory.size) (i32.const 65536)) (i32.const 1)))"
  "  (i32.store8 (local.get 0) (i32.const 2))"
  "  (i32.add (i32.load8_u (i32.const 1)) (i32.load8_u (local.get 0)))))";

enum { LOAD, STORE, LOAD_4, GROW, SIZE, GROW_ITSELF, GROW_BY_HOST, GROW_BY_CALL, FUNCS };

static own wasm_trap_t* grow_env(void* env, const wasm_val_vec_t* args, wasm_val_vec_t* results) {
  check(wasm_memory_grow(env, (wasm_memory_pages_t)args->data[0].of.i32));
  results->data[0] = i32_val(0);
  return NULL;
}

/* A memory and a guest that uses it. */
struct scene {
  wasm_memory_t* memory;
  wasm_func_t* host;
  wasm_instance_t* instance;
  wasm_func_t* funcs[FUNCS];
};

static void set_up(struct scene* scene, wasm_store_t* store, uint32_t min, uint32_t max) {
  scene->memory = memory_of(store, min, max);
  scene->host = func_with_env(store, type_i32_i32(), grow_env, scene->memory);
  wasm_extern_t* imports[] = {
    wasm_memory_as_extern(scene->memory), wasm_func_as_extern(scene->host),
  };
  scene->instance = instance_with(store, guest, 2, imports);
  for (size_t i = 0; i < FUNCS; i++) scene->funcs[i] = func_at(scene->instance, i);
}

static void tear_down(struct scene* scene) {
  for (size_t i = 0; i < FUNCS; i++) wasm_func_delete(scene->funcs[i]);
  wasm_instance_delete(scene->instance);
  wasm_func_delete(scene->host);
  wasm_memory_delete(scene->memory);
}

static void traps_at(struct scene* scene, int func, uint32_t address) {
  wasm_trap_t* trap = NULL;
  check(call_i32(scene->funcs[func], (int32_t)address, &trap) == -1);
  check(trap && has_message(trap, "out of bounds memory access"));
  wasm_trap_delete(trap);
}

/* Proves that exactly the bytes are accessible that there are. */
static void ends_where_it_should(struct scene* scene) {
  uint32_t size = (uint32_t)wasm_memory_data_size(scene->memory);
  check(call_i32(scene->funcs[SIZE], 0, NULL) == (int32_t)(size / PAGE));
  if (size > 0) {
    check(call_i32(scene->funcs[STORE], (int32_t)(size - 1), NULL) == (int32_t)(size - 1));
    check(wasm_memory_data(scene->memory)[size - 1] == 77);
    wasm_memory_data(scene->memory)[size - 1] = 33;
    check(call_i32(scene->funcs[LOAD], (int32_t)(size - 1), NULL) == 33);
    check(call_i32(scene->funcs[LOAD_4], (int32_t)(size - 4), NULL) != 0);
    traps_at(scene, LOAD_4, size - 1);
    traps_at(scene, LOAD_4, size - 3);
  }
  static const uint32_t beyond[] = {0, 1, PAGE - 1, PAGE, 10 * PAGE};
  for (size_t i = 0; i < sizeof beyond / sizeof *beyond; i++) {
    traps_at(scene, LOAD, size + beyond[i]);
    traps_at(scene, STORE, size + beyond[i]);
  }
  static const uint32_t far[] = {0x7fffffff, 0x80000000, 0xffff0000, 0xfffffffe, 0xffffffff};
  for (size_t i = 0; i < sizeof far / sizeof *far; i++) {
    traps_at(scene, LOAD, far[i]);
    traps_at(scene, LOAD_4, far[i]);
    traps_at(scene, STORE, far[i]);
  }
}

static void host_and_guest_share_bytes_and_bounds(wasm_store_t* store) {
  struct scene scene;
  set_up(&scene, store, 0, 100);
  ends_where_it_should(&scene);
  check(call_i32(scene.funcs[GROW], 1, NULL) == 0);
  ends_where_it_should(&scene);
  check(wasm_memory_grow(scene.memory, 2));
  ends_where_it_should(&scene);
  check(call_i32(scene.funcs[GROW], 97, NULL) == 3);
  check(call_i32(scene.funcs[GROW], 1, NULL) == -1);
  check(!wasm_memory_grow(scene.memory, 1));
  ends_where_it_should(&scene);
  tear_down(&scene);
}

/* Fills the memory with bytes that depend on their place and on the page. */
static void mark_page(wasm_memory_t* memory, size_t page) {
  byte_t* data = wasm_memory_data(memory) + page * PAGE;
  for (size_t i = 2; i < PAGE - 1; i += 97) data[i] = (byte_t)(i + page * 5);
}

static bool is_marked(wasm_memory_t* memory, size_t page) {
  const byte_t* data = wasm_memory_data(memory) + page * PAGE;
  for (size_t i = 2; i < PAGE - 1; i += 97) {
    if (data[i] != (byte_t)(i + page * 5)) return false;
  }
  return true;
}

static bool is_zero(wasm_memory_t* memory, size_t page) {
  const byte_t* data = wasm_memory_data(memory) + page * PAGE;
  for (size_t i = 0; i < PAGE; i++) {
    if (data[i] != 0) return false;
  }
  return true;
}

static void contents_survive_growth(wasm_store_t* store) {
  struct scene scene;
  set_up(&scene, store, 1, 60);
  size_t pages = 1;
  mark_page(scene.memory, 0);
  for (int way = 0; pages < 50; way++) {
    int32_t delta = 1 + way % 3;
    static const int ways[] = {GROW_ITSELF, GROW_BY_HOST, GROW_BY_CALL};
    if (way % 4 == 3) {
      check(wasm_memory_grow(scene.memory, (wasm_memory_pages_t)delta));
    } else {
      check(call_i32(scene.funcs[ways[way % 4]], delta, NULL) == 3);
      // The last byte was written by the guest, the others are new.
      check(wasm_memory_data(scene.memory)[wasm_memory_data_size(scene.memory) - 1] == 2);
      wasm_memory_data(scene.memory)[wasm_memory_data_size(scene.memory) - 1] = 0;
    }
    check(wasm_memory_size(scene.memory) == pages + (size_t)delta);
    for (size_t page = 0; page < pages; page++) check(is_marked(scene.memory, page));
    for (; pages < wasm_memory_size(scene.memory); pages++) {
      check(is_zero(scene.memory, pages));
      mark_page(scene.memory, pages);
    }
  }
  tear_down(&scene);
}

/* Two instances use one memory, which one of them owns; each sees the other grow it. */
static void instances_see_each_others_growth(wasm_store_t* store) {
  wasm_instance_t* owner = instance_of(store,
    "(module (memory (export \"m\") 1 50) (func (export \"load\") (param i32) (result i32)"
    " (i32.load8_u (local.get 0)))"
    " (func (export \"grow\") (param i32) (result i32) (memory.grow (local.get 0))))");
  wasm_func_t *grow = func_at(owner, 2), *load = func_at(owner, 1);
  wasm_extern_t* imports[] = {export_at(owner, 0), wasm_func_as_extern(grow)};
  wasm_instance_t* user = instance_with(store, guest, 2, imports);
  wasm_func_t* by_host = func_at(user, GROW_BY_HOST);
  for (int32_t pages = 1; pages < 40; pages += 5) {
    check(call_i32(by_host, 5, NULL) == 3);
    check(call_i32(load, (pages + 5) * PAGE - 1, NULL) == 2 && call_i32(load, 1, NULL) == 1);
  }
  wasm_func_delete(by_host);
  wasm_instance_delete(user);
  wasm_extern_delete(imports[0]);
  wasm_func_delete(load);
  wasm_func_delete(grow);
  wasm_instance_delete(owner);
}

static void fully_reserved_memories_stay_where_they_are(wasm_store_t* store) {
  wasm_memory_t* memory = memory_of(store, 1, wasm_limits_max_default);
  const byte_t* data = wasm_memory_data(memory);
  for (int i = 0; i < 20; i++) {
    check(wasm_memory_grow(memory, 30) && wasm_memory_data(memory) == data);
  }
  wasm_memory_delete(memory);
}

/* Instructions of no bytes are fine up to the end, and trap beyond. */
static void bulk_operations_know_the_end(wasm_store_t* store) {
  static const char* const operations[] = {
    "(memory.fill (local.get 0) (i32.const 1) (local.get 1))",
    "(memory.copy (local.get 0) (i32.const 0) (local.get 1))",
    "(memory.copy (i32.const 0) (local.get 0) (local.get 1))",
    "(memory.init $d (local.get 0) (i32.const 0) (local.get 1))",
  };
  static const uint32_t cases[][3] = {
    // Pages, address, bytes; the last three trap.
    {0, 0, 0}, {1, PAGE, 0}, {1, PAGE - 4, 4}, {0, 1, 0}, {1, PAGE - 3, 4}, {1, 0xffffffff, 2},
  };
  for (size_t i = 0; i < sizeof operations / sizeof *operations; i++) {
    for (size_t j = 0; j < sizeof cases / sizeof *cases; j++) {
      char text[300];
      snprintf(text, sizeof text, "(module (memory %" PRIu32 ") (data $d \"four\")"
        " (func (export \"f\") (param i32 i32) %s))", cases[j][0], operations[i]);
      wasm_instance_t* instance = instance_of(store, text);
      wasm_func_t* func = func_at(instance, 0);
      wasm_val_t args[] = {i32_val((int32_t)cases[j][1]), i32_val((int32_t)cases[j][2])};
      wasm_trap_t* trap = call_with(func, 2, args, 0, NULL);
      check((trap != NULL) == (j >= 3));
      if (trap) check(has_message(trap, "out of bounds memory access"));
      wasm_trap_delete(trap);
      wasm_func_delete(func);
      wasm_instance_delete(instance);
    }
  }
}

/* A new memory where an old one was has nothing of it. */
static void new_memories_are_zero(wasm_store_t* store) {
  for (size_t i = 0; i < rounds(300, 5); i++) {
    wasm_instance_t* first = instance_of(store,
      "(module (memory (export \"m\") 2) (data (i32.const 0) \"left\")"
      " (data (i32.const 131068) \"over\"))");
    wasm_memory_t* memory = memory_at(first, 0);
    memset(wasm_memory_data(memory), 0xee, wasm_memory_data_size(memory));
    wasm_memory_delete(memory);
    wasm_instance_delete(first);
    wasm_instance_t* second = instance_of(store, "(module (memory (export \"m\") 1 4))");
    memory = memory_at(second, 0);
    check(wasm_memory_size(memory) == 1 && is_zero(memory, 0));
    check(wasm_memory_grow(memory, 2) && is_zero(memory, 1) && is_zero(memory, 2));
    wasm_memory_delete(memory);
    wasm_instance_delete(second);
  }
}

static void several_memories_are_several(wasm_store_t* store) {
  wasm_instance_t* instance = instance_of(store,
    "(module (memory $a (export \"a\") 1 9) (memory $b (export \"b\") 0 9)"
    " (func (export \"f\") (result i32) (i32.store8 $a (i32.const 7) (i32.const 1))"
    "  (drop (memory.grow $b (i32.const 3))) (i32.store8 $b (i32.const 131079) (i32.const 2))"
    "  (memory.copy $a $b (i32.const 100) (i32.const 131072) (i32.const 8))"
    "  (i32.add (i32.load8_u $a (i32.const 107)) (i32.mul (i32.const 10)"
    "   (i32.add (memory.size $a) (memory.size $b))))))");
  wasm_func_t* func = func_at(instance, 2);
  check(call_i32(func, 0, NULL) == 42);
  wasm_memory_t *a = memory_at(instance, 0), *b = memory_at(instance, 1);
  check(!wasm_memory_same(a, b) && wasm_memory_size(a) == 1 && wasm_memory_size(b) == 3);
  check(wasm_memory_data(a)[7] == 1 && wasm_memory_data(b)[7] == 0);
  wasm_memory_delete(b);
  wasm_memory_delete(a);
  wasm_func_delete(func);
  wasm_instance_delete(instance);
}

static void all_of_this_holds(uint64_t reservation) {
  wasm_store_t* store = store_reserving(reservation);
  empty_memories_have_an_address(store);
  memories_grow_up_to_their_maximum(store);
  no_memory_has_more_than_65536_pages(store);
  host_and_guest_share_bytes_and_bounds(store);
  contents_survive_growth(store);
  instances_see_each_others_growth(store);
  bulk_operations_know_the_end(store);
  new_memories_are_zero(store);
  several_memories_are_several(store);
  wasm_store_delete(store);
}

int main(void) {
  static const uint64_t reservations[] = {
    (uint64_t)4 << 30, 0, 1, PAGE, 100001, 3 * PAGE, (uint64_t)1 << 20, (uint64_t)8 << 30,
    UINT64_MAX,
  };
  size_t count = rounds(sizeof reservations / sizeof *reservations, 3);
  for (size_t i = 0; i < count; i++) all_of_this_holds(reservations[i]);
  wasm_store_t* store = test_store();
  fully_reserved_memories_stay_where_they_are(store);
  wasm_store_delete(store);
  return done();
}
