/* Limits: execution ends when another thread, a deadline or the fuel says so, wherever it is, and
 * goes on afterwards; stores get no more memory, elements and instances than they may have. */

#include <sys/wait.h>
#include <time.h>

#include "harness.h"

static own wasm_store_t* store_that(bool interruptible, bool fuel) {
  wasm_config_t* config = test_config();
  check(tenon_config_interruptible_set(config, interruptible) == TENON_OK);
  check(tenon_config_fuel_set(config, fuel) == TENON_OK);
  wasm_engine_t* engine = wasm_engine_new_with_config(config);
  wasm_store_t* store = wasm_store_new(engine);
  wasm_engine_delete(engine);
  return store;
}

static void ends_by(own wasm_trap_t* trap, tenon_trap_code_t code, const char* message) {
  if (!check(trap != NULL)) return;
  check(tenon_trap_code(trap) == code);
  check(has_message(trap, message));
  wasm_trap_delete(trap);
}

/* Whatever goes on for ever, or very long: exports without parameters. */
static const char* const endless =
  "(module (import \"\" \"nothing\" (func $nothing)) (memory 1024) (table 2 funcref)"
  " (elem (i32.const 0) $leaf $around) (type $t (func))"
  " (func $leaf)"
  " (func (export \"five\") (param i32) (result i32) (i32.const 5))"
  " (func (export \"loop\") (loop (br 0)))"
  " (func (export \"loop by condition\") (local i32)"
  "  (loop (local.set 0 (i32.add (local.get 0) (i32.const 1))) (br_if 0 (i32.const 1))))"
  " (func (export \"loop by table\") (loop (br_table 0 0 (i32.const 7))))"
  " (func $tail (export \"tail calls\") (return_call $tail))"
  " (func $around (export \"indirect tail calls\")"
  "  (return_call_indirect (type $t) (i32.const 1)))"
  " (func (export \"calls\") (loop (call $leaf) (call_indirect (type $t) (i32.const 0)) (br 0)))"
  " (func (export \"host calls\") (loop (call $nothing) (br 0)))"
  " (func $tree (param i32)"
  "  (if (local.get 0) (then (call $tree (i32.sub (local.get 0) (i32.const 1)))"
  "   (call $tree (i32.sub (local.get 0) (i32.const 1))))))"
  " (func (export \"a tree of calls\") (call $tree (i32.const 1000)))"
  " (func (export \"fills\") (loop"
  "  (memory.fill (i32.const 0) (i32.const 1) (i32.const 67108864)) (br 0)))"
  " (func (export \"copies\") (loop"
  "  (memory.copy (i32.const 1) (i32.const 0) (i32.const 67108863))"
  "  (memory.copy (i32.const 0) (i32.const 1) (i32.const 67108863)) (br 0)))"
  " (func (export \"grows\") (loop (drop (memory.grow (i32.const 1))) (br 0)))"
  " (func (export \"stores\") (loop (i32.store (i32.const 8)"
  "  (i32.add (i32.load (i32.const 8)) (i32.const 1))) (br 0))))";

enum { FIVE, FIRST_ENDLESS, ENDLESS = 12 };

static own wasm_trap_t* do_nothing(
  void* env, const wasm_val_vec_t* args, wasm_val_vec_t* results
) {
  (void)env, (void)args, (void)results;
  return NULL;
}

static own wasm_instance_t* endless_in(wasm_store_t* store) {
  wasm_func_t* host = func_with_env(store, wasm_functype_new_0_0(), do_nothing, NULL);
  wasm_extern_t* import = wasm_func_as_extern(host);
  wasm_instance_t* instance = instance_with(store, endless, 1, &import);
  wasm_func_delete(host);
  return instance;
}

static void nap(long milliseconds) {
  struct timespec time = {milliseconds / 1000, milliseconds % 1000 * 1000000};
  nanosleep(&time, NULL);
}

static void* interrupt_soon(void* interrupt) {
  nap(20);
  tenon_interrupt_raise(interrupt);
  return NULL;
}

