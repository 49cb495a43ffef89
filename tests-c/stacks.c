/* Stacks: endless recursion ends by a trap, on stacks of any size and by any way, with frames of
 * any size, and leaves everything in order; hosts have room at the deepest point. */

#include <sys/resource.h>

#include "scenes.h"

/* How much of its stack the busiest callback uses. */
enum { HOST_NEED = 16 << 10 };

/* What the guest's imports are, in a store of its own. */
struct scene {
  wasm_store_t* store;
  wasm_instance_t* instance;
  wasm_func_t *five, *through_host, *dive;
  int32_t calls;
};

static const char* const guest =
  "(module (import \"\" \"again\" (func $again)) (import \"\" \"deepest\" (func $deepest))"
  " (type $t (func)) (table $u 3 funcref)"
  " (elem (i32.const 0) $indirect $again $ping)"
  " (global $depth (export \"depth\") (mut i32) (i32.const 0))"
  " (func (export \"five\") (result i32) (i32.const 5))"
  " (func $direct (export \"direct\") (call $direct))"
  " (func $indirect (export \"indirect\") (call_indirect $u (i32.const 0)))"
  " (func $ping (export \"in turn\") (call $pong))"
  " (func $pong (local i64) (call_indirect $u (i32.const 2)))"
  " (func $host (export \"through host\") (call $again))"
  " (func (export \"through host indirectly\") (call_indirect $u (i32.const 1)))"
  " (func $with (export \"with values\") (param i64 f64) (result f64)"
  "  (f64.add (local.get 1) (call $with (i64.add (local.get 0) (i64.const 1))"
  "   (f64.convert_i64_s (local.get 0)))))"
  " (func $count (export \"count\") (global.set $depth (i32.add (global.get $depth) (i32.const 1)))"
  "  (call $count))"
  " (func $dive (export \"dive\") (param i32)"
  "  (if (local.get 0) (then (call $dive (i32.sub (local.get 0) (i32.const 1))))"
  "   (else (call $deepest)))))";

/* Exports of the guest. */
enum {
  DEPTH, FIVE, DIRECT, INDIRECT, IN_TURN, THROUGH_HOST, THROUGH_HOST_INDIRECTLY, WITH_VALUES, COUNT,
  DIVE
};

static own wasm_trap_t* call_again(
  void* env, const wasm_val_vec_t* args, wasm_val_vec_t* results
) {
  (void)args, (void)results;
  struct scene* scene = env;
  scene->calls++;
  return call_empty(scene->through_host);
}

/* Writes to all of a large array, which the compiler must not leave out. */
static own wasm_trap_t* use_much_stack(
  void* env, const wasm_val_vec_t* args, wasm_val_vec_t* results
) {
  (void)args, (void)results;
  volatile char bytes[HOST_NEED];
  for (size_t i = 0; i < sizeof bytes; i++) bytes[i] = (char)i;
  struct scene* scene = env;
  scene->calls += bytes[sizeof bytes - 1] == (char)(sizeof bytes - 1);
  return NULL;
}

static void set_up(struct scene* scene, own wasm_store_t* store) {
  static const wasm_func_callback_with_env_t callbacks[] = {call_again, use_much_stack};
  wasm_extern_t* imports[2];
  scene->store = store;
  for (size_t i = 0; i < 2; i++) {
    imports[i] = wasm_func_as_extern(
      func_with_env(store, wasm_functype_new_0_0(), callbacks[i], scene));
  }
  scene->instance = instance_with(store, guest, 2, imports);
  for (size_t i = 0; i < 2; i++) wasm_extern_delete(imports[i]);
  scene->five = func_at(scene->instance, FIVE);
  scene->through_host = func_at(scene->instance, THROUGH_HOST);
  scene->dive = func_at(scene->instance, DIVE);
}

static void tear_down(struct scene* scene) {
  wasm_func_delete(scene->dive);
  wasm_func_delete(scene->through_host);
  wasm_func_delete(scene->five);
  wasm_instance_delete(scene->instance);
  wasm_store_delete(scene->store);
}

