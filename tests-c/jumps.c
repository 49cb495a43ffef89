/* valgrind: no, to find the frames that a jump has left the library looks where they were */
/* Jumps: callbacks may leave by longjmp, to the outermost host or to a callback in between, over
 * any number of guests and stores. What was left is over; everything else goes on. */

#include <setjmp.h>

#include "scenes.h"

/* A callback that calls on. */
struct floor {
  wasm_instance_t *instance, *below;
};

enum { FLOORS = 3 };

static own wasm_trap_t* call_below(
  void* env, const wasm_val_vec_t* args, wasm_val_vec_t* results
) {
  (void)args, (void)results;
  return call_export(((struct floor*)env)->below, 0);
}

static own wasm_trap_t* jump(void* env, const wasm_val_vec_t* args, wasm_val_vec_t* results) {
  (void)args, (void)results;
  longjmp(*(jmp_buf*)env, 1);
}

/* Calls an export whose host jumps to `place`. */
static void is_left(jmp_buf* place, const wasm_instance_t* instance, size_t export) {
  wasm_func_t* func = func_at(instance, export);
  if (setjmp(*place) == 0) {
    wasm_trap_delete(call_empty(func));
    check(!"returned");
  }
  wasm_func_delete(func);
}

/* Jumps to the outermost host over three floors, in one store or in two in turn. */
static void callbacks_may_jump_to_the_outermost_host(void) {
  for (int stores_in_use = 1; stores_in_use <= 2; stores_in_use++) {
    wasm_store_t* stores[] = {test_store(), test_store()};
    jmp_buf place;
    struct floor floors[FLOORS];
    wasm_instance_t* ground = around(stores[stores_in_use - 1], jump, &place);
    for (int i = 0; i < FLOORS; i++) {
      floors[i] = (struct floor){.below = i ? floors[i - 1].instance : ground};
      floors[i].instance = around(stores[i % stores_in_use], call_below, &floors[i]);
    }
    for (volatile size_t round = 0; round < rounds(500, 4); round++) {
      is_left(&place, floors[FLOORS - 1 - round % FLOORS].instance, 0);
      // Sometimes the stores are entered in between, sometimes in the other order.
      if (round % 3) is_well(ground);
      if (round % 3 == 1) is_well(floors[0].instance);
      is_left(&place, ground, 2);
    }
    for (int i = 0; i < FLOORS; i++) {
      is_well(floors[i].instance);
      wasm_instance_delete(floors[i].instance);
    }
    is_well(ground);
    wasm_instance_delete(ground);
    for (int i = 0; i < 2; i++) wasm_store_delete(stores[i]);
  }
}

/* A callback in the middle, to which the one below jumps, and how it goes on. */
struct landing {
  jmp_buf place;
  wasm_store_t* store;
  wasm_instance_t *instance, *below, *other;
  enum { RETURNS, RAISES, PASSES_ON } then;
};

static own wasm_trap_t* go_on_after_jumps(
  void* env, const wasm_val_vec_t* args, wasm_val_vec_t* results
) {
  (void)args, (void)results;
  struct landing* landing = env;
  wasm_instance_t* const running[] = {landing->other, landing->instance, landing->instance};
  for (volatile int i = 0; i < 3; i++) {
    is_left(&landing->place, landing->below, i == 1 ? 2 : 0);
    wasm_trap_t* trap = call_export(landing->other, 1);
    check(tenon_trap_code(trap) == TENON_TRAP_UNREACHABLE);
    has_trace(trap, 3, running, (const uint32_t[]){2, 1, 3});
    if (landing->then == PASSES_ON && i == 2) return trap;
    wasm_trap_delete(trap);
    check(call_export(landing->other, 0) == NULL);
  }
  return landing->then == RAISES ? raised_in(landing->store, "raised") : NULL;
}

