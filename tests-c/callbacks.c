/* What callbacks may do: delete what is running, pass traps on or swallow them, call back, make and
 * grow things. What jumps do is in jumps.c. */

#include "scenes.h"

static own wasm_trap_t* raise_in_env(
  void* env, const wasm_val_vec_t* args, wasm_val_vec_t* results
) {
  (void)args, (void)results;
  return raised_in(env, "raised");
}

/* The trap is in one store and the functions that were running in another, which may go first. */
static void a_trap_of_another_store_keeps_its_frames(wasm_store_t* there, wasm_engine_t* engine) {
  wasm_store_t* here = wasm_store_new(engine);
  wasm_instance_t* instance = around(here, raise_in_env, there);
  wasm_trap_t* trap = call_export(instance, 2);
  check(has_message(trap, "raised"));
  has_trace(trap, 2, (wasm_instance_t*[]){instance, instance}, (uint32_t[]){1, 3});
  tenon_store_collect(there);
  wasm_instance_delete(instance);
  tenon_store_collect(here);
  // Something else where the instance was, should it be gone.
  for (int i = 0; i < 4; i++) wasm_instance_delete(instance_of(here, "(module (memory 1))"));
  wasm_store_delete(here);
  wasm_frame_t* origin = wasm_trap_origin(trap);
  if (check(origin != NULL)) {
    wasm_instance_t* kept = wasm_instance_copy(wasm_frame_instance(origin));
    is_well(kept);
    wasm_instance_delete(kept);
  }
  wasm_frame_delete(origin);
  tenon_store_collect(there);
  wasm_trap_delete(trap);
}

static void a_trap_of_another_store_outlives_all(void) {
  wasm_engine_t* engine = test_engine();
  wasm_store_t *same = wasm_store_new(engine), *other = test_store();
  a_trap_of_another_store_keeps_its_frames(same, engine);
  a_trap_of_another_store_keeps_its_frames(other, engine);
  wasm_store_delete(same);
  wasm_store_delete(other);
  wasm_engine_delete(engine);
}

/* What a callback deletes while it is called. */
enum { FUNC, INSTANCE, HOST, MODULE, STORE, ENGINE, HANDLES };

struct victim {
  void* handles[HANDLES];
  unsigned doomed;
  bool traps, backwards;
};

static void delete_one(struct victim* victim, int which) {
  void* handle = victim->handles[which];
  victim->handles[which] = NULL;
  switch (which) {
    case FUNC: case HOST: wasm_func_delete(handle); break;
    case INSTANCE: wasm_instance_delete(handle); break;
    case MODULE: wasm_module_delete(handle); break;
    case STORE: wasm_store_delete(handle); break;
    default: wasm_engine_delete(handle); break;
  }
}

static own wasm_trap_t* delete_the_doomed(
  void* env, const wasm_val_vec_t* args, wasm_val_vec_t* results
) {
  struct victim* victim = env;
  wasm_trap_t* trap = victim->traps ? raised_in(victim->handles[STORE], "raised") : NULL;
  for (int i = 0; i < HANDLES; i++) {
    int which = victim->backwards ? HANDLES - 1 - i : i;
    if (victim->doomed >> which & 1) delete_one(victim, which);
  }
  check(finalized == 0);
  results->data[0] = i32_val(args->data[0].of.i32 + 1);
  return trap;
}

static void deletes_while_called(unsigned doomed, int called, bool traps, bool backwards) {
  struct victim victim = {.doomed = doomed, .traps = traps, .backwards = backwards};
  void** handles = victim.handles;
  finalized = 0;
  handles[ENGINE] = test_engine();
  handles[STORE] = wasm_store_new(handles[ENGINE]);
  wasm_functype_t* type = type_i32_i32();
  handles[HOST] =
    wasm_func_new_with_env(handles[STORE], type, delete_the_doomed, &victim, count_finalized);
  wasm_functype_delete(type);
  handles[MODULE] = module_of(handles[STORE],
    "(module (import \"\" \"\" (func $f (param i32) (result i32))) (memory 1)"
    " (func (export \"g\") (param i32) (result i32) (i32.store (i32.const 0) (local.get 0))"
    "  (i32.add (call $f (local.get 0)) (i32.load (i32.const 0)))))");
  wasm_extern_t* items[] = {wasm_func_as_extern(handles[HOST])};
  wasm_extern_vec_t imports = WASM_ARRAY_VEC(items);
  handles[INSTANCE] = wasm_instance_new(handles[STORE], handles[MODULE], &imports, NULL);
  handles[FUNC] = func_at(handles[INSTANCE], 0);
  wasm_val_t value = i32_val(20);
  wasm_trap_t* trap = call_with(handles[called], 1, &value, 1, &value);
  if (traps) {
    if (check(trap && has_message(trap, "raised"))) has_frames(trap, called == FUNC);
  } else {
    check(trap == NULL && value.of.i32 == (called == FUNC ? 41 : 21));
  }
  wasm_trap_delete(trap);
  for (int i = 0; i < HANDLES; i++) delete_one(&victim, i);
  check(finalized == 1);
}

