/* Vectors: their buffers are malloc's, copies are deep, deleting leaves an empty vector. */

#include <stddef.h>

#include "harness.h"

/* Vectors are all laid out like this. */
struct any_vec {
  size_t size;
  void** data;
};

/* A kind of vectors of pointers, by functions on anything. */
struct kind {
  const char* name;
  void (*new_empty)(struct any_vec*);
  void (*new_uninitialized)(struct any_vec*, size_t);
  void (*new)(struct any_vec*, size_t, void* const[]);
  void (*copy)(struct any_vec*, const struct any_vec*);
  void (*delete)(struct any_vec*);
  void* (*make)(void);
  bool (*is_good)(const void*);
};

static wasm_store_t* store;
static wasm_trap_t* trap;

/* Wraps a family of functions, which differ in nothing but types. */
#define WRAP(name, make_one, is_good_one) \
  static void name##_new_empty(struct any_vec* out) { \
    wasm_##name##_vec_new_empty((wasm_##name##_vec_t*)out); \
  } \
  static void name##_new_uninitialized(struct any_vec* out, size_t size) { \
    wasm_##name##_vec_new_uninitialized((wasm_##name##_vec_t*)out, size); \
  } \
  static void name##_new(struct any_vec* out, size_t size, void* const data[]) { \
    wasm_##name##_vec_new((wasm_##name##_vec_t*)out, size, (wasm_##name##_t* const*)data); \
  } \
  static void name##_copy(struct any_vec* out, const struct any_vec* vec) { \
    wasm_##name##_vec_copy((wasm_##name##_vec_t*)out, (const wasm_##name##_vec_t*)vec); \
  } \
  static void name##_delete(struct any_vec* vec) { \
    wasm_##name##_vec_delete((wasm_##name##_vec_t*)vec); \
  } \
  static void* name##_make(void) { \
    return make_one; \
  } \
  static bool name##_is_good(const void* thing) { \
    return is_good_one; \
  }

