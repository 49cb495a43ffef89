/* Tags and exceptions: made, thrown, caught and taken apart by C and by wasm. */

#include "harness.h"

/* The type of a tag of exceptions that carry one i32. */
static own wasm_tagtype_t* type_of_i32(void) {
  return wasm_tagtype_new(wasm_functype_new_1_0(wasm_valtype_new_i32()));
}

static own tenon_tag_t* tag_of_i32(wasm_store_t* store) {
  wasm_tagtype_t* type = type_of_i32();
  tenon_tag_t* tag = tenon_tag_new(store, type);
  wasm_tagtype_delete(type);
  return tag;
}

static own tenon_exception_t* exception_of(
  wasm_store_t* store, const tenon_tag_t* tag, int32_t number
) {
  wasm_val_t values[1] = {WASM_I32_VAL(number)};
  wasm_val_vec_t vec = WASM_ARRAY_VEC(values);
  return tenon_exception_new(store, tag, &vec);
}

/* The only value of an exception, an i32. */
static int32_t number_in(const tenon_exception_t* exception) {
  wasm_val_vec_t values;
  tenon_exception_values(exception, &values);
  check(values.size == 1 && values.data[0].kind == WASM_I32);
  int32_t number = values.size == 1 ? values.data[0].of.i32 : -1;
  wasm_val_vec_delete(&values);
  return number;
}

/* Whether two references are to the same exception. */
static bool is_exception(const wasm_ref_t* ref, const tenon_exception_t* exception) {
  const tenon_exception_t* other = tenon_ref_as_exception_const(ref);
  return other && tenon_exception_same(other, exception);
}

static own tenon_tag_t* tag_at(const wasm_instance_t* instance, size_t index) {
  wasm_extern_t* item = export_at(instance, index);
  tenon_tag_t* tag = item ? tenon_tag_copy(tenon_extern_as_tag(item)) : NULL;
  wasm_extern_delete(item);
  return tag;
}

static void tags_are_made_and_tell_their_type(void) {
  wasm_store_t* store = test_store();
  wasm_tagtype_t* type = type_of_i32();
  tenon_tag_t *tag = tenon_tag_new(store, type), *other = tenon_tag_new(store, type);
  wasm_tagtype_t* same_type = tenon_tag_type(tag);
  const wasm_functype_t* func = wasm_tagtype_functype(same_type);
  check(wasm_functype_params(func)->size == 1 && wasm_functype_results(func)->size == 0);
  check(wasm_valtype_kind(wasm_functype_params(func)->data[0]) == WASM_I32);
  tenon_tag_t* copy = tenon_tag_copy(tag);
  check(tenon_tag_same(tag, copy) && !tenon_tag_same(tag, other));
  wasm_tagtype_delete(same_type);
  wasm_tagtype_delete(type);
  tenon_tag_delete(copy);
  tenon_tag_delete(other);
  tenon_tag_delete(tag);

  type = wasm_tagtype_new(type_i32_i32());
  refused(TENON_ERROR_TYPE, tenon_tag_new(store, type));
  wasm_tagtype_delete(type);
  wasm_store_delete(store);
}

static void tags_are_externs_and_refs(void) {
  wasm_store_t* store = test_store();
  tenon_tag_t* tag = tag_of_i32(store);
  wasm_extern_t* item = tenon_tag_as_extern(tag);
  check(tenon_tag_as_extern_const(tag) == item);
  check(wasm_extern_kind(item) == WASM_EXTERN_TAG);
  check(tenon_extern_as_tag(item) == tag && tenon_extern_as_tag_const(item) == tag);
  check(!wasm_extern_as_func(item) && !wasm_extern_as_memory(item));
  wasm_ref_t* ref = tenon_tag_as_ref(tag);
  check(tenon_tag_as_ref_const(tag) == ref);
  check(tenon_ref_as_tag(ref) == tag && tenon_ref_as_tag_const(ref) == tag);
  check(!tenon_ref_as_exception(ref) && wasm_ref_as_extern(ref) == item);
  wasm_externtype_t* type = wasm_extern_type(item);
  check(wasm_externtype_kind(type) == WASM_EXTERN_TAG);
  check(wasm_externtype_as_tagtype(type) != NULL);
  wasm_externtype_delete(type);

  wasm_extern_t* pair[2] = {wasm_extern_copy(item), wasm_extern_copy(item)};
  wasm_extern_vec_t vec, copy;
  wasm_extern_vec_new(&vec, 2, pair);
  wasm_extern_vec_copy(&copy, &vec);
  check(copy.size == 2 && wasm_extern_same(copy.data[1], item));
  wasm_extern_vec_delete(&copy);
  wasm_extern_vec_delete(&vec);

  wasm_memory_t* memory = memory_of(store, 1, 1);
  refused(TENON_ERROR_ARGUMENT, tenon_extern_as_tag(wasm_memory_as_extern(memory)));
  wasm_memory_delete(memory);
  tenon_tag_delete(tag);
  wasm_store_delete(store);
}

