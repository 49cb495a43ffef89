/* Stores and instances: made and dropped, many at a time, on two threads. */

#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>

#include "bench.h"

static wasm_instance_t* instance_in(const context_t* c, wasm_store_t* store) {
  wasm_extern_vec_t none = WASM_EMPTY_VEC;
  wasm_instance_t* instance = api.instance_new(store, c->module, &none, NULL);
  if (!instance) fail("an instance");
  return instance;
}

static void stores(void* context, size_t count) {
  context_t* c = context;
  for (size_t i = 0; i < count; i++) api.store_delete(api.store_new(c->engine));
}

static void in_fresh_stores(void* context, size_t count) {
  context_t* c = context;
  for (size_t i = 0; i < count; i++) {
    wasm_store_t* store = api.store_new(c->engine);
    api.instance_delete(instance_in(c, store));
    api.store_delete(store);
  }
}

/* A thousand instances to a store: not every library frees them before their store. */
static void in_one_store(void* context, size_t count) {
  context_t* c = context;
  for (size_t i = 0; i < count;) {
    wasm_store_t* store = api.store_new(c->engine);
    for (size_t end = i + 1000; i < end && i < count; i++) {
      api.instance_delete(instance_in(c, store));
    }
    api.store_delete(store);
  }
}

/* Calls the first function that an instance exports, () -> i32, in a fresh store. */
static void called_in_fresh_stores(void* context, size_t count) {
  context_t* c = context;
  wasm_val_t value[] = {WASM_INIT_VAL};
  wasm_val_vec_t args = WASM_EMPTY_VEC, results = WASM_ARRAY_VEC(value);
  for (size_t i = 0; i < count; i++) {
    wasm_store_t* store = api.store_new(c->engine);
    wasm_instance_t* instance = instance_in(c, store);
    wasm_extern_vec_t exports;
    api.instance_exports(instance, &exports);
    for (size_t export = 0; export < exports.size; export++) {
      wasm_func_t* func = api.extern_as_func(exports.data[export]);
      if (!func) continue;
      if (api.func_call(func, &args, &results)) fail("a trap");
      break;
    }
    api.extern_vec_delete(&exports);
    api.instance_delete(instance);
    api.store_delete(store);
  }
}

static double store(void) {
  context_t c = context_of("tiny");
  return best(stores, &c) * 1e9;
}

static double tiny(void) {
  context_t c = context_of("tiny");
  return best(in_one_store, &c) * 1e9;
}

static double tiny_fresh(void) {
  context_t c = context_of("tiny");
  return best(in_fresh_stores, &c) * 1e9;
}

static double page(void) {
  context_t c = context_of("page");
  return best(in_one_store, &c) * 1e9;
}

static double page_fresh(void) {
  context_t c = context_of("page");
  return best(in_fresh_stores, &c) * 1e9;
}

static double heavy(void) {
  context_t c = context_of("heavy");
  return best(in_fresh_stores, &c) * 1e6;
}

static double heavy_written(void) {
  context_t c = context_of("heavy");
  return best(called_in_fresh_stores, &c) * 1e6;
}

/* Makes so many instances with a page in one store and keeps them; how many there are then. */
static size_t keep(const context_t* c, size_t count) {
  wasm_extern_vec_t none = WASM_EMPTY_VEC;
  size_t made = 0;
  while (made < count && api.instance_new(c->store, c->module, &none, NULL)) made++;
  return made;
}

static double live_time(void) {
  context_t c = context_of("page");
  double begin = cpu();
  if (keep(&c, 10000) != 10000) fail("10,000 instances");
  return (cpu() - begin) / 10000 * 1e6;
}