static void callbacks_delete(unsigned always) {
  for (unsigned i = 0; i < 8u << HANDLES; i += (unsigned)rounds(1, 31)) {
    unsigned doomed = i >> 3 | always;
    int called = i & 1 ? HOST : FUNC;
    if (!(always >> called & 1)) doomed &= ~(1u << called);
    deletes_while_called(doomed, called, i & 2, i & 4);
  }
}

static void callbacks_may_delete_all_but_what_is_called(void) {
  callbacks_delete(0);
}

static void callbacks_may_delete_what_is_called(void) {
  callbacks_delete(1 << FUNC | 1 << HOST);
}

/* One floor of a tower of hosts and guests: its callback calls the floor below, and passes its trap
 * on or swallows it. */
enum { FLOORS = 3 };

struct floor {
  wasm_instance_t *instance, *below;
  size_t export;
  bool passes_on;
  wasm_trap_t* seen;
};

static own wasm_trap_t* call_below(
  void* env, const wasm_val_vec_t* args, wasm_val_vec_t* results
) {
  (void)args, (void)results;
  struct floor* floor = env;
  wasm_trap_t* trap = call_export(floor->below, floor->export);
  wasm_trap_delete(floor->seen);
  floor->seen = wasm_trap_copy(trap);
  if (floor->passes_on) return trap;
  wasm_trap_delete(trap);
  return NULL;
}

/* Proves who gets the trap of the ground floor, and that it has all its frames. */
static void falls_through(struct floor floors[FLOORS], wasm_instance_t* ground, unsigned passing) {
  bool arrives = true;
  for (int i = 0; i < FLOORS; i++) floors[i].passes_on = passing >> i & 1;
  wasm_trap_t* trap = call_export(floors[FLOORS - 1].instance, 0);
  for (int i = 0; i < FLOORS; i++) {
    wasm_trap_t* seen = floors[i].seen;
    floors[i].seen = NULL;
    check((seen != NULL) == arrives);
    if (seen) {
      check(tenon_trap_code(seen) == TENON_TRAP_UNREACHABLE && wasm_trap_same(seen, seen));
      wasm_instance_t* const instances[] = {
        ground, floors[0].instance, floors[1].instance, floors[2].instance,
      };
      has_trace(seen, FLOORS + 1, instances, (const uint32_t[]){2, 1, 1, 1});
    }
    wasm_trap_delete(seen);
    arrives = arrives && floors[i].passes_on;
  }
  check((trap != NULL) == arrives);
  if (trap) check(has_message(trap, "unreachable"));
  wasm_trap_delete(trap);
  is_well(ground);
  for (int i = 0; i < FLOORS; i++) is_well(floors[i].instance);
}

static void every_floor_may_pass_on_or_swallow(void) {
  wasm_store_t* store = test_store();
  struct floor floors[FLOORS];
  wasm_instance_t* ground = around(store, no_trap, NULL);
  for (int i = 0; i < FLOORS; i++) {
    floors[i] = (struct floor){.below = i ? floors[i - 1].instance : ground, .export = i == 0};
    floors[i].instance = around(store, call_below, &floors[i]);
  }
  for (size_t round = 0; round < rounds(200, 1); round++) {
    for (unsigned passing = 0; passing < 1 << FLOORS; passing++) {
      falls_through(floors, ground, passing);
    }
  }
  for (int i = 0; i < FLOORS; i++) wasm_instance_delete(floors[i].instance);
  wasm_instance_delete(ground);
  wasm_store_delete(store);
}