static void modules_tell_of_their_tags(void) {
  wasm_store_t* store = test_store();
  wasm_module_t* module = module_of(
    store,
    "(module (import \"m\" \"t\" (tag (param i32 f64))) (tag (export \"own\"))"
    "  (export \"again\" (tag 0)))"
  );
  wasm_importtype_vec_t imports;
  wasm_module_imports(module, &imports);
  check(imports.size == 1);
  const wasm_externtype_t* type = wasm_importtype_type(imports.data[0]);
  check(wasm_externtype_kind(type) == WASM_EXTERN_TAG);
  const wasm_tagtype_t* tag = wasm_externtype_as_tagtype_const(type);
  check(wasm_functype_params(wasm_tagtype_functype(tag))->size == 2);
  wasm_importtype_vec_delete(&imports);
  wasm_exporttype_vec_t exports;
  wasm_module_exports(module, &exports);
  check(exports.size == 2);
  for (size_t i = 0; i < exports.size; i++) {
    check(wasm_externtype_kind(wasm_exporttype_type(exports.data[i])) == WASM_EXTERN_TAG);
  }
  wasm_exporttype_vec_delete(&exports);
  wasm_module_delete(module);
  wasm_store_delete(store);
}

static void tags_are_imported_and_exported(void) {
  wasm_store_t* store = test_store();
  tenon_tag_t* tag = tag_of_i32(store);
  wasm_extern_t* imports[1] = {tenon_tag_as_extern(tag)};
  wasm_instance_t* instance = instance_with(
    store,
    "(module (import \"\" \"\" (tag (param i32))) (tag (export \"own\") (param i32))"
    "  (export \"again\" (tag 0)))",
    1, imports
  );
  tenon_tag_t *own_tag = tag_at(instance, 0), *again = tag_at(instance, 1);
  check(tenon_tag_same(again, tag) && !tenon_tag_same(own_tag, tag));

  wasm_module_t* module = module_of(store, "(module (import \"a\" \"b\" (tag (param i64))))");
  wasm_extern_vec_t vec = {1, imports};
  wasm_trap_t* trap = NULL;
  refused(TENON_ERROR_LINK, wasm_instance_new(store, module, &vec, &trap));
  check(mentions(trap, "tag (i64) -> ()") && mentions(trap, "tag (i32) -> ()"));
  wasm_trap_delete(trap);
  wasm_module_delete(module);
  tenon_tag_delete(own_tag);
  tenon_tag_delete(again);
  tenon_tag_delete(tag);
  wasm_instance_delete(instance);
  wasm_store_delete(store);
}

static void exceptions_carry_values(void) {
  wasm_store_t* store = test_store();
  tenon_tag_t* tag = tag_of_i32(store);
  tenon_exception_t* exception = exception_of(store, tag, 42);
  check(number_in(exception) == 42);
  tenon_tag_t* same = tenon_exception_tag(exception);
  check(tenon_tag_same(same, tag));
  tenon_tag_delete(same);
  tenon_exception_t* copy = tenon_exception_copy(exception);
  check(tenon_exception_same(copy, exception));
  tenon_exception_delete(copy);
  wasm_ref_t* ref = tenon_exception_as_ref(exception);
  check(tenon_exception_as_ref_const(exception) == ref);
  check(tenon_ref_as_exception(ref) == exception && is_exception(ref, exception));
  check(!tenon_ref_as_tag(ref) && !wasm_ref_as_trap(ref));

  wasm_val_t wrong[2] = {WASM_I64_VAL(1), WASM_I32_VAL(2)};
  wasm_val_vec_t vec = {1, wrong}, two = {2, wrong}, none = WASM_EMPTY_VEC;
  refused(TENON_ERROR_TYPE, tenon_exception_new(store, tag, &vec));
  refused(TENON_ERROR_TYPE, tenon_exception_new(store, tag, &two));
  refused(TENON_ERROR_TYPE, tenon_exception_new(store, tag, &none));
  wasm_store_t* elsewhere = test_store();
  wasm_val_vec_t right = {1, wrong + 1};
  refused(TENON_ERROR_TYPE, tenon_exception_new(elsewhere, tag, &right));
  wasm_store_delete(elsewhere);

  uint8_t lanes[16];
  refused(TENON_ERROR_ARGUMENT, tenon_exception_vector(exception, 0, lanes));
  refused(TENON_ERROR_ARGUMENT, tenon_exception_vector(exception, 1, lanes));
  tenon_exception_delete(exception);
  tenon_tag_delete(tag);
  wasm_store_delete(store);
}

