/* Types: what is put in comes out, copies stand alone, odd types can be built. */

#include "harness.h"

static const wasm_valkind_t kinds[] = {
  WASM_I32, WASM_I64, WASM_F32, WASM_F64, TENON_V128, WASM_EXTERNREF, WASM_FUNCREF, TENON_ANYREF,
  TENON_EXNREF,
};

enum { KINDS = sizeof kinds / sizeof *kinds };

/* Whether the vector holds value types of these kinds. */
static bool are(const wasm_valtype_vec_t* types, size_t count, const wasm_valkind_t wanted[]) {
  bool same = types->size == count;
  for (size_t i = 0; same && i < count; i++) same = wasm_valtype_kind(types->data[i]) == wanted[i];
  return same;
}

static bool is_empty(const wasm_valtype_vec_t* vec) {
  return vec->size == 0 && vec->data == NULL;
}

static bool is_name(const wasm_name_t* name, const char* text) {
  return name->size == strlen(text) && memcmp(name->data, text, name->size) == 0;
}

static own wasm_functype_t* type_of_all_kinds(void) {
  wasm_valtype_vec_t params, results;
  wasm_valtype_vec_new_uninitialized(&params, KINDS);
  wasm_valtype_vec_new_uninitialized(&results, KINDS);
  for (size_t i = 0; i < KINDS; i++) {
    params.data[i] = wasm_valtype_new(kinds[i]);
    results.data[i] = wasm_valtype_new(kinds[i]);
  }
  wasm_functype_t* type = wasm_functype_new(&params, &results);
  check(is_empty(&params) && is_empty(&results));
  return type;
}

static void value_types_have_their_kinds(void) {
  for (size_t i = 0; i < KINDS; i++) {
    wasm_valtype_t* type = wasm_valtype_new(kinds[i]);
    wasm_valtype_t* copy = wasm_valtype_copy(type);
    wasm_valtype_delete(type);
    check(copy != type && wasm_valtype_kind(copy) == kinds[i]);
    wasm_valtype_delete(copy);
  }
}

static void there_are_no_other_kinds(void) {
  for (int kind = 0; kind < 256; kind++) {
    if (memchr(kinds, kind, KINDS)) continue;
    refused(TENON_ERROR_ARGUMENT, wasm_valtype_new((wasm_valkind_t)kind));
    check(error_says("kind"));
  }
}

static void numbers_and_references_are_told_apart(void) {
  check(wasm_valkind_is_num(WASM_I32) && wasm_valkind_is_num(WASM_F64));
  check(!wasm_valkind_is_num(WASM_EXTERNREF) && !wasm_valkind_is_num(WASM_FUNCREF));
  check(wasm_valkind_is_ref(WASM_EXTERNREF) && wasm_valkind_is_ref(WASM_FUNCREF));
  check(!wasm_valkind_is_ref(WASM_I64) && !wasm_valkind_is_ref(TENON_V128));
  wasm_valtype_t* number = wasm_valtype_new_f32();
  wasm_valtype_t* reference = wasm_valtype_new_externref();
  check(wasm_valtype_is_num(number) && !wasm_valtype_is_ref(number));
  check(wasm_valtype_is_ref(reference) && !wasm_valtype_is_num(reference));
  wasm_valtype_delete(number);
  wasm_valtype_delete(reference);
}

static void short_hands_make_their_value_types(void) {
  wasm_valtype_t* types[] = {
    wasm_valtype_new_i32(), wasm_valtype_new_i64(), wasm_valtype_new_f32(),
    wasm_valtype_new_f64(), wasm_valtype_new_externref(), wasm_valtype_new_funcref(),
  };
  static const wasm_valkind_t wanted[] = {
    WASM_I32, WASM_I64, WASM_F32, WASM_F64, WASM_EXTERNREF, WASM_FUNCREF,
  };
  for (size_t i = 0; i < sizeof wanted; i++) {
    check(wasm_valtype_kind(types[i]) == wanted[i]);
    wasm_valtype_delete(types[i]);
  }
}

/* Proves that a function type has the first `params` and `results` of these kinds. */
static void has_arity(own wasm_functype_t* type, size_t params, size_t results) {
  static const wasm_valkind_t from[] = {WASM_I32, WASM_I64, WASM_F32};
  static const wasm_valkind_t to[] = {WASM_F64, WASM_FUNCREF};
  check(are(wasm_functype_params(type), params, from));
  check(are(wasm_functype_results(type), results, to));
  wasm_functype_delete(type);
}