/* Proves that it is this trap, at the end of so many functions at least; deletes it. */
static void is_overflow(own wasm_trap_t* trap, size_t frames) {
  if (!check(trap && has_message(trap, "call stack exhausted"))) return;
  check(tenon_trap_code(trap) == TENON_TRAP_STACK_OVERFLOW);
  wasm_frame_vec_t trace;
  wasm_trap_trace(trap, &trace);
  if (!check(trace.size >= frames)) fprintf(stderr, "%zu frames\n", trace.size);
  wasm_frame_t* origin = wasm_trap_origin(trap);
  check((origin != NULL) == (trace.size > 0));
  wasm_frame_delete(origin);
  wasm_frame_vec_delete(&trace);
  wasm_trap_delete(trap);
}

/* How deep the guest gets on the rest of this stack. */
static int32_t depth_of(struct scene* scene) {
  wasm_global_t* depth = global_at(scene->instance, DEPTH);
  wasm_func_t* count = func_at(scene->instance, COUNT);
  wasm_val_t value = i32_val(0);
  wasm_global_set(depth, &value);
  is_overflow(call_empty(count), 1);
  wasm_global_get(depth, &value);
  wasm_func_delete(count);
  wasm_global_delete(depth);
  return value.of.i32;
}

/* The same, once what recurses has its best code. */
static int32_t settled_depth_of(struct scene* scene) {
  for (int i = 0; i < 3; i++) depth_of(scene);
  return depth_of(scene);
}

static void every_recursion_ends(struct scene* scene) {
  static const size_t exports[] = {
    DIRECT, INDIRECT, IN_TURN, THROUGH_HOST, THROUGH_HOST_INDIRECTLY, WITH_VALUES,
  };
  for (size_t i = 0; i < sizeof exports / sizeof *exports; i++) {
    wasm_func_t* func = func_at(scene->instance, exports[i]);
    wasm_val_t args[] = {WASM_I64_VAL(7), WASM_F64_VAL(0.5)}, result;
    bool valued = exports[i] == WITH_VALUES;
    for (int round = 0; round < 2; round++) {
      scene->calls = 0;
      is_overflow(call_with(func, valued ? 2 : 0, args, valued ? 1 : 0, &result), 2);
      bool through_host = exports[i] == THROUGH_HOST || exports[i] == THROUGH_HOST_INDIRECTLY;
      check((scene->calls > 0) == through_host);
      check(call_i32(scene->five, 0, NULL) == 5);
    }
    wasm_func_delete(func);
  }
}

/* Dives as deep as can be, and lets the host use what is left there. */
static void hosts_have_room_at_the_deepest_point(struct scene* scene) {
  wasm_trap_t* trap = NULL;
  int32_t depth = 2 * depth_of(scene), step = depth / 2;
  scene->calls = 0;
  // From too deep upwards in ever smaller steps, down to the last function that fits.
  for (bool down = false; step > 0; step = step > 1 ? (step + 1) / 2 : 0) {
    depth += down ? step : -step;
    wasm_val_t arg = i32_val(depth);
    trap = call_with(scene->dive, 1, &arg, 0, NULL);
    down = trap == NULL;
    if (trap) is_overflow(trap, 2);
    check(call_i32(scene->five, 0, NULL) == 5);
  }
  check(scene->calls > 0);
}

/* Text of a module with a function that calls itself with so many values of alternating types and
 * has kept as many locals, which it needs afterwards. */
