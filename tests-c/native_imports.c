/* Plain C functions that wasm calls, in which its own call goes on: whatever comes up while they run
 * is found when they return. */

#include <sys/mman.h>
#include <ucontext.h>

#include "scenes.h"

/* What an import works with. */
struct world {
  wasm_store_t* store;
  wasm_instance_t* instance;
  wasm_func_t* import;
  int32_t (*f)(int32_t);
  int32_t (*five)(void);
  tenon_tag_t* tag;
  ucontext_t main, other;
  int calls;
};

static tenon_native_t pointer_to(const wasm_func_t* func) {
  wasm_functype_t* type = wasm_func_type(func);
  tenon_native_t pointer = tenon_func_pointer(func, type);
  check(pointer != NULL);
  wasm_functype_delete(type);
  return pointer;
}

static tenon_native_t pointer_at(const wasm_instance_t* instance, size_t index) {
  wasm_func_t* func = func_at(instance, index);
  tenon_native_t pointer = pointer_to(func);
  wasm_func_delete(func);
  return pointer;
}

/* The exports of `text` are a function that takes and returns an i32, and one that returns five. */
static void set_up(
  struct world* world, const char* text, int32_t (*import)(struct world*, int32_t),
  wasm_extern_t* second
) {
  world->store = world->store ? world->store : test_store();
  wasm_functype_t* type = wasm_functype_new_1_1(wasm_valtype_new_i32(), wasm_valtype_new_i32());
  world->import =
    tenon_func_new_native_with_env(world->store, type, (tenon_native_t)import, world, NULL);
  wasm_extern_t* imports[] = {wasm_func_as_extern(world->import), second};
  world->instance = instance_with(world->store, text, second ? 2 : 1, imports);
  world->f = (int32_t (*)(int32_t))pointer_at(world->instance, 0);
  world->five = (int32_t (*)(void))pointer_at(world->instance, 1);
  wasm_functype_delete(type);
}

static void tear_down(struct world* world) {
  wasm_func_delete(world->import);
  wasm_instance_delete(world->instance);
  wasm_store_delete(world->store);
}

static void ends_with(struct world* world, const char* message, size_t frames) {
  wasm_trap_t* trap = tenon_store_take_trap(world->store);
  if (check(trap && has_message(trap, message))) has_frames(trap, frames);
  wasm_trap_delete(trap);
}

/* Puts a trap, and enters wasm with another around it: the first call of each round by a pointer, the
 * second by an array. */
static int32_t trap_on_minus(struct world* world, int32_t value) {
  check(world->five() == 5);
  if (value < 0) tenon_store_put_trap(world->store, raised_in(world->store, "minus"));
  if (value < -1) check(world->five() == 0);
  wasm_func_t* five = func_at(world->instance, 1);
  check(call_i32(five, 0, NULL) == 5);
  wasm_func_delete(five);
  world->calls++;
  return value + 1;
}

#define FIVE " (func (export \"five\") (result i32) (i32.const 5))"

static const char* const calls_in_line =
  "(module (import \"\" \"\" (func $h (param i32) (result i32)))"
  " (func (export \"f\") (param i32) (result i32) (i32.add (call $h (local.get 0)) (i32.const 10)))"
  FIVE ")";

static const char* const calls_at_the_end =
  "(module (import \"\" \"\" (func $h (param i32) (result i32)))"
  " (func (export \"f\") (param i32) (result i32)"
  "  (return_call $h (i32.add (local.get 0) (i32.const 0))))"
  FIVE ")";

static void calls_at_the_end_go_on(void) {
  for (int at_end = 0; at_end < 2; at_end++) {
    struct world world = {0};
    set_up(&world, at_end ? calls_at_the_end : calls_in_line, trap_on_minus, NULL);
    int32_t more = at_end ? 1 : 11;
    wasm_func_t* f = func_at(world.instance, 0);
    for (int round = 0; round < 40; round++) {
      check(world.f(round) == round + more && call_i32(f, round, NULL) == round + more);
      for (int32_t value = -1; value > -3; value--) {
        check(world.f(value) == 0);
        ends_with(&world, "minus", at_end ? 0 : 1);
        wasm_trap_t* trap;
        check(call_i32(f, value, &trap) == -1 && has_message(trap, "minus"));
        wasm_trap_delete(trap);
      }
      check(world.five() == 5);
    }
    check(world.calls == 40 * 6);
    wasm_func_delete(f);
    tear_down(&world);
  }
}

/* With no wasm around it. */
static void the_host_may_call_them_too(void) {
  struct world world = {0};
  set_up(&world, calls_in_line, trap_on_minus, NULL);
  int32_t (*import)(int32_t) = (int32_t (*)(int32_t))pointer_to(world.import);
  for (int round = 0; round < 40; round++) {
    check(import(round) == round + 1 && call_i32(world.import, round, NULL) == round + 1);
    check(import(-1) == 0);
    ends_with(&world, "minus", 0);
    wasm_trap_t* trap;
    check(call_i32(world.import, -2, &trap) == -1 && has_message(trap, "minus"));
    wasm_trap_delete(trap);
  }
  tear_down(&world);
}

