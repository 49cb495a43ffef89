/* Shared memories: stores on several threads use one memory at the same time; atomic instructions,
 * waiting and notifying work among them and with the host; growing is seen by all; what waits can
 * be ended. */

#include "harness.h"

enum { PAGE = 65536, THREADS = 2, WAITERS = 3 };

/* The first export is what all threads call; the others are for single tests. */
static const char* const guest =
  "(module (import \"\" \"m\" (memory 1 16 shared))"
  // Adds 1 to the word at 0 so many times, and 1 to that at 8 under a lock at 4.
  " (func (export \"count\") (param $n i32)"
  "  (loop $again"
  "   (drop (i32.atomic.rmw.add (i32.const 0) (i32.const 1)))"
  "   (block $locked (loop $try"
  "    (br_if $locked (i32.eqz"
  "     (i32.atomic.rmw.cmpxchg (i32.const 4) (i32.const 0) (i32.const 1))))"
  "    (drop (memory.atomic.wait32 (i32.const 4) (i32.const 1) (i64.const -1)))"
  "    (br $try)))"
  "   (i32.store (i32.const 8) (i32.add (i32.load (i32.const 8)) (i32.const 1)))"
  "   (i32.atomic.store (i32.const 4) (i32.const 0))"
  "   (drop (memory.atomic.notify (i32.const 4) (i32.const 1)))"
  "   (br_if $again (local.tee $n (i32.sub (local.get $n) (i32.const 1))))))"
  // Notes at 20 that it waits, and waits at 16, as long as there is 0.
  " (func (export \"wait\") (param $n i32) (result i32)"
  "  (drop (i32.atomic.rmw.add (i32.const 20) (i32.const 1)))"
  "  (memory.atomic.wait32 (i32.const 16) (i32.const 0) (i64.const -1)))"
  // Grows by a page, and writes to its last byte.
  " (func (export \"grow\") (param $n i32) (result i32)"
  "  (local $before i32)"
  "  (local.set $before (memory.grow (i32.const 1)))"
  "  (if (i32.eq (local.get $before) (i32.const -1)) (then (return (i32.const -1))))"
  "  (i32.store8 offset=65535 (i32.mul (local.get $before) (i32.const 65536)) (i32.const 9))"
  "  (local.get $before))"
  " (func (export \"last\") (param $n i32) (result i32)"
  "  (i32.load8_u (i32.sub (i32.mul (memory.size) (i32.const 65536)) (i32.const 1))))"
  " (func (export \"fill\") (param $n i32)"
  "  (memory.fill (i32.const 4096) (local.get $n) (i32.const 4096))"
  "  (memory.copy (i32.const 8192) (i32.const 4096) (i32.const 4096))))";

enum { COUNT, WAIT, GROW, LAST, FILL };

static own tenon_shared_memory_t* shared_memory(wasm_engine_t* engine, uint64_t min, uint64_t max) {
  tenon_limits_t limits = {min, max};
  wasm_memorytype_t* type = tenon_memorytype_new(&limits, WASM_I32, PAGE, true);
  tenon_shared_memory_t* memory = tenon_shared_memory_new(engine, type);
  wasm_memorytype_delete(type);
  return memory;
}

/* An instance of the guest in a store of its own, whose share of the memory it imports. */
static own wasm_instance_t* instance_in(wasm_store_t* store, const tenon_shared_memory_t* shared) {
  wasm_memory_t* memory = tenon_memory_obtain(store, shared);
  wasm_extern_t* imports[] = {wasm_memory_as_extern(memory)};
  wasm_instance_t* instance = instance_with(store, guest, 1, imports);
  wasm_memory_delete(memory);
  return instance;
}

static own wasm_engine_t* interruptible_engine(void) {
  wasm_config_t* config = test_config();
  check(tenon_config_interruptible_set(config, true) == TENON_OK);
  return wasm_engine_new_with_config(config);
}

/* What a thread gets, and what it says. */
struct job {
  wasm_engine_t* engine;
  tenon_shared_memory_t* shared;
  size_t export;
  int32_t arg;
  int32_t result;
  tenon_trap_code_t trap;
  /* If not null, where to put what ends the thread. */
  tenon_interrupt_t** interrupt;
  uint64_t deadline;
};

/* Orders who makes an interrupt before who raises it. */
static pthread_mutex_t interrupts = PTHREAD_MUTEX_INITIALIZER;

