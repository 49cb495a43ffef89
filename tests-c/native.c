/* Plain C: functions of a store called by C function pointers, and C functions that wasm calls with
 * nothing in between. And calls of `wasm_func_call` so often that they go the shortest way. */

#include <math.h>
#include <setjmp.h>

#include "scenes.h"

/* A type of so many parameters of these kinds in turn, and a result of a kind, or none (-1). */
static own wasm_functype_t* type_of(size_t count, const wasm_valkind_t kinds[], size_t turn, int result) {
  wasm_valtype_vec_t params, results;
  wasm_valtype_vec_new_uninitialized(&params, count);
  for (size_t i = 0; i < count; i++) params.data[i] = wasm_valtype_new(kinds[i % turn]);
  wasm_valtype_vec_new_uninitialized(&results, result >= 0);
  if (result >= 0) results.data[0] = wasm_valtype_new((wasm_valkind_t)result);
  return wasm_functype_new(&params, &results);
}

/* The C function of an export; the handle to the export is not kept. */
static tenon_native_t pointer_at(const wasm_instance_t* instance, size_t index) {
  wasm_func_t* func = func_at(instance, index);
  wasm_functype_t* type = wasm_func_type(func);
  tenon_native_t pointer = tenon_func_pointer(func, type);
  check(pointer != NULL && pointer == tenon_func_pointer(func, type));
  wasm_functype_delete(type);
  wasm_func_delete(func);
  return pointer;
}

/* An instance of text that imports one C function, without environment. */
static own wasm_instance_t* around_native(
  wasm_store_t* store, const char* text, own wasm_functype_t* type, tenon_native_t function
) {
  wasm_func_t* func = tenon_func_new_native(store, type, function);
  wasm_extern_t* imports[] = {wasm_func_as_extern(func)};
  wasm_instance_t* instance = instance_with(store, text, 1, imports);
  wasm_functype_delete(type);
  wasm_func_delete(func);
  return instance;
}

static own wasm_instance_t* around_native_with_env(
  wasm_store_t* store, const char* text, own wasm_functype_t* type, tenon_native_t function, void* env
) {
  wasm_func_t* func = tenon_func_new_native_with_env(store, type, function, env, count_finalized);
  wasm_extern_t* imports[] = {wasm_func_as_extern(func)};
  wasm_instance_t* instance = instance_with(store, text, 1, imports);
  wasm_functype_delete(type);
  wasm_func_delete(func);
  return instance;
}

static int32_t next_i32(int32_t value) { return value + 1; }
static int64_t next_i64(int64_t value) { return value + 1; }
static float next_f32(float value) { return value + 1; }
static double next_f64(double value) { return value + 1; }

/* Proves that values of a kind get in and out unchanged, and through C in between. */
#define KIND_WORKS(wasm, c, member, ...) \
  static void values_of_##wasm(void) { \
    wasm_store_t* store = test_store(); \
    wasm_valkind_t kind = WASM_##member; \
    wasm_instance_t* instance = around_native(store, "(module (import \"\" \"\" " \
      " (func $h (param " #wasm ") (result " #wasm ")))" \
      " (func (export \"id\") (param " #wasm ") (result " #wasm ") (local.get 0))" \
      " (func (export \"next\") (param " #wasm ") (result " #wasm ") (call $h (local.get 0))))", \
      type_of(1, &kind, 1, kind), (tenon_native_t)next_##wasm); \
    c (*id)(c) = (c (*)(c))pointer_at(instance, 0); \
    c (*next)(c) = (c (*)(c))pointer_at(instance, 1); \
    const c values[] = {__VA_ARGS__}; \
    for (size_t i = 0; i < sizeof values / sizeof *values; i++) { \
      c got = id(values[i]), then = next(values[i]), wanted = next_##wasm(values[i]); \
      check(memcmp(&got, &values[i], sizeof got) == 0); \
      check(memcmp(&then, &wanted, sizeof then) == 0); \
    } \
    check(*tenon_store_trap_waiting(store) == 0); \
    wasm_instance_delete(instance); \
    wasm_store_delete(store); \
  }