static own char* text_of_frame(size_t values, size_t locals) {
  char* text = malloc(1000 + 60 * values + 200 * locals);
  char* end = text + sprintf(text, "(module (func $f (export \"f\")");
  const char* const lists[] = {"param", "result"};
  for (size_t list = 0; list < 2; list++) {
    end += sprintf(end, " (%s", lists[list]);
    for (size_t i = 0; i < values; i++) end += sprintf(end, " %s", i % 2 ? "i64" : "i32");
    end += sprintf(end, ")");
  }
  end += sprintf(end, " (local");
  for (size_t i = 0; i < locals; i++) end += sprintf(end, " i64");
  end += sprintf(end, ")");
  for (size_t i = 0; i < locals; i++) {
    end += sprintf(end, " (local.set %zu (i64.load offset=%zu (i32.const 0)))", values + i, 8 * i);
  }
  for (size_t i = 0; i < values; i++) end += sprintf(end, " local.get %zu", i);
  end += sprintf(end, " call $f");
  for (size_t i = 0; i < locals; i++) {
    end += sprintf(end, " (i64.store offset=%zu (i32.const 0) (local.get %zu))", 8 * i, values + i);
  }
  sprintf(end, ") (memory 1) (func (export \"five\") (result i32) (i32.const 5)))");
  return text;
}

static void large_frames_end_too(struct scene* scene) {
  static const size_t sizes[][2] = {{100, 100}, {0, 300}, {1000, 0}, {0, 3000}, {1000, 1000}};
  for (size_t i = 0; i < rounds(5, 1); i++) {
    size_t values = sizes[i][0];
    char* text = text_of_frame(values, sizes[i][1]);
    wasm_instance_t* instance = instance_of(scene->store, text);
    wasm_func_t *func = func_at(instance, 0), *five = func_at(instance, 1);
    wasm_val_t* args = calloc(values + 1, sizeof *args);
    for (size_t j = 0; j < values; j++) args[j].kind = j % 2 ? WASM_I64 : WASM_I32;
    // The first call of a large function may itself be too much for a small stack.
    for (int round = 0; round < 2; round++) {
      is_overflow(call_with(func, values, args, values, args), 0);
      check(call_i32(five, 0, NULL) == 5 && call_i32(scene->five, 0, NULL) == 5);
    }
    free(args);
    wasm_func_delete(five);
    wasm_func_delete(func);
    wasm_instance_delete(instance);
    free(text);
  }
}

static own wasm_store_t* store_with_max_stack(size_t bytes) {
  wasm_config_t* config = test_config();
  check(tenon_config_max_stack_set(config, bytes) == TENON_OK);
  // So that it has its best code soon, however little it can recurse.
  check(tenon_config_tier_up_after_set(config, 2) == TENON_OK);
  wasm_engine_t* engine = wasm_engine_new_with_config(config);
  wasm_store_t* store = wasm_store_new(engine);
  wasm_engine_delete(engine);
  return store;
}

static void* all_of_this_holds(void* ignored) {
  struct scene scene;
  set_up(&scene, store_with_max_stack(rounds(1 << 20, 32 << 10)));
  check(call_i32(scene.five, 0, NULL) == 5);
  every_recursion_ends(&scene);
  int32_t depth = settled_depth_of(&scene);
  check(depth > 50);
  hosts_have_room_at_the_deepest_point(&scene);
  large_frames_end_too(&scene);
  every_recursion_ends(&scene);
  check(settled_depth_of(&scene) == depth);
  tear_down(&scene);
  return ignored;
}

/* The size of the thread's stack, and what wasm may use of it. */
static size_t stack_size, max_stack;

static void on_a_thread(void) {
  on_thread(stack_size, all_of_this_holds, NULL);
}

static void on_the_main_thread(void) {
  all_of_this_holds(NULL);
}

/* A store made here and used on a small stack, and the other way round. */
static void* overflow_there(void* arg) {
  struct scene* scene = arg;
  every_recursion_ends(scene);
  return NULL;
}

static void stacks_may_change_from_call_to_call(void) {
  static const size_t sizes[] = {64 << 10, 8 << 20, 128 << 10, 1 << 20, 256 << 10};
  struct scene scene;
  set_up(&scene, store_with_max_stack(rounds(1 << 20, 32 << 10)));
  int32_t depth = settled_depth_of(&scene);
  for (size_t i = 0; i < 5; i++) {
    on_thread(sizes[i], overflow_there, &scene);
    check(settled_depth_of(&scene) == depth);
  }
  tear_down(&scene);
}

