/* Features are switched on and off by name; settings decide what the specification leaves open. */

#include <limits.h>

#include "harness.h"

/* A module that needs each feature; for one that no module can need, one that can do without. */
struct feature {
  const char* name;
  const char* text;
  bool is_optional;
};

static const struct feature features[] = {
  {"mutable-global", "(module (global (export \"g\") (mut i32) (i32.const 0)))"},
  {"saturating-float-to-int",
    "(module (func (param f32) (result i32) (i32.trunc_sat_f32_s (local.get 0))))"},
  {"sign-extension", "(module (func (param i32) (result i32) (i32.extend8_s (local.get 0))))"},
  {"multi-value", "(module (func (result i32 i32) (i32.const 1) (i32.const 2)))"},
  {"reference-types", "(module (func (param externref)))"},
  {"bulk-memory",
    "(module (memory 1) (func (memory.fill (i32.const 0) (i32.const 0) (i32.const 0))))"},
  {"simd", "(module (func (param v128)))"},
  {"extended-const", "(module (global i32 (i32.add (i32.const 1) (i32.const 2))))"},
  {"multi-memory", "(module (memory 1) (memory 1))"},
  {"tail-call", "(module (func $f (return_call $f)))"},
  {"function-references",
    "(module (type $f (func)) (func (param (ref $f)) (call_ref $f (local.get 0))))"},
  {"gc", "(module (type (struct)))"},
  {"exceptions", "(module (tag))"},
  {"legacy-exceptions", "(module (func try catch_all end))"},
  {"memory64", "(module (memory i64 1))"},
  {"relaxed-simd",
    "(module (func (param v128) (result v128) (i32x4.relaxed_trunc_f32x4_s (local.get 0))))"},
  {"threads", "(module (memory 1 1 shared))"},
  {"wide-arithmetic", "(module (func (param i64 i64) (result i64 i64)"
    " (i64.mul_wide_s (local.get 0) (local.get 1))))"},
  {"custom-page-sizes", "(module (memory 1 (pagesize 1)))"},
  {"branch-hinting", "(module (func (param i32)"
    " (@metadata.code.branch_hint \"\\00\") (if (local.get 0) (then))))", true},
};

enum { FEATURES = sizeof features / sizeof *features };

static own wasm_store_t* store_with_feature(const char* name, bool on) {
  wasm_config_t* config = test_config();
  check(tenon_config_feature_set(config, name, on) == TENON_OK);
  wasm_engine_t* engine = wasm_engine_new_with_config(config);
  wasm_store_t* store = wasm_store_new(engine);
  wasm_engine_delete(engine);
  return store;
}

static const struct feature* feature_of(const char* name) {
  for (size_t i = 0; i < FEATURES; i++) {
    if (strcmp(features[i].name, name) == 0) return &features[i];
  }
  fprintf(stderr, "no module needs the feature %s\n", name);
  return NULL;
}

static void features_that_are_no_more_have_no_name(void) {
  check(tenon_feature_name(FEATURES) == NULL && tenon_feature_name(SIZE_MAX) == NULL);
  check(!tenon_feature_is_default(FEATURES) && !tenon_feature_is_default(SIZE_MAX));
}

static void a_feature_that_is_off_is_named(const struct feature* feature, bool is_default) {
  wasm_store_t* on = store_with_feature(feature->name, true);
  wasm_store_t* off = store_with_feature(feature->name, false);
  wasm_byte_vec_t binary = binary_of(feature->text);
  if (feature->is_optional) check(wasm_module_validate(off, &binary));
  for (int what = 0; what < 2 && !feature->is_optional; what++) {
    // What the engine does not have yet is off by default.
    if (what == 0 && is_default) accepted(wasm_module_validate(on, &binary));
    if (what == 0) refused(TENON_ERROR_INVALID, wasm_module_validate(off, &binary));
    if (what == 1) refused(TENON_ERROR_INVALID, wasm_module_new(off, &binary));
    check(error_says(feature->name));
    check(tenon_last_error_offset(NULL));
  }
  wasm_byte_vec_delete(&binary);
  wasm_module_delete(module_of(off, "(module (memory 1) (func (param i32)))"));
  wasm_store_delete(off);
  wasm_store_delete(on);
}

static void there_are_no_other_features(void) {
  static const char* const names[] = {"teleportation", "", "SIMD", "simd ", "sim"};
  wasm_config_t* config = wasm_config_new();
  for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
    tenon_last_error_clear();
    check(tenon_config_feature_set(config, names[i], true) == TENON_ERROR_CONFIG);
    check(tenon_last_error_code() == TENON_ERROR_CONFIG && error_says(names[i]));
  }
  wasm_config_delete(config);
}

/* What an instruction makes of what is out of range is open, but for the deterministic profile. */
static const char truncates[] =
  "(module (func (export \"f\") (param i32) (result i32)"
  " (i32x4.extract_lane 0 (i32x4.relaxed_trunc_f32x4_s (f32x4.splat"
  " (f32.mul (f32.const 1e9) (f32.convert_i32_s (local.get 0))))))))";

static own wasm_store_t* store_with(bool deterministic, bool baseline, bool canonical) {
  wasm_config_t* config = test_config();
  check(tenon_config_relaxed_simd_deterministic_set(config, deterministic) == TENON_OK);
  check(tenon_config_baseline_cpu_set(config, baseline) == TENON_OK);
  check(tenon_config_nan_canonicalization_set(config, canonical) == TENON_OK);
  wasm_engine_t* engine = wasm_engine_new_with_config(config);
  wasm_store_t* store = wasm_store_new(engine);
  wasm_engine_delete(engine);
  return store;
}

static void relaxed_results_can_be_the_same_everywhere(void) {
  for (int settings = 0; settings < 8; settings++) {
    bool deterministic = settings & 1, baseline = settings & 2, canonical = settings & 4;
    wasm_store_t* store = store_with(deterministic, baseline, canonical);
    wasm_instance_t* instance = instance_of(store, truncates);
    wasm_func_t* func = func_at(instance, 0);
    check(call_i32(func, 2, NULL) == 2000000000);
    int32_t large = call_i32(func, 3, NULL), small = call_i32(func, -3, NULL);
    if (deterministic || canonical) check(large == INT_MAX && small == INT_MIN);
    else check((large == INT_MAX || large == INT_MIN) && small == INT_MIN);
    wasm_func_delete(func);
    wasm_instance_delete(instance);
    wasm_store_delete(store);
  }
}

int main(void) {
  for (size_t i = 0; tenon_feature_name(i); i++) {
    const struct feature* feature = feature_of(tenon_feature_name(i));
    if (check(feature)) a_feature_that_is_off_is_named(feature, tenon_feature_is_default(i));
  }
  features_that_are_no_more_have_no_name();
  there_are_no_other_features();
  relaxed_results_can_be_the_same_everywhere();
  return done();
}