KIND_WORKS(i32, int32_t, I32, 0, 1, -2, INT32_MIN, INT32_MAX - 1)
KIND_WORKS(i64, int64_t, I64, 0, 1, -2, INT64_MIN, INT64_MAX - 1, INT64_C(1) << 32)
KIND_WORKS(f32, float, F32, 0, -0.0f, 1.5f, -INFINITY)
KIND_WORKS(f64, double, F64, 0, -0.0, 1.5, INFINITY, 1e300)

#define TWENTY(X) X(0) X(1) X(2) X(3) X(4)
#define GROUP(n) int32_t a##n, int64_t b##n, float c##n, double d##n,

/* Called back once, with what has been passed. */
static double (*weighed_again)(GROUP(0) GROUP(1) GROUP(2) GROUP(3) int32_t, int64_t, float, double);

/* Twenty parameters of all kinds, more than there are registers of either sort. */
static double weigh(GROUP(0) GROUP(1) GROUP(2) GROUP(3) int32_t a4, int64_t b4, float c4, double d4) {
  double sum = 0;
  int weight = 1;
#define ADD(n) \
  sum += weight++ * (double)a##n; \
  sum += weight++ * (double)b##n; \
  sum += weight++ * (double)c##n; \
  sum += weight++ * d##n;
  TWENTY(ADD)
  __typeof__(weighed_again) again = weighed_again;
  weighed_again = NULL;
#define PASS(n) a##n, b##n, c##n, d##n,
  if (again) check(again(PASS(0) PASS(1) PASS(2) PASS(3) a4, b4, c4, d4) == sum);
  return sum;
}

static double weigh_with_env(
  void* env, GROUP(0) GROUP(1) GROUP(2) GROUP(3) int32_t a4, int64_t b4, float c4, double d4
) {
  ++*(int*)env;
  return weigh(PASS(0) PASS(1) PASS(2) PASS(3) a4, b4, c4, d4);
}

static void many_parameters_get_through(void) {
  const wasm_valkind_t kinds[] = {WASM_I32, WASM_I64, WASM_F32, WASM_F64};
  for (int with_env = 0; with_env < 2; with_env++) {
    wasm_store_t* store = test_store();
    int calls = 0;
    char text[4096], *end = text;
    end += sprintf(end, "(module (import \"\" \"\" (func $h (param");
    for (int i = 0; i < 5; i++) end += sprintf(end, " i32 i64 f32 f64");
    end += sprintf(end, ") (result f64))) (func (export \"f\") (param");
    for (int i = 0; i < 5; i++) end += sprintf(end, " i32 i64 f32 f64");
    end += sprintf(end, ") (result f64)");
    for (int i = 0; i < 20; i++) end += sprintf(end, " (local.get %d)", i);
    sprintf(end, " (call $h)))");
    wasm_functype_t* type = type_of(20, kinds, 4, WASM_F64);
    wasm_instance_t* instance = with_env
      ? around_native_with_env(store, text, type, (tenon_native_t)weigh_with_env, &calls)
      : around_native(store, text, type, (tenon_native_t)weigh);
    __typeof__(&weigh) f = (__typeof__(&weigh))pointer_at(instance, 0);
#define VALUES(n) n + 1, INT64_C(1) << (40 + n), n + 0.5f, n - 0.25
    double wanted = weigh(VALUES(0), VALUES(1), VALUES(2), VALUES(3), VALUES(4));
    check(f(VALUES(0), VALUES(1), VALUES(2), VALUES(3), VALUES(4)) == wanted);
    // From inside, where the call is made in full.
    weighed_again = f;
    check(f(VALUES(0), VALUES(1), VALUES(2), VALUES(3), VALUES(4)) == wanted && !weighed_again);
    check(calls == 3 * with_env);
    wasm_instance_delete(instance);
    wasm_store_delete(store);
  }
}

#define TEN(X) X(0) X(1) X(2) X(3) X(4) X(5) X(6) X(7) X(8) X(9)
#define FOUR(n) int64_t a##n, int64_t b##n, int64_t c##n, int64_t d##n,

static int64_t sum_of_forty(TEN(FOUR) int64_t last) {
  int64_t sum = last;
#define SUM(n) sum += a##n + 3 * b##n + 5 * c##n + 7 * d##n;
  TEN(SUM)
  return sum;
}

