/* Traps: their messages are the specification's words, and a host's trap comes back as itself, to
 * the byte, through any number of levels; guests go on after traps. */

#include "harness.h"

struct wasm_trap_case {
  const char* body;
  const char* message;
  tenon_trap_code_t code;
};

static const struct wasm_trap_case cases[] = {
  {"unreachable", "unreachable", TENON_TRAP_UNREACHABLE},
  {"(drop (i32.load (i32.const 65533)))", "out of bounds memory access",
   TENON_TRAP_MEMORY_OUT_OF_BOUNDS},
  {"(i64.store (i32.const -1) (i64.const 0))", "out of bounds memory access",
   TENON_TRAP_MEMORY_OUT_OF_BOUNDS},
  {"(memory.fill (i32.const 0) (i32.const 0) (i32.const 65537))", "out of bounds memory access",
   TENON_TRAP_MEMORY_OUT_OF_BOUNDS},
  {"(drop (table.get $t (i32.const 3)))", "out of bounds table access",
   TENON_TRAP_TABLE_OUT_OF_BOUNDS},
  {"(call_indirect $t (i32.const 3))", "undefined element", TENON_TRAP_UNDEFINED_ELEMENT},
  {"(call_indirect $t (i32.const 0))", "uninitialized element", TENON_TRAP_UNINITIALIZED_ELEMENT},
  {"(call_indirect $t (param i32) (i32.const 0) (i32.const 1))", "indirect call type mismatch",
   TENON_TRAP_INDIRECT_CALL_TYPE_MISMATCH},
  {"(drop (i32.div_u (i32.const 1) (global.get $zero)))", "integer divide by zero",
   TENON_TRAP_INTEGER_DIVIDE_BY_ZERO},
  {"(drop (i32.rem_s (i32.const 1) (global.get $zero)))", "integer divide by zero",
   TENON_TRAP_INTEGER_DIVIDE_BY_ZERO},
  {"(drop (i64.div_s (i64.const 0x8000000000000000) (i64.const -1)))", "integer overflow",
   TENON_TRAP_INTEGER_OVERFLOW},
  {"(drop (i32.trunc_f64_s (f64.const 2147483648)))", "integer overflow",
   TENON_TRAP_INTEGER_OVERFLOW},
  {"(drop (i32.trunc_f32_u (f32.const nan)))", "invalid conversion to integer",
   TENON_TRAP_INVALID_CONVERSION_TO_INTEGER},
  {"(call $f)", "call stack exhausted", TENON_TRAP_STACK_OVERFLOW},
};

static void every_trap_has_its_words(wasm_store_t* store) {
  for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
    char text[512];
    snprintf(text, sizeof text,
      "(module (memory 1) (global $zero (mut i32) (i32.const 0)) (table $t 3 funcref)"
      " (elem (i32.const 1) $f) (func $f (export \"f\") %s))", cases[i].body);
    wasm_instance_t* instance = instance_of(store, text);
    wasm_func_t* func = func_at(instance, 0);
    wasm_val_vec_t none = WASM_EMPTY_VEC;
    wasm_trap_t* trap = wasm_func_call(func, &none, &none);
    check(has_message(trap, cases[i].message));
    check(tenon_trap_code(trap) == cases[i].code);
    wasm_trap_delete(trap);
    wasm_func_delete(func);
    wasm_instance_delete(instance);
  }
}

/* Bytes, their number included, and what the message is made of them. */
struct message {
  const char* bytes;
  size_t size;
  const char* stored;
  size_t stored_size;
};

#define BYTES(text) text, sizeof text - 1

static const struct message messages[] = {
  {BYTES("text"), BYTES("text\0")},
  {BYTES("text\0"), BYTES("text\0")},
  {BYTES(""), BYTES("\0")},
  {BYTES("\0"), BYTES("\0")},
  {NULL, 0, BYTES("\0")},
  {NULL, 3, BYTES("\0")},
  {BYTES("in\0side"), BYTES("in\0side\0")},
  {BYTES("\0text"), BYTES("\0text\0")},
  {BYTES("\xff\xfe\xc3"), BYTES("\xff\xfe\xc3\0")},
  {BYTES("gr\xc3\xbc\xc3\x9f\x65\0"), BYTES("gr\xc3\xbc\xc3\x9f\x65\0")},
  {BYTES("100% %s %n\n"), BYTES("100% %s %n\n\0")},
};