static void other_threads_end_everything(void) {
  wasm_store_t* store = store_that(true, false);
  wasm_instance_t* instance = endless_in(store);
  wasm_func_t* five = func_at(instance, FIVE);
  tenon_interrupt_t* interrupt = tenon_interrupt_new(store);
  check(interrupt != NULL);
  for (size_t i = 0; i < ENDLESS; i++) {
    wasm_func_t* func = func_at(instance, FIRST_ENDLESS + i);
    pthread_t thread;
    check(pthread_create(&thread, NULL, interrupt_soon, interrupt) == 0);
    ends_by(call_empty(func), TENON_TRAP_INTERRUPT, "interrupt");
    pthread_join(thread, NULL);
    check(call_i32(five, 0, NULL) == 5);
    wasm_func_delete(func);
  }
  // Raised while nothing runs, it ends what comes next, and only that.
  wasm_trap_t* trap = NULL;
  tenon_interrupt_raise(interrupt);
  call_i32(five, 0, &trap);
  ends_by(trap, TENON_TRAP_INTERRUPT, "interrupt");
  check(call_i32(five, 0, NULL) == 5);
  tenon_interrupt_raise(interrupt);
  tenon_interrupt_clear(interrupt);
  check(call_i32(five, 0, NULL) == 5);
  wasm_func_delete(five);
  wasm_instance_delete(instance);
  wasm_store_delete(store);
  // The store is gone, which does not matter.
  tenon_interrupt_raise(interrupt);
  tenon_interrupt_delete(interrupt);
}

static void deadlines_end_everything(void) {
  wasm_store_t* store = store_that(true, false);
  wasm_instance_t* instance = endless_in(store);
  wasm_func_t* five = func_at(instance, FIVE);
  for (size_t i = 0; i < ENDLESS; i += rounds(1, 5)) {
    wasm_func_t* func = func_at(instance, FIRST_ENDLESS + i);
    check(tenon_store_deadline_set(store, 5000000) == TENON_OK);
    ends_by(call_empty(func), TENON_TRAP_DEADLINE_EXCEEDED, "deadline exceeded");
    // It stays exceeded.
    wasm_trap_t* trap = NULL;
    call_i32(five, 0, &trap);
    ends_by(trap, TENON_TRAP_DEADLINE_EXCEEDED, "deadline exceeded");
    check(tenon_store_deadline_clear(store) == TENON_OK);
    check(call_i32(five, 0, NULL) == 5);
    wasm_func_delete(func);
  }
  // The earlier of two stores' deadlines comes first, and one that has been set anew does not come.
  check(tenon_store_deadline_set(store, UINT64_MAX) == TENON_OK);
  wasm_store_t* other = test_store();
  check(tenon_store_deadline_set(other, 1) == TENON_ERROR_CONFIG);
  wasm_store_delete(other);
  check(tenon_store_deadline_set(store, 1000000) == TENON_OK);
  check(tenon_store_deadline_set(store, UINT64_MAX) == TENON_OK);
  nap(20);
  check(call_i32(five, 0, NULL) == 5);
  wasm_func_delete(five);
  wasm_instance_delete(instance);
  wasm_store_delete(store);
}

/* Whatever the thread that waits for deadlines does at the moment of a fork. */
static void children_have_deadlines(void) {
  wasm_store_t* store = store_that(true, false);
  wasm_instance_t* instance = endless_in(store);
  wasm_func_t *five = func_at(instance, FIVE), *endless = func_at(instance, FIRST_ENDLESS);
  for (int round = 0; round < 100; round++) {
    check(tenon_store_deadline_set(store, (uint64_t)round % 3 * 20000) == TENON_OK);
    pid_t child = fork();
    if (child == 0) {
      alarm(60);
      failures = 0;
      check(tenon_store_deadline_set(store, 1000000) == TENON_OK);
      ends_by(call_empty(endless), TENON_TRAP_DEADLINE_EXCEEDED, "deadline exceeded");
      check(tenon_store_deadline_clear(store) == TENON_OK);
      check(call_i32(five, 0, NULL) == 5);
      wasm_func_delete(endless), wasm_func_delete(five);
      wasm_instance_delete(instance);
      wasm_store_delete(store);
      _exit(failures ? 1 : 0);
    }
    int status = -1;
    check(waitpid(child, &status, 0) == child && status == 0);
  }
  check(tenon_store_deadline_clear(store) == TENON_OK);
  wasm_func_delete(endless), wasm_func_delete(five);
  wasm_instance_delete(instance);
  wasm_store_delete(store);
}

static uint64_t fuel_of(wasm_store_t* store) {
  uint64_t left = UINT64_MAX;
  check(tenon_store_fuel_get(store, &left) == TENON_OK);
  return left;
}