static void* change_from_call_to_call(void* ignored) {
  stacks_may_change_from_call_to_call();
  return ignored;
}

/* What is allocated on this thread lies above the stacks of those that come later. */
static void what_another_thread_has_made(void) {
  on_thread(8 << 20, change_from_call_to_call, NULL);
}

static void* depth_with_max_stack(void* result) {
  struct scene scene;
  set_up(&scene, store_with_max_stack(max_stack));
  every_recursion_ends(&scene);
  *(int32_t*)result = settled_depth_of(&scene);
  tear_down(&scene);
  return NULL;
}

static void the_setting_says_how_deep(void) {
  static const size_t sizes[] = {64 << 10, 256 << 10, 1 << 20, 4 << 20};
  int32_t depths[4], small[2];
  for (size_t i = 0; i < 4; i++) {
    max_stack = sizes[i] / rounds(1, 16);
    on_thread(8 << 20, depth_with_max_stack, &depths[i]);
    // All frames are of one size, and nothing else counts.
    if (i > 0) check(depths[i] > 7 * depths[i - 1] / 2 && depths[i] < 9 * depths[i - 1] / 2);
  }
  // A stack that is smaller than the setting counts, however large that is.
  for (int i = 0; i < 2; i++) {
    max_stack = i ? SIZE_MAX : 1 << 20;
    on_thread(128 << 10, depth_with_max_stack, &small[i]);
  }
  check(small[0] == small[1] && small[0] < depths[rounds(1, 3)]);
}

/* The process's first stack grows up to a limit that can change. */
static void all_of_the_first_stack_counts(void) {
  static const size_t sizes[] = {512 << 10, 2 << 20};
  max_stack = SIZE_MAX;
  for (size_t i = 0; i < 2; i++) {
    int32_t here, there;
    struct rlimit limit;
    check(getrlimit(RLIMIT_STACK, &limit) == 0);
    limit.rlim_cur = sizes[i];
    check(setrlimit(RLIMIT_STACK, &limit) == 0);
    // Threads know the limit that they have begun with.
    pid_t pid = fork();
    if (pid == 0) {
      depth_with_max_stack(&here);
      // A stack of its own: that of an earlier thread may be larger than asked for.
      pthread_attr_t attributes;
      pthread_t thread;
      void* stack = aligned_alloc(4096, sizes[i]);
      check(pthread_attr_init(&attributes) == 0);
      check(pthread_attr_setstack(&attributes, stack, sizes[i]) == 0);
      check(pthread_create(&thread, &attributes, depth_with_max_stack, &there) == 0);
      check(pthread_join(thread, NULL) == 0);
      pthread_attr_destroy(&attributes);
      free(stack);
      // The rest of it is the host's: names, variables, the callers of this.
      check(here < there + there / 10 && here > there / 2);
      _exit(done());
    }
    int status;
    check(waitpid(pid, &status, 0) == pid && status == 0);
  }
}

static void no_stack_at_all_is_too_little(void) {
  for (size_t bytes = 0; bytes < 64; bytes += 63) {
    struct scene scene;
    set_up(&scene, store_with_max_stack(bytes));
    wasm_trap_t* trap = NULL;
    check(call_i32(scene.five, 0, &trap) == -1);
    is_overflow(trap, 0);
    is_overflow(call_empty(scene.through_host), 0);
    tear_down(&scene);
  }
}

int main(void) {
  static const size_t sizes[] = {64 << 10, 128 << 10, 256 << 10, 1 << 20, 8 << 20};
  for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++) {
    stack_size = sizes[i];
    SURVIVES(on_a_thread);
  }
  SURVIVES(on_the_main_thread);
  SURVIVES(stacks_may_change_from_call_to_call);
  SURVIVES(what_another_thread_has_made);
  SURVIVES(the_setting_says_how_deep);
  SURVIVES(all_of_the_first_stack_counts);
  SURVIVES(no_stack_at_all_is_too_little);
  return done();
}