static void short_hands_make_their_function_types(void) {
#define P1 wasm_valtype_new_i32()
#define P2 P1, wasm_valtype_new_i64()
#define P3 P2, wasm_valtype_new_f32()
#define R1 wasm_valtype_new_f64()
#define R2 R1, wasm_valtype_new_funcref()
  has_arity(wasm_functype_new_0_0(), 0, 0);
  has_arity(wasm_functype_new_1_0(P1), 1, 0);
  has_arity(wasm_functype_new_2_0(P2), 2, 0);
  has_arity(wasm_functype_new_3_0(P3), 3, 0);
  has_arity(wasm_functype_new_0_1(R1), 0, 1);
  has_arity(wasm_functype_new_1_1(P1, R1), 1, 1);
  has_arity(wasm_functype_new_2_1(P2, R1), 2, 1);
  has_arity(wasm_functype_new_3_1(P3, R1), 3, 1);
  has_arity(wasm_functype_new_0_2(R2), 0, 2);
  has_arity(wasm_functype_new_1_2(P1, R2), 1, 2);
  has_arity(wasm_functype_new_2_2(P2, R2), 2, 2);
  has_arity(wasm_functype_new_3_2(P3, R2), 3, 2);
}

static void function_types_keep_what_they_take_over(void) {
  wasm_functype_t* type = type_of_all_kinds();
  wasm_functype_t* copy = wasm_functype_copy(type);
  check(wasm_functype_params(type) == wasm_functype_params(type));
  wasm_functype_delete(type);
  check(are(wasm_functype_params(copy), KINDS, kinds));
  check(are(wasm_functype_results(copy), KINDS, kinds));
  wasm_functype_delete(copy);
}

static void a_failing_constructor_takes_its_vectors_over_too(void) {
  wasm_valtype_t* element = wasm_valtype_new_i32();
  wasm_valtype_vec_t vec;
  wasm_valtype_vec_new(&vec, 1, &element);
  refused(TENON_ERROR_ARGUMENT, wasm_functype_new(&vec, NULL));
  check(is_empty(&vec));
  wasm_valtype_vec_delete(&vec);
  element = wasm_valtype_new_i32();
  wasm_valtype_vec_new(&vec, 1, &element);
  refused(TENON_ERROR_ARGUMENT, wasm_functype_new(NULL, &vec));
  check(is_empty(&vec));
  wasm_valtype_vec_delete(&vec);
}

static void a_failing_constructor_takes_its_names_over_too(void) {
  wasm_name_t module, name;
  wasm_name_new_from_string(&module, "module");
  wasm_name_new_from_string(&name, "name");
  refused(TENON_ERROR_ARGUMENT, wasm_importtype_new(&module, &name, NULL));
  check(module.size == 0 && module.data == NULL && name.size == 0 && name.data == NULL);
  wasm_name_delete(&module);
  wasm_name_delete(&name);
  wasm_name_new_from_string(&name, "name");
  wasm_functype_t* type = wasm_functype_new_0_0();
  refused(TENON_ERROR_ARGUMENT,
    wasm_importtype_new(NULL, &name, wasm_functype_as_externtype(type)));
  check(name.size == 0 && name.data == NULL);
  wasm_name_delete(&name);
  wasm_name_new_from_string(&name, "name");
  refused(TENON_ERROR_ARGUMENT, wasm_exporttype_new(&name, NULL));
  check(name.size == 0 && name.data == NULL);
  wasm_name_delete(&name);
}

static void global_types_keep_content_and_mutability(void) {
  static const wasm_mutability_t mutabilities[] = {WASM_CONST, WASM_VAR, 7};
  for (size_t i = 0; i < sizeof mutabilities; i++) {
    wasm_globaltype_t* type = wasm_globaltype_new(wasm_valtype_new_f64(), mutabilities[i]);
    wasm_globaltype_t* copy = wasm_globaltype_copy(type);
    wasm_globaltype_delete(type);
    check(wasm_valtype_kind(wasm_globaltype_content(copy)) == WASM_F64);
    check(wasm_globaltype_mutability(copy) == mutabilities[i]);
    wasm_globaltype_delete(copy);
  }
}