/* Calls an export in a store of the thread's own. */
static void* call_in_own_store(void* arg) {
  struct job* job = arg;
  wasm_store_t* store = wasm_store_new(job->engine);
  if (job->interrupt) {
    pthread_mutex_lock(&interrupts);
    *job->interrupt = tenon_interrupt_new(store);
    pthread_mutex_unlock(&interrupts);
  }
  if (job->deadline) check(tenon_store_deadline_set(store, job->deadline) == TENON_OK);
  wasm_instance_t* instance = instance_in(store, job->shared);
  wasm_func_t* func = func_at(instance, job->export);
  wasm_trap_t* trap = NULL;
  job->result = call_i32(func, job->arg, &trap);
  job->trap = tenon_trap_code(trap);
  wasm_trap_delete(trap);
  wasm_func_delete(func);
  wasm_instance_delete(instance);
  wasm_store_delete(store);
  return NULL;
}

static pthread_t start(struct job* job) {
  pthread_t thread;
  if (!check(pthread_create(&thread, NULL, call_in_own_store, job) == 0)) exit(2);
  return thread;
}

static int32_t word_at(const tenon_shared_memory_t* memory, size_t at) {
  return __atomic_load_n((int32_t*)(tenon_shared_memory_data(memory) + at), __ATOMIC_SEQ_CST);
}

static void set_word(const tenon_shared_memory_t* memory, size_t at, int32_t value) {
  __atomic_store_n((int32_t*)(tenon_shared_memory_data(memory) + at), value, __ATOMIC_SEQ_CST);
}

static void threads_count_together(wasm_engine_t* engine) {
  tenon_shared_memory_t* shared = shared_memory(engine, 1, 16);
  const int32_t times = (int32_t)rounds(20000, 500);
  struct job jobs[THREADS];
  pthread_t threads[THREADS];
  for (size_t i = 0; i < THREADS; i++) {
    jobs[i] = (struct job){.engine = engine, .shared = shared, .export = COUNT, .arg = times};
    threads[i] = start(&jobs[i]);
  }
  for (size_t i = 0; i < THREADS; i++) {
    pthread_join(threads[i], NULL);
    check(jobs[i].trap == TENON_TRAP_NONE);
  }
  check(word_at(shared, 0) == THREADS * times);
  check(word_at(shared, 8) == THREADS * times);
  tenon_shared_memory_delete(shared);
}

/* The host notifies guests, as many as it says. */
static void the_host_wakes_guests(wasm_engine_t* engine) {
  tenon_shared_memory_t* shared = shared_memory(engine, 1, 16);
  struct job jobs[WAITERS];
  pthread_t threads[WAITERS];
  for (size_t i = 0; i < WAITERS; i++) {
    jobs[i] = (struct job){.engine = engine, .shared = shared, .export = WAIT};
    threads[i] = start(&jobs[i]);
  }
  check(tenon_shared_memory_notify(shared, 12, UINT32_MAX) == 0);
  uint32_t woken = 0;
  while (woken < WAITERS - 1) woken += tenon_shared_memory_notify(shared, 16, 1);
  while (woken < WAITERS) woken += tenon_shared_memory_notify(shared, 16, UINT32_MAX);
  check(woken == WAITERS);
  for (size_t i = 0; i < WAITERS; i++) {
    pthread_join(threads[i], NULL);
    check(jobs[i].result == 0 && jobs[i].trap == TENON_TRAP_NONE);
  }
  // Who finds something else than expected does not wait.
  set_word(shared, 16, 1);
  struct job late = {.engine = engine, .shared = shared, .export = WAIT};
  call_in_own_store(&late);
  check(late.result == 1);
  tenon_shared_memory_delete(shared);
}

/* Waiting without a timeout ends by an interrupt, and by a deadline. */
static void waiting_can_be_ended(void) {
  wasm_engine_t* engine = interruptible_engine();
  tenon_shared_memory_t* shared = shared_memory(engine, 1, 16);
  tenon_interrupt_t* interrupt = NULL;
  struct job job = {.engine = engine, .shared = shared, .export = WAIT, .interrupt = &interrupt};
  pthread_t thread = start(&job);
  while (word_at(shared, 20) == 0) sched_yield();
  pthread_mutex_lock(&interrupts);
  tenon_interrupt_raise(interrupt);
  pthread_mutex_unlock(&interrupts);
  pthread_join(thread, NULL);
  check(job.trap == TENON_TRAP_INTERRUPT);
  tenon_interrupt_delete(interrupt);

  job = (struct job){.engine = engine, .shared = shared, .export = WAIT, .deadline = 20000000};
  call_in_own_store(&job);
  check(job.trap == TENON_TRAP_DEADLINE_EXCEEDED);
  check(tenon_shared_memory_notify(shared, 16, UINT32_MAX) == 0);
  tenon_shared_memory_delete(shared);
  wasm_engine_delete(engine);
}

