/* Frames: a trap tells which functions of which instances were running, and at which instruction;
 * what it tells outlives everything else. */

#include "harness.h"

/* A module of three functions, each of which but the first calls the one before; byte by byte, so
 * that the offsets are known. */
static const unsigned char three_calls[] = {
  0x00, 0x61, 0x73, 0x6d, 0x01, 0x00, 0x00, 0x00,
  0x01, 0x04, 0x01, 0x60, 0x00, 0x00,        // 8: types: () -> ()
  0x03, 0x04, 0x03, 0x00, 0x00, 0x00,        // 14: three functions of that type
  0x07, 0x05, 0x01, 0x01, 'f', 0x00, 0x02,   // 20: the last one is exported
  0x0a, 0x15, 0x03,                          // 27: code
  0x05, 0x00, 0x01, 0x00, 0x01, 0x0b,        // 30: nop unreachable nop
  0x04, 0x00, 0x10, 0x00, 0x0b,              // 36: call 0
  0x08, 0x01, 0x01, 0x7f, 0x01, 0x10, 0x01, 0x01, 0x0b,  // 41: (local i32) nop call 1 nop
  0x00, 0x14, 0x04, 'n', 'a', 'm', 'e',      // 50: names
  0x00, 0x04, 0x03, 'm', 'o', 'd',           // 57: of the module
  0x01, 0x07, 0x01, 0x01, 0x04, 'c', 'a', 'l', 'l',  // 63: of function 1
};

/* What frames are expected to say. */
struct wanted {
  uint32_t func;
  size_t func_offset, module_offset;
  const char* name;
};

static const struct wanted in_three_calls[] = {
  {0, 2, 33, NULL}, {1, 1, 38, "call"}, {2, 4, 46, NULL},
};

static void is_frame(
  const wasm_frame_t* frame, const struct wanted* wanted, const wasm_instance_t* instance
) {
  check(wasm_frame_func_index(frame) == wanted->func);
  check(wasm_frame_func_offset(frame) == wanted->func_offset);
  check(wasm_frame_module_offset(frame) == wanted->module_offset);
  check(wasm_instance_same(wasm_frame_instance(frame), instance));
  check(wasm_frame_instance(frame) == wasm_frame_instance(frame));
  const wasm_name_t* name = tenon_frame_func_name(frame);
  check((name != NULL) == (wanted->name != NULL));
  if (name && wanted->name) {
    check(name->size == strlen(wanted->name) && memcmp(name->data, wanted->name, name->size) == 0);
  }
}

static own wasm_instance_t* instance_of_three_calls(wasm_store_t* store) {
  wasm_byte_vec_t bytes = {sizeof three_calls, (char*)three_calls};
  wasm_module_t* module = wasm_module_new(store, &bytes);
  if (!check(module != NULL)) fprintf(stderr, "%s\n", last_error());
  wasm_instance_t* instance = wasm_instance_new(store, module, NULL, NULL);
  wasm_name_t name;
  check(tenon_module_name(module, &name) && name.size == 3 && memcmp(name.data, "mod", 3) == 0);
  wasm_byte_vec_delete(&name);
  wasm_module_delete(module);
  return instance;
}

static void frames_know_their_instructions(wasm_store_t* store) {
  wasm_instance_t* instance = instance_of_three_calls(store);
  wasm_func_t* func = func_at(instance, 0);
  wasm_trap_t* trap = call_empty(func);
  wasm_frame_t* origin = wasm_trap_origin(trap);
  is_frame(origin, &in_three_calls[0], instance);
  wasm_frame_vec_t trace;
  wasm_trap_trace(trap, &trace);
  check(trace.size == 3);
  for (size_t i = 0; i < trace.size; i++) is_frame(trace.data[i], &in_three_calls[i], instance);
  wasm_frame_vec_delete(&trace);
  wasm_frame_delete(origin);
  wasm_trap_delete(trap);
  wasm_func_delete(func);
  wasm_instance_delete(instance);
}

static void frames_outlive_everything_else(void) {
  wasm_store_t* store = test_store();
  wasm_instance_t* instance = instance_of_three_calls(store);
  wasm_func_t* func = func_at(instance, 0);
  wasm_trap_t* trap = call_empty(func);
  wasm_frame_t* origin = wasm_trap_origin(trap);
  wasm_frame_vec_t trace, copies;
  wasm_trap_trace(trap, &trace);
  wasm_trap_delete(trap);
  wasm_func_delete(func);
  wasm_instance_delete(instance);
  wasm_store_delete(store);
  wasm_frame_vec_copy(&copies, &trace);
  wasm_frame_vec_delete(&trace);
  wasm_frame_t* copy = wasm_frame_copy(origin);
  wasm_frame_delete(origin);
  wasm_instance_t* kept = wasm_instance_copy(wasm_frame_instance(copy));
  is_frame(copy, &in_three_calls[0], kept);
  wasm_frame_delete(copy);
  for (size_t i = 0; i < copies.size; i++) is_frame(copies.data[i], &in_three_calls[i], kept);
  wasm_frame_vec_delete(&copies);
  func = func_at(kept, 0);
  trap = call_empty(func);
  check(has_message(trap, "unreachable"));
  wasm_trap_delete(trap);
  wasm_func_delete(func);
  wasm_instance_delete(kept);
}