static void what_nothing_catches_is_a_trap(void) {
  wasm_store_t* store = test_store();
  wasm_instance_t* instance = instance_of(
    store,
    "(module (tag $t (export \"t\") (param i32))"
    "  (func $inner (param i32) (throw $t (local.get 0)))"
    "  (func (export \"outer\") (param i32) (result i32) (call $inner (local.get 0)) (i32.const 0)))"
  );
  tenon_tag_t* tag = tag_at(instance, 0);
  wasm_func_t* outer = func_at(instance, 1);
  wasm_trap_t* trap;
  call_i32(outer, 7, &trap);
  check(trap && has_message(trap, "uncaught exception"));
  check(tenon_trap_code(trap) == TENON_TRAP_NONE);
  wasm_frame_vec_t frames;
  wasm_trap_trace(trap, &frames);
  check(frames.size == 2);
  check(wasm_frame_func_index(frames.data[0]) == 0 && wasm_frame_func_index(frames.data[1]) == 1);
  wasm_frame_vec_delete(&frames);
  tenon_exception_t* exception = tenon_trap_exception(trap);
  wasm_trap_delete(trap);
  check(number_in(exception) == 7);
  tenon_tag_t* same = tenon_exception_tag(exception);
  check(tenon_tag_same(same, tag));
  tenon_tag_delete(same);

  /* An exception keeps what it needs. */
  tenon_tag_delete(tag);
  wasm_func_delete(outer);
  wasm_instance_delete(instance);
  wasm_store_delete(store);
  check(number_in(exception) == 7);
  tenon_exception_delete(exception);
}

static own wasm_trap_t* throw_env(
  void* env, const wasm_val_vec_t* args, wasm_val_vec_t* results
) {
  (void)args, (void)results;
  return tenon_trap_new_exception(env);
}

/* Catches exceptions of $t, others as references, and lets traps pass. */
#define CATCHER \
  "(module (import \"\" \"t\" (tag $t (param i32))) (import \"\" \"f\" (func $f))" \
  "  (func (export \"catch\") (result i32)" \
  "    (block $h (result i32) (try_table (catch $t $h) (call $f)) (i32.const -1)))" \
  "  (func (export \"catch_ref\") (result i32 exnref)" \
  "    (block $h (result i32 exnref)" \
  "      (try_table (catch_ref $t $h) (call $f)) (i32.const -1) (ref.null exn)))" \
  "  (func (export \"catch_all\") (result i32)" \
  "    (block $h (try_table (catch_all $h) (call $f)) (return (i32.const 0))) (i32.const 1))" \
  "  (func (export \"throw_ref\") (param exnref) (throw_ref (local.get 0))))"

static void callbacks_throw(void) {
  wasm_store_t* store = test_store();
  tenon_tag_t* tag = tag_of_i32(store);
  tenon_exception_t* exception = exception_of(store, tag, 99);
  wasm_func_t* thrower =
    func_with_env(store, wasm_functype_new_0_0(), throw_env, exception);
  wasm_extern_t* imports[2] = {tenon_tag_as_extern(tag), wasm_func_as_extern(thrower)};
  wasm_instance_t* instance = instance_with(store, CATCHER, 2, imports);
  wasm_func_t *catch = func_at(instance, 0), *catch_ref = func_at(instance, 1),
              *catch_all = func_at(instance, 2), *throw_ref = func_at(instance, 3);
  wasm_trap_t* trap;
  check(call_i32(catch, 0, &trap) == 99 && !trap);
  check(call_i32(catch_all, 0, &trap) == 1 && !trap);

  /* A reference is to the exception that was thrown, and throws it again. */
  wasm_val_t caught[2] = {WASM_INIT_VAL, WASM_INIT_VAL};
  check(!call_with(catch_ref, 0, NULL, 2, caught));
  check(caught[0].of.i32 == 99 && caught[1].kind == TENON_EXNREF);
  check(is_exception(caught[1].of.ref, exception));
  trap = call_with(throw_ref, 1, caught + 1, 0, NULL);
  check(trap && has_message(trap, "uncaught exception"));
  tenon_exception_t* again = tenon_trap_exception(trap);
  check(tenon_exception_same(again, exception));
  tenon_exception_delete(again);
  wasm_trap_delete(trap);
  wasm_val_delete(&caught[1]);

  wasm_val_t null = {.kind = TENON_EXNREF, .of = {.ref = NULL}};
  trap = call_with(throw_ref, 1, &null, 0, NULL);
  check(trap && has_message(trap, "null reference") && !tenon_trap_exception(trap));
  wasm_trap_delete(trap);

  /* What is no exception is no exnref. */
  wasm_val_t wrong = {.kind = TENON_EXNREF, .of = {.ref = tenon_tag_as_ref(tag)}};
  trap = call_with(throw_ref, 1, &wrong, 0, NULL);
  check(trap && mentions(trap, "type mismatch"));
  wasm_trap_delete(trap);

  /* Called by C itself, the callback's exception comes out as it is. */
  trap = call_empty(thrower);
  again = tenon_trap_exception(trap);
  check(tenon_exception_same(again, exception));
  tenon_exception_delete(again);
  wasm_trap_delete(trap);

  wasm_func_delete(catch);
  wasm_func_delete(catch_ref);
  wasm_func_delete(catch_all);
  wasm_func_delete(throw_ref);
  wasm_instance_delete(instance);
  wasm_func_delete(thrower);
  tenon_exception_delete(exception);
  tenon_tag_delete(tag);
  wasm_store_delete(store);
}