static void table_types_keep_element_and_limits(void) {
  static const wasm_limits_t all[] = {{0, 0}, {1, 0xffffffff}, {3, 1}, {0xffffffff, 5}};
  for (size_t i = 0; i < sizeof all / sizeof *all; i++) {
    wasm_tabletype_t* type = wasm_tabletype_new(wasm_valtype_new(kinds[i]), &all[i]);
    wasm_tabletype_t* copy = wasm_tabletype_copy(type);
    wasm_tabletype_delete(type);
    check(wasm_valtype_kind(wasm_tabletype_element(copy)) == kinds[i]);
    const wasm_limits_t* limits = wasm_tabletype_limits(copy);
    check(limits->min == all[i].min && limits->max == all[i].max);
    wasm_tabletype_delete(copy);
  }
}

static void memory_types_keep_their_limits(void) {
  static const wasm_limits_t all[] = {{0, 0}, {1, 0xffffffff}, {3, 1}, {0x20000, 0x20000}};
  for (size_t i = 0; i < sizeof all / sizeof *all; i++) {
    wasm_memorytype_t* type = wasm_memorytype_new(&all[i]);
    wasm_memorytype_t* copy = wasm_memorytype_copy(type);
    wasm_memorytype_delete(type);
    const wasm_limits_t* limits = wasm_memorytype_limits(copy);
    check(limits->min == all[i].min && limits->max == all[i].max);
    wasm_memorytype_delete(copy);
  }
}

static void tag_types_keep_their_function_type(void) {
  wasm_tagtype_t* type = wasm_tagtype_new(type_of_all_kinds());
  wasm_tagtype_t* copy = wasm_tagtype_copy(type);
  wasm_tagtype_delete(type);
  const wasm_functype_t* func = wasm_tagtype_functype(copy);
  check(func == wasm_tagtype_functype(copy));
  check(are(wasm_functype_params(func), KINDS, kinds));
  wasm_tagtype_delete(copy);
}

/* One type of each kind of thing, in the order of their numbers. */
static void one_of_each(own wasm_externtype_t* types[5]) {
  types[WASM_EXTERN_FUNC] = wasm_functype_as_externtype(type_of_all_kinds());
  types[WASM_EXTERN_GLOBAL] =
    wasm_globaltype_as_externtype(wasm_globaltype_new(wasm_valtype_new_i64(), WASM_VAR));
  types[WASM_EXTERN_TABLE] = wasm_tabletype_as_externtype(type_of_table(WASM_FUNCREF, 1, 2));
  types[WASM_EXTERN_MEMORY] = wasm_memorytype_as_externtype(type_of_memory(3, 4));
  types[WASM_EXTERN_TAG] = wasm_tagtype_as_externtype(wasm_tagtype_new(wasm_functype_new_0_0()));
}

static void* cast(wasm_externtype_t* type, wasm_externkind_t kind) {
  switch (kind) {
    case WASM_EXTERN_FUNC: return wasm_externtype_as_functype(type);
    case WASM_EXTERN_GLOBAL: return wasm_externtype_as_globaltype(type);
    case WASM_EXTERN_TABLE: return wasm_externtype_as_tabletype(type);
    case WASM_EXTERN_MEMORY: return wasm_externtype_as_memorytype(type);
    default: return wasm_externtype_as_tagtype(type);
  }
}

static const void* cast_const(const wasm_externtype_t* type, wasm_externkind_t kind) {
  switch (kind) {
    case WASM_EXTERN_FUNC: return wasm_externtype_as_functype_const(type);
    case WASM_EXTERN_GLOBAL: return wasm_externtype_as_globaltype_const(type);
    case WASM_EXTERN_TABLE: return wasm_externtype_as_tabletype_const(type);
    case WASM_EXTERN_MEMORY: return wasm_externtype_as_memorytype_const(type);
    default: return wasm_externtype_as_tagtype_const(type);
  }
}

static const wasm_externtype_t* cast_back(const void* type, wasm_externkind_t kind) {
  switch (kind) {
    case WASM_EXTERN_FUNC: return wasm_functype_as_externtype_const(type);
    case WASM_EXTERN_GLOBAL: return wasm_globaltype_as_externtype_const(type);
    case WASM_EXTERN_TABLE: return wasm_tabletype_as_externtype_const(type);
    case WASM_EXTERN_MEMORY: return wasm_memorytype_as_externtype_const(type);
    default: return wasm_tagtype_as_externtype_const(type);
  }
}

