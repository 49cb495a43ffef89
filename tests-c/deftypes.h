/* What the programs about objects share: an engine, and types that are defined in it. */

#ifndef DEFTYPES_H
#define DEFTYPES_H

#include "harness.h"

static wasm_engine_t* engine;

static inline own wasm_store_t* new_store(void) {
  return wasm_store_new(engine);
}

static inline own wasm_valtype_t* ref_to(tenon_heap_kind_t heap, bool nullable) {
  return tenon_valtype_ref_new(heap, NULL, nullable);
}

static inline own wasm_valtype_t* ref_to_type(const tenon_deftype_t* type, bool nullable) {
  return tenon_valtype_ref_new(TENON_HEAP_DEFINED, type, nullable);
}

/* A struct type of these fields, whose value types are deleted. */
static inline own tenon_deftype_t* struct_type(size_t count, tenon_field_t fields[]) {
  tenon_definition_t definition = {
    .kind = TENON_TYPE_STRUCT, .is_final = true, .field_count = count, .fields = fields};
  tenon_deftype_t* type = tenon_deftype_new(engine, &definition);
  for (size_t i = 0; i < count; i++) wasm_valtype_delete(fields[i].type);
  return type;
}

/* A type of arrays of mutable elements. */
static inline own tenon_deftype_t* array_type(tenon_storage_t storage, own wasm_valtype_t* of) {
  tenon_field_t element = {storage, WASM_VAR, of};
  tenon_definition_t definition = {
    .kind = TENON_TYPE_ARRAY, .is_final = true, .field_count = 1, .fields = &element};
  tenon_deftype_t* type = tenon_deftype_new(engine, &definition);
  wasm_valtype_delete(of);
  return type;
}

static inline wasm_val_t any_val(wasm_ref_t* reference) {
  return (wasm_val_t){.kind = TENON_ANYREF, .of = {.ref = reference}};
}

/* A list and its node, which name each other. */
static inline void define_list(tenon_deftype_t* out[2]) {
  tenon_deftype_t* places[] = {
    tenon_deftype_place(TENON_TYPE_STRUCT, 0), tenon_deftype_place(TENON_TYPE_ARRAY, 1)};
  tenon_field_t node[] = {
    {TENON_STORAGE_VALUE, WASM_VAR, ref_to_type(places[1], true)},
    {TENON_STORAGE_VALUE, WASM_VAR, wasm_valtype_new_i32()}};
  tenon_field_t nodes = {TENON_STORAGE_VALUE, WASM_VAR, ref_to_type(places[0], true)};
  tenon_definition_t group[] = {
    {.kind = TENON_TYPE_STRUCT, .is_final = true, .field_count = 2, .fields = node},
    {.kind = TENON_TYPE_ARRAY, .is_final = true, .field_count = 1, .fields = &nodes}};
  check(tenon_deftype_group(engine, 2, group, out) == TENON_OK);
  wasm_valtype_delete(node[0].type);
  wasm_valtype_delete(node[1].type);
  wasm_valtype_delete(nodes.type);
  for (int i = 0; i < 2; i++) tenon_deftype_delete(places[i]);
}

static inline own wasm_val_t field_of(const wasm_ref_t* object, size_t index) {
  wasm_val_t value;
  check(tenon_object_get(object, index, &value) == TENON_OK);
  return value;
}

/* The program: proves all of these, also in an engine that collects at every allocation. */
#define CASES(...) \
  int main(void) { \
    void (*const cases[])(void) = {__VA_ARGS__}; \
    for (int always = 0; always < 2; always++) { \
      wasm_config_t* config = test_config(); \
      tenon_config_collect_always_set(config, always); \
      engine = wasm_engine_new_with_config(config); \
      for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) cases[i](); \
      wasm_engine_delete(engine); \
    } \
    return done(); \
  }

#endif
