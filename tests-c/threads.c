/* Threads: engines and shared modules are for all of them, a store is for one at a time and may
 * move; entered by two at once it says so. Threads leave nothing behind. */

#include <signal.h>

#include "harness.h"

enum { THREADS = 8 };

/* Runs a part on all threads at once. */
static void on_all_threads(void* (*part)(void*), void* args, size_t arg_size) {
  pthread_t threads[THREADS];
  for (size_t i = 0; i < THREADS; i++) {
    check(pthread_create(&threads[i], NULL, part, (char*)args + i * arg_size) == 0);
  }
  for (size_t i = 0; i < THREADS; i++) pthread_join(threads[i], NULL);
}

static const char* const guest =
  "(module (memory (export \"m\") 1) (table 4 funcref) (elem (i32.const 0) $one $two)"
  " (func $one (result i32) (i32.const 1)) (func $two (param i32) (result i32) (local.get 0))"
  " (func (export \"f\") (param i32) (result i32)"
  "  (i32.store (i32.const 8) (local.get 0))"
  "  (i32.add (call_indirect (result i32) (i32.const 0))"
  "   (call_indirect (param i32) (result i32) (i32.load (i32.const 8)) (i32.const 1))))"
  " (func (export \"fault\") (drop (i32.load (i32.const -1))))"
  " (func (export \"mismatch\") (call_indirect (param f64) (f64.const 1) (i32.const 0)))"
  " (func $deep (export \"overflow\") (call $deep)))";

static void traps_with(const wasm_instance_t* instance, size_t export, const char* message) {
  wasm_func_t* func = func_at(instance, export);
  wasm_trap_t* trap = call_empty(func);
  check(trap && has_message(trap, message));
  wasm_trap_delete(trap);
  wasm_func_delete(func);
}

static void calls_and_traps(const wasm_instance_t* instance, int32_t value) {
  wasm_func_t* func = func_at(instance, 1);
  check(call_i32(func, value, NULL) == value + 1);
  wasm_func_delete(func);
  traps_with(instance, 2, "out of bounds memory access");
  traps_with(instance, 3, "indirect call type mismatch");
  traps_with(instance, 4, "call stack exhausted");
}

struct sharer {
  wasm_engine_t* engine;
  wasm_shared_module_t* shared;
  int32_t number;
};

static void* obtain_and_use(void* arg) {
  const struct sharer* sharer = arg;
  for (size_t i = 0; i < rounds(300, 2); i++) {
    wasm_store_t* store = wasm_store_new(sharer->engine);
    wasm_module_t* module = wasm_module_obtain(store, sharer->shared);
    wasm_instance_t* instance = wasm_instance_new(store, module, NULL, NULL);
    wasm_module_delete(module);
    wasm_store_delete(store);
    calls_and_traps(instance, sharer->number + (int32_t)i);
    wasm_instance_delete(instance);
  }
  return NULL;
}

static void a_shared_module_works_on_all_threads(void) {
  struct sharer sharers[THREADS];
  wasm_engine_t* engine = test_engine();
  wasm_store_t* store = wasm_store_new(engine);
  wasm_module_t* module = module_of(store, guest);
  wasm_shared_module_t* shared = wasm_module_share(module);
  wasm_module_delete(module);
  wasm_store_delete(store);
  for (int32_t i = 0; i < THREADS; i++) {
    sharers[i] = (struct sharer){.engine = engine, .shared = shared, .number = 1000 * i};
  }
  on_all_threads(obtain_and_use, sharers, sizeof *sharers);
  wasm_shared_module_delete(shared);
  wasm_engine_delete(engine);
}

static void* compile_and_use(void* arg) {
  const struct sharer* sharer = arg;
  wasm_byte_vec_t binary = binary_of(guest);
  for (size_t i = 0; i < rounds(100, 1); i++) {
    wasm_store_t* store = wasm_store_new(sharer->engine);
    wasm_module_t* module = wasm_module_new(store, &binary);
    check(module != NULL);
    wasm_instance_t* instance = wasm_instance_new(store, module, NULL, NULL);
    calls_and_traps(instance, sharer->number);
    wasm_instance_delete(instance);
    wasm_module_delete(module);
    wasm_store_delete(store);
  }
  wasm_byte_vec_delete(&binary);
  return NULL;
}

/* The modules have equal types, which come and go on all threads. */
static void all_threads_compile_with_one_engine(void) {
  struct sharer sharers[THREADS];
  wasm_engine_t* engine = test_engine();
  for (int32_t i = 0; i < THREADS; i++) {
    sharers[i] = (struct sharer){.engine = engine, .number = 1000 * i};
  }
  on_all_threads(compile_and_use, sharers, sizeof *sharers);
  wasm_engine_delete(engine);
}