/* Frames so large that the stack is looked at first. */
static void forty_parameters_get_through(void) {
  wasm_store_t* store = test_store();
  const wasm_valkind_t kind = WASM_I64;
  char text[4096], *end = text;
  end += sprintf(end, "(module (import \"\" \"\" (func $h (param");
  for (int i = 0; i < 41; i++) end += sprintf(end, " i64");
  end += sprintf(end, ") (result i64))) (func (export \"f\") (result i64)");
  for (int i = 0; i < 41; i++) end += sprintf(end, " (i64.const %d)", i + 1);
  sprintf(end, " (call $h)))");
  wasm_instance_t* instance =
    around_native(store, text, type_of(41, &kind, 1, kind), (tenon_native_t)sum_of_forty);
  int64_t (*f)(void) = (int64_t (*)(void))pointer_at(instance, 0);
  int64_t wanted = 41;
  for (int i = 0; i < 40; i++) wanted += (int64_t)(2 * (i % 4) + 1) * (i + 1);
  check(f() == wanted);
  wasm_instance_delete(instance);
  wasm_store_delete(store);
}

static const char* const traps =
  "(module (global $n (mut i32) (i32.const 0))"
  " (func (export \"check\") (param i32) (result i32)"
  "  (global.set $n (i32.add (global.get $n) (i32.const 1)))"
  "  (if (i32.lt_s (local.get 0) (i32.const 0)) (then unreachable)) (i32.const 7))"
  " (func (export \"count\") (result i32) (global.get $n)))";

static void a_trap_waits_until_it_is_taken(void) {
  wasm_store_t* store = test_store();
  wasm_instance_t* instance = instance_of(store, traps);
  int32_t (*checked)(int32_t) = (int32_t (*)(int32_t))pointer_at(instance, 0);
  int32_t (*count)(void) = (int32_t (*)(void))pointer_at(instance, 1);
  wasm_func_t *same = func_at(instance, 0), *counted = func_at(instance, 1);
  const uint32_t* waiting = tenon_store_trap_waiting(store);
  check(tenon_store_take_trap(store) == NULL);
  for (int round = 0; round < 40; round++) {
    check(checked(1) == 7 && *waiting == 0);
    check(checked(-1) == 0 && *waiting != 0);
    // Nothing happens while it waits.
    check(checked(1) == 0 && checked(-1) == 0 && count() == 0);
    // Calls of the other sort neither see nor change it, also when they trap.
    check(call_i32(counted, 0, NULL) == 4 * round + 2);
    check(call_i32(same, 1, NULL) == 7 && *waiting != 0);
    wasm_trap_t* other;
    check(call_i32(same, -1, &other) == -1 && *waiting != 0);
    wasm_trap_t* trap = tenon_store_take_trap(store);
    check(*waiting == 0 && tenon_store_take_trap(store) == NULL);
    check(tenon_trap_code(trap) == TENON_TRAP_UNREACHABLE);
    check(tenon_last_error_code() == TENON_ERROR_TRAP);
    has_trace(trap, 1, &instance, (const uint32_t[]){0});
    has_trace(other, 1, &instance, (const uint32_t[]){0});
    check(count() == 4 * round + 4);
    wasm_trap_delete(other);
    wasm_trap_delete(trap);
  }
  // Nobody takes this one.
  check(checked(-1) == 0);
  wasm_func_delete(same);
  wasm_func_delete(counted);
  wasm_store_delete(store);
  check(checked(-1) == 0 && checked(5) == 7 && count() == 40 * 4 + 3);
  wasm_instance_delete(instance);
}

static const char* const calls_native =
  "(module (import \"\" \"\" (func $h (param i32) (result i32)))"
  " (func (export \"f\") (param i32) (result i32) (i32.add (call $h (local.get 0)) (i32.const 100)))"
  " (func (export \"trap\") (param i32) (result i32) unreachable)"
  " (func (export \"five\") (result i32) (i32.const 5)))";

/* What an import has to call on. */
struct world {
  wasm_store_t* store;
  wasm_instance_t* instance;
  wasm_func_t* func;
  int32_t (*f)(int32_t);
  int32_t (*trap)(int32_t);
  int32_t (*five)(void);
  jmp_buf place;
  int deepest;
};

