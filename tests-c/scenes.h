/* What the programs share that are about callbacks and about what may go wrong: instances around a
 * callback, proofs that they are well, and scenes that run in a child, so that the others report
 * whatever happens. */

#ifndef SCENES_H
#define SCENES_H

#include "harness.h"

static inline own wasm_trap_t* raised_in(wasm_store_t* store, const char* text) {
  wasm_byte_vec_t message = bytes_of(text);
  return wasm_trap_new(store, &message);
}

/* Proves that the innermost functions of a trace are these of these instances, and no more. */
static inline void has_trace(
  const wasm_trap_t* trap, size_t count, wasm_instance_t* const instances[], const uint32_t funcs[]
) {
  wasm_frame_vec_t trace;
  wasm_trap_trace(trap, &trace);
  if (!check(trace.size == count)) fprintf(stderr, "%zu frames, not %zu\n", trace.size, count);
  for (size_t i = 0; i < trace.size && i < count; i++) {
    check(wasm_frame_func_index(trace.data[i]) == funcs[i]);
    check(wasm_instance_same(wasm_frame_instance(trace.data[i]), instances[i]));
  }
  wasm_frame_vec_delete(&trace);
}

static inline void has_frames(const wasm_trap_t* trap, size_t count) {
  wasm_frame_vec_t trace;
  wasm_trap_trace(trap, &trace);
  if (!check(trace.size == count)) fprintf(stderr, "%zu frames, not %zu\n", trace.size, count);
  wasm_frame_vec_delete(&trace);
}

static const char* const calls_host =
  "(module (import \"\" \"\" (func $f)) (func $g (export \"g\") (call $f))"
  " (func (export \"trap\") unreachable) (func (export \"deep\") (call $g))"
  " (func (export \"five\") (result i32) (i32.const 5)))";

/* An instance of the above around a callback. */
static inline own wasm_instance_t* around(
  wasm_store_t* store, wasm_func_callback_with_env_t callback, void* env
) {
  wasm_func_t* host = func_with_env(store, wasm_functype_new_0_0(), callback, env);
  wasm_extern_t* imports[] = {wasm_func_as_extern(host)};
  wasm_instance_t* instance = instance_with(store, calls_host, 1, imports);
  wasm_func_delete(host);
  return instance;
}

/* Calls the export at a position. */
static inline own wasm_trap_t* call_export(const wasm_instance_t* instance, size_t index) {
  wasm_func_t* func = func_at(instance, index);
  wasm_trap_t* trap = call_empty(func);
  wasm_func_delete(func);
  return trap;
}

/* Proves that the instance of `calls_host` works, and that its traps do. */
static inline void is_well(wasm_instance_t* instance) {
  wasm_func_t* five = func_at(instance, 3);
  check(call_i32(five, 0, NULL) == 5);
  wasm_func_delete(five);
  wasm_trap_t* trap = call_export(instance, 1);
  if (check(trap && has_message(trap, "unreachable"))) {
    has_trace(trap, 1, (wasm_instance_t*[]){instance}, (uint32_t[]){2});
  }
  wasm_trap_delete(trap);
}

static inline own wasm_trap_t* no_trap(
  void* env, const wasm_val_vec_t* args, wasm_val_vec_t* results
) {
  (void)env, (void)args, (void)results;
  return NULL;
}

/* Makes the stack as large as it will be. Valgrind's grows in pieces, and a child knows only the
 * last as its stack. */
static __attribute__((noinline, unused)) void grow_stack(void) {
  volatile char deep[3 << 19];
  for (size_t i = sizeof deep; i > 0; i -= 1024) deep[i - 1] = 0;
}

/* Runs a scene in a child and proves that it ends well. */
#define SURVIVES(scene) survives(#scene, scene)

static inline void survives(const char* name, void (*scene)(void)) {
  grow_stack();
  int status = in_child(scene);
  if (check(WIFEXITED(status) && WEXITSTATUS(status) == 0)) return;
  fprintf(stderr, "%s: status %x\n", name, (unsigned)status);
}

#endif