static own wasm_trap_t* plain_trap(
  void* env, const wasm_val_vec_t* args, wasm_val_vec_t* results
) {
  (void)args, (void)results;
  wasm_message_t message = bytes_of("plain");
  return wasm_trap_new(env, &message);
}

static void traps_are_not_caught(void) {
  wasm_store_t* store = test_store();
  tenon_tag_t* tag = tag_of_i32(store);
  wasm_func_t* trapper = func_with_env(store, wasm_functype_new_0_0(), plain_trap, store);
  wasm_extern_t* imports[2] = {tenon_tag_as_extern(tag), wasm_func_as_extern(trapper)};
  wasm_instance_t* instance = instance_with(store, CATCHER, 2, imports);
  wasm_func_t* catch_all = func_at(instance, 2);
  wasm_trap_t* trap;
  call_i32(catch_all, 0, &trap);
  check(trap && has_message(trap, "plain"));
  accepted(!tenon_trap_exception(trap));
  wasm_trap_delete(trap);
  wasm_func_delete(catch_all);
  wasm_instance_delete(instance);
  wasm_func_delete(trapper);
  tenon_tag_delete(tag);
  wasm_store_delete(store);
}

/* Calls the function that `env` points to; a trap of it passes on. */
static own wasm_trap_t* pass_on(void* env, const wasm_val_vec_t* args, wasm_val_vec_t* results) {
  return wasm_func_call(*(wasm_func_t**)env, args, results);
}

/* Three instances, each called by a callback of the one before. */
static void exceptions_cross_instances_and_callbacks(void) {
  wasm_store_t* store = test_store();
  tenon_tag_t* tag = tag_of_i32(store);
  wasm_func_t* next[3] = {NULL};
  wasm_func_t* callbacks[3];
  for (int i = 0; i < 3; i++) {
    callbacks[i] = func_with_env(store, type_i32_i32(), pass_on, &next[i]);
  }
  wasm_instance_t* instances[3];
  for (int i = 0; i < 3; i++) {
    /* Another tag of the same type does not catch. */
    wasm_extern_t* imports[2] = {tenon_tag_as_extern(tag), wasm_func_as_extern(callbacks[i])};
    instances[i] = instance_with(
      store,
      "(module (import \"\" \"t\" (tag $t (param i32)))"
      "  (import \"\" \"f\" (func $f (param i32) (result i32))) (tag $other (param i32))"
      "  (func (export \"pass\") (param i32) (result i32)"
      "    (block $h (result i32)"
      "      (return (try_table (result i32) (catch $other $h) (call $f (local.get 0)))))"
      "    (drop) unreachable)"
      "  (func (export \"throw\") (param i32) (result i32) (throw $t (local.get 0)))"
      "  (func (export \"rethrow\") (param i32) (result i32)"
      "    (block $h (result exnref)"
      "      (return (try_table (result i32) (catch_all_ref $h) (call $f (local.get 0)))))"
      "    (throw_ref))"
      "  (func (export \"catch\") (param i32) (result i32)"
      "    (block $h (result i32)"
      "      (return (try_table (result i32) (catch $t $h) (call $f (local.get 0)))))"
      "    (i32.add (i32.const 1000))))",
      2, imports
    );
  }
  wasm_func_t *catch = func_at(instances[0], 3), *pass = func_at(instances[0], 0);
  for (int middle = 0; middle <= 2; middle += 2) {
    next[0] = func_at(instances[1], (size_t)middle);
    next[1] = func_at(instances[2], 1);
    wasm_trap_t* trap;
    check(call_i32(catch, 5, &trap) == 1005 && !trap);
    check(call_i32(pass, 6, &trap) == -1 && trap);
    tenon_exception_t* exception = tenon_trap_exception(trap);
    check(number_in(exception) == 6);
    wasm_frame_vec_t frames;
    wasm_trap_trace(trap, &frames);
    /* Thrown again in the middle, it comes from there. */
    check(frames.size == (middle == 0 ? 3 : 2));
    wasm_frame_vec_delete(&frames);
    wasm_trap_delete(trap);
    tenon_exception_delete(exception);
    wasm_func_delete(next[0]);
    wasm_func_delete(next[1]);
  }
  wasm_func_delete(catch);
  wasm_func_delete(pass);
  for (int i = 0; i < 3; i++) {
    wasm_func_delete(callbacks[i]);
    wasm_instance_delete(instances[i]);
  }
  tenon_tag_delete(tag);
  wasm_store_delete(store);
}