static void world_new(struct world* world, int32_t (*import)(struct world*, int32_t)) {
  world->store = test_store();
  world->instance = around_native_with_env(
    world->store, calls_native, type_i32_i32(), (tenon_native_t)import, world);
  world->func = func_at(world->instance, 0);
  world->f = (int32_t (*)(int32_t))pointer_at(world->instance, 0);
  world->trap = (int32_t (*)(int32_t))pointer_at(world->instance, 1);
  world->five = (int32_t (*)(void))pointer_at(world->instance, 2);
}

static void world_delete(struct world* world) {
  finalized = 0;
  wasm_func_delete(world->func);
  wasm_instance_delete(world->instance);
  wasm_store_delete(world->store);
  check(finalized == 1);
}

/* Returns twice its argument; a negative one is a trap. */
static int32_t twice(struct world* world, int32_t value) {
  if (value >= 0) return 2 * value;
  tenon_store_put_trap(world->store, raised_in(world->store, "negative"));
  tenon_store_put_trap(world->store, raised_in(world->store, "not this one"));
  return 3;
}

static void imports_may_trap(void) {
  struct world world = {0};
  world_new(&world, twice);
  for (int round = 0; round < 40; round++) {
    check(world.f(round) == 2 * round + 100);
    check(call_i32(world.func, round, NULL) == 2 * round + 100);
    check(world.f(-1) == 0);
    wasm_trap_t* trap = tenon_store_take_trap(world.store);
    check(trap && has_message(trap, "negative"));
    has_trace(trap, 1, &world.instance, (const uint32_t[]){1});
    wasm_trap_delete(trap);
    check(call_i32(world.func, -1, &trap) == -1 && has_message(trap, "negative"));
    has_trace(trap, 1, &world.instance, (const uint32_t[]){1});
    wasm_trap_delete(trap);
    check(*tenon_store_trap_waiting(world.store) == 0);
  }
  world_delete(&world);
}

/* Goes round as often as it is told, the ways in taking turns; then does what is written. */
static int32_t go_round(struct world* world, int32_t value) {
  int32_t left = value & 0xff;
  if (left == 0) {
    if (value & 0x100) check(world->trap(0) == 0);
    if (value & 0x200) {
      wasm_trap_delete(tenon_store_take_trap(world->store));
      check(world->five() == 5);
    }
    if (value & 0x400) longjmp(world->place, 1);
    return 1;
  }
  if (left % 2) return world->f(value - 1);
  wasm_trap_t* trap;
  int32_t result = call_i32(world->func, value - 1, &trap);
  if (trap) tenon_store_put_trap(world->store, trap);
  return result;
}

static void imports_may_call_wasm(void) {
  struct world world = {0};
  world_new(&world, go_round);
  for (int32_t depth = 0; depth < 20; depth++) {
    check(world.f(depth) == 1 + 100 * (depth + 1));
    check(world.f(depth | 0x300) == 1 + 100 * (depth + 1));
    check(*tenon_store_trap_waiting(world.store) == 0);
    // A trap that nobody takes comes through.
    check(world.f(depth | 0x100) == 0);
    wasm_trap_t* trap = tenon_store_take_trap(world.store);
    check(tenon_trap_code(trap) == TENON_TRAP_UNREACHABLE);
    wasm_frame_vec_t trace;
    wasm_trap_trace(trap, &trace);
    check(trace.size == (size_t)depth + 2);
    wasm_frame_vec_delete(&trace);
    wasm_trap_delete(trap);
    check(call_i32(world.func, depth | 0x100, &trap) == -1);
    check(tenon_trap_code(trap) == TENON_TRAP_UNREACHABLE);
    wasm_trap_delete(trap);
    check(world.five() == 5);
  }
  world_delete(&world);
}

static void imports_may_jump(void) {
  struct world world = {0};
  world_new(&world, go_round);
  for (volatile int32_t round = 0; round < 60; round++) {
    if (setjmp(world.place) == 0) {
      if (round % 2) world.f(0x400 | round % 5);
      else call_i32(world.func, 0x400 | round % 5, NULL);
      check(!"returned");
    }
    if (round % 3) check(world.five() == 5 && world.f(3) == 401);
    if (round % 3 == 1) check(call_i32(world.func, 2, NULL) == 301);
    check(*tenon_store_trap_waiting(world.store) == 0);
  }
  world_delete(&world);
}