/* A callback that lets a trap wait and returns. */
static own wasm_trap_t* put_trap(void* env, const wasm_val_vec_t* args, wasm_val_vec_t* results) {
  (void)args, (void)results;
  tenon_store_put_trap(env, raised_in(env, "before"));
  return NULL;
}

static int32_t count(struct world* world, int32_t value) {
  world->calls++;
  return value;
}

static void a_trap_that_waits_ends_the_next_one(void) {
  const char* text =
    "(module (import \"\" \"\" (func $h (param i32) (result i32))) (import \"\" \"\" (func $c))"
    " (func (export \"f\") (param i32) (result i32)"
    "  (if (i32.and (local.get 0) (i32.const 1)) (then (call $c)))"
    "  (if (i32.and (local.get 0) (i32.const 2)) (then (return (i32.const 3))))"
    "  (call $h (i32.const 4)))"
    FIVE ")";
  struct world world = {.store = test_store()};
  wasm_func_t* callback = func_with_env(world.store, wasm_functype_new_0_0(), put_trap, world.store);
  set_up(&world, text, count, wasm_func_as_extern(callback));
  for (int round = 0; round < 40; round++) {
    check(world.f(0) == 4 && world.f(2) == 3 && world.calls == 2 * round + 1);
    check(world.f(3) == 3);
    ends_with(&world, "before", 0);
    check(world.f(1) == 0 && world.calls == 2 * round + 2);
    ends_with(&world, "before", 1);
  }
  wasm_func_delete(callback);
  tear_down(&world);
}

/* What is returned comes through, in whichever register, if something has been looked at before. */
#define RETURNS(kind, type, value) \
  static type kind##_after_a_call(struct world* world) { \
    return world->calls++ % 2 ? (type)world->five() + (value) : 5 + (value); \
  } \
  static void kind##_comes_through(void) { \
    struct world world = {.store = test_store()}; \
    wasm_functype_t* functype = wasm_functype_new_0_1(wasm_valtype_new_##kind()); \
    wasm_func_t* import = tenon_func_new_native_with_env( \
      world.store, functype, (tenon_native_t)kind##_after_a_call, &world, NULL \
    ); \
    wasm_extern_t* imports[] = {wasm_func_as_extern(import)}; \
    wasm_instance_t* instance = instance_with( \
      world.store, \
      "(module (import \"\" \"\" (func $h (result " #kind ")))" \
      " (func (export \"f\") (result " #kind ") (call $h))" FIVE ")", \
      1, imports \
    ); \
    type (*f)(void) = (type(*)(void))pointer_at(instance, 0); \
    world.five = (int32_t (*)(void))pointer_at(instance, 1); \
    for (int round = 0; round < 40; round++) check(f() == 5 + (value)); \
    wasm_functype_delete(functype); \
    wasm_func_delete(import); \
    wasm_instance_delete(instance); \
    wasm_store_delete(world.store); \
  }

RETURNS(i32, int32_t, -1234567)
RETURNS(i64, int64_t, INT64_C(-123456789012345))
RETURNS(f32, float, 0.25f)
RETURNS(f64, double, 1e300)

/* Objects that only frames of wasm know are found from within an import, and from within what it calls. */
static int32_t collect_and_go_on(struct world* world, int32_t value) {
  tenon_store_collect(world->store);
  int32_t result = value > 0 ? world->f(value - 1) : 0;
  tenon_store_collect(world->store);
  return result;
}

static void objects_stay(void) {
  const char* text =
    "(module (type $s (struct (field i32))) (type $a (array (mut i32)))"
    " (import \"\" \"\" (func $h (param i32) (result i32)))"
    " (func (export \"f\") (param i32) (result i32) (local $s (ref null $s)) (local $i i32)"
    "  (local.set $s (struct.new $s (local.get 0)))"
    "  (loop $more"
    "   (drop (array.new $a (i32.const 7) (i32.const 1000)))"
    "   (br_if $more (i32.lt_u (local.tee $i (i32.add (local.get $i) (i32.const 1))) (i32.const 50))))"
    "  (i32.add (call $h (local.get 0)) (struct.get $s 0 (local.get $s))))"
    FIVE ")";
  struct world world = {0};
  set_up(&world, text, collect_and_go_on, NULL);
  for (int32_t depth = 0; depth < 12; depth++) {
    check(world.f(depth) == depth * (depth + 1) / 2);
  }
  tear_down(&world);
}