static void callbacks_may_jump_to_a_callback_in_the_middle(void) {
  for (int two_stores = 0; two_stores < 2; two_stores++) {
    wasm_store_t *store = test_store(), *second = test_store();
    struct landing landing = {.store = store};
    landing.below = around(two_stores ? second : store, jump, &landing.place);
    landing.other = around(store, no_trap, NULL);
    landing.instance = around(store, go_on_after_jumps, &landing);
    for (size_t round = 0; round < rounds(500, 6); round++) {
      landing.then = round % 3;
      wasm_trap_t* trap = call_export(landing.instance, 2);
      check((trap == NULL) == (landing.then == RETURNS));
      wasm_instance_t* const running[] = {landing.other, landing.instance, landing.instance};
      const uint32_t funcs[] = {2, 1, 3};
      if (landing.then == RAISES && check(has_message(trap, "raised"))) {
        has_trace(trap, 2, running + 1, funcs + 1);
      } else if (landing.then == PASSES_ON && check(has_message(trap, "unreachable"))) {
        has_trace(trap, 3, running, funcs);
      }
      wasm_trap_delete(trap);
      is_well(landing.instance);
      is_well(landing.other);
      is_well(landing.below);
    }
    wasm_instance_delete(landing.below);
    wasm_instance_delete(landing.other);
    wasm_instance_delete(landing.instance);
    wasm_store_delete(second);
    wasm_store_delete(store);
  }
}

/* Two callbacks that return as soon as the one below has jumped to them, with no call in between. */
static struct landing landed;

static own wasm_trap_t* return_after_jump(
  void* env, const wasm_val_vec_t* args, wasm_val_vec_t* results
) {
  (void)env, (void)args, (void)results;
  is_left(&landed.place, landed.below, 0);
  return landed.then == RAISES ? raised_in(landed.store, "raised") : NULL;
}

static void return_natively_after_jump(void* env) {
  wasm_trap_t* trap = return_after_jump(env, NULL, NULL);
  if (trap) tenon_store_put_trap(landed.store, trap);
}

static void callbacks_may_return_at_once_after_a_jump(void) {
  const char* text =
    "(module (import \"\" \"\" (func $f))"
    " (func (export \"after\") (call $f) (call $f) unreachable))";
  for (size_t round = 0; round < rounds(400, 8); round++) {
    bool native = round & 1, raises = round & 2;
    wasm_store_t *store = test_store(), *second = test_store();
    landed.store = store;
    landed.below = around(round & 4 ? second : store, jump, &landed.place);
    landed.then = raises ? RAISES : RETURNS;
    wasm_functype_t* type = wasm_functype_new_0_0();
    wasm_func_t* host = native
      ? tenon_func_new_native_with_env(
          store, type, (tenon_native_t)return_natively_after_jump, NULL, NULL
        )
      : wasm_func_new_with_env(store, type, return_after_jump, NULL, NULL);
    wasm_functype_delete(type);
    wasm_extern_t* imports[] = {wasm_func_as_extern(host)};
    wasm_instance_t* instance = instance_with(store, text, 1, imports);
    for (int call = 0; call < 3; call++) {
      wasm_trap_t* trap = call_export(instance, 0);
      if (check(has_message(trap, raises ? "raised" : "unreachable"))) {
        has_trace(trap, 1, (wasm_instance_t*[]){instance}, (uint32_t[]){1});
      }
      wasm_trap_delete(trap);
      is_well(landed.below);
    }
    wasm_instance_delete(instance);
    wasm_func_delete(host);
    wasm_instance_delete(landed.below);
    wasm_store_delete(second);
    wasm_store_delete(store);
  }
}

static void what_was_jumped_out_of_is_freed(void) {
  for (int collects = 0; collects < 2; collects++) {
    wasm_store_t* store = test_store();
    jmp_buf place;
    wasm_instance_t* instance = around(store, jump, &place);
    wasm_instance_set_host_info_with_finalizer(instance, NULL, count_finalized);
    finalized = 0;
    is_left(&place, instance, 2);
    wasm_instance_delete(instance);
    if (collects) {
      // No code of the store runs any more.
      tenon_store_collect(store);
      check(finalized == 1);
    }
    wasm_store_delete(store);
    check(finalized == 1);
  }
}