static void* make_engines(void* ignored) {
  for (size_t i = 0; i < rounds(50, 1); i++) {
    wasm_store_t* store = test_store();
    wasm_instance_t* instance = instance_of(store, guest);
    calls_and_traps(instance, 5);
    wasm_instance_delete(instance);
    wasm_store_delete(store);
  }
  return ignored;
}

static void all_threads_make_engines(void) {
  char ignored[THREADS];
  on_all_threads(make_engines, ignored, 1);
}

/* What moves from thread to thread. */
struct baggage {
  wasm_store_t* store;
  wasm_instance_t* instance;
  wasm_trap_t* trap;
};

static void* open_baggage(void* arg) {
  struct baggage* baggage = arg;
  baggage->store = test_store();
  baggage->instance = instance_of(baggage->store, guest);
  return NULL;
}

static void* use_baggage(void* arg) {
  struct baggage* baggage = arg;
  calls_and_traps(baggage->instance, 7);
  wasm_trap_delete(baggage->trap);
  wasm_func_t* func = func_at(baggage->instance, 2);
  baggage->trap = call_empty(func);
  wasm_func_delete(func);
  wasm_instance_delete(instance_of(baggage->store, guest));
  return NULL;
}

static void* drop_baggage(void* arg) {
  struct baggage* baggage = arg;
  wasm_store_delete(baggage->store);
  check(has_message(baggage->trap, "out of bounds memory access"));
  wasm_trap_delete(baggage->trap);
  wasm_instance_delete(baggage->instance);
  return NULL;
}

static void a_store_moves_between_threads(void) {
  struct baggage baggage = {.trap = NULL};
  on_thread(1 << 20, open_baggage, &baggage);
  use_baggage(&baggage);
  for (size_t i = 0; i < rounds(50, 3); i++) on_thread(1 << 20, use_baggage, &baggage);
  use_baggage(&baggage);
  on_thread(1 << 20, drop_baggage, &baggage);
}

/* A store that one thread is in while another tries. */
struct contest {
  wasm_store_t* store;
  wasm_func_t* func;
  pthread_barrier_t inside, tried;
};

static own wasm_trap_t* wait_inside(
  void* env, const wasm_val_vec_t* args, wasm_val_vec_t* results
) {
  struct contest* contest = env;
  pthread_barrier_wait(&contest->inside);
  pthread_barrier_wait(&contest->tried);
  wasm_val_copy(&results->data[0], &args->data[0]);
  return NULL;
}

static void* go_inside(void* arg) {
  struct contest* contest = arg;
  check(call_i32(contest->func, 5, NULL) == 6);
  return NULL;
}

static void a_second_thread_is_told_that_the_store_is_in_use(void) {
  struct contest contest = {.store = test_store()};
  pthread_barrier_init(&contest.inside, NULL, 2);
  pthread_barrier_init(&contest.tried, NULL, 2);
  wasm_func_t* host = func_with_env(contest.store, type_i32_i32(), wait_inside, &contest);
  wasm_extern_t* imports[] = {wasm_func_as_extern(host)};
  wasm_instance_t* instance = instance_with(contest.store,
    "(module (import \"\" \"\" (func $f (param i32) (result i32)))"
    " (func (export \"g\") (param i32) (result i32)"
    "  (i32.add (i32.const 1) (call $f (local.get 0)))))", 1, imports);
  contest.func = func_at(instance, 0);
  pthread_t thread;
  pthread_create(&thread, NULL, go_inside, &contest);
  pthread_barrier_wait(&contest.inside);
  for (int i = 0; i < 3; i++) {
    wasm_trap_t* trap = NULL;
    tenon_last_error_clear();
    check(call_i32(i == 1 ? host : contest.func, 1, &trap) == -1);
    check(trap && mentions(trap, "another thread"));
    check(tenon_last_error_code() != TENON_OK && error_says("another thread"));
    wasm_trap_delete(trap);
  }
  pthread_barrier_wait(&contest.tried);
  pthread_join(thread, NULL);
  pthread_barrier_destroy(&contest.tried);
  pthread_barrier_init(&contest.tried, NULL, 1);
  pthread_barrier_destroy(&contest.inside);
  pthread_barrier_init(&contest.inside, NULL, 1);
  check(call_i32(contest.func, 8, NULL) == 9);
  pthread_barrier_destroy(&contest.inside);
  pthread_barrier_destroy(&contest.tried);
  wasm_func_delete(contest.func);
  wasm_instance_delete(instance);
  wasm_func_delete(host);
  wasm_store_delete(contest.store);
}

/* The signal stack that a thread had before, and what its last destructor saw. */
struct signal_stack {
  size_t size;
  stack_t before, after;
};