/* Jumps out of a deeper import, into this one, which then returns as if nothing had been. */
static int32_t jump_below(struct world* world, int32_t value) {
  struct world* below = (struct world*)world->trap;
  if (setjmp(below->place) == 0) {
    below->f(0x400 | value);
    check(!"returned");
  }
  return value;
}

static void jumps_may_end_in_an_import(void) {
  struct world below = {0}, world = {0};
  world_new(&below, go_round);
  world_new(&world, jump_below);
  world.trap = (int32_t (*)(int32_t))&below;
  for (int32_t round = 0; round < 40; round++) {
    check(world.f(round % 4) == round % 4 + 100);
    check(call_i32(world.func, round % 4, NULL) == round % 4 + 100);
    if (round % 2) check(below.five() == 5);
    wasm_trap_t* trap;
    wasm_func_t* func = func_at(below.instance, 1);
    check(call_i32(func, 0, &trap) == -1);
    has_trace(trap, 1, &below.instance, (const uint32_t[]){2});
    wasm_trap_delete(trap);
    wasm_func_delete(func);
  }
  world_delete(&world);
  world_delete(&below);
}

/* Goes down without end. */
static int32_t deeper(struct world* world, int32_t value) {
  world->deepest = value;
  return world->f(value + 1);
}

static void* overflow(void* arg) {
  struct world* world = arg;
  check(world->f(0) == 0);
  wasm_trap_t* trap = tenon_store_take_trap(world->store);
  check(tenon_trap_code(trap) == TENON_TRAP_STACK_OVERFLOW && world->deepest > 10);
  wasm_trap_delete(trap);
  check(world->five() == 5);
  return NULL;
}

static void recursion_over_c_ends_in_a_trap(void) {
  struct world world = {0};
  world_new(&world, deeper);
  overflow(&world);
  const size_t sizes[] = {64 << 10, 256 << 10, 1 << 20};
  for (int i = 0; i < 3; i++) on_thread(sizes[i], overflow, &world);
  world_delete(&world);
}

/* Deletes all there is while it is called. */
static int32_t delete_all(struct world* world, int32_t value) {
  if (value < 100) return value;
  check(finalized == 0);
  wasm_func_delete(world->func);
  wasm_instance_delete(world->instance);
  wasm_store_delete(world->store);
  check(finalized == 0);
  return value;
}

static void imports_may_delete_all(void) {
  for (int round = 0; round < 40; round++) {
    struct world world = {0};
    world_new(&world, delete_all);
    finalized = 0;
    for (int i = 0; i < 30; i++) check(call_i32(world.func, i, NULL) == i + 100);
    if (round % 2) check(world.f(100) == 200);
    else check(call_i32(world.func, 100, NULL) == 200);
    check(finalized == 1);
  }
}

/* Deletes the function of the pointer by which it is called, and the instance. */
static int32_t delete_instance(struct world* world, int32_t value) {
  wasm_func_delete(world->func);
  wasm_instance_delete(world->instance);
  world->func = NULL;
  world->instance = NULL;
  tenon_store_collect(world->store);
  check(finalized == 0);
  return value;
}

static void imports_may_delete_what_runs(void) {
  for (int round = 0; round < 40; round++) {
    struct world world = {0};
    world_new(&world, delete_instance);
    finalized = 0;
    check(world.f(round) == round + 100);
    check(finalized == 1);
    wasm_store_delete(world.store);
  }
}

static void* use_elsewhere(void* arg) {
  struct world* world = arg;
  for (int i = 0; i < 3; i++) check(world->f(5) == 110 && world->five() == 5);
  return NULL;
}

static void pointers_may_be_used_by_other_threads(void) {
  struct world world = {0};
  world_new(&world, twice);
  for (int i = 0; i < 3; i++) {
    on_thread(64 << 10, use_elsewhere, &world);
    use_elsewhere(&world);
  }
  world_delete(&world);
}