static void fuel_is_counted(void) {
  static const struct { const char* body; uint64_t cost; } cases[] = {
    {"", 0},
    {"nop", 0},
    {"(drop (i32.const 1))", 1},
    {"(drop (i32.add (i32.const 1) (i32.const 2)))", 3},
    {"(block (block (drop (i32.const 1))))", 1},
    {"(call $add)", 1 + 3},
    {"(call_indirect (type $t) (i32.const 0))", 2 + 3},
    {"(return_call $add)", 1 + 3},
    {"(if (i32.const 1) (then (drop (i32.const 1))) (else (call $add)))", 2 + 1},
    {"(if (i32.const 0) (then (drop (i32.const 1))) (else (call $add)))", 2 + 1 + 3},
    {"(if (i32.const 0) (then (call $add)))", 2},
    {"(block (br_if 0 (i32.const 1)) (call $add))", 2},
    {"(block (br_if 0 (i32.const 0)) (call $add))", 2 + 4},
    {"(block (br 0) (call $add))", 1},
    {"(return) (call $add)", 1},
    // Ten turns: get, const, sub, tee, br_if.
    {"(local $i i32) (local.set $i (i32.const 10))"
     "(loop (br_if 0 (local.tee $i (i32.sub (local.get $i) (i32.const 1)))))", 2 + 10 * 5},
    {"(memory.fill (i32.const 0) (i32.const 1) (i32.const 65536))", 4 + 65536 / 64},
    {"(memory.copy (i32.const 0) (i32.const 1) (i32.const 640))", 4 + 640 / 64},
    {"(table.fill (i32.const 0) (ref.func $add) (i32.const 8))", 4 + 1},
    {"(call $host)", 1},
  };
  wasm_store_t* store = store_that(false, true);
  check(fuel_of(store) == 0);
  wasm_func_t* host = func_with_env(store, wasm_functype_new_0_0(), do_nothing, NULL);
  wasm_extern_t* import = wasm_func_as_extern(host);
  for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
    char text[1000];
    snprintf(text, sizeof text,
      "(module (import \"\" \"\" (func $host)) (type $t (func)) (memory 1) (table 8 funcref)"
      " (elem (i32.const 0) $add)"
      " (func $add (drop (i32.add (i32.const 1) (i32.const 2))))"
      " (func (export \"f\") %s))", cases[i].body);
    wasm_instance_t* instance = instance_with(store, text, 1, &import);
    wasm_func_t* func = func_at(instance, 0);
    check(tenon_store_fuel_set(store, 100000) == TENON_OK);
    check(call_empty(func) == NULL);
    uint64_t used = 100000 - fuel_of(store);
    if (!check(used == cases[i].cost)) {
      fprintf(stderr, "%s takes %" PRIu64 " instead of %" PRIu64 "\n", cases[i].body, used, cases[i].cost);
    }
    check(tenon_store_fuel_set(store, 0) == TENON_OK);
    ends_by(call_empty(func), TENON_TRAP_OUT_OF_FUEL, "out of fuel");
    wasm_func_delete(func);
    wasm_instance_delete(instance);
  }
  wasm_func_delete(host);
  wasm_store_delete(store);
}

static void fuel_ends_everything(void) {
  wasm_store_t* store = store_that(true, true);
  wasm_instance_t* instance = endless_in(store);
  wasm_func_t* five = func_at(instance, FIVE);
  for (size_t i = 0; i < ENDLESS; i++) {
    wasm_func_t* func = func_at(instance, FIRST_ENDLESS + i);
    uint64_t left[2] = {0, 0};
    for (int round = 0; round < 2; round++) {
      check(tenon_store_fuel_set(store, 12345) == TENON_OK);
      ends_by(call_empty(func), TENON_TRAP_OUT_OF_FUEL, "out of fuel");
      left[round] = fuel_of(store);
    }
    check(left[0] == left[1]);
    check(tenon_store_fuel_set(store, 10) == TENON_OK);
    check(call_i32(five, 0, NULL) == 5);
    check(fuel_of(store) == 9);
    wasm_func_delete(func);
  }
  check(tenon_store_fuel_set(store, INT64_MAX) == TENON_OK && fuel_of(store) == INT64_MAX);
  check(tenon_store_fuel_set(store, UINT64_MAX) == TENON_ERROR_CONFIG);
  check(tenon_store_fuel_get(store, NULL) == TENON_ERROR_ARGUMENT);
  wasm_func_delete(five);
  wasm_instance_delete(instance);
  wasm_store_delete(store);
}