/* The same, with what they export had of each. */
static double live_reached_time(void) {
  context_t c = context_of("page");
  wasm_extern_vec_t none = WASM_EMPTY_VEC, exports;
  double begin = cpu();
  for (int i = 0; i < 10000; i++) {
    wasm_instance_t* instance = api.instance_new(c.store, c.module, &none, NULL);
    if (!instance) fail("10,000 instances");
    api.instance_exports(instance, &exports);
    api.extern_vec_delete(&exports);
  }
  return (cpu() - begin) / 10000 * 1e6;
}

static double live_memory(void) {
  context_t c = context_of("page");
  keep(&c, 1);
  double before = resident();
  if (keep(&c, 9999) != 9999) fail("10,000 instances");
  return (resident() - before) * 1024 / 9999;
}

static double live_most(void) {
  // Some libraries have a limit for each store.
  const size_t in_a_store = 10000;
  context_t c = context_of("page");
  wasm_shared_module_t* shared = api.module_share(c.module);
  size_t live = 0;
  for (int i = 0; i < 10; i++) {
    c.store = api.store_new(c.engine);
    c.module = api.module_obtain(c.store, shared);
    size_t made = keep(&c, in_a_store);
    live += made;
    if (made < in_a_store) break;
  }
  return (double)live;
}

/* Work that every thread does in a store of its own. */
typedef struct {
  context_t context;
  wasm_shared_module_t* shared;
  size_t count;
  atomic_int waiting;
} shared_work_t;

static void* work_on_thread(void* argument) {
  shared_work_t* work = argument;
  context_t c = work->context;
  wasm_store_t* store = api.store_new(c.engine);
  c.module = api.module_obtain(store, work->shared);
  atomic_fetch_sub(&work->waiting, 1);
  while (atomic_load(&work->waiting) > 0) {}
  called_in_fresh_stores(&c, work->count);
  api.module_delete(c.module);
  api.store_delete(store);
  return NULL;
}

/* Seconds of processor time for one of the repetitions on so many threads. */
static double on_threads(shared_work_t* work, int threads) {
  pthread_t ids[2];
  atomic_store(&work->waiting, threads);
  double begin = cpu();
  for (int i = 0; i < threads; i++) {
    if (pthread_create(&ids[i], NULL, work_on_thread, work) != 0) fail("a thread");
  }
  for (int i = 0; i < threads; i++) pthread_join(ids[i], NULL);
  return (cpu() - begin) / (double)work->count / threads;
}

/* What one thread takes, over what each of two takes. */
static double efficiency(const char* module) {
  shared_work_t work = {.context = context_of(module), .count = 20000};
  work.shared = api.module_share(work.context.module);
  double one = 1, two = 1;
  for (int round = 0; round < 7; round++) {
    double on_one = on_threads(&work, 1), on_two = on_threads(&work, 2);
    if (on_one < one) one = on_one;
    if (on_two < two) two = on_two;
  }
  return one / two;
}

static double threads_tiny(void) {
  return efficiency("tiny");
}

static double threads_page(void) {
  return efficiency("page");
}

const measure_t instance_measures[] = {
  {"store", "ns", "store, made and deleted", store},
  {"instance_tiny", "ns", "instance, tiny, one store", tiny},
  {"instance_tiny_fresh", "ns", "instance, tiny, fresh store", tiny_fresh},
  {"instance_page", "ns", "instance, one page, one store", page},
  {"instance_page_fresh", "ns", "instance, one page, fresh store", page_fresh},
  {"instance_heavy", "µs", "instance, 64 KiB of data, table, fresh store", heavy},
  {"instance_heavy_written", "µs", "the same, 32 pages of 4 KiB written", heavy_written},
  {"live_time", "µs", "10,000 live instances with a page, each", live_time},
  {"live_memory", "KiB", "memory of each", live_memory},
  {"live_reached_time", "µs", "time of each if what it exports is looked at",
   live_reached_time},
  {"live_most", "", "most live instances with a page, up to 100,000", live_most},
  {"threads_tiny", "", "two threads, tiny: work of each against one", threads_tiny},
  {"threads_page", "", "two threads, one page: the same", threads_page},
  {0},
};