enum { MESSAGES = sizeof messages / sizeof *messages };

static own wasm_trap_t* trap_of(wasm_store_t* store, const struct message* message) {
  wasm_message_t bytes = {message->size, (char*)message->bytes};
  return wasm_trap_new(store, &bytes);
}

static bool has_bytes(const wasm_trap_t* trap, const struct message* message) {
  wasm_message_t got;
  wasm_trap_message(trap, &got);
  bool same =
    got.size == message->stored_size && memcmp(got.data, message->stored, got.size) == 0;
  wasm_byte_vec_delete(&got);
  return same;
}

static void messages_are_kept_to_the_byte(wasm_store_t* store) {
  for (size_t i = 0; i < MESSAGES; i++) {
    wasm_trap_t* trap = trap_of(store, &messages[i]);
    check(has_bytes(trap, &messages[i]) && has_bytes(trap, &messages[i]));
    check(tenon_trap_code(trap) == TENON_TRAP_NONE);
    wasm_trap_t* copy = wasm_trap_copy(trap);
    wasm_trap_delete(trap);
    check(has_bytes(copy, &messages[i]));
    wasm_trap_delete(copy);
  }
}

static void messages_may_be_long(wasm_store_t* store) {
  size_t size = 1 << 20;
  wasm_message_t message, got;
  wasm_byte_vec_new_uninitialized(&message, size);
  memset(message.data, 'x', size);
  wasm_trap_t* trap = wasm_trap_new(store, &message);
  wasm_trap_message(trap, &got);
  check(got.size == size + 1 && memcmp(got.data, message.data, size) == 0 && got.data[size] == 0);
  wasm_byte_vec_delete(&got);
  wasm_byte_vec_delete(&message);
  wasm_trap_delete(trap);
}

static void traps_that_never_ran_have_no_frames(wasm_store_t* store) {
  wasm_trap_t* trap = trap_of(store, &messages[0]);
  wasm_frame_vec_t trace;
  wasm_trap_trace(trap, &trace);
  accepted(wasm_trap_origin(trap) == NULL);
  check(trace.size == 0 && trace.data == NULL);
  wasm_frame_vec_delete(&trace);
  wasm_trap_delete(trap);
}

/* What a callback does: it passes the trap of this function on, or raises this trap. */
struct level {
  wasm_func_t* inner;
  wasm_trap_t* raised;
  int info;
};

static own wasm_trap_t* raise_or_pass_on(
  void* env, const wasm_val_vec_t* args, wasm_val_vec_t* results
) {
  (void)args, (void)results;
  struct level* level = env;
  if (level->raised) return wasm_trap_copy(level->raised);
  wasm_trap_t* trap = call_empty(level->inner);
  check(trap != NULL && wasm_trap_get_host_info(trap) != NULL);
  return trap;
}

static const char* const passes_on =
  "(module (import \"\" \"\" (func $f)) (func (export \"g\") (call $f)))";

/* Raises a trap of the host below so many levels of guest and host. */
static void a_host_trap_comes_back_through(
  wasm_store_t* store, size_t levels, const struct message* message
) {
  struct level* scene = calloc(levels, sizeof *scene);
  wasm_instance_t** instances = calloc(levels, sizeof *instances);
  scene[0].raised = trap_of(store, message);
  wasm_trap_set_host_info(scene[0].raised, &scene[0].info);
  wasm_func_t* guest = NULL;
  for (size_t i = 0; i < levels; i++) {
    scene[i].inner = guest;
    wasm_func_t* host =
      func_with_env(store, wasm_functype_new_0_0(), raise_or_pass_on, &scene[i]);
    wasm_extern_t* imports[] = {wasm_func_as_extern(host)};
    instances[i] = instance_with(store, passes_on, 1, imports);
    guest = func_at(instances[i], 0);
    wasm_func_delete(host);
  }
  tenon_last_error_clear();
  wasm_trap_t* trap = call_empty(guest);
  check(tenon_last_error_code() == TENON_ERROR_TRAP);
  check(wasm_trap_same(trap, scene[0].raised));
  check(wasm_trap_get_host_info(trap) == &scene[0].info);
  check(has_bytes(trap, message) && tenon_trap_code(trap) == TENON_TRAP_NONE);
  wasm_frame_vec_t trace;
  wasm_trap_trace(trap, &trace);
  check(trace.size == levels);
  wasm_frame_vec_delete(&trace);
  wasm_trap_delete(trap);
  for (size_t i = 0; i < levels; i++) {
    wasm_func_delete(scene[i].inner);
    wasm_instance_delete(instances[i]);
  }
  wasm_func_delete(guest);
  wasm_trap_delete(scene[0].raised);
  free(instances);
  free(scene);
}