static void growing_is_seen_by_all(wasm_engine_t* engine) {
  tenon_shared_memory_t* shared = shared_memory(engine, 1, 16);
  char* data = tenon_shared_memory_data(shared);
  wasm_store_t* store = wasm_store_new(engine);
  wasm_instance_t* instance = instance_in(store, shared);
  wasm_func_t* last = func_at(instance, LAST);
  wasm_memory_t* memory = tenon_memory_obtain(store, shared);
  check(call_i32(last, 0, NULL) == 0);

  struct job job = {.engine = engine, .shared = shared, .export = GROW};
  pthread_t thread = start(&job);
  pthread_join(thread, NULL);
  check(job.result == 1 && call_i32(last, 0, NULL) == 9);
  check(wasm_memory_size(memory) == 2 && wasm_memory_data_size(memory) == 2 * PAGE);
  check(tenon_shared_memory_data_size(shared) == 2 * PAGE);
  check(wasm_memory_data(memory) == data && tenon_shared_memory_data(shared) == data);

  uint64_t before = 0;
  accepted(tenon_shared_memory_grow(shared, 3, &before));
  check(before == 2 && wasm_memory_size(memory) == 5 && call_i32(last, 0, NULL) == 0);
  // Threads that grow at the same time each get pages of their own.
  struct job jobs[THREADS];
  pthread_t threads[THREADS];
  for (size_t i = 0; i < THREADS; i++) {
    jobs[i] = job;
    threads[i] = start(&jobs[i]);
  }
  for (size_t i = 0; i < THREADS; i++) pthread_join(threads[i], NULL);
  check(jobs[0].result + jobs[1].result == 5 + 6);
  refused(TENON_ERROR_LIMIT, tenon_shared_memory_grow(shared, 10, NULL));
  refused(TENON_ERROR_LIMIT, tenon_shared_memory_grow(shared, UINT64_MAX, NULL));
  accepted(tenon_shared_memory_grow(shared, 9, NULL));
  wasm_memorytype_t* type = tenon_shared_memory_type(shared);
  const tenon_limits_t* limits = tenon_memorytype_limits(type);
  check(limits->min == 16 && limits->max == 16 && tenon_memorytype_is_shared(type));
  wasm_memorytype_delete(type);
  job.result = 0;
  call_in_own_store(&job);
  check(job.result == -1);

  wasm_memory_delete(memory);
  wasm_func_delete(last);
  wasm_instance_delete(instance);
  wasm_store_delete(store);
  tenon_shared_memory_delete(shared);
}

/* A memory that a module defines can be had by other stores, and outlives its own. */
static void a_guests_memory_can_be_shared(wasm_engine_t* engine) {
  wasm_store_t* store = wasm_store_new(engine);
  wasm_instance_t* instance = instance_of(
    store,
    "(module (memory (export \"m\") 1 16 shared) (memory (export \"own\") 1 2)"
    " (func (export \"set\") (param i32) (i32.atomic.store (i32.const 24) (local.get 0))))"
  );
  wasm_memory_t* memory = memory_at(instance, 0);
  wasm_memory_t* unshared = memory_at(instance, 1);
  refused(TENON_ERROR_ARGUMENT, tenon_memory_share(unshared));
  tenon_shared_memory_t* shared = tenon_memory_share(memory);
  tenon_shared_memory_t* again = tenon_memory_share(memory);
  tenon_shared_memory_t* copy = tenon_shared_memory_copy(shared);
  tenon_shared_memory_t* other = shared_memory(engine, 1, 16);
  check(tenon_shared_memory_same(shared, again) && tenon_shared_memory_same(shared, copy));
  check(!tenon_shared_memory_same(shared, other));
  check(tenon_shared_memory_data(shared) == wasm_memory_data(memory));
  wasm_func_t* set = func_at(instance, 2);
  call_i32(set, 1234, NULL);
  struct job job = {.engine = engine, .shared = shared, .export = COUNT, .arg = 10};
  call_in_own_store(&job);
  check(*(int32_t*)wasm_memory_data(memory) == 10);
  wasm_func_delete(set);
  wasm_memory_delete(memory), wasm_memory_delete(unshared);
  wasm_instance_delete(instance);
  wasm_store_delete(store);
  check(word_at(copy, 24) == 1234 && word_at(copy, 0) == 10);
  tenon_shared_memory_delete(shared), tenon_shared_memory_delete(again);
  tenon_shared_memory_delete(copy), tenon_shared_memory_delete(other);
}