static pthread_key_t at_exit;

static void note_signal_stack(void* arg) {
  struct signal_stack* stack = arg;
  sigaltstack(NULL, &stack->after);
}

static void* run_with_signal_stack(void* arg) {
  struct signal_stack* stack = arg;
  char* memory = stack->size ? malloc(stack->size) : NULL;
  if (memory) sigaltstack(&(stack_t){.ss_sp = memory, .ss_size = stack->size}, NULL);
  sigaltstack(NULL, &stack->before);
  pthread_setspecific(at_exit, stack);
  make_engines(NULL);
  // The stack stays allocated: the destructor is to find it in use.
  return memory;
}

static void signal_stacks_are_put_back(void) {
  static const size_t sizes[] = {0, 8192, 16384, 65536, 262144};
  pthread_key_create(&at_exit, note_signal_stack);
  for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++) {
    struct signal_stack stack = {.size = sizes[i]};
    free(on_thread(1 << 20, run_with_signal_stack, &stack));
    check((stack.after.ss_flags & SS_DISABLE) == (stack.before.ss_flags & SS_DISABLE));
    if (sizes[i] == 0) continue;
    check(stack.after.ss_sp == stack.before.ss_sp && stack.after.ss_size == sizes[i]);
  }
  pthread_key_delete(at_exit);
}

static void* run_shortly(void* arg) {
  const struct sharer* sharer = arg;
  wasm_store_t* store = wasm_store_new(sharer->engine);
  wasm_module_t* module = wasm_module_obtain(store, sharer->shared);
  wasm_instance_t* instance = wasm_instance_new(store, module, NULL, NULL);
  traps_with(instance, 2, "out of bounds memory access");
  wasm_instance_delete(instance);
  wasm_module_delete(module);
  wasm_store_delete(store);
  return NULL;
}

static void many_short_threads_leave_nothing(void) {
  struct sharer sharer = {.engine = test_engine()};
  wasm_store_t* store = wasm_store_new(sharer.engine);
  wasm_module_t* module = module_of(store, guest);
  sharer.shared = wasm_module_share(module);
  wasm_module_delete(module);
  wasm_store_delete(store);
  for (int i = 0; i < 20; i++) on_thread(256 << 10, run_shortly, &sharer);
  size_t maps = lines_of("/proc/self/maps"), space = bytes_in_statm(0);
  for (size_t i = 0; i < rounds(10000, 20); i++) on_thread(256 << 10, run_shortly, &sharer);
  if (!is_set("TEST_VALGRIND")) {
    check(lines_of("/proc/self/maps") <= maps + 3);
    check(bytes_in_statm(0) < space + (1 << 20));
  }
  wasm_shared_module_delete(sharer.shared);
  wasm_engine_delete(sharer.engine);
}

static void call_at_exit(void* arg) {
  check(call_i32(arg, 20, NULL) == 21);
}

static void* exit_with_a_call(void* arg) {
  pthread_setspecific(at_exit, arg);
  return NULL;
}

static void* call_and_exit_with_a_call(void* arg) {
  check(call_i32(arg, 10, NULL) == 11);
  return exit_with_a_call(arg);
}

static void exiting_threads_can_still_call(void) {
  wasm_store_t* store = test_store();
  wasm_instance_t* instance = instance_of(store, guest);
  wasm_func_t* func = func_at(instance, 1);
  pthread_key_create(&at_exit, call_at_exit);
  for (int i = 0; i < 5; i++) on_thread(1 << 20, call_and_exit_with_a_call, func);
  if (!is_set("TEST_VALGRIND")) {
    // These threads meet the library when their thread-local variables are gone already.
    for (int i = 0; i < 5; i++) on_thread(1 << 20, exit_with_a_call, func);
    size_t maps = lines_of("/proc/self/maps"), space = bytes_in_statm(0);
    for (int i = 0; i < 100; i++) on_thread(1 << 20, exit_with_a_call, func);
    check(lines_of("/proc/self/maps") <= maps + 3);
    check(bytes_in_statm(0) < space + (1 << 20));
  }
  pthread_key_delete(at_exit);
  check(call_i32(func, 30, NULL) == 31);
  wasm_func_delete(func);
  wasm_instance_delete(instance);
  wasm_store_delete(store);
}

int main(void) {
  a_shared_module_works_on_all_threads();
  all_threads_compile_with_one_engine();
  all_threads_make_engines();
  a_store_moves_between_threads();
  a_second_thread_is_told_that_the_store_is_in_use();
  signal_stacks_are_put_back();
  many_short_threads_leave_nothing();
  exiting_threads_can_still_call();
  return done();
}