static void values_of_all_types_go_along(void) {
  wasm_store_t* store = test_store();
  wasm_instance_t* instance = instance_of(
    store,
    "(module (tag $t (param i32 i64 f32 f64 v128 externref funcref exnref)) (tag $inner)"
    "  (func $f (export \"f\"))"
    "  (func (export \"throw\") (param externref)"
    "    (throw $t (i32.const -1) (i64.const -2) (f32.const 1.5) (f64.const -2.5)"
    "      (v128.const i32x4 1 2 3 4) (local.get 0) (ref.func $f)"
    "      (block $h (result exnref) (try_table (catch_all_ref $h) (throw $inner)) unreachable)))"
    "  (func $caught (export \"catch\") (param externref)"
    "    (result i32 i64 f32 f64 externref funcref exnref)"
    "    (local $v v128) (local $e externref) (local $f funcref) (local $x exnref)"
    "    (block $h (result i32 i64 f32 f64 v128 externref funcref exnref)"
    "      (try_table (catch $t $h) (call 1 (local.get 0))) unreachable)"
    "    (local.set $x) (local.set $f) (local.set $e) (local.set $v)"
    "    (if (i32.ne (i32x4.extract_lane 3 (local.get $v)) (i32.const 4)) (then unreachable))"
    "    (local.get $e) (local.get $f) (local.get $x)))"
  );
  wasm_func_t *f = func_at(instance, 0), *throw = func_at(instance, 1),
              *catch = func_at(instance, 2);
  wasm_foreign_t* object = wasm_foreign_new(store);
  wasm_val_t arg = WASM_REF_VAL(wasm_foreign_as_ref(object));
  wasm_trap_t* trap = call_with(throw, 1, &arg, 0, NULL);
  tenon_exception_t* exception = tenon_trap_exception(trap);
  wasm_trap_delete(trap);
  wasm_val_vec_t values;
  tenon_exception_values(exception, &values);
  check(values.size == 8);
  check(values.data[0].of.i32 == -1 && values.data[1].of.i64 == -2);
  check(values.data[2].of.f32 == 1.5f && values.data[3].of.f64 == -2.5);
  check(values.data[4].kind == TENON_V128);
  check(wasm_ref_same(values.data[5].of.ref, arg.of.ref));
  check(wasm_func_same(wasm_ref_as_func(values.data[6].of.ref), f));
  check(tenon_ref_as_exception(values.data[7].of.ref) != NULL);
  wasm_val_vec_delete(&values);
  uint8_t lanes[16] = {0};
  check(tenon_exception_vector(exception, 4, lanes));
  check(lanes[0] == 1 && lanes[4] == 2 && lanes[8] == 3 && lanes[12] == 4 && lanes[1] == 0);
  refused(TENON_ERROR_ARGUMENT, tenon_exception_vector(exception, 4, NULL));
  tenon_exception_delete(exception);

  wasm_val_t results[7];
  check(!call_with(catch, 1, &arg, 7, results));
  check(results[0].of.i32 == -1 && results[1].of.i64 == -2);
  check(results[2].of.f32 == 1.5f && results[3].of.f64 == -2.5);
  check(wasm_ref_same(results[4].of.ref, arg.of.ref));
  check(wasm_func_same(wasm_ref_as_func(results[5].of.ref), f));
  check(tenon_ref_as_exception(results[6].of.ref) != NULL);
  for (int i = 0; i < 7; i++) wasm_val_delete(&results[i]);
  wasm_foreign_delete(object);
  wasm_func_delete(f);
  wasm_func_delete(throw);
  wasm_func_delete(catch);
  wasm_instance_delete(instance);
  wasm_store_delete(store);
}

static void a_throw_leaves_deep_recursion(void) {
  wasm_store_t* store = test_store();
  wasm_instance_t* instance = instance_of(
    store,
    "(module (tag $t (param i32))"
    "  (func $down (param i32 i32) (result i32)"
    "    (if (i32.eqz (local.get 0)) (then (throw $t (local.get 1))))"
    "    (i32.add (call $down (i32.sub (local.get 0) (i32.const 1)) (local.get 1))"
    "      (i32.const 1)))"
    "  (func (export \"catch\") (param i32) (result i32)"
    "    (block $h (result i32)"
    "      (try_table (result i32) (catch $t $h) (call $down (local.get 0) (i32.const 77)))))"
    "  (func $endless (export \"endless\") (result i32)"
    "    (block $h (try_table (result i32) (catch_all $h) (call $endless)) (return))"
    "    (i32.const 0)))"
  );
  wasm_func_t *catch = func_at(instance, 0), *endless = func_at(instance, 1);
  for (int i = 0; i < 100; i++) {
    wasm_trap_t* trap;
    check(call_i32(catch, 5000, &trap) == 77 && !trap);
  }
  /* The stack's limit is where it was, and its trap is not caught. */
  for (int i = 0; i < 3; i++) {
    wasm_trap_t* trap;
    call_i32(endless, 0, &trap);
    check(trap && tenon_trap_code(trap) == TENON_TRAP_STACK_OVERFLOW);
    wasm_trap_delete(trap);
    check(call_i32(catch, 5000, &trap) == 77 && !trap);
  }
  wasm_func_delete(catch);
  wasm_func_delete(endless);
  wasm_instance_delete(instance);
  wasm_store_delete(store);
}