static void stores_get_what_they_may_have(void) {
  enum { PAGE = 65536 };
  wasm_store_t* store = test_store();
  check(tenon_store_memory_size(store) == 0);
  check(tenon_store_max_memory_set(store, 10 * PAGE) == TENON_OK);
  check(tenon_store_max_table_elements_set(store, 100) == TENON_OK);
  check(tenon_store_max_instances_set(store, 2) == TENON_OK);
  wasm_instance_t* instance = instance_of(store,
    "(module (memory (export \"m\") 4) (table (export \"t\") 60 funcref)"
    " (func (export \"grow\") (param i32) (result i32) (memory.grow (local.get 0)))"
    " (func (export \"more\") (param i32) (result i32) (table.grow (ref.null func) (local.get 0))))");
  wasm_func_t *grow = func_at(instance, 2), *more = func_at(instance, 3);
  check(tenon_store_memory_size(store) == 4 * PAGE);
  wasm_memory_t* memory = memory_of(store, 3, 100);
  check(tenon_store_memory_size(store) == 7 * PAGE);
  refused(TENON_ERROR_LIMIT, memory_of(store, 4, 100));
  check(call_i32(grow, 4, NULL) == -1 && call_i32(grow, 2, NULL) == 4);
  check(!wasm_memory_grow(memory, 2) && wasm_memory_grow(memory, 1) && !wasm_memory_grow(memory, 1));
  check(tenon_store_memory_size(store) == 10 * PAGE);
  wasm_memory_delete(memory);
  tenon_store_collect(store);
  check(tenon_store_memory_size(store) == 6 * PAGE);
  check(call_i32(grow, 4, NULL) == 6 && call_i32(grow, 1, NULL) == -1 && call_i32(grow, 0, NULL) == 10);

  check(call_i32(more, 41, NULL) == -1 && call_i32(more, 30, NULL) == 60);
  refused(TENON_ERROR_LIMIT, table_of(store, WASM_FUNCREF, 11, 20));
  wasm_table_t* table = table_of(store, WASM_FUNCREF, 10, 20);
  check(table != NULL && !wasm_table_grow(table, 1, NULL));
  wasm_table_delete(table);

  wasm_instance_t* second = instance_of(store, "(module)");
  wasm_module_t* module = module_of(store, "(module)");
  refused(TENON_ERROR_LIMIT, wasm_instance_new(store, module, NULL, NULL));
  wasm_instance_delete(second);
  tenon_store_collect(store);
  second = wasm_instance_new(store, module, NULL, NULL);
  check(second != NULL);
  wasm_instance_delete(second);
  // What does not come to be takes nothing.
  wasm_module_t* too_much = module_of(store, "(module (table 5 funcref) (memory 1))");
  for (int i = 0; i < 100; i++) refused(TENON_ERROR_LIMIT, wasm_instance_new(store, too_much, NULL, NULL));
  check(tenon_store_memory_size(store) == 10 * PAGE);
  // A lower limit takes nothing away.
  check(tenon_store_max_memory_set(store, 0) == TENON_OK);
  check(call_i32(grow, 0, NULL) == 10 && call_i32(grow, 1, NULL) == -1);
  wasm_module_delete(too_much);
  wasm_module_delete(module);
  wasm_func_delete(more);
  wasm_func_delete(grow);
  wasm_instance_delete(instance);
  wasm_store_delete(store);
}

static void what_was_not_asked_for_is_refused(void) {
  wasm_store_t* store = test_store();
  uint64_t left;
  refused(TENON_ERROR_CONFIG, tenon_interrupt_new(store));
  check(tenon_store_deadline_set(store, 1) == TENON_ERROR_CONFIG);
  check(tenon_store_deadline_clear(store) == TENON_ERROR_CONFIG);
  check(tenon_store_fuel_set(store, 1) == TENON_ERROR_CONFIG);
  check(tenon_store_fuel_get(store, &left) == TENON_ERROR_CONFIG);
  wasm_store_delete(store);
}

int main(void) {
  other_threads_end_everything();
  deadlines_end_everything();
  // What the thread had at the moment of a fork is lost in the child, which is a leak for valgrind.
  if (!is_set("TEST_VALGRIND")) children_have_deadlines();
  fuel_is_counted();
  fuel_ends_everything();
  stores_get_what_they_may_have();
  what_was_not_asked_for_is_refused();
  return done();
}