static void casts_give_the_same_type_or_null(void) {
  wasm_externtype_t* types[5];
  one_of_each(types);
  for (wasm_externkind_t of = 0; of < 5; of++) {
    check(wasm_externtype_kind(types[of]) == of);
    for (wasm_externkind_t to = 0; to < 5; to++) {
      tenon_last_error_clear();
      const void* wanted = of == to ? types[of] : NULL;
      check(cast(types[of], to) == wanted);
      check((tenon_last_error_code() == TENON_OK) == (of == to));
      tenon_last_error_clear();
      check(cast_const(types[of], to) == wanted);
      check((tenon_last_error_code() == TENON_OK) == (of == to));
    }
    check(cast_back(types[of], of) == types[of]);
  }
  for (size_t i = 0; i < 5; i++) wasm_externtype_delete(types[i]);
}

static void copies_of_any_type_are_of_its_kind(void) {
  wasm_externtype_t* types[5];
  one_of_each(types);
  for (wasm_externkind_t kind = 0; kind < 5; kind++) {
    wasm_externtype_t* copy = wasm_externtype_copy(types[kind]);
    wasm_externtype_delete(types[kind]);
    check(wasm_externtype_kind(copy) == kind && cast(copy, kind) == (void*)copy);
    wasm_externtype_delete(copy);
  }
}

static void import_and_export_types_keep_names_and_type(void) {
  wasm_externtype_t* types[5];
  one_of_each(types);
  for (wasm_externkind_t kind = 0; kind < 5; kind++) {
    wasm_name_t module, name;
    wasm_name_new_from_string(&module, "mod");
    wasm_name_new_from_string(&name, "");
    wasm_importtype_t* import =
      wasm_importtype_new(&module, &name, wasm_externtype_copy(types[kind]));
    check(module.size == 0 && module.data == NULL && name.size == 0 && name.data == NULL);
    wasm_importtype_t* copy = wasm_importtype_copy(import);
    wasm_importtype_delete(import);
    check(is_name(wasm_importtype_module(copy), "mod"));
    check(is_name(wasm_importtype_name(copy), ""));
    check(wasm_externtype_kind(wasm_importtype_type(copy)) == kind);
    wasm_importtype_delete(copy);

    wasm_name_new_from_string(&name, "\xff any bytes");
    wasm_exporttype_t* export = wasm_exporttype_new(&name, types[kind]);
    check(name.size == 0 && name.data == NULL);
    wasm_exporttype_t* twin = wasm_exporttype_copy(export);
    wasm_exporttype_delete(export);
    check(is_name(wasm_exporttype_name(twin), "\xff any bytes"));
    check(wasm_externtype_kind(wasm_exporttype_type(twin)) == kind);
    wasm_exporttype_delete(twin);
  }
}

static void impossible_types_are_refused_when_used(void) {
  wasm_store_t* store = test_store();
  wasm_tabletype_t* of_numbers = type_of_table(WASM_I32, 1, 2);
  refused(tenon_last_error_code(), wasm_table_new(store, of_numbers, NULL));
  check(tenon_last_error_code() != TENON_OK);
  wasm_tabletype_delete(of_numbers);
  wasm_tabletype_t* shrinking = type_of_table(WASM_FUNCREF, 3, 1);
  refused(TENON_ERROR_LIMIT, wasm_table_new(store, shrinking, NULL));
  wasm_tabletype_delete(shrinking);
  static const wasm_limits_t memories[] = {{3, 1}, {65537, 0xffffffff}, {0xffffffff, 0xffffffff}};
  for (size_t i = 0; i < sizeof memories / sizeof *memories; i++) {
    wasm_memorytype_t* type = wasm_memorytype_new(&memories[i]);
    refused(TENON_ERROR_LIMIT, wasm_memory_new(store, type));
    wasm_memorytype_delete(type);
  }
  wasm_valtype_t* missing[] = {NULL};
  wasm_valtype_vec_t params, results;
  wasm_valtype_vec_new(&params, 1, missing);
  wasm_valtype_vec_new_empty(&results);
  wasm_functype_t* incomplete = wasm_functype_new(&params, &results);
  check(incomplete && wasm_functype_params(incomplete)->data[0] == NULL);
  refused(TENON_ERROR_ARGUMENT, wasm_func_new(store, incomplete, (wasm_func_callback_t)(void*)1));
  wasm_functype_delete(incomplete);
  wasm_store_delete(store);
}