static void only_numbers_have_native_functions(void) {
  wasm_store_t* store = test_store();
  wasm_instance_t* instance = instance_of(store, "(module"
    " (func (export \"0\") (param externref)) (func (export \"1\") (result v128) unreachable)"
    " (func (export \"2\") (result i32 i32) (i32.const 1) (i32.const 2))"
    " (func (export \"3\") (param i32)))");
  finalized = 0;
  for (size_t i = 0; i < 3; i++) {
    wasm_func_t* func = func_at(instance, i);
    wasm_functype_t* type = wasm_func_type(func);
    refused(TENON_ERROR_TYPE, tenon_func_pointer(func, type));
    refused(TENON_ERROR_TYPE, tenon_func_new_native(store, type, (tenon_native_t)next_i32));
    refused(TENON_ERROR_TYPE, tenon_func_new_native_with_env(
      store, type, (tenon_native_t)next_i32, NULL, count_finalized));
    wasm_functype_delete(type);
    wasm_func_delete(func);
  }
  check(finalized == 3);
  // The type has to be that of the function.
  wasm_func_t* func = func_at(instance, 3);
  wasm_functype_t* type = type_i32_i32();
  refused(TENON_ERROR_TYPE, tenon_func_pointer(func, type));
  check(error_says("i32"));
  wasm_functype_delete(type);
  // A function of too many parameters is none for C.
  const wasm_valkind_t kind = WASM_I32;
  type = type_of(100, &kind, 1, -1);
  refused(TENON_ERROR_TYPE, tenon_func_new_native(store, type, (tenon_native_t)next_i32));
  wasm_functype_delete(type);
  wasm_func_delete(func);
  wasm_instance_delete(instance);
  wasm_store_delete(store);
}

/* A host's function can be called by a pointer as any other. */
static void pointers_to_functions_of_the_host(void) {
  wasm_store_t* store = test_store();
  wasm_functype_t* type = type_i32_i32();
  wasm_func_t* func = tenon_func_new_native(store, type, (tenon_native_t)next_i32);
  int32_t (*next)(int32_t) = (int32_t (*)(int32_t))tenon_func_pointer(func, type);
  for (int i = 0; i < 3; i++) check(next(i) == i + 1);
  wasm_functype_delete(type);
  wasm_func_delete(func);
  wasm_store_delete(store);
}

static own wasm_trap_t* add(const wasm_val_vec_t* args, wasm_val_vec_t* results) {
  results->data[0] = i32_val(args->data[0].of.i32 + args->data[1].of.i32);
  return NULL;
}