static void a_host_function_alone_raises_its_trap(wasm_store_t* store) {
  struct level level = {.raised = trap_of(store, &messages[0])};
  wasm_func_t* host = func_with_env(store, wasm_functype_new_0_0(), raise_or_pass_on, &level);
  wasm_trap_t* trap = call_empty(host);
  check(wasm_trap_same(trap, level.raised) && wasm_trap_origin(trap) == NULL);
  wasm_trap_delete(trap);
  wasm_func_delete(host);
  wasm_trap_delete(level.raised);
}

static void guest_traps_keep_their_code_on_the_way(wasm_store_t* store) {
  struct level level = {.info = 0};
  wasm_instance_t* inner =
    instance_of(store, "(module (func (export \"f\") (drop (i32.div_u (i32.const 1)"
      " (i32.const 0)))))");
  level.inner = func_at(inner, 0);
  wasm_trap_t* known = call_empty(level.inner);
  level.raised = known;
  wasm_func_t* host = func_with_env(store, wasm_functype_new_0_0(), raise_or_pass_on, &level);
  wasm_extern_t* imports[] = {wasm_func_as_extern(host)};
  wasm_instance_t* outer = instance_with(store, passes_on, 1, imports);
  wasm_func_t* func = func_at(outer, 0);
  wasm_trap_t* trap = call_empty(func);
  check(wasm_trap_same(trap, known) && has_message(trap, "integer divide by zero"));
  check(tenon_trap_code(trap) == TENON_TRAP_INTEGER_DIVIDE_BY_ZERO);
  wasm_trap_delete(trap);
  wasm_func_delete(func);
  wasm_instance_delete(outer);
  wasm_func_delete(host);
  wasm_trap_delete(known);
  wasm_func_delete(level.inner);
  wasm_instance_delete(inner);
}

static void start_functions_trap(wasm_store_t* store) {
  static const char* const texts[] = {
    "(module (func $s unreachable) (start $s))",
    "(module (func $s (call $s)) (start $s))",
    "(module (memory 1) (func $s (drop (i32.load (i32.const 65536)))) (start $s))",
  };
  static const char* const words[] = {
    "unreachable", "call stack exhausted", "out of bounds memory access",
  };
  for (size_t i = 0; i < 3; i++) {
    wasm_module_t* module = module_of(store, texts[i]);
    wasm_trap_t* trap = NULL;
    refused(TENON_ERROR_TRAP, wasm_instance_new(store, module, NULL, NULL));
    refused(TENON_ERROR_TRAP, wasm_instance_new(store, module, NULL, &trap));
    check(has_message(trap, words[i]));
    wasm_trap_delete(trap);
    wasm_module_delete(module);
  }
}

/* The host's function is the start function itself, or is called by it. */
static void a_host_trap_ends_the_start_function(wasm_store_t* store) {
  static const char* const texts[] = {
    "(module (import \"\" \"\" (func $s)) (start $s))",
    "(module (import \"\" \"\" (func $f)) (func $s (call $f)) (start $s))",
  };
  struct level level = {.raised = trap_of(store, &messages[8])};
  wasm_func_t* host = func_with_env(store, wasm_functype_new_0_0(), raise_or_pass_on, &level);
  wasm_extern_t* items[] = {wasm_func_as_extern(host)};
  wasm_extern_vec_t imports = WASM_ARRAY_VEC(items);
  for (size_t i = 0; i < 2; i++) {
    wasm_module_t* module = module_of(store, texts[i]);
    wasm_trap_t* trap = NULL;
    refused(TENON_ERROR_TRAP, wasm_instance_new(store, module, &imports, NULL));
    refused(TENON_ERROR_TRAP, wasm_instance_new(store, module, &imports, &trap));
    check(wasm_trap_same(trap, level.raised) && has_bytes(trap, &messages[8]));
    wasm_trap_delete(trap);
    wasm_module_delete(module);
  }
  wasm_func_delete(host);
  wasm_trap_delete(level.raised);
}