struct thrower {
  wasm_store_t* store;
  tenon_tag_t* tag;
};

/* Throws a new exception that carries the argument. */
static own wasm_trap_t* throw_new(void* env, const wasm_val_vec_t* args, wasm_val_vec_t* results) {
  (void)results;
  struct thrower* thrower = env;
  tenon_exception_t* exception =
    exception_of(thrower->store, thrower->tag, args->data[0].of.i32);
  wasm_trap_t* trap = tenon_trap_new_exception(exception);
  tenon_exception_delete(exception);
  return trap;
}

static void many_throws_take_no_memory(void) {
  wasm_store_t* store = test_store();
  struct thrower thrower = {store, tag_of_i32(store)};
  wasm_functype_t* type = wasm_functype_new_1_0(wasm_valtype_new_i32());
  wasm_func_t* callback = func_with_env(store, type, throw_new, &thrower);
  wasm_extern_t* imports[2] = {tenon_tag_as_extern(thrower.tag), wasm_func_as_extern(callback)};
  wasm_instance_t* instance = instance_with(
    store,
    "(module (import \"\" \"t\" (tag $t (param i32))) (import \"\" \"f\" (func $f (param i32)))"
    "  (func $throw (param i32) (throw $t (local.get 0)))"
    "  (func (export \"inside\") (param i32) (result i32) (local $sum i32)"
    "    (loop $l"
    "      (block $h (result i32)"
    "        (try_table (catch $t $h) (call $throw (local.get 0))) unreachable)"
    "      (local.set $sum (i32.add (local.get $sum)))"
    "      (br_if $l (local.tee 0 (i32.sub (local.get 0) (i32.const 1)))))"
    "    (local.get $sum))"
    "  (func (export \"by-c\") (param i32) (result i32) (local $sum i32)"
    "    (loop $l"
    "      (block $h (result i32)"
    "        (try_table (catch $t $h) (call $f (local.get 0))) unreachable)"
    "      (local.set $sum (i32.add (local.get $sum)))"
    "      (br_if $l (local.tee 0 (i32.sub (local.get 0) (i32.const 1)))))"
    "    (local.get $sum))"
    "  (func (export \"ref\") (param i32) (result i32)"
    "    (block $h (result i32 exnref)"
    "      (try_table (catch_ref $t $h) (call $throw (local.get 0))) unreachable)"
    "    (drop))"
    "  (func (export \"refs\") (param i32) (result i32) (local $sum i32)"
    "    (loop $l"
    "      (block $h (result i32 exnref)"
    "        (try_table (catch_ref $t $h) (call $f (local.get 0))) unreachable)"
    "      (drop)"
    "      (local.set $sum (i32.add (local.get $sum)))"
    "      (br_if $l (local.tee 0 (i32.sub (local.get 0) (i32.const 1)))))"
    "    (local.get $sum)))",
    2, imports
  );
  int32_t count = (int32_t)rounds(100000, 1000), sum = 0;
  for (int32_t i = 1; i <= count; i++) sum = (int32_t)((uint32_t)sum + (uint32_t)i);
  wasm_func_t *inside = func_at(instance, 0), *by_c = func_at(instance, 1),
              *ref = func_at(instance, 2), *refs = func_at(instance, 3);
  size_t memory = 0;
  for (int round = 0; round < 3; round++) {
    wasm_trap_t* trap;
    check(call_i32(inside, count, &trap) == sum && !trap);
    check(call_i32(by_c, count, &trap) == sum && !trap);
    check(call_i32(refs, count, &trap) == sum && !trap);
    for (int32_t i = 0; i < count; i++) {
      if (call_i32(ref, i, &trap) != i || trap) check(false);
    }
    /* All that was thrown in the first round is gone. */
    if (round == 0) memory = bytes_in_statm(1);
  }
  if (!is_set("TEST_VALGRIND")) check(bytes_in_statm(1) < memory + (4 << 20));
  wasm_func_delete(inside);
  wasm_func_delete(by_c);
  wasm_func_delete(ref);
  wasm_func_delete(refs);
  wasm_instance_delete(instance);
  wasm_func_delete(callback);
  tenon_tag_delete(thrower.tag);
  wasm_store_delete(store);
}

static int finalized_sum;

static void add_finalized(void* info) {
  finalized_sum += *(int*)info;
}