/* Calls that go the shortest way check the same as the first ones. */
static void calls_are_checked_however_often_they_are_made(void) {
  wasm_store_t* store = test_store();
  wasm_instance_t* instance = instance_of(store, "(module (func (export \"add\")"
    " (param i32 i32) (result i32) (i32.add (local.get 0) (local.get 1)))"
    " (func (export \"two\") (param i64 f64) (result f64 i64) (local.get 1) (local.get 0)))");
  wasm_functype_t* type = wasm_functype_new_2_1(
    wasm_valtype_new_i32(), wasm_valtype_new_i32(), wasm_valtype_new_i32());
  wasm_func_t* host = wasm_func_new(store, type, add);
  wasm_func_t *exported = func_at(instance, 0), *two = func_at(instance, 1);
  wasm_func_t* const funcs[] = {exported, host};
  for (int round = 0; round < 50; round++) {
    for (int i = 0; i < 2; i++) {
      wasm_val_t values[3] = {i32_val(round), i32_val(2), i32_val(9)}, results[2];
      memset(results, 0xff, sizeof results);
      check(call_with(funcs[i], 2, values, 2, results) == NULL);
      check(results[0].kind == WASM_I32 && results[0].of.i32 == round + 2);
      check(results[1].kind == 0xff);
      // Arguments and results in one array.
      check(call_with(funcs[i], 2, values, 1, values) == NULL);
      check(values[0].of.i32 == round + 2);
      const struct { size_t count; wasm_val_t* args; size_t room; wasm_val_t* results; } wrong[] = {
        {1, values, 1, results}, {3, values, 1, results}, {2, NULL, 1, results}, {0, NULL, 1, results},
        {2, values, 0, results}, {2, values, 1, NULL}, {2, values, 0, NULL},
      };
      for (size_t w = 0; w < sizeof wrong / sizeof *wrong; w++) {
        wasm_trap_t* trap =
          call_with(funcs[i], wrong[w].count, wrong[w].args, wrong[w].room, wrong[w].results);
        check(trap != NULL);
        wasm_trap_delete(trap);
      }
      for (int arg = 0; arg < 2; arg++) {
        wasm_val_t args[2] = {i32_val(1), i32_val(2)};
        args[arg].kind = arg ? WASM_F32 : WASM_FUNCREF;
        wasm_trap_t* trap = call_with(funcs[i], 2, args, 1, results);
        check(trap && mentions(trap, "kind"));
        wasm_trap_delete(trap);
      }
      wasm_val_vec_t args = {2, values}, room = {1, results};
      wasm_trap_t* trap = wasm_func_call(funcs[i], NULL, &room);
      check(trap != NULL);
      wasm_trap_delete(trap);
      trap = wasm_func_call(funcs[i], &args, NULL);
      check(trap != NULL);
      wasm_trap_delete(trap);
    }
    wasm_val_t args[2] = {WASM_I64_VAL(INT64_MIN), WASM_F64_VAL(0.5)}, results[2];
    check(call_with(two, 2, args, 2, results) == NULL);
    check(results[0].kind == WASM_F64 && results[0].of.f64 == 0.5);
    check(results[1].kind == WASM_I64 && results[1].of.i64 == INT64_MIN);
  }
  wasm_functype_delete(type);
  wasm_func_delete(host);
  wasm_func_delete(exported);
  wasm_func_delete(two);
  wasm_instance_delete(instance);
  wasm_store_delete(store);
}

/* A callback that does something unusual now and then. */
static own wasm_trap_t* moody(void* env, const wasm_val_vec_t* args, wasm_val_vec_t* results) {
  (void)env;
  int32_t value = args->data[0].of.i32;
  results->data[0] = i32_val(value + 1);
  switch (value % 4) {
    case 1: results->data[0] = (wasm_val_t)WASM_F64_VAL(1); break;
    case 2: return raised_in(((struct world*)env)->store, "moody");
    case 3: results->data[0] = extern_val(NULL); break;
  }
  return NULL;
}

static void callbacks_are_checked_however_often_they_are_called(void) {
  struct world world = {.store = test_store()};
  wasm_func_t* host = func_with_env(world.store, type_i32_i32(), moody, &world);
  wasm_extern_t* imports[] = {wasm_func_as_extern(host)};
  world.instance = instance_with(world.store, calls_native, 1, imports);
  world.func = func_at(world.instance, 0);
  for (int32_t round = 0; round < 200; round++) {
    wasm_trap_t* trap;
    int32_t got = call_i32(world.func, round, &trap);
    if (round % 4 == 0) check(!trap && got == round + 101);
    else check(trap && mentions(trap, round % 4 == 2 ? "moody" : "result 0"));
    if (trap) has_trace(trap, 1, &world.instance, (const uint32_t[]){1});
    wasm_trap_delete(trap);
  }
  wasm_func_delete(host);
  wasm_func_delete(world.func);
  wasm_instance_delete(world.instance);
  wasm_store_delete(world.store);
}

int main(void) {
  values_of_i32();
  values_of_i64();
  values_of_f32();
  values_of_f64();
  many_parameters_get_through();
  forty_parameters_get_through();
  a_trap_waits_until_it_is_taken();
  imports_may_trap();
  imports_may_call_wasm();
  // To find the frames that a jump has left, the library looks where they were.
  if (!is_set("TEST_VALGRIND")) {
    imports_may_jump();
    jumps_may_end_in_an_import();
  }
  recursion_over_c_ends_in_a_trap();
  imports_may_delete_all();
  imports_may_delete_what_runs();
  pointers_may_be_used_by_other_threads();
  only_numbers_have_native_functions();
  pointers_to_functions_of_the_host();
  calls_are_checked_however_often_they_are_made();
  callbacks_are_checked_however_often_they_are_called();
  return done();
}