/* Engines with other settings share a memory too: each compiles for it as it is. */
static void engines_of_any_kind_share(wasm_engine_t* engine) {
  static const uint64_t reservations[] = {0, 1 << 20, 1ull << 40};
  tenon_shared_memory_t* shared = shared_memory(engine, 1, 16);
  for (size_t i = 0; i < 6; i++) {
    wasm_config_t* config = test_config();
    check(tenon_config_memory_reservation_set(config, reservations[i / 2]) == TENON_OK);
    if (i % 2) check(tenon_config_explicit_checks_set(config, true) == TENON_OK);
    wasm_engine_t* other = wasm_engine_new_with_config(config);
    tenon_shared_memory_t* theirs = shared_memory(other, 1, 16);
    struct job job = {.engine = other, .shared = shared, .export = COUNT, .arg = 10};
    call_in_own_store(&job);
    check(word_at(shared, 8) == 10 * (int32_t)(i + 1));
    job = (struct job){.engine = other, .shared = theirs, .export = FILL, .arg = 'x'};
    call_in_own_store(&job);
    check(tenon_shared_memory_data(theirs)[12287] == 'x');
    job.engine = engine;
    job.export = GROW;
    call_in_own_store(&job);
    check(job.result == 1 && tenon_shared_memory_data(theirs)[2 * PAGE - 1] == 9);
    tenon_shared_memory_delete(theirs);
    wasm_engine_delete(other);
  }
  tenon_shared_memory_delete(shared);
}

static void what_cannot_be_shared_is_refused(wasm_engine_t* engine) {
  static const tenon_limits_t limits[] = {{1, UINT64_MAX}, {2, 1}, {65537, 65537}};
  for (size_t i = 0; i < sizeof limits / sizeof *limits; i++) {
    wasm_memorytype_t* type = tenon_memorytype_new(&limits[i], WASM_I32, PAGE, true);
    refused(TENON_ERROR_LIMIT, tenon_shared_memory_new(engine, type));
    wasm_memorytype_delete(type);
  }
  // The address space for the maximum has to be there.
  tenon_limits_t huge = {1, 1ull << 40};
  wasm_memorytype_t* type = tenon_memorytype_new(&huge, WASM_I64, PAGE, true);
  refused(TENON_ERROR_LIMIT, tenon_shared_memory_new(engine, type));
  wasm_memorytype_delete(type);
  type = type_of_memory(1, 2);
  refused(TENON_ERROR_LIMIT, tenon_shared_memory_new(engine, type));
  wasm_memorytype_delete(type);
}

/* What a store's guests let a shared memory grow by counts for that store. */
static void growing_counts_for_who_grows(wasm_engine_t* engine) {
  tenon_shared_memory_t* shared = shared_memory(engine, 1, 16);
  wasm_store_t* store = wasm_store_new(engine);
  wasm_instance_t* instance = instance_in(store, shared);
  wasm_func_t* grow = func_at(instance, GROW);
  check(tenon_store_memory_size(store) == 0);
  check(tenon_store_max_memory_set(store, PAGE) == TENON_OK);
  check(call_i32(grow, 0, NULL) == 1 && call_i32(grow, 0, NULL) == -1);
  check(tenon_store_memory_size(store) == PAGE);
  accepted(tenon_shared_memory_grow(shared, 1, NULL));
  check(tenon_shared_memory_data_size(shared) == 3 * PAGE);
  check(tenon_store_memory_size(store) == PAGE);
  wasm_func_delete(grow);
  wasm_instance_delete(instance);
  wasm_store_delete(store);
  tenon_shared_memory_delete(shared);
}

int main(void) {
  wasm_engine_t* engine = test_engine();
  threads_count_together(engine);
  the_host_wakes_guests(engine);
  waiting_can_be_ended();
  growing_is_seen_by_all(engine);
  a_guests_memory_can_be_shared(engine);
  engines_of_any_kind_share(engine);
  what_cannot_be_shared_is_refused(engine);
  growing_counts_for_who_grows(engine);
  wasm_engine_delete(engine);
  return done();
}