/* Interrupts and the end of fuel are not caught, and handlers do not lose count. */
static void limits_are_not_caught(void) {
  wasm_config_t* config = test_config();
  check(tenon_config_fuel_set(config, true) == TENON_OK);
  wasm_engine_t* engine = wasm_engine_new_with_config(config);
  wasm_store_t* store = wasm_store_new(engine);
  check(tenon_store_fuel_set(store, 100000) == TENON_OK);
  wasm_instance_t* instance = instance_of(
    store,
    "(module (tag $t)"
    "  (func $endless (loop $l (br $l)))"
    "  (func (export \"catch\") (block $h (try_table (catch_all $h) (call $endless))))"
    "  (func $throw (throw $t))"
    "  (func (export \"throws\") (param i32) (result i32)"
    "    (loop $l"
    "      (block $h (try_table (catch $t $h) (call $throw)))"
    "      (br_if $l (local.tee 0 (i32.sub (local.get 0) (i32.const 1)))))"
    "    (i32.const 5)))"
  );
  wasm_func_t *catch = func_at(instance, 0), *throws = func_at(instance, 1);
  uint64_t before, after[2];
  tenon_store_fuel_get(store, &before);
  for (int i = 0; i < 2; i++) {
    wasm_trap_t* trap;
    check(call_i32(throws, 100 * (i + 1), &trap) == 5 && !trap);
    tenon_store_fuel_get(store, &after[i]);
  }
  /* Twice as many turns cost twice as much, but for what is outside of them. */
  check(before - after[0] > 500);
  check(after[0] - after[1] > 2 * (before - after[0]) - 20);
  check(after[0] - after[1] <= 2 * (before - after[0]));
  wasm_trap_t* trap = call_empty(catch);
  check(trap && tenon_trap_code(trap) == TENON_TRAP_OUT_OF_FUEL);
  wasm_trap_delete(trap);
  wasm_func_delete(catch);
  wasm_func_delete(throws);
  wasm_instance_delete(instance);
  wasm_store_delete(store);
  wasm_engine_delete(engine);
}

static void compiled_modules_catch(void) {
  wasm_store_t* store = test_store();
  wasm_module_t* module = module_of(
    store,
    "(module (tag $t (param i32)) (func $throw (param i32) (throw $t (local.get 0)))"
    "  (func (export \"catch\") (param i32) (result i32)"
    "    (block $h (result i32) (try_table (catch $t $h) (call $throw (local.get 0)))"
    "      (i32.const -1))))"
  );
  wasm_byte_vec_t bytes;
  wasm_module_serialize(module, &bytes);
  wasm_module_delete(module);
  module = wasm_module_deserialize(store, &bytes);
  wasm_byte_vec_delete(&bytes);
  wasm_extern_vec_t none = WASM_EMPTY_VEC;
  wasm_instance_t* instance = wasm_instance_new(store, module, &none, NULL);
  wasm_func_t* catch = func_at(instance, 0);
  wasm_trap_t* trap;
  check(call_i32(catch, 31, &trap) == 31 && !trap);
  wasm_func_delete(catch);
  wasm_instance_delete(instance);
  wasm_module_delete(module);
  wasm_store_delete(store);
}

static void start_functions_throw(void) {
  wasm_store_t* store = test_store();
  wasm_module_t* module = module_of(
    store, "(module (tag $t (param i32)) (func $f (throw $t (i32.const 3))) (start $f))"
  );
  wasm_extern_vec_t none = WASM_EMPTY_VEC;
  wasm_trap_t* trap = NULL;
  refused(TENON_ERROR_TRAP, wasm_instance_new(store, module, &none, &trap));
  tenon_exception_t* exception = tenon_trap_exception(trap);
  check(exception && number_in(exception) == 3);
  tenon_exception_delete(exception);
  wasm_trap_delete(trap);
  wasm_module_delete(module);
  wasm_store_delete(store);
}

/* A function of `count` blocks that catch, each inside the one before, and as many calls. */
static own wasm_byte_vec_t module_of_blocks(size_t count) {
  const char* head = "(module (tag $t) (func $f) (func";
  const char *open = " (block (try_table (catch $t 0)", *call = " (call $f)";
  size_t size = strlen(head) + count * (strlen(open) + strlen(call) + 2) + 3;
  char *text = malloc(size), *end = stpcpy(text, head);
  for (size_t i = 0; i < count; i++) end = stpcpy(end, open);
  for (size_t i = 0; i < count; i++) end = stpcpy(end, call);
  for (size_t i = 0; i < count; i++) end = stpcpy(end, "))");
  strcpy(end, "))");
  wasm_byte_vec_t binary = binary_of(text);
  free(text);
  return binary;
}

/* What a function makes the compiler remember is bounded, however its calls and clauses multiply. */
static void handlers_are_bounded(void) {
  wasm_config_t* config = test_config();
  tenon_config_compilation_set(config, TENON_COMPILATION_EAGER);
  wasm_engine_t* engine = wasm_engine_new_with_config(config);
  wasm_store_t* store = wasm_store_new(engine);
  wasm_byte_vec_t small = module_of_blocks(30), large = module_of_blocks(400);
  wasm_module_t* module = wasm_module_new(store, &small);
  check(module != NULL);
  wasm_module_delete(module);
  refused(TENON_ERROR_COMPILE, wasm_module_new(store, &large));
  check(error_says("implementation limit"));
  wasm_byte_vec_delete(&small);
  wasm_byte_vec_delete(&large);
  wasm_store_delete(store);
  wasm_engine_delete(engine);
}