/* An instruction that traps, and how many bytes there are from its start to the end of the module,
 * which ends with it. */
struct instruction {
  const char* text;
  size_t bytes;
};

static const struct instruction instructions[] = {
  {"unreachable", 2},
  {"(drop (i32.load (i32.const -1)))", 5},
  {"(drop (i32.load (global.get 0)))", 5},
  {"(drop (i64.load8_s offset=65535 (i32.const 1)))", 7},
  {"(i32.store8 (i32.const 65536) (i32.const 0))", 4},
  {"(drop (v128.load (i32.const -1)))", 6},
  {"(memory.fill (i32.const 0) (i32.const 0) (i32.const 65537))", 4},
  {"(memory.copy (i32.const 0) (i32.const 65537) (i32.const 0))", 5},
  {"(drop (i64.div_s (i64.const 1) (i64.const 0)))", 3},
  {"(drop (i32.rem_u (global.get 0) (i32.const 0)))", 3},
  {"(drop (i32.div_s (i32.const 0x80000000) (global.get 0)))", 3},
  {"(drop (i32.trunc_f32_s (f32.const nan)))", 3},
  {"(drop (table.get 0 (i32.const 9)))", 4},
  {"(table.set 0 (i32.const 9) (ref.null func))", 3},
  {"(call_indirect 0 (type 0) (i32.const 9))", 4},
  {"(call_indirect 0 (type 0) (i32.const 0))", 4},
  {"(call_indirect 0 (type 1) (i32.const 1))", 4},
};

static void every_trapping_instruction_is_found(wasm_store_t* store) {
  for (size_t i = 0; i < sizeof instructions / sizeof *instructions; i++) {
    char text[400];
    snprintf(text, sizeof text,
      "(module (type (func)) (type (func (param) (result i32))) (table 2 funcref) (memory 1)"
      " (global i32 (i32.const -1)) (elem (i32.const 1) func 0) (func (export \"f\") %s%s))",
      instructions[i].text, strstr(instructions[i].text, "(type 1)") ? " drop" : "");
    size_t tail = instructions[i].bytes + (strstr(instructions[i].text, "(type 1)") != NULL);
    wasm_byte_vec_t binary = binary_of(text);
    wasm_module_t* module = wasm_module_new(store, &binary);
    wasm_instance_t* instance = wasm_instance_new(store, module, NULL, NULL);
    wasm_func_t* func = func_at(instance, 0);
    wasm_trap_t* trap = call_empty(func);
    wasm_frame_t* frame = wasm_trap_origin(trap);
    if (!check(wasm_frame_module_offset(frame) == binary.size - tail)) {
      fprintf(stderr, "%s: at %zu, not %zu\n", instructions[i].text,
        wasm_frame_module_offset(frame), binary.size - tail);
    }
    check(tenon_frame_func_name(frame) == NULL);
    wasm_frame_delete(frame);
    wasm_trap_delete(trap);
    wasm_func_delete(func);
    wasm_instance_delete(instance);
    wasm_module_delete(module);
    wasm_byte_vec_delete(&binary);
  }
}

/* Proves that the functions of a trace have these indices, and deletes the trap. */
static void has_trace(own wasm_trap_t* trap, size_t count, const uint32_t wanted[]) {
  wasm_frame_vec_t trace;
  wasm_trap_trace(trap, &trace);
  if (!check(trace.size == count)) fprintf(stderr, "%zu frames, not %zu\n", trace.size, count);
  for (size_t i = 0; i < trace.size && i < count; i++) {
    if (check(wasm_frame_func_index(trace.data[i]) == wanted[i])) continue;
    fprintf(stderr, "frame %zu: %u\n", i, wasm_frame_func_index(trace.data[i]));
  }
  wasm_frame_t* origin = wasm_trap_origin(trap);
  check((origin != NULL) == (count > 0));
  if (origin && trace.size) {
    check(wasm_frame_module_offset(origin) == wasm_frame_module_offset(trace.data[0]));
  }
  wasm_frame_delete(origin);
  wasm_frame_vec_delete(&trace);
  wasm_trap_delete(trap);
}