/* Exceptions that an import lets wait are caught by what has called it. */
static int32_t throw_on_minus(struct world* world, int32_t value) {
  if (value >= 0) return value;
  wasm_val_t payload[] = {WASM_I32_VAL(value)};
  wasm_val_vec_t payloads = WASM_ARRAY_VEC(payload);
  tenon_exception_t* exception = tenon_exception_new(world->store, world->tag, &payloads);
  tenon_store_put_trap(world->store, tenon_trap_new_exception(exception));
  tenon_exception_delete(exception);
  return 1;
}

static void exceptions_are_caught(void) {
  const char* text =
    "(module (import \"\" \"\" (func $h (param i32) (result i32)))"
    " (import \"\" \"\" (tag $t (param i32)))"
    " (func (export \"f\") (param i32) (result i32)"
    "  (block $caught (result i32)"
    "   (return (i32.add (i32.const 100)"
    "    (try_table (result i32) (catch $t $caught) (call $h (local.get 0))))))"
    "  (i32.mul (i32.const 2)))"
    FIVE ")";
  struct world world = {.store = test_store()};
  wasm_tagtype_t* type = wasm_tagtype_new(wasm_functype_new_1_0(wasm_valtype_new_i32()));
  world.tag = tenon_tag_new(world.store, type);
  wasm_tagtype_delete(type);
  set_up(&world, text, throw_on_minus, tenon_tag_as_extern(world.tag));
  for (int32_t round = 1; round < 40; round++) {
    check(world.f(round) == 100 + round && world.f(-round) == -2 * round);
    check(*tenon_store_trap_waiting(world.store) == 0);
  }
  tenon_tag_delete(world.tag);
  tear_down(&world);
}

/* Stacks that the host switches to in the middle of an import. */
static const size_t stack_size = 256 << 10;

static void* stack_new(ucontext_t* context, void (*start)(void), ucontext_t* then) {
  const int flags = MAP_PRIVATE | MAP_ANONYMOUS;
  void* stack = mmap(NULL, stack_size, PROT_READ | PROT_WRITE, flags, -1, 0);
  check(stack != MAP_FAILED && getcontext(context) == 0);
  context->uc_stack.ss_sp = stack;
  context->uc_stack.ss_size = stack_size;
  context->uc_link = then;
  makecontext(context, start, 0);
  return stack;
}

static struct world* elsewhere;

/* Goes over to the other side, and comes back when that does. */
static int32_t switch_over(struct world* world, int32_t value) {
  world->calls++;
  if (value == 2) tenon_store_put_trap(world->store, raised_in(world->store, "before"));
  swapcontext(&world->other, &world->main);
  if (value == 1) tenon_store_put_trap(world->store, raised_in(world->store, "after"));
  return value;
}

static int32_t asked, answered;

static void run_elsewhere(void) { answered = elsewhere->f(asked); }

static void imports_may_change_stacks(void) {
  struct world world = {0};
  set_up(&world, calls_in_line, switch_over, NULL);
  elsewhere = &world;
  for (asked = 0; asked < 3; asked++) {
    for (int round = 0; round < 40; round++) {
      void* stack = stack_new(&world.other, run_elsewhere, &world.main);
      answered = -1;
      check(swapcontext(&world.main, &world.other) == 0 && answered == -1);
      // The other side is in an import. It waits while wasm runs here.
      if (asked == 2) ends_with(&world, "before", 0);
      check(world.five() == 5);
      if (round % 2) check(world.five() == 5);
      check(swapcontext(&world.main, &world.other) == 0);
      check(answered == (asked == 1 ? 0 : asked + 10));
      if (asked == 1) ends_with(&world, "after", 1);
      check(*tenon_store_trap_waiting(world.store) == 0);
      check(munmap(stack, stack_size) == 0);
    }
  }
  tear_down(&world);
}

/* Such a stack may be gone, and what ran on it never go on. */
static void stacks_may_be_left_for_good(void) {
  for (int round = 0; round < 20; round++) {
    struct world world = {0};
    set_up(&world, calls_in_line, switch_over, NULL);
    elsewhere = &world;
    asked = 0;
    for (int stacks = 0; stacks < 3; stacks++) {
      void* stack = stack_new(&world.other, run_elsewhere, &world.main);
      check(swapcontext(&world.main, &world.other) == 0);
      check(munmap(stack, stack_size) == 0);
      check(world.five() == 5 && world.five() == 5);
      tenon_store_put_trap(world.store, raised_in(world.store, "here"));
      check(world.five() == 0);
      wasm_trap_delete(tenon_store_take_trap(world.store));
    }
    tear_down(&world);
  }
}

int main(void) {
  calls_at_the_end_go_on();
  the_host_may_call_them_too();
  a_trap_that_waits_ends_the_next_one();
  i32_comes_through();
  i64_comes_through();
  f32_comes_through();
  f64_comes_through();
  objects_stay();
  exceptions_are_caught();
  // Valgrind takes other stacks for errors.
  if (!is_set("TEST_VALGRIND")) {
    imports_may_change_stacks();
    SURVIVES(stacks_may_be_left_for_good);
  }
  return done();
}