/* A frame that is too large for the stack's reserve catches what it throws itself. */
static void large_frames_catch(void) {
  enum { VALUES = 400 };
  char *text = malloc(VALUES * 32 + 400), *end = stpcpy(text, "(module (tag $t (param");
  for (int i = 0; i < VALUES; i++) end = stpcpy(end, " i32");
  end = stpcpy(
    end, ")) (func (export \"f\") (param i32) (result i32)"
         "  (block $h (try_table (catch_all $h) (throw $t"
  );
  for (int i = 0; i < VALUES; i++) end = stpcpy(end, " (local.get 0)");
  strcpy(end, "))) (i32.add (local.get 0) (i32.const 1))))");
  wasm_store_t* store = test_store();
  wasm_instance_t* instance = instance_of(store, text);
  free(text);
  wasm_func_t* func = func_at(instance, 0);
  for (int32_t i = 0; i < 100; i++) {
    wasm_trap_t* trap;
    check(call_i32(func, i, &trap) == i + 1 && !trap);
  }
  wasm_func_delete(func);
  wasm_instance_delete(instance);
  wasm_store_delete(store);
}

static void host_info_goes_with_tags(void) {
  wasm_store_t* store = test_store();
  tenon_tag_t* tag = tag_of_i32(store);
  static int one = 1, ten = 10;
  tenon_tag_set_host_info_with_finalizer(tag, &one, add_finalized);
  check(tenon_tag_get_host_info(tag) == &one);
  tenon_tag_set_host_info_with_finalizer(tag, &ten, add_finalized);
  check(finalized_sum == 1 && tenon_tag_get_host_info(tag) == &ten);
  tenon_tag_set_host_info(tag, NULL);
  check(finalized_sum == 11 && tenon_tag_get_host_info(tag) == NULL);
  tenon_tag_set_host_info_with_finalizer(tag, &ten, add_finalized);
  /* An exception keeps its tag, until it is collected. */
  tenon_exception_t* exception = exception_of(store, tag, 1);
  tenon_tag_delete(tag);
  tenon_store_collect(store);
  check(finalized_sum == 11 && number_in(exception) == 1);
  tenon_exception_delete(exception);
  tenon_store_collect(store);
  check(finalized_sum == 21);
  wasm_store_delete(store);
}

/* A global of wasm holds a trap that carries an exception that carries the trap. */
static void cycles_go_with_the_store(void) {
  finalized_sum = 0;
  static int one = 1;
  wasm_store_t* store = test_store();
  wasm_tagtype_t* type =
    wasm_tagtype_new(wasm_functype_new_1_0(wasm_valtype_new(WASM_EXTERNREF)));
  tenon_tag_t* tag = tenon_tag_new(store, type);
  wasm_tagtype_delete(type);
  wasm_foreign_t* object = wasm_foreign_new(store);
  wasm_foreign_set_host_info_with_finalizer(object, &one, add_finalized);
  wasm_val_t values[1] = {WASM_REF_VAL(wasm_foreign_as_ref(object))};
  wasm_val_vec_t vec = WASM_ARRAY_VEC(values);
  tenon_exception_t* exception = tenon_exception_new(store, tag, &vec);
  wasm_foreign_delete(object);
  wasm_trap_t* trap = tenon_trap_new_exception(exception);
  tenon_exception_delete(exception);
  wasm_globaltype_t* global_type =
    wasm_globaltype_new(wasm_valtype_new(WASM_EXTERNREF), WASM_CONST);
  wasm_val_t value = WASM_REF_VAL(wasm_trap_as_ref(trap));
  wasm_global_t* global = wasm_global_new(store, global_type, &value);
  wasm_globaltype_delete(global_type);
  wasm_trap_delete(trap);
  tenon_tag_delete(tag);
  tenon_store_collect(store);
  check(finalized_sum == 0);
  wasm_global_delete(global);
  tenon_store_collect(store);
  check(finalized_sum == 1);
  wasm_store_delete(store);
}

int main(void) {
  tags_are_made_and_tell_their_type();
  tags_are_externs_and_refs();
  modules_tell_of_their_tags();
  tags_are_imported_and_exported();
  exceptions_carry_values();
  what_nothing_catches_is_a_trap();
  callbacks_throw();
  traps_are_not_caught();
  exceptions_cross_instances_and_callbacks();
  values_of_all_types_go_along();
  a_throw_leaves_deep_recursion();
  many_throws_take_no_memory();
  limits_are_not_caught();
  compiled_modules_catch();
  start_functions_throw();
  handlers_are_bounded();
  large_frames_catch();
  host_info_goes_with_tags();
  cycles_go_with_the_store();
  return done();
}