static own wasm_trap_t* raise_trap(void* env, const wasm_val_vec_t* args, wasm_val_vec_t* results) {
  (void)args, (void)results;
  wasm_byte_vec_t text = bytes_of("raised");
  return wasm_trap_new(env, &text);
}

/* Function 0 raises a trap of the host, 1 calls it, 2 calls that through a table. The others end
 * in tail calls: 3 to the host, 4 to the host through the table, 5 to function 6, which traps. */
static const char* const many_ways =
  "(module (import \"\" \"\" (func $host)) (table 3 funcref)"
  " (elem (i32.const 0) func $host $calls $traps)"
  " (func $calls (export \"1\") (call $host))"
  " (func (export \"2\") (call_indirect (i32.const 1)))"
  " (func $t3 (export \"3\") (return_call $host))"
  " (func $t4 (export \"4\") (return_call_indirect (i32.const 0)))"
  " (func $t5 (export \"5\") (return_call $traps))"
  " (func $traps (export \"6\") unreachable)"
  " (func (export \"7\") (call $t3)) (func (export \"8\") (call $t4))"
  " (func (export \"9\") (call $t5))"
  " (func (export \"10\") (return_call_indirect (i32.const 2)))"
  " (func (export \"11\") (return_call_indirect (i32.const 7)))"
  " (func $t12 (export \"12\") (param i32) (if (i32.eqz (local.get 0)) (then (return_call $host)))"
  "  (return_call $t12 (i32.sub (local.get 0) (i32.const 1))))"
  " (func (export \"13\") (call $t12 (i32.const 1000))))";

struct way {
  size_t count;
  uint32_t trace[2];
};

static const struct way ways[] = {
  {1, {1}}, {2, {1, 2}}, {0, {0}}, {0, {0}}, {1, {6}}, {1, {6}}, {1, {7}}, {1, {8}}, {2, {6, 9}},
  {1, {6}}, {1, {11}},
};

static void tail_calls_leave_no_frame(wasm_store_t* store) {
  wasm_func_t* host = func_with_env(store, wasm_functype_new_0_0(), raise_trap, store);
  wasm_extern_t* imports[] = {wasm_func_as_extern(host)};
  wasm_instance_t* instance = instance_with(store, many_ways, 1, imports);
  for (size_t i = 0; i < sizeof ways / sizeof *ways; i++) {
    wasm_func_t* func = func_at(instance, i);
    has_trace(call_empty(func), ways[i].count, ways[i].trace);
    wasm_func_delete(func);
  }
  wasm_func_t* loop = func_at(instance, 12);
  has_trace(call_empty(loop), 1, (const uint32_t[]){13});
  wasm_func_delete(loop);
  wasm_instance_delete(instance);
  wasm_func_delete(host);
}

static void stack_overflows_have_frames(wasm_store_t* store) {
  wasm_instance_t* instance = instance_of(store,
    "(module (func) (func $f (export \"f\") (call $f)) (func (export \"g\") (call $f)))");
  wasm_func_t* func = func_at(instance, 1);
  wasm_trap_t* trap = call_empty(func);
  check(tenon_trap_code(trap) == TENON_TRAP_STACK_OVERFLOW);
  wasm_frame_vec_t trace;
  wasm_trap_trace(trap, &trace);
  check(trace.size > 100);
  for (size_t i = 0; i < trace.size; i++) {
    check(wasm_frame_func_index(trace.data[i]) == (i + 1 < trace.size ? 1 : 2));
  }
  wasm_frame_t* origin = wasm_trap_origin(trap);
  const wasm_name_t* name = tenon_frame_func_name(origin);
  check(wasm_frame_func_index(origin) == 1 && name && name->size == 1 && name->data[0] == 'f');
  wasm_frame_delete(origin);
  wasm_frame_vec_delete(&trace);
  wasm_trap_delete(trap);
  wasm_func_delete(func);
  wasm_instance_delete(instance);
}