static void any_mutability_but_const_can_be_set(void) {
  wasm_store_t* store = test_store();
  wasm_global_t* global = global_of(store, 7, i32_val(1));
  wasm_val_t value = i32_val(2);
  accepted((wasm_global_set(global, &value), true));
  wasm_global_get(global, &value);
  check(value.of.i32 == 2);
  wasm_global_delete(global);
  wasm_store_delete(store);
}

static void names_come_from_strings(void) {
  wasm_name_t name, terminated, copy;
  wasm_name_new_from_string(&name, "abc");
  wasm_name_new_from_string_nt(&terminated, "abc");
  check(is_name(&name, "abc"));
  check(terminated.size == 4 && memcmp(terminated.data, "abc", 4) == 0);
  wasm_name_copy(&copy, &name);
  wasm_name_delete(&name);
  check(is_name(&copy, "abc"));
  wasm_name_delete(&copy);
  wasm_name_delete(&terminated);
  wasm_name_new(&name, 2, "xyz");
  check(is_name(&name, "xy"));
  wasm_name_delete(&name);
  wasm_name_new_empty(&name);
  check(name.size == 0 && name.data == NULL);
  wasm_name_new_uninitialized(&name, 5);
  check(name.size == 5 && name.data != NULL);
  wasm_name_delete(&name);
  wasm_name_new_new_uninitialized(&name, 6);
  check(name.size == 6 && name.data != NULL);
  wasm_name_delete(&name);
}

static void macros_make_values(void) {
  int thing;
  wasm_val_t values[] = {
    WASM_I32_VAL(-1), WASM_I64_VAL(INT64_MIN), WASM_F32_VAL(1.5f), WASM_F64_VAL(-2.5),
    WASM_REF_VAL((wasm_ref_t*)(void*)&thing), WASM_INIT_VAL,
  };
  check(values[0].kind == WASM_I32 && values[0].of.i32 == -1);
  check(values[1].kind == WASM_I64 && values[1].of.i64 == INT64_MIN);
  check(values[2].kind == WASM_F32 && values[2].of.f32 == 1.5f);
  check(values[3].kind == WASM_F64 && values[3].of.f64 == -2.5);
  check(values[4].kind == WASM_EXTERNREF && (void*)values[4].of.ref == &thing);
  check(values[5].kind == WASM_EXTERNREF && values[5].of.ref == NULL);
  wasm_val_vec_t array = WASM_ARRAY_VEC(values), empty = WASM_EMPTY_VEC;
  check(array.size == 6 && array.data == values && empty.size == 0 && empty.data == NULL);
  wasm_val_t pointer;
  wasm_val_init_ptr(&pointer, &thing);
  check(wasm_val_ptr(&pointer) == &thing && wasm_valkind_is_num(pointer.kind));
}

static void constants_are_the_standards(void) {
  check(wasm_limits_max_default == 0xffffffff && MEMORY_PAGE_SIZE == 0x10000);
  check(WASM_CONST == 0 && WASM_VAR == 1 && WASM_EXTERN_TAG == 4 && TENON_V128 == 4);
  check(WASM_I32 == 0 && WASM_I64 == 1 && WASM_F32 == 2 && WASM_F64 == 3);
  check(WASM_EXTERNREF == 128 && WASM_FUNCREF == 129);
}

int main(void) {
  value_types_have_their_kinds();
  there_are_no_other_kinds();
  numbers_and_references_are_told_apart();
  short_hands_make_their_value_types();
  short_hands_make_their_function_types();
  function_types_keep_what_they_take_over();
  a_failing_constructor_takes_its_vectors_over_too();
  a_failing_constructor_takes_its_names_over_too();
  global_types_keep_content_and_mutability();
  table_types_keep_element_and_limits();
  memory_types_keep_their_limits();
  tag_types_keep_their_function_type();
  casts_give_the_same_type_or_null();
  copies_of_any_type_are_of_its_kind();
  import_and_export_types_keep_names_and_type();
  impossible_types_are_refused_when_used();
  any_mutability_but_const_can_be_set();
  names_come_from_strings();
  macros_make_values();
  constants_are_the_standards();
  return done();
}