/* The floors are in two stores in turn; a trap goes through both. */
static void traps_pass_through_several_stores(void) {
  wasm_store_t* stores[] = {test_store(), test_store()};
  struct floor floors[FLOORS];
  wasm_instance_t* ground = around(stores[1], no_trap, NULL);
  for (int i = 0; i < FLOORS; i++) {
    floors[i] = (struct floor){
      .below = i ? floors[i - 1].instance : ground, .export = i == 0, .passes_on = true,
    };
    floors[i].instance = around(stores[i % 2], call_below, &floors[i]);
  }
  for (size_t round = 0; round < rounds(500, 3); round++) {
    wasm_trap_t* trap = call_export(floors[FLOORS - 1].instance, 0);
    check(tenon_trap_code(trap) == TENON_TRAP_UNREACHABLE);
    wasm_frame_t* origin = wasm_trap_origin(trap);
    check(origin && wasm_instance_same(wasm_frame_instance(origin), ground));
    wasm_frame_delete(origin);
    wasm_trap_delete(trap);
    for (int i = 0; i < FLOORS; i++) {
      check(wasm_trap_same(floors[0].seen, floors[i].seen));
      is_well(floors[i].instance);
    }
  }
  for (int i = 0; i < FLOORS; i++) {
    wasm_trap_delete(floors[i].seen);
    wasm_instance_delete(floors[i].instance);
  }
  wasm_instance_delete(ground);
  for (int i = 0; i < 2; i++) wasm_store_delete(stores[i]);
}

/* A busy callback, and the memory of the guest that calls it. */
struct busy {
  wasm_store_t* store;
  wasm_memory_t* memory;
  wasm_func_t* again;
  int depth;
};

static own wasm_trap_t* do_everything(
  void* env, const wasm_val_vec_t* args, wasm_val_vec_t* results
) {
  struct busy* busy = env;
  int32_t left = args->data[0].of.i32;
  check(wasm_memory_size(busy->memory) == (uint32_t)busy->depth + 1);
  check(wasm_memory_grow(busy->memory, 1));
  busy->depth++;
  wasm_instance_delete(instance_of(busy->store, "(module (memory 1) (func $s) (start $s))"));
  wasm_module_t* failing = module_of(busy->store, "(module (func $s unreachable) (start $s))");
  wasm_trap_t* trap = NULL;
  refused(TENON_ERROR_TRAP, wasm_instance_new(busy->store, failing, NULL, &trap));
  has_frames(trap, (size_t)busy->depth + 1);
  wasm_trap_delete(trap);
  wasm_module_delete(failing);
  tenon_store_collect(busy->store);
  wasm_engine_t* engine = test_engine();
  wasm_store_t* store = wasm_store_new(engine);
  wasm_engine_delete(engine);
  wasm_instance_t* other = around(store, no_trap, NULL);
  is_well(other);
  wasm_store_delete(store);
  check(call_export(other, 2) == NULL);
  wasm_instance_delete(other);
  tenon_store_collect(busy->store);
  results->data[0] = i32_val(left == 0 ? 0 : call_i32(busy->again, left - 1, NULL));
  return NULL;
}

static void callbacks_may_make_grow_and_collect(void) {
  enum { DEPTH = 20 };
  wasm_store_t* store = test_store();
  struct busy busy = {.store = store};
  wasm_func_t* host = func_with_env(store, type_i32_i32(), do_everything, &busy);
  wasm_extern_t* imports[] = {wasm_func_as_extern(host)};
  wasm_instance_t* instance = instance_with(store,
    "(module (import \"\" \"\" (func $f (param i32) (result i32))) (memory (export \"m\") 1)"
    " (func (export \"g\") (param i32) (result i32) (local $n i32)"
    "  (local.set $n (call $f (local.get 0)))"
    "  (i32.store (i32.sub (i32.mul (memory.size) (i32.const 65536)) (i32.const 4))"
    "   (local.get 0))"
    "  (i32.add (local.get $n) (memory.size))))", 1, imports);
  busy.memory = memory_at(instance, 0);
  busy.again = func_at(instance, 1);
  check(call_i32(busy.again, DEPTH - 1, NULL) == DEPTH * (DEPTH + 1));
  check(busy.depth == DEPTH && wasm_memory_size(busy.memory) == DEPTH + 1);
  wasm_func_delete(busy.again);
  wasm_memory_delete(busy.memory);
  wasm_instance_delete(instance);
  wasm_func_delete(host);
  wasm_store_delete(store);
}

int main(void) {
  SURVIVES(a_trap_of_another_store_outlives_all);
  SURVIVES(callbacks_may_delete_all_but_what_is_called);
  SURVIVES(callbacks_may_delete_what_is_called);
  SURVIVES(every_floor_may_pass_on_or_swallow);
  SURVIVES(traps_pass_through_several_stores);
  SURVIVES(callbacks_may_make_grow_and_collect);
  return done();
}