static void instances_of_one_module_are_told_apart(wasm_store_t* store) {
  wasm_module_t* module = module_of(store,
    "(module (import \"\" \"\" (func $f)) (func (export \"g\") (call $f)))");
  wasm_func_t* func = func_with_env(store, wasm_functype_new_0_0(), raise_trap, store);
  wasm_instance_t* instances[3];
  for (int i = 0; i < 3; i++) {
    wasm_extern_t* items[] = {wasm_func_as_extern(func)};
    wasm_extern_vec_t imports = WASM_ARRAY_VEC(items);
    instances[i] = wasm_instance_new(store, module, &imports, NULL);
    wasm_func_delete(func);
    func = func_at(instances[i], 0);
  }
  wasm_trap_t* trap = call_empty(func);
  wasm_frame_vec_t trace;
  wasm_trap_trace(trap, &trace);
  check(trace.size == 3);
  for (size_t i = 0; i < trace.size; i++) {
    for (size_t j = 0; j < 3; j++) {
      check(wasm_instance_same(wasm_frame_instance(trace.data[i]), instances[j]) == (i == j));
    }
    check(wasm_frame_func_index(trace.data[i]) == 1);
  }
  wasm_frame_vec_delete(&trace);
  wasm_trap_delete(trap);
  wasm_func_delete(func);
  for (int i = 0; i < 3; i++) wasm_instance_delete(instances[i]);
  wasm_module_delete(module);
}

/* One level of host and guest above another; 0 is the innermost, whose guest traps. */
struct level {
  wasm_store_t* store;
  wasm_instance_t* instance;
  wasm_func_t* func;
  size_t levels;
  struct level* inner;
};

/* A callback that proves that the inner level gets its trap with all frames, and raises another. */
static own wasm_trap_t* call_inner(void* env, const wasm_val_vec_t* args, wasm_val_vec_t* results) {
  (void)args, (void)results;
  struct level* level = env;
  struct level* inner = level->inner;
  wasm_trap_t* trap = call_empty(inner->func);
  check(has_message(trap, inner->inner ? "raised" : "unreachable"));
  wasm_frame_vec_t trace;
  wasm_trap_trace(trap, &trace);
  // The inner level's guest and those of this level and all around it were running.
  check(trace.size >= 1);
  check(wasm_instance_same(wasm_frame_instance(trace.data[0]), inner->instance));
  for (size_t i = 1; i < trace.size; i++) {
    check(!wasm_instance_same(wasm_frame_instance(trace.data[i]), inner->instance));
  }
  wasm_frame_vec_delete(&trace);
  wasm_trap_delete(trap);
  return raise_trap(level->store, NULL, NULL);
}

static void every_level_gets_its_trap(wasm_store_t* store) {
  enum { LEVELS = 4 };
  struct level levels[LEVELS];
  for (int i = 0; i < LEVELS; i++) {
    levels[i] = (struct level){.store = store, .inner = i ? &levels[i - 1] : NULL};
    wasm_func_t* host = func_with_env(store, wasm_functype_new_0_0(), call_inner, &levels[i]);
    wasm_extern_t* imports[] = {wasm_func_as_extern(host)};
    levels[i].instance = instance_with(store, i
      ? "(module (import \"\" \"\" (func $f)) (func (export \"g\") (call $f)))"
      : "(module (import \"\" \"\" (func)) (func (export \"g\") unreachable))", 1, imports);
    levels[i].func = func_at(levels[i].instance, 0);
    wasm_func_delete(host);
  }
  for (size_t round = 0; round < rounds(1000, 3); round++) {
    wasm_trap_t* trap = call_empty(levels[LEVELS - 1].func);
    check(has_message(trap, "raised"));
    wasm_frame_t* origin = wasm_trap_origin(trap);
    check(wasm_instance_same(wasm_frame_instance(origin), levels[LEVELS - 1].instance));
    wasm_frame_delete(origin);
    has_trace(trap, 1, (const uint32_t[]){1});
  }
  for (int i = 0; i < LEVELS; i++) {
    wasm_func_delete(levels[i].func);
    wasm_instance_delete(levels[i].instance);
  }
}

static void unnamed_modules_have_no_name(wasm_store_t* store) {
  wasm_module_t* module = module_of(store, "(module (func $named))");
  wasm_name_t name = {1, NULL};
  refused(tenon_last_error_code(), tenon_module_name(module, &name));
  check(tenon_last_error_code() != TENON_OK && name.size == 0 && name.data == NULL);
  wasm_module_delete(module);
  module = module_of(store, "(module $\"any text\" (func))");
  accepted(tenon_module_name(module, &name));
  check(name.size == 8 && memcmp(name.data, "any text", 8) == 0);
  wasm_byte_vec_delete(&name);
  wasm_module_delete(module);
}

int main(void) {
  wasm_store_t* store = test_store();
  frames_know_their_instructions(store);
  frames_outlive_everything_else();
  every_trapping_instruction_is_found(store);
  tail_calls_leave_no_frame(store);
  stack_overflows_have_frames(store);
  instances_of_one_module_are_told_apart(store);
  every_level_gets_its_trap(store);
  unnamed_modules_have_no_name(store);
  wasm_store_delete(store);
  return done();
}