/* A callback that jumps back to itself, overwrites what it has jumped out of, and has the collector
 * look for references. */
struct maker {
  jmp_buf place;
  wasm_store_t* store;
  wasm_instance_t* below;
};

static __attribute__((noinline)) void overwrite_stack(void) {
  volatile char below[1 << 15];
  for (size_t i = 0; i < sizeof below; i++) below[i] = 0x5a;
}

static own wasm_trap_t* make_after_a_jump(
  void* env, const wasm_val_vec_t* args, wasm_val_vec_t* results
) {
  (void)args, (void)results;
  struct maker* maker = env;
  is_left(&maker->place, maker->below, 2);
  overwrite_stack();
  wasm_tagtype_t* type = wasm_tagtype_new(wasm_functype_new_1_0(wasm_valtype_new_i32()));
  tenon_tag_t* tag = tenon_tag_new(maker->store, type);
  wasm_tagtype_delete(type);
  // More than there is room for at once.
  for (int i = 0; i < 100000; i++) {
    // Each time there is something to be found in frames that are gone.
    if (i % 10000 == 0) {
      is_left(&maker->place, maker->below, 2);
      overwrite_stack();
    }
    wasm_val_t values[1] = {WASM_I32_VAL(i)};
    wasm_val_vec_t vec = WASM_ARRAY_VEC(values);
    tenon_exception_t* exception = tenon_exception_new(maker->store, tag, &vec);
    if (!check(exception)) break;
    tenon_exception_delete(exception);
  }
  tenon_tag_delete(tag);
  return NULL;
}

static void callbacks_may_make_exceptions_after_a_jump(void) {
  struct maker maker = {.store = test_store()};
  maker.below = around(maker.store, jump, &maker.place);
  wasm_instance_t* instance = around(maker.store, make_after_a_jump, &maker);
  check(call_export(instance, 2) == NULL);
  is_well(maker.below);
  wasm_instance_delete(maker.below);
  wasm_instance_delete(instance);
  wasm_store_delete(maker.store);
}

/* A callback that deletes all there is and jumps; what it runs in goes when nobody can tell that it
 * is still running. */
struct deserter {
  jmp_buf place;
  wasm_store_t* store;
  wasm_instance_t* instance;
  wasm_func_t* func;
  bool calls_elsewhere;
};

static own wasm_trap_t* delete_and_jump(
  void* env, const wasm_val_vec_t* args, wasm_val_vec_t* results
) {
  (void)args, (void)results;
  struct deserter* deserter = env;
  wasm_func_delete(deserter->func);
  wasm_instance_delete(deserter->instance);
  wasm_store_delete(deserter->store);
  check(finalized == 0);
  longjmp(deserter->place, 1);
}

static void* desert(void* arg) {
  struct deserter* deserter = arg;
  deserter->store = test_store();
  deserter->instance = around(deserter->store, delete_and_jump, deserter);
  wasm_instance_set_host_info_with_finalizer(deserter->instance, NULL, count_finalized);
  deserter->func = func_at(deserter->instance, 2);
  if (setjmp(deserter->place) == 0) wasm_trap_delete(call_empty(deserter->func));
  if (deserter->calls_elsewhere) {
    wasm_store_t* store = test_store();
    wasm_instance_t* instance = around(store, no_trap, NULL);
    is_well(instance);
    wasm_instance_delete(instance);
    wasm_store_delete(store);
  }
  return NULL;
}

static void callbacks_may_delete_all_and_jump(void) {
  for (int calls_elsewhere = 0; calls_elsewhere < 2; calls_elsewhere++) {
    struct deserter deserter = {.calls_elsewhere = calls_elsewhere};
    finalized = 0;
    on_thread(1 << 20, desert, &deserter);
    check(finalized == 1);
  }
}