static own wasm_trap_t* raise_new(void* env, const wasm_val_vec_t* args, wasm_val_vec_t* results) {
  (void)args, (void)results;
  wasm_trap_t* trap = trap_of(env, &messages[0]);
  wasm_trap_set_host_info_with_finalizer(trap, NULL, count_finalized);
  return trap;
}

static void traps_are_freed_with_their_last_handle(wasm_store_t* store) {
  wasm_func_t* host = func_with_env(store, wasm_functype_new_0_0(), raise_new, store);
  wasm_extern_t* imports[] = {wasm_func_as_extern(host)};
  wasm_instance_t* instance = instance_with(store, passes_on, 1, imports);
  wasm_func_t* func = func_at(instance, 0);
  int count = (int)rounds(1000, 20);
  finalized = 0;
  for (int i = 0; i < count; i++) wasm_trap_delete(call_empty(func));
  tenon_store_collect(store);
  check(finalized == count);
  wasm_func_delete(func);
  wasm_instance_delete(instance);
  wasm_func_delete(host);
}

static void traps_outlive_everything_else(void) {
  wasm_store_t* store = test_store();
  wasm_instance_t* instance = instance_of(store, "(module (func (export \"f\") unreachable))");
  wasm_func_t* func = func_at(instance, 0);
  wasm_trap_t* trap = call_empty(func);
  wasm_func_delete(func);
  wasm_instance_delete(instance);
  wasm_store_delete(store);
  check(has_message(trap, "unreachable") && tenon_trap_code(trap) == TENON_TRAP_UNREACHABLE);
  wasm_frame_t* frame = wasm_trap_origin(trap);
  wasm_trap_delete(trap);
  wasm_extern_vec_t exports;
  wasm_instance_exports(wasm_frame_instance(frame), &exports);
  trap = call_empty(wasm_extern_as_func(exports.data[0]));
  check(has_message(trap, "unreachable"));
  wasm_trap_delete(trap);
  wasm_extern_vec_delete(&exports);
  wasm_frame_delete(frame);
}

static void guests_go_on_after_traps(wasm_store_t* store) {
  wasm_instance_t* instance = instance_of(store,
    "(module (memory 1) (global $g (mut i32) (i32.const 5))"
    " (func (export \"f\") (param i32) (result i32)"
    "  (global.set $g (i32.add (global.get $g) (i32.const 1)))"
    "  (i32.store (i32.const 16) (local.get 0))"
    "  (i32.add (i32.load (local.get 0)) (global.get $g))))");
  wasm_func_t* func = func_at(instance, 0);
  int count = (int)rounds(10000, 50);
  for (int i = 0; i < count; i++) {
    wasm_trap_t* trap = NULL;
    check(call_i32(func, -1 - i, &trap) == -1 && has_message(trap, "out of bounds memory access"));
    wasm_trap_delete(trap);
    // Each call has set the global and the memory, and nothing else.
    check(call_i32(func, 16, NULL) == 16 + 5 + 2 * (i + 1));
  }
  wasm_func_delete(func);
  wasm_instance_delete(instance);
}

int main(void) {
  wasm_store_t* store = test_store();
  every_trap_has_its_words(store);
  messages_are_kept_to_the_byte(store);
  messages_may_be_long(store);
  traps_that_never_ran_have_no_frames(store);
  a_host_function_alone_raises_its_trap(store);
  for (size_t i = 0; i < MESSAGES; i++) {
    a_host_trap_comes_back_through(store, 1, &messages[i]);
    a_host_trap_comes_back_through(store, 5, &messages[i]);
  }
  guest_traps_keep_their_code_on_the_way(store);
  start_functions_trap(store);
  a_host_trap_ends_the_start_function(store);
  traps_are_freed_with_their_last_handle(store);
  traps_outlive_everything_else();
  guests_go_on_after_traps(store);
  wasm_store_delete(store);
  return done();
}