#define ROW(name) \
  {#name, name##_new_empty, name##_new_uninitialized, name##_new, name##_copy, name##_delete, \
    name##_make, name##_is_good}

static own wasm_importtype_t* an_import(void) {
  wasm_name_t module, name;
  wasm_name_new_from_string(&module, "m");
  wasm_name_new_from_string(&name, "n");
  return wasm_importtype_new(&module, &name, wasm_memorytype_as_externtype(type_of_memory(1, 2)));
}

static own wasm_exporttype_t* an_export(void) {
  wasm_name_t name;
  wasm_name_new_from_string(&name, "n");
  return wasm_exporttype_new(&name, wasm_functype_as_externtype(type_i32_i32()));
}

WRAP(valtype, wasm_valtype_new_f64(), wasm_valtype_kind(thing) == WASM_F64)
WRAP(functype, type_i32_i32(), wasm_functype_params(thing)->size == 1)
WRAP(globaltype, wasm_globaltype_new(wasm_valtype_new_i64(), WASM_VAR),
  wasm_globaltype_mutability(thing) == WASM_VAR)
WRAP(tabletype, type_of_table(WASM_FUNCREF, 3, 4), wasm_tabletype_limits(thing)->max == 4)
WRAP(memorytype, type_of_memory(5, 6), wasm_memorytype_limits(thing)->min == 5)
WRAP(tagtype, wasm_tagtype_new(type_i32_i32()),
  wasm_functype_results(wasm_tagtype_functype(thing))->size == 1)
WRAP(externtype, wasm_functype_as_externtype(type_i32_i32()),
  wasm_externtype_as_functype_const(thing) != NULL)
WRAP(importtype, an_import(), wasm_importtype_module(thing)->data[0] == 'm')
WRAP(exporttype, an_export(), wasm_exporttype_name(thing)->data[0] == 'n')
WRAP(frame, wasm_trap_origin(trap), wasm_frame_func_index(thing) == 1)
WRAP(extern, wasm_memory_as_extern(memory_of(store, 1, 1)),
  wasm_extern_kind(thing) == WASM_EXTERN_MEMORY)

static const struct kind kinds[] = {
  ROW(valtype), ROW(functype), ROW(globaltype), ROW(tabletype), ROW(memorytype), ROW(tagtype),
  ROW(externtype), ROW(importtype), ROW(exporttype), ROW(frame), ROW(extern),
};

static bool is_empty(const void* vec) {
  const struct any_vec* any = vec;
  return any->size == 0 && any->data == NULL;
}

static void empty_vectors_have_no_buffer(const struct kind* kind) {
  struct any_vec vec = {7, NULL};
  kind->new_empty(&vec);
  check(is_empty(&vec));
  kind->delete(&vec);
  check(is_empty(&vec));
  vec.size = 7;
  kind->new_uninitialized(&vec, 0);
  check(is_empty(&vec));
  vec.size = 7;
  kind->new(&vec, 0, NULL);
  check(is_empty(&vec));
  struct any_vec copy = {7, NULL};
  kind->copy(&copy, &vec);
  check(is_empty(&copy));
}

static void uninitialized_vectors_hold_null(const struct kind* kind) {
  struct any_vec vec, copy;
  kind->new_uninitialized(&vec, 100);
  check(vec.size == 100);
  for (size_t i = 0; i < vec.size; i++) check(vec.data[i] == NULL);
  vec.data[50] = kind->make();
  kind->copy(&copy, &vec);
  kind->delete(&vec);
  check(copy.size == 100 && copy.data[49] == NULL && copy.data[51] == NULL);
  check(kind->is_good(copy.data[50]));
  kind->delete(&copy);
}

static void copies_outlive_what_they_are_made_of(const struct kind* kind) {
  void* elements[3] = {kind->make(), NULL, kind->make()};
  struct any_vec vec, copy;
  kind->new(&vec, 3, elements);
  check(vec.size == 3 && vec.data != elements && vec.data[0] == elements[0]);
  kind->copy(&copy, &vec);
  check(copy.data != vec.data && copy.data[0] != vec.data[0]);
  kind->delete(&vec);
  check(copy.size == 3 && copy.data[1] == NULL);
  check(kind->is_good(copy.data[0]) && kind->is_good(copy.data[2]));
  kind->delete(&copy);
}

static void deleting_twice_does_nothing(const struct kind* kind) {
  void* element = kind->make();
  struct any_vec vec;
  kind->new(&vec, 1, &element);
  kind->delete(&vec);
  check(is_empty(&vec));
  kind->delete(&vec);
  check(is_empty(&vec));
}

static void buffers_are_mallocs(const struct kind* kind) {
  struct any_vec ours = {2, malloc(2 * sizeof(void*))};
  ours.data[0] = kind->make();
  ours.data[1] = NULL;
  kind->delete(&ours);
  check(is_empty(&ours));
  struct any_vec theirs;
  kind->new_uninitialized(&theirs, 3);
  free(theirs.data);
  struct any_vec grown;
  void* element = kind->make();
  kind->new(&grown, 1, &element);
  grown.data = realloc(grown.data, 2 * sizeof(void*));
  grown.data[1] = kind->make();
  grown.size = 2;
  kind->delete(&grown);
  check(is_empty(&grown));
}

static void impossible_sizes_make_empty_vectors(const struct kind* kind) {
  struct any_vec vec = {1, NULL};
  kind->new_uninitialized(&vec, SIZE_MAX / 2);
  check(is_empty(&vec));
}

static void bytes_are_copied(void) {
  wasm_byte_vec_t vec, copy;
  wasm_byte_vec_new(&vec, 3, "a\0b");
  wasm_byte_vec_copy(&copy, &vec);
  wasm_byte_vec_delete(&vec);
  check(is_empty(&vec) && copy.size == 3 && memcmp(copy.data, "a\0b", 3) == 0);
  wasm_byte_vec_delete(&copy);
  wasm_byte_vec_delete(&copy);
  wasm_byte_vec_new_uninitialized(&vec, 10);
  memset(vec.data, 1, vec.size);
  free(vec.data);
  wasm_byte_vec_t ours = {4, malloc(4)};
  wasm_byte_vec_delete(&ours);
  check(is_empty(&ours));
  wasm_byte_vec_new_empty(&vec);
  wasm_byte_vec_copy(&copy, &vec);
  check(is_empty(&vec) && is_empty(&copy));
}

static void values_own_their_references(void) {
  finalized = 0;
  wasm_foreign_t* foreign = wasm_foreign_new(store);
  wasm_foreign_set_host_info_with_finalizer(foreign, NULL, count_finalized);
  wasm_val_t elements[3] = {
    WASM_F64_VAL(1.5), WASM_REF_VAL(wasm_foreign_as_ref(foreign)), WASM_INIT_VAL,
  };
  wasm_val_vec_t vec, copy;
  wasm_val_vec_new(&vec, 3, elements);
  wasm_val_vec_copy(&copy, &vec);
  wasm_val_vec_delete(&vec);
  check(is_empty(&vec) && finalized == 0);
  check(copy.size == 3 && copy.data[0].of.f64 == 1.5 && copy.data[2].of.ref == NULL);
  check(wasm_ref_as_foreign(copy.data[1].of.ref) != NULL);
  wasm_val_vec_delete(&copy);
  check(finalized == 1);
  wasm_val_vec_delete(&copy);
  check(is_empty(&copy));
}

static void values_come_zeroed(void) {
  wasm_val_vec_t vec;
  wasm_val_vec_new_uninitialized(&vec, 5);
  for (size_t i = 0; i < 5; i++) check(vec.data[i].kind == 0 && vec.data[i].of.i64 == 0);
  wasm_val_vec_delete(&vec);
  wasm_val_vec_new_empty(&vec);
  check(is_empty(&vec));
  wasm_val_vec_t ours = {1, malloc(sizeof(wasm_val_t))};
  ours.data[0] = i32_val(1);
  wasm_val_vec_delete(&ours);
  check(is_empty(&ours));
}

static void single_values_are_copied_and_deleted(void) {
  finalized = 0;
  wasm_foreign_t* foreign = wasm_foreign_new(store);
  wasm_foreign_set_host_info_with_finalizer(foreign, NULL, count_finalized);
  wasm_val_t value = extern_val(wasm_foreign_as_ref(foreign)), copy;
  wasm_val_copy(&copy, &value);
  check(copy.kind == WASM_EXTERNREF && copy.of.ref != value.of.ref);
  check(wasm_ref_same(copy.of.ref, value.of.ref));
  wasm_val_delete(&value);
  wasm_val_delete(&value);
  check(value.of.ref == NULL && finalized == 0);
  wasm_val_delete(&copy);
  check(finalized == 1);
  wasm_val_t number = i32_val(-5);
  wasm_val_copy(&copy, &number);
  wasm_val_delete(&number);
  wasm_val_delete(&number);
  check(copy.kind == WASM_I32 && copy.of.i32 == -5 && number.of.i32 == -5);
}

int main(void) {
  store = test_store();
  wasm_instance_t* instance =
    instance_of(store, "(module (func) (func (export \"f\") unreachable))");
  wasm_func_t* func = func_at(instance, 0);
  trap = call_empty(func);
  for (size_t i = 0; i < sizeof kinds / sizeof *kinds; i++) {
    empty_vectors_have_no_buffer(&kinds[i]);
    uninitialized_vectors_hold_null(&kinds[i]);
    copies_outlive_what_they_are_made_of(&kinds[i]);
    deleting_twice_does_nothing(&kinds[i]);
    buffers_are_mallocs(&kinds[i]);
    impossible_sizes_make_empty_vectors(&kinds[i]);
  }
  bytes_are_copied();
  values_own_their_references();
  values_come_zeroed();
  single_values_are_copied_and_deleted();
  wasm_trap_delete(trap);
  wasm_func_delete(func);
  wasm_instance_delete(instance);
  wasm_store_delete(store);
  return done();
}