/* What a thread has jumped out of, and others use. */
struct left_store {
  jmp_buf place;
  wasm_instance_t* instance;
  pthread_barrier_t left, used;
};

static void* leave_by_jump(void* arg) {
  struct left_store* left = arg;
  is_left(&left->place, left->instance, 0);
  return NULL;
}

/* What a thread does next in the store shows that it has jumped; until then nobody can tell. */
static void* leave_by_jump_and_wait(void* arg) {
  struct left_store* left = arg;
  leave_by_jump(left);
  is_well(left->instance);
  pthread_barrier_wait(&left->left);
  pthread_barrier_wait(&left->used);
  return NULL;
}

static void threads_may_end_after_a_jump(void) {
  wasm_store_t* store = test_store();
  struct left_store left;
  left.instance = around(store, jump, &left.place);
  for (int i = 0; i < 3; i++) {
    on_thread(1 << 20, leave_by_jump, &left);
    is_well(left.instance);
  }
  wasm_instance_delete(left.instance);
  wasm_store_delete(store);
}

static void threads_may_hand_on_what_they_jumped_out_of(void) {
  wasm_store_t* store = test_store();
  struct left_store left;
  left.instance = around(store, jump, &left.place);
  pthread_barrier_init(&left.left, NULL, 2);
  pthread_barrier_init(&left.used, NULL, 2);
  pthread_t thread;
  pthread_create(&thread, NULL, leave_by_jump_and_wait, &left);
  pthread_barrier_wait(&left.left);
  is_well(left.instance);
  pthread_barrier_wait(&left.used);
  pthread_join(thread, NULL);
  pthread_barrier_destroy(&left.used);
  pthread_barrier_destroy(&left.left);
  is_well(left.instance);
  wasm_instance_delete(left.instance);
  wasm_store_delete(store);
}

/* How deep a guest gets, which counts its calls. */
static int32_t depth_of(const wasm_instance_t* instance) {
  wasm_global_t* depth = global_at(instance, 0);
  wasm_func_t* count = func_at(instance, 1);
  wasm_val_t value = i32_val(0);
  wasm_global_set(depth, &value);
  wasm_trap_t* trap = call_empty(count);
  check(tenon_trap_code(trap) == TENON_TRAP_STACK_OVERFLOW);
  wasm_trap_delete(trap);
  wasm_global_get(depth, &value);
  wasm_func_delete(count);
  wasm_global_delete(depth);
  return value.of.i32;
}

static void jumps_leave_the_depth_as_it_was(void) {
  wasm_store_t* store = test_store();
  jmp_buf place;
  wasm_instance_t* instance = around(store, jump, &place);
  wasm_instance_t* counter = instance_of(store,
    "(module (global $n (export \"n\") (mut i32) (i32.const 0)) (func $f (export \"f\")"
    "  (global.set $n (i32.add (global.get $n) (i32.const 1))) (call $f)))");
  // What recurses has its best code after that.
  for (int i = 0; i < 3; i++) depth_of(counter);
  int32_t before = depth_of(counter);
  for (volatile int i = 0; i < 1000; i++) {
    is_left(&place, instance, 2);
    if (i % 100 == 0) check(depth_of(counter) == before);
  }
  check(depth_of(counter) == before);
  wasm_instance_delete(counter);
  wasm_instance_delete(instance);
  wasm_store_delete(store);
}

int main(void) {
  SURVIVES(callbacks_may_jump_to_the_outermost_host);
  SURVIVES(callbacks_may_jump_to_a_callback_in_the_middle);
  SURVIVES(callbacks_may_return_at_once_after_a_jump);
  SURVIVES(what_was_jumped_out_of_is_freed);
  SURVIVES(callbacks_may_make_exceptions_after_a_jump);
  SURVIVES(callbacks_may_delete_all_and_jump);
  SURVIVES(threads_may_end_after_a_jump);
  SURVIVES(threads_may_hand_on_what_they_jumped_out_of);
  SURVIVES(jumps_leave_the_depth_as_it_was);
  return done();
}
