/* Objects: structs, arrays, numbers of 31 bits, and the types that are defined for them, as C makes,
 * reads and writes them. */

#include <setjmp.h>

#include "harness.h"

static wasm_engine_t* engine;

static own wasm_store_t* new_store(void) {
  return wasm_store_new(engine);
}

static own wasm_valtype_t* ref_to(tenon_heap_kind_t heap, bool nullable) {
  return tenon_valtype_ref_new(heap, NULL, nullable);
}

static own wasm_valtype_t* ref_to_type(const tenon_deftype_t* type, bool nullable) {
  return tenon_valtype_ref_new(TENON_HEAP_DEFINED, type, nullable);
}

/* A struct type of these fields, whose value types are deleted. */
static own tenon_deftype_t* struct_type(size_t count, tenon_field_t fields[]) {
  tenon_definition_t definition = {
    .kind = TENON_TYPE_STRUCT, .is_final = true, .field_count = count, .fields = fields};
  tenon_deftype_t* type = tenon_deftype_new(engine, &definition);
  for (size_t i = 0; i < count; i++) wasm_valtype_delete(fields[i].type);
  return type;
}

/* A type of arrays of mutable elements. */
static own tenon_deftype_t* array_type(tenon_storage_t storage, own wasm_valtype_t* of) {
  tenon_field_t element = {storage, WASM_VAR, of};
  tenon_definition_t definition = {
    .kind = TENON_TYPE_ARRAY, .is_final = true, .field_count = 1, .fields = &element};
  tenon_deftype_t* type = tenon_deftype_new(engine, &definition);
  wasm_valtype_delete(of);
  return type;
}

static wasm_val_t any_val(wasm_ref_t* reference) {
  return (wasm_val_t){.kind = TENON_ANYREF, .of = {.ref = reference}};
}

static const struct { tenon_heap_kind_t heap; wasm_valkind_t kind; } abstract[] = {
  {TENON_HEAP_FUNC, WASM_FUNCREF}, {TENON_HEAP_NOFUNC, WASM_FUNCREF},
  {TENON_HEAP_EXTERN, WASM_EXTERNREF}, {TENON_HEAP_NOEXTERN, WASM_EXTERNREF},
  {TENON_HEAP_ANY, TENON_ANYREF}, {TENON_HEAP_EQ, TENON_ANYREF}, {TENON_HEAP_I31, TENON_ANYREF},
  {TENON_HEAP_STRUCT, TENON_ANYREF}, {TENON_HEAP_ARRAY, TENON_ANYREF},
  {TENON_HEAP_NONE, TENON_ANYREF}, {TENON_HEAP_EXN, TENON_EXNREF}, {TENON_HEAP_NOEXN, TENON_EXNREF},
};

static void types_of_references_are_told_apart(void) {
  const size_t count = sizeof abstract / sizeof *abstract;
  for (size_t i = 0; i < count; i++) {
    for (int nullable = 0; nullable < 2; nullable++) {
      wasm_valtype_t* type = ref_to(abstract[i].heap, nullable);
      wasm_valtype_t* copy = wasm_valtype_copy(type);
      check(tenon_valtype_heap_kind(copy) == abstract[i].heap);
      check(tenon_valtype_is_nullable(copy) == nullable);
      check(wasm_valtype_kind(copy) == abstract[i].kind);
      check(tenon_valtype_same(type, copy) && tenon_valtype_matches(engine, type, copy));
      refused(TENON_ERROR_ARGUMENT, tenon_valtype_deftype(engine, type));
      wasm_valtype_t* other = ref_to(abstract[i].heap, !nullable);
      check(!tenon_valtype_same(type, other));
      check(tenon_valtype_matches(engine, type, other) == !nullable);
      wasm_valtype_delete(other);
      wasm_valtype_delete(copy);
      wasm_valtype_delete(type);
    }
  }
  wasm_valtype_t* number = wasm_valtype_new_i32();
  check(tenon_valtype_heap_kind(number) == TENON_HEAP_NUMBER);
  check(!tenon_valtype_is_nullable(number));
  wasm_valtype_delete(number);
  refused(TENON_ERROR_ARGUMENT, ref_to(TENON_HEAP_NUMBER, true));
  refused(TENON_ERROR_ARGUMENT, ref_to(14, true));
  refused(TENON_ERROR_ARGUMENT, ref_to(TENON_HEAP_DEFINED, true));
  // What wasm.h makes is the nullable reference to anything of a kind.
  wasm_valtype_t* any = wasm_valtype_new(TENON_ANYREF);
  check(tenon_valtype_heap_kind(any) == TENON_HEAP_ANY && tenon_valtype_is_nullable(any));
  wasm_valtype_t* i31 = ref_to(TENON_HEAP_I31, false);
  check(tenon_valtype_matches(engine, i31, any) && !tenon_valtype_matches(engine, any, i31));
  wasm_valtype_delete(i31);
  wasm_valtype_delete(any);
}

static void types_are_defined_and_taken_apart(void) {
  tenon_field_t fields[] = {
    {TENON_STORAGE_VALUE, WASM_CONST, wasm_valtype_new_i64()},
    {TENON_STORAGE_I8, WASM_VAR, NULL},
    {TENON_STORAGE_I16, WASM_CONST, NULL},
    {TENON_STORAGE_VALUE, WASM_VAR, ref_to(TENON_HEAP_ARRAY, false)},
  };
  const tenon_field_t wanted[] = {fields[0], fields[1], fields[2], fields[3]};
  tenon_definition_t definition = {
    .kind = TENON_TYPE_STRUCT, .field_count = 4, .fields = fields};
  tenon_deftype_t* type = tenon_deftype_new(engine, &definition);
  tenon_deftype_t* again = tenon_deftype_new(engine, &definition);
  tenon_deftype_t* copy = tenon_deftype_copy(type);
  check(tenon_deftype_same(type, again) && tenon_deftype_same(type, copy));
  check(tenon_deftype_kind(type) == TENON_TYPE_STRUCT && !tenon_deftype_is_final(type));
  check(tenon_deftype_field_count(type) == 4);
  accepted(!tenon_deftype_supertype(engine, type));
  refused(TENON_ERROR_ARGUMENT, tenon_deftype_functype(type));
  for (size_t i = 0; i < 4; i++) {
    tenon_field_t field;
    check(tenon_deftype_field(type, i, &field) == TENON_OK);
    check(field.storage == wanted[i].storage && field.mutability == wanted[i].mutability);
    if (wanted[i].type) check(tenon_valtype_same(field.type, wanted[i].type));
    else check(wasm_valtype_kind(field.type) == WASM_I32);
    wasm_valtype_delete(field.type);
  }
  tenon_field_t none;
  check(tenon_deftype_field(type, 4, &none) == TENON_ERROR_ARGUMENT && none.type == NULL);

  // Below it: one field more.
  tenon_field_t more[] = {fields[0], fields[1], fields[2], fields[3],
    {TENON_STORAGE_VALUE, WASM_VAR, wasm_valtype_new_f32()}};
  tenon_definition_t sub = {.kind = TENON_TYPE_STRUCT, .is_final = true, .supertype = type,
    .field_count = 5, .fields = more};
  tenon_deftype_t* below = tenon_deftype_new(engine, &sub);
  check(tenon_deftype_matches(below, type) && !tenon_deftype_matches(type, below));
  check(tenon_deftype_is_final(below));
  tenon_deftype_t* above = tenon_deftype_supertype(engine, below);
  check(tenon_deftype_same(above, type));
  wasm_valtype_t* ref_below = ref_to_type(below, false);
  wasm_valtype_t* ref_type = ref_to_type(type, true);
  check(tenon_valtype_matches(engine, ref_below, ref_type));
  check(!tenon_valtype_matches(engine, ref_type, ref_below));
  tenon_deftype_t* named = tenon_valtype_deftype(engine, ref_below);
  check(tenon_deftype_same(named, below));
  // Nothing can be below what is final, or have other fields than what it is below.
  sub.supertype = below;
  refused(TENON_ERROR_TYPE, tenon_deftype_new(engine, &sub));
  sub.supertype = type, sub.field_count = 2;
  refused(TENON_ERROR_TYPE, tenon_deftype_new(engine, &sub));

  for (size_t i = 0; i < 4; i++) wasm_valtype_delete(fields[i].type);
  wasm_valtype_delete(more[4].type);
  wasm_valtype_delete(ref_below);
  wasm_valtype_delete(ref_type);
  tenon_deftype_delete(named);
  tenon_deftype_delete(above);
  tenon_deftype_delete(below);
  tenon_deftype_delete(copy);
  tenon_deftype_delete(again);
  tenon_deftype_delete(type);
}

static void function_types_are_defined_too(void) {
  wasm_functype_t* func = type_i32_i32();
  tenon_definition_t definition = {.kind = TENON_TYPE_FUNC, .is_final = true, .func = func};
  tenon_deftype_t* type = tenon_deftype_new(engine, &definition);
  check(tenon_deftype_kind(type) == TENON_TYPE_FUNC && tenon_deftype_field_count(type) == 0);
  tenon_field_t field;
  check(tenon_deftype_field(type, 0, &field) == TENON_ERROR_ARGUMENT);
  wasm_functype_t* got = tenon_deftype_functype(type);
  check(wasm_functype_params(got)->size == 1 && wasm_functype_results(got)->size == 1);
  wasm_store_t* store = new_store();
  wasm_instance_t* instance = instance_of(store,
    "(module (func (export \"f\") (param i32) (result i32) (local.get 0)))");
  wasm_func_t* identity = func_at(instance, 0);
  tenon_deftype_t* of_func = tenon_func_deftype(identity);
  check(tenon_deftype_same(of_func, type));
  tenon_deftype_delete(of_func);
  wasm_func_delete(identity);
  wasm_instance_delete(instance);
  wasm_store_delete(store);
  wasm_functype_delete(got);
  wasm_functype_delete(func);
  tenon_deftype_delete(type);
}

/* A list and its node, which name each other. */
static void define_list(tenon_deftype_t* out[2]) {
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

static void types_of_a_group_name_each_other(void) {
  tenon_deftype_t *first[2], *second[2];
  define_list(first);
  define_list(second);
  tenon_field_t field;
  for (int i = 0; i < 2; i++) {
    check(tenon_deftype_same(first[i], second[i]));
    check(tenon_deftype_field(first[i], 0, &field) == TENON_OK);
    tenon_deftype_t* other = tenon_valtype_deftype(engine, field.type);
    check(tenon_deftype_same(other, first[1 - i]));
    tenon_deftype_delete(other);
    wasm_valtype_delete(field.type);
  }
  // What a group has no place for, or that comes too late.
  tenon_deftype_t* place = tenon_deftype_place(TENON_TYPE_STRUCT, 7);
  refused(TENON_ERROR_ARGUMENT, tenon_deftype_same(place, first[0]));
  tenon_field_t of_place = {TENON_STORAGE_VALUE, WASM_VAR, ref_to_type(place, true)};
  tenon_definition_t definition = {
    .kind = TENON_TYPE_STRUCT, .is_final = true, .field_count = 1, .fields = &of_place};
  refused(TENON_ERROR_TYPE, tenon_deftype_new(engine, &definition));
  tenon_definition_t early = {.kind = TENON_TYPE_STRUCT, .supertype = place};
  refused(TENON_ERROR_TYPE, tenon_deftype_new(engine, &early));
  tenon_definition_t no_array = {.kind = TENON_TYPE_ARRAY, .field_count = 0};
  refused(TENON_ERROR_ARGUMENT, tenon_deftype_new(engine, &no_array));
  tenon_definition_t no_kind = {.kind = 9};
  refused(TENON_ERROR_ARGUMENT, tenon_deftype_new(engine, &no_kind));
  refused(TENON_ERROR_ARGUMENT, tenon_deftype_place(9, 0));
  // A type that names a place is no type of a global, a table or a function.
  wasm_store_t* store = new_store();
  wasm_globaltype_t* global = wasm_globaltype_new(wasm_valtype_copy(of_place.type), WASM_VAR);
  wasm_val_t null = any_val(NULL);
  refused(TENON_ERROR_TYPE, wasm_global_new(store, global, &null));
  wasm_limits_t limits = {1, 1};
  wasm_tabletype_t* table = wasm_tabletype_new(wasm_valtype_copy(of_place.type), &limits);
  refused(TENON_ERROR_TYPE, wasm_table_new(store, table, NULL));
  wasm_functype_t* func = wasm_functype_new_1_0(wasm_valtype_copy(of_place.type));
  refused(TENON_ERROR_TYPE, tenon_func_new_raw(store, func, (tenon_raw_callback_t)8, NULL, NULL));
  wasm_functype_delete(func);
  wasm_tabletype_delete(table);
  wasm_globaltype_delete(global);
  wasm_store_delete(store);
  wasm_valtype_delete(of_place.type);
  tenon_deftype_delete(place);
  for (int i = 0; i < 2; i++) tenon_deftype_delete(first[i]), tenon_deftype_delete(second[i]);
}

static void types_that_are_gone_are_not_found(void) {
  tenon_field_t field = {TENON_STORAGE_VALUE, WASM_CONST, ref_to(TENON_HEAP_NOEXTERN, false)};
  tenon_deftype_t* type = struct_type(1, &field);
  wasm_valtype_t* stale = ref_to_type(type, true);
  tenon_deftype_delete(type);
  check(tenon_valtype_heap_kind(stale) == TENON_HEAP_DEFINED);
  refused(TENON_ERROR_TYPE, tenon_valtype_deftype(engine, stale));
  check(tenon_valtype_matches(engine, stale, stale));
  wasm_store_t* store = new_store();
  wasm_globaltype_t* global = wasm_globaltype_new(stale, WASM_VAR);
  wasm_val_t null = any_val(NULL);
  refused(TENON_ERROR_TYPE, wasm_global_new(store, global, &null));
  wasm_globaltype_delete(global);
  wasm_store_delete(store);
  // Another engine does not know the types of this one.
  wasm_engine_t* other = test_engine();
  tenon_deftype_t* bytes = array_type(TENON_STORAGE_I8, NULL);
  wasm_valtype_t* of_bytes = ref_to_type(bytes, true);
  refused(TENON_ERROR_TYPE, tenon_valtype_deftype(other, of_bytes));
  store = wasm_store_new(other);
  refused(TENON_ERROR_TYPE, tenon_array_new(store, bytes, 3, NULL));
  wasm_store_delete(store);
  wasm_valtype_delete(of_bytes);
  tenon_deftype_delete(bytes);
  wasm_engine_delete(other);
}

static void numbers_of_31_bits(void) {
  wasm_store_t* store = new_store();
  const int32_t values[] = {0, 1, -1, 0x3fffffff, -0x40000000};
  for (size_t i = 0; i < 5; i++) {
    wasm_ref_t *a = tenon_i31_new(store, values[i]), *b = tenon_i31_new(store, values[i]);
    int32_t got = 7;
    check(tenon_ref_kind(a) == TENON_REF_I31);
    check(tenon_i31_get(a, &got) == TENON_OK && got == values[i]);
    check(wasm_ref_same(a, b));
    check(tenon_object_size(a) == 0);
    refused(TENON_ERROR_ARGUMENT, tenon_object_type(a));
    wasm_val_t value;
    check(tenon_object_get(a, 0, &value) == TENON_ERROR_LIMIT && value.of.ref == NULL);
    value = i32_val(1);
    check(tenon_object_set(a, 0, &value) == TENON_ERROR_LIMIT);
    wasm_ref_delete(a);
    wasm_ref_delete(b);
  }
  // The highest bit of 32 is not kept.
  wasm_ref_t* cut = tenon_i31_new(store, INT32_MAX);
  int32_t got;
  check(tenon_i31_get(cut, &got) == TENON_OK && got == -1);
  wasm_foreign_t* foreign = wasm_foreign_new(store);
  check(tenon_i31_get(wasm_foreign_as_ref(foreign), &got) == TENON_ERROR_ARGUMENT);
  check(tenon_i31_get(cut, NULL) == TENON_ERROR_ARGUMENT);
  wasm_foreign_delete(foreign);
  wasm_ref_delete(cut);
  wasm_store_delete(store);
}

/* A struct with a field of each sort. */
enum { BYTE, SHORT, INT, LONG, FLOAT, DOUBLE, VECTOR, FUNC, EXTERN, ANY, FIELDS };

static own tenon_deftype_t* type_of_everything(void) {
  tenon_field_t fields[FIELDS] = {
    {TENON_STORAGE_I8, WASM_VAR, NULL},
    {TENON_STORAGE_I16, WASM_VAR, NULL},
    {TENON_STORAGE_VALUE, WASM_VAR, wasm_valtype_new_i32()},
    {TENON_STORAGE_VALUE, WASM_CONST, wasm_valtype_new_i64()},
    {TENON_STORAGE_VALUE, WASM_VAR, wasm_valtype_new_f32()},
    {TENON_STORAGE_VALUE, WASM_VAR, wasm_valtype_new_f64()},
    {TENON_STORAGE_VALUE, WASM_VAR, wasm_valtype_new(TENON_V128)},
    {TENON_STORAGE_VALUE, WASM_VAR, wasm_valtype_new_funcref()},
    {TENON_STORAGE_VALUE, WASM_VAR, wasm_valtype_new_externref()},
    {TENON_STORAGE_VALUE, WASM_VAR, wasm_valtype_new(TENON_ANYREF)},
  };
  return struct_type(FIELDS, fields);
}

static own wasm_val_t field_of(const wasm_ref_t* object, size_t index) {
  wasm_val_t value;
  check(tenon_object_get(object, index, &value) == TENON_OK);
  return value;
}

static void structs_hold_every_kind_of_value(void) {
  wasm_store_t* store = new_store();
  tenon_deftype_t* type = type_of_everything();
  wasm_ref_t* object = tenon_struct_new(store, type, NULL);
  check(tenon_ref_kind(object) == TENON_REF_STRUCT && tenon_object_size(object) == FIELDS);
  tenon_deftype_t* its = tenon_object_type(object);
  check(tenon_deftype_same(its, type));
  tenon_deftype_delete(its);
  wasm_func_t* func = func_of_type(store, wasm_functype_new_0_0(), (wasm_func_callback_t)8);
  wasm_foreign_t* foreign = wasm_foreign_new(store);
  const struct { size_t index; wasm_val_t value; int32_t read; } numbers[] = {
    {BYTE, i32_val(-2), 0xfe}, {SHORT, i32_val(-2), 0xfffe}, {INT, i32_val(-2), -2}};
  for (size_t i = 0; i < 3; i++) {
    check(field_of(object, numbers[i].index).of.i32 == 0);
    check(tenon_object_set(object, numbers[i].index, &numbers[i].value) == TENON_OK);
    check(field_of(object, numbers[i].index).of.i32 == numbers[i].read);
  }
  wasm_val_t value = WASM_I64_VAL(5);
  check(tenon_object_set(object, LONG, &value) == TENON_ERROR_TYPE && error_says("cannot be set"));
  value = (wasm_val_t)WASM_F32_VAL(1.5f);
  check(tenon_object_set(object, FLOAT, &value) == TENON_OK);
  check(field_of(object, FLOAT).of.f32 == 1.5f);
  check(tenon_object_set(object, DOUBLE, &value) == TENON_ERROR_TYPE);
  value = (wasm_val_t)WASM_F64_VAL(-0.25);
  check(tenon_object_set(object, DOUBLE, &value) == TENON_OK);
  check(field_of(object, DOUBLE).of.f64 == -0.25);
  check(tenon_object_get(object, VECTOR, &value) == TENON_ERROR_TYPE && value.of.ref == NULL);
  tenon_raw_t raw = {.v128 = {1, 2, 3, [15] = 16}}, got;
  check(tenon_object_set_raw(object, VECTOR, &raw) == TENON_OK);
  check(tenon_object_get_raw(object, VECTOR, &got) == TENON_OK);
  check(memcmp(&raw, &got, sizeof raw) == 0);
  check(tenon_object_get_raw(object, FIELDS, &got) == TENON_ERROR_LIMIT);
  check(tenon_object_set_raw(object, LONG, &raw) == TENON_ERROR_TYPE);
  // References: to a function, to an object of the host, to the object itself.
  const struct { size_t index; wasm_val_t value; } references[] = {
    {FUNC, func_val(wasm_func_as_ref(func))}, {EXTERN, extern_val(wasm_foreign_as_ref(foreign))},
    {ANY, any_val(object)}};
  for (size_t i = 0; i < 3; i++) {
    wasm_val_t before = field_of(object, references[i].index);
    check(before.kind == references[i].value.kind && before.of.ref == NULL);
    check(tenon_object_set(object, references[i].index, &references[i].value) == TENON_OK);
    wasm_val_t after = field_of(object, references[i].index);
    check(after.kind == before.kind && wasm_ref_same(after.of.ref, references[i].value.of.ref));
    wasm_val_delete(&after);
  }
  check(tenon_object_set(object, FUNC, &references[1].value) == TENON_ERROR_TYPE);
  value = func_val(wasm_foreign_as_ref(foreign));
  check(tenon_object_set(object, FUNC, &value) == TENON_ERROR_TYPE);
  check(tenon_object_set(object, FIELDS, &value) != TENON_OK);
  check(tenon_object_set(object, SIZE_MAX, &value) != TENON_OK);
  wasm_foreign_delete(foreign);
  wasm_func_delete(func);
  tenon_store_collect(store);
  value = field_of(object, EXTERN);
  check(tenon_ref_kind(value.of.ref) == TENON_REF_HOST);
  wasm_val_delete(&value);
  wasm_ref_delete(object);
  tenon_deftype_delete(type);
  wasm_store_delete(store);
}

static void structs_want_all_their_fields(void) {
  wasm_store_t *store = new_store(), *other = new_store();
  tenon_field_t fields[] = {{TENON_STORAGE_VALUE, WASM_CONST, wasm_valtype_new_i32()},
    {TENON_STORAGE_VALUE, WASM_CONST, ref_to(TENON_HEAP_I31, false)}};
  tenon_deftype_t* type = struct_type(2, fields);
  wasm_ref_t* number = tenon_i31_new(store, 4);
  wasm_ref_t* elsewhere = tenon_i31_new(other, 4);
  wasm_val_t values[] = {i32_val(3), any_val(number)};
  wasm_val_vec_t vec = WASM_ARRAY_VEC(values);
  wasm_ref_t* object = tenon_struct_new(store, type, &vec);
  check(object && field_of(object, 0).of.i32 == 3);
  vec.size = 1;
  refused(TENON_ERROR_TYPE, tenon_struct_new(store, type, &vec));
  vec.size = 2;
  refused(TENON_ERROR_TYPE, tenon_struct_new(store, type, NULL));
  values[1] = any_val(NULL);
  refused(TENON_ERROR_TYPE, tenon_struct_new(store, type, &vec));
  values[1] = any_val(object);
  refused(TENON_ERROR_TYPE, tenon_struct_new(store, type, &vec));
  values[1] = any_val(elsewhere);
  refused(TENON_ERROR_TYPE, tenon_struct_new(store, type, &vec));
  values[1] = any_val(number);
  refused(TENON_ERROR_TYPE, tenon_struct_new(other, type, &vec));
  values[0].kind = 77;
  refused(TENON_ERROR_TYPE, tenon_struct_new(store, type, &vec));
  refused(TENON_ERROR_TYPE, tenon_array_new(store, type, 1, NULL));
  tenon_deftype_t* bytes = array_type(TENON_STORAGE_I8, NULL);
  refused(TENON_ERROR_TYPE, tenon_struct_new(store, bytes, NULL));
  tenon_deftype_delete(bytes);
  wasm_ref_delete(object);
  wasm_ref_delete(number);
  wasm_ref_delete(elsewhere);
  tenon_deftype_delete(type);
  wasm_store_delete(other);
  wasm_store_delete(store);
}

static void arrays_are_read_and_written_at_once(void) {
  wasm_store_t* store = new_store();
  tenon_deftype_t* type = array_type(TENON_STORAGE_I16, NULL);
  const uint16_t source[] = {1, 2, 0xffff, 4};
  wasm_ref_t* array = tenon_array_new_from(store, type, source, sizeof source);
  check(tenon_ref_kind(array) == TENON_REF_ARRAY && tenon_object_size(array) == 4);
  check(field_of(array, 2).of.i32 == 0xffff);
  uint16_t out[4] = {0};
  check(tenon_array_read(array, 1, 3, out) == TENON_OK && memcmp(out, source + 1, 6) == 0);
  check(tenon_array_read(array, 4, 0, out) == TENON_OK);
  check(tenon_array_read(array, 0, 0, NULL) == TENON_OK);
  check(tenon_array_read(array, 2, 3, out) == TENON_ERROR_LIMIT);
  check(tenon_array_read(array, 5, 0, out) == TENON_ERROR_LIMIT);
  check(tenon_array_read(array, SIZE_MAX, 2, out) == TENON_ERROR_LIMIT);
  check(tenon_array_read(array, 2, SIZE_MAX, out) == TENON_ERROR_LIMIT);
  check(tenon_array_read(array, 0, 1, NULL) == TENON_ERROR_ARGUMENT);
  const uint16_t other[] = {7, 8};
  check(tenon_array_write(array, 2, 2, other) == TENON_OK);
  check(tenon_array_write(array, 3, 2, other) == TENON_ERROR_LIMIT);
  check(tenon_array_write(array, 0, 1, NULL) == TENON_ERROR_ARGUMENT);
  check(tenon_array_read(array, 0, 4, out) == TENON_OK);
  check(out[0] == 1 && out[1] == 2 && out[2] == 7 && out[3] == 8);
  refused(TENON_ERROR_TYPE, tenon_array_new_from(store, type, source, 3));
  refused(TENON_ERROR_ARGUMENT, tenon_array_new_from(store, type, NULL, 2));
  wasm_ref_t* empty = tenon_array_new_from(store, type, NULL, 0);
  check(empty && tenon_object_size(empty) == 0);
  wasm_ref_delete(empty);
  wasm_ref_delete(array);
  tenon_deftype_delete(type);
  wasm_store_delete(store);
}

static void arrays_of_one_value_and_of_many(void) {
  wasm_store_t* store = new_store();
  tenon_deftype_t* type = array_type(TENON_STORAGE_VALUE, ref_to(TENON_HEAP_EQ, false));
  wasm_ref_t* number = tenon_i31_new(store, -5);
  wasm_val_t element = any_val(number), changed;
  refused(TENON_ERROR_TYPE, tenon_array_new(store, type, 2, NULL));
  wasm_ref_t* array = tenon_array_new(store, type, 3, &element);
  wasm_val_t pair[] = {any_val(array), any_val(number)};
  wasm_val_vec_t vec = WASM_ARRAY_VEC(pair);
  wasm_ref_t* of = tenon_array_new_of(store, type, &vec);
  check(tenon_object_size(array) == 3 && tenon_object_size(of) == 2);
  for (size_t i = 0; i < 3; i++) {
    wasm_val_t value = field_of(array, i);
    check(wasm_ref_same(value.of.ref, number));
    wasm_val_delete(&value);
  }
  changed = field_of(of, 0);
  check(wasm_ref_same(changed.of.ref, array) && !wasm_ref_same(array, of));
  wasm_val_delete(&changed);
  uint64_t out[8];
  check(tenon_array_read(array, 0, 1, out) == TENON_ERROR_TYPE);
  check(tenon_array_write(array, 0, 1, out) == TENON_ERROR_TYPE);
  refused(TENON_ERROR_TYPE, tenon_array_new_from(store, type, out, 8));
  changed = any_val(NULL);
  check(tenon_object_set(array, 0, &changed) == TENON_ERROR_TYPE);
  changed = any_val(of);
  check(tenon_object_set(array, 0, &changed) == TENON_OK);
  wasm_ref_delete(of);
  wasm_ref_delete(array);
  wasm_ref_delete(number);
  tenon_deftype_delete(type);
  // Elements that are vectors have no form in wasm_val_t, but one in memory.
  type = array_type(TENON_STORAGE_VALUE, wasm_valtype_new(TENON_V128));
  array = tenon_array_new(store, type, 2, NULL);
  const uint8_t bytes[16] = {9, [15] = 1};
  check(tenon_array_write(array, 1, 1, bytes) == TENON_OK);
  uint8_t got[32];
  check(tenon_array_read(array, 0, 2, got) == TENON_OK && memcmp(got + 16, bytes, 16) == 0);
  check(tenon_object_get(array, 0, &changed) == TENON_ERROR_TYPE);
  wasm_ref_delete(array);
  tenon_deftype_delete(type);
  // Elements that cannot be set cannot be written either.
  tenon_field_t constant = {TENON_STORAGE_I8, WASM_CONST, NULL};
  tenon_definition_t definition = {
    .kind = TENON_TYPE_ARRAY, .is_final = true, .field_count = 1, .fields = &constant};
  type = tenon_deftype_new(engine, &definition);
  array = tenon_array_new_from(store, type, "abc", 3);
  check(tenon_array_write(array, 0, 1, "x") == TENON_ERROR_TYPE);
  check(tenon_array_read(array, 0, 3, got) == TENON_OK && memcmp(got, "abc", 3) == 0);
  wasm_ref_delete(array);
  tenon_deftype_delete(type);
  wasm_store_delete(store);
}

static void kinds_of_references(void) {
  wasm_store_t* store = new_store();
  wasm_instance_t* instance = instance_of(store,
    "(module (func (export \"f\")) (global (export \"g\") i32 (i32.const 1))"
    " (table (export \"t\") 1 funcref) (memory (export \"m\") 1))");
  const tenon_ref_kind_t wanted[] = {
    TENON_REF_FUNC, TENON_REF_GLOBAL, TENON_REF_TABLE, TENON_REF_MEMORY};
  for (size_t i = 0; i < 4; i++) {
    wasm_extern_t* item = export_at(instance, i);
    check(tenon_ref_kind(wasm_extern_as_ref(item)) == wanted[i]);
    wasm_val_t value;
    check(tenon_object_get(wasm_extern_as_ref(item), 0, &value) == TENON_ERROR_ARGUMENT);
    check(tenon_array_read(wasm_extern_as_ref(item), 0, 0, NULL) == TENON_ERROR_ARGUMENT);
    wasm_extern_delete(item);
  }
  check(tenon_ref_kind(wasm_instance_as_ref(instance)) == TENON_REF_INSTANCE);
  wasm_module_t* module = module_of(store, "(module)");
  check(tenon_ref_kind(wasm_module_as_ref(module)) == TENON_REF_HOST);
  wasm_module_delete(module);
  wasm_instance_delete(instance);
  wasm_store_delete(store);
}

/* A module that makes, takes and gives objects. */
static const char* const guest =
  "(module (type $pair (struct (field (mut i32)) (field (mut anyref))))"
  " (table (export \"t\") 2 (ref null $pair)) (table (export \"n\") 1 2 (ref i31)"
  "  (ref.i31 (i32.const 8)))"
  " (global (export \"g\") (mut (ref $pair)) (struct.new $pair (i32.const 1) (ref.null any)))"
  " (func (export \"make\") (param i32 anyref) (result (ref $pair))"
  "  (struct.new $pair (local.get 0) (local.get 1)))"
  " (func (export \"first\") (param (ref $pair)) (result i32)"
  "  (struct.get $pair 0 (local.get 0)))"
  " (func (export \"in\") (param externref) (result anyref)"
  "  (any.convert_extern (local.get 0)))"
  " (func (export \"out\") (param anyref) (result externref)"
  "  (extern.convert_any (local.get 0)))"
  " (func (export \"churn\") (param i32) (result i32) (local $i i32)"
  "  (loop (drop (struct.new $pair (local.get $i) (ref.null any)))"
  "   (br_if 0 (i32.lt_u (local.tee $i (i32.add (local.get $i) (i32.const 1))) (local.get 0))))"
  "  (local.get $i)))";

enum { TABLE, NUMBERS, GLOBAL, MAKE, FIRST, IN, OUT, CHURN };

static own wasm_val_t call_one(const wasm_func_t* func, wasm_val_t arg) {
  wasm_val_t result = WASM_INIT_VAL;
  check(call_with(func, 1, &arg, 1, &result) == NULL);
  return result;
}

static void objects_go_to_wasm_and_come_back(void) {
  wasm_store_t* store = new_store();
  wasm_instance_t* instance = instance_of(store, guest);
  wasm_func_t *make = func_at(instance, MAKE), *first = func_at(instance, FIRST);
  wasm_func_t *in = func_at(instance, IN), *out = func_at(instance, OUT);
  wasm_val_t args[] = {i32_val(42), any_val(NULL)}, made, result;
  check(call_with(make, 2, args, 1, &made) == NULL);
  check(made.kind == TENON_ANYREF && tenon_ref_kind(made.of.ref) == TENON_REF_STRUCT);
  check(field_of(made.of.ref, 0).of.i32 == 42);
  check(call_one(first, made).of.i32 == 42);
  // It is the same from outside, and made in C it is as good.
  wasm_val_t outside = call_one(out, made);
  check(outside.kind == WASM_EXTERNREF && wasm_ref_same(outside.of.ref, made.of.ref));
  wasm_val_t inside = call_one(in, outside);
  check(inside.kind == TENON_ANYREF && wasm_ref_same(inside.of.ref, made.of.ref));
  tenon_deftype_t* type = tenon_object_type(made.of.ref);
  wasm_val_t fields[] = {i32_val(43), made};
  wasm_val_vec_t vec = WASM_ARRAY_VEC(fields);
  wasm_ref_t* object = tenon_struct_new(store, type, &vec);
  check(call_one(first, any_val(object)).of.i32 == 43);
  // A host object becomes an anyref and comes back.
  wasm_foreign_t* foreign = wasm_foreign_new(store);
  wasm_val_t host = call_one(in, extern_val(wasm_foreign_as_ref(foreign)));
  check(host.kind == TENON_ANYREF && wasm_ref_same(host.of.ref, wasm_foreign_as_ref(foreign)));
  // What is not of the parameter's type does not get in.
  const wasm_val_t wrong[] = {any_val(NULL), host, outside, func_val(NULL), i32_val(1)};
  for (size_t i = 0; i < 5; i++) {
    wasm_val_t arg = wrong[i];
    wasm_trap_t* trap = call_with(first, 1, &arg, 1, &result);
    check(trap && mentions(trap, "type mismatch"));
    wasm_trap_delete(trap);
  }
  wasm_val_delete(&host);
  wasm_val_delete(&inside);
  wasm_val_delete(&outside);
  wasm_val_delete(&made);
  wasm_foreign_delete(foreign);
  wasm_ref_delete(object);
  tenon_deftype_delete(type);
  wasm_func_delete(make);
  wasm_func_delete(first);
  wasm_func_delete(in);
  wasm_func_delete(out);
  wasm_instance_delete(instance);
  wasm_store_delete(store);
}

static void tables_and_globals_want_their_type(void) {
  wasm_store_t* store = new_store();
  wasm_instance_t* instance = instance_of(store, guest);
  wasm_table_t *table = table_at(instance, TABLE), *numbers = table_at(instance, NUMBERS);
  wasm_global_t* global = global_at(instance, GLOBAL);
  wasm_val_t value;
  wasm_global_get(global, &value);
  check(value.kind == TENON_ANYREF && field_of(value.of.ref, 0).of.i32 == 1);
  check(wasm_table_set(table, 1, value.of.ref));
  wasm_ref_t* element = wasm_table_get(table, 1);
  check(wasm_ref_same(element, value.of.ref));
  accepted(wasm_table_get(table, 0) == NULL && wasm_table_set(table, 1, NULL));
  wasm_ref_t* number = tenon_i31_new(store, 9);
  refused(TENON_ERROR_TYPE, wasm_table_set(table, 0, number));
  refused(TENON_ERROR_TYPE, wasm_table_grow(table, 1, number));
  check(wasm_table_set(numbers, 0, number) && wasm_table_grow(numbers, 1, number));
  refused(TENON_ERROR_TYPE, wasm_table_set(numbers, 0, NULL));
  refused(TENON_ERROR_TYPE, wasm_table_grow(numbers, 0, NULL));
  refused(TENON_ERROR_TYPE, wasm_table_set(numbers, 0, value.of.ref));
  tenon_last_error_clear();
  wasm_val_t null = any_val(NULL);
  wasm_global_set(global, &null);
  check(tenon_last_error_code() == TENON_ERROR_TYPE);
  tenon_last_error_clear();
  wasm_global_set(global, &value);
  check(tenon_last_error_code() == TENON_OK);
  // Tables and globals of the host, of the same types.
  wasm_globaltype_t* type = wasm_global_type(global);
  wasm_tabletype_t* of_numbers = wasm_table_type(numbers);
  refused(TENON_ERROR_TYPE, wasm_global_new(store, type, &null));
  refused(TENON_ERROR_TYPE, wasm_table_new(store, of_numbers, NULL));
  wasm_table_t* made = wasm_table_new(store, of_numbers, number);
  wasm_global_t* other = wasm_global_new(store, type, &value);
  check(made && other && wasm_table_size(made) == 2);
  wasm_global_delete(other);
  wasm_table_delete(made);
  wasm_tabletype_delete(of_numbers);
  wasm_globaltype_delete(type);
  wasm_ref_delete(number);
  wasm_ref_delete(element);
  wasm_val_delete(&value);
  wasm_global_delete(global);
  wasm_table_delete(numbers);
  wasm_table_delete(table);
  wasm_instance_delete(instance);
  wasm_store_delete(store);
}

static void handles_outlive_collections(void) {
  wasm_store_t* store = new_store();
  tenon_deftype_t* list[2];
  define_list(list);
  enum { COUNT = 50 };
  wasm_ref_t* kept[COUNT];
  for (int i = 0; i < COUNT; i++) {
    kept[i] = tenon_struct_new(store, list[0], NULL);
    wasm_val_t number = i32_val(i);
    check(tenon_object_set(kept[i], 1, &number) == TENON_OK);
    for (int j = 0; j < 10; j++) wasm_ref_delete(tenon_array_new(store, list[1], 1000, NULL));
  }
  uint64_t used = tenon_store_heap_used(store);
  tenon_store_collect(store);
  check(tenon_store_heap_used(store) == COUNT * 16 && used > COUNT * 16);
  check(tenon_store_heap_size(store) >= tenon_store_heap_used(store));
  for (int i = 0; i < COUNT; i++) {
    check(field_of(kept[i], 1).of.i32 == i);
    for (int j = 0; j < i; j++) check(!wasm_ref_same(kept[i], kept[j]));
    wasm_ref_t* copy = wasm_ref_copy(kept[i]);
    check(wasm_ref_same(copy, kept[i]));
    wasm_ref_delete(copy);
  }
  for (int i = 0; i < COUNT; i++) wasm_ref_delete(kept[i]);
  tenon_store_collect(store);
  check(tenon_store_heap_used(store) == 0);
  for (int i = 0; i < 2; i++) tenon_deftype_delete(list[i]);
  wasm_store_delete(store);
}

static void a_full_heap_is_a_trap(void) {
  wasm_store_t* store = new_store();
  check(tenon_store_max_heap_set(store, 1 << 20) == TENON_OK);
  wasm_instance_t* instance = instance_of(store, guest);
  wasm_func_t* churn = func_at(instance, CHURN);
  tenon_deftype_t* bytes = array_type(TENON_STORAGE_I8, NULL);
  refused(TENON_ERROR_TRAP, tenon_array_new(store, bytes, 2 << 20, NULL));
  check(error_says("heap"));
  refused(TENON_ERROR_TRAP, tenon_array_new(store, bytes, SIZE_MAX, NULL));
  wasm_ref_t* half = tenon_array_new(store, bytes, 600 << 10, NULL);
  check(half != NULL);
  refused(TENON_ERROR_TRAP, tenon_array_new(store, bytes, 600 << 10, NULL));
  // What nothing refers to does not count.
  check(call_i32(churn, 200000, NULL) == 200000);
  wasm_ref_delete(half);
  half = tenon_array_new(store, bytes, 600 << 10, NULL);
  check(half != NULL && tenon_store_heap_size(store) <= 1 << 20);
  wasm_ref_delete(half);
  tenon_deftype_delete(bytes);
  wasm_func_delete(churn);
  wasm_instance_delete(instance);
  wasm_store_delete(store);
}

static void host_info_belongs_to_the_object(void) {
  wasm_store_t* store = new_store();
  wasm_instance_t* instance = instance_of(store, guest);
  wasm_table_t* table = table_at(instance, TABLE);
  wasm_func_t* churn = func_at(instance, CHURN);
  wasm_val_t value;
  wasm_global_t* global = global_at(instance, GLOBAL);
  wasm_global_get(global, &value);
  tenon_deftype_t* type = tenon_object_type(value.of.ref);
  int info[2];
  finalized = 0;
  wasm_ref_t* object = tenon_struct_new(store, type, NULL);
  check(wasm_ref_get_host_info(object) == NULL);
  wasm_ref_set_host_info_with_finalizer(object, &info[0], count_finalized);
  check(wasm_table_set(table, 0, object));
  wasm_ref_delete(object);
  tenon_store_collect(store);
  check(call_i32(churn, 100000, NULL) == 100000);
  object = wasm_table_get(table, 0);
  check(wasm_ref_get_host_info(object) == &info[0] && finalized == 0);
  wasm_ref_set_host_info_with_finalizer(object, &info[1], count_finalized);
  check(finalized == 1 && wasm_ref_get_host_info(object) == &info[1]);
  check(wasm_ref_get_host_info(value.of.ref) == NULL);
  check(wasm_table_set(table, 0, NULL));
  wasm_ref_delete(object);
  tenon_store_collect(store);
  check(finalized == 2);
  // A number is as old as the store.
  wasm_ref_t* number = tenon_i31_new(store, 3);
  wasm_ref_set_host_info_with_finalizer(number, &info[0], count_finalized);
  wasm_ref_delete(number);
  tenon_store_collect(store);
  number = tenon_i31_new(store, 3);
  check(wasm_ref_get_host_info(number) == &info[0] && finalized == 2);
  wasm_ref_delete(number);
  wasm_ref_set_host_info_with_finalizer(value.of.ref, &info[0], count_finalized);
  wasm_val_delete(&value);
  tenon_deftype_delete(type);
  wasm_global_delete(global);
  wasm_func_delete(churn);
  wasm_table_delete(table);
  wasm_instance_delete(instance);
  wasm_store_delete(store);
  check(finalized == 4);
}

static int made, most;

static void one_made(void) {
  made++;
  if (made - finalized > most) most = made - finalized;
}

/* Returns a new object of the host. */
static own wasm_trap_t* new_object(void* env, const wasm_val_vec_t* args, wasm_val_vec_t* results) {
  (void)args;
  wasm_foreign_t* foreign = wasm_foreign_new(env);
  wasm_foreign_set_host_info_with_finalizer(foreign, NULL, count_finalized);
  one_made();
  results->data[0] = extern_val(wasm_foreign_as_ref(foreign));
  return NULL;
}

/* Attaches something to the object that it gets. */
static own wasm_trap_t* mark_object(void* env, const wasm_val_vec_t* args, wasm_val_vec_t* results) {
  (void)env, (void)results;
  wasm_ref_set_host_info_with_finalizer(args->data[0].of.ref, NULL, count_finalized);
  one_made();
  return NULL;
}

static void finalizers_run_while_wasm_runs(void) {
  wasm_store_t* store = new_store();
  wasm_func_t* new = func_with_env(
    store, wasm_functype_new_0_1(wasm_valtype_new_externref()), new_object, store);
  wasm_func_t* mark = func_with_env(
    store, wasm_functype_new_1_0(wasm_valtype_new(TENON_ANYREF)), mark_object, NULL);
  wasm_extern_t* imports[] = {wasm_func_as_extern(new), wasm_func_as_extern(mark)};
  wasm_instance_t* instance = instance_with(store,
    "(module (type $box (struct (field externref)))"
    " (import \"\" \"new\" (func $new (result externref)))"
    " (import \"\" \"mark\" (func $mark (param anyref)))"
    " (global $kept (mut externref) (ref.null extern))"
    " (func (export \"new\") (param i32) (result i32) (global.set $kept (call $new))"
    "  (loop (drop (struct.new $box (call $new)))"
    "   (br_if 0 (local.tee 0 (i32.sub (local.get 0) (i32.const 1))))) (local.get 0))"
    " (func (export \"mark\") (param i32) (result i32)"
    "  (loop (call $mark (struct.new $box (ref.null extern)))"
    "   (br_if 0 (local.tee 0 (i32.sub (local.get 0) (i32.const 1))))) (local.get 0)))",
    2, imports);
  for (size_t i = 0; i < 2; i++) {
    finalized = made = most = 0;
    wasm_func_t* func = func_at(instance, i);
    check(call_i32(func, (int32_t)rounds(10000, 2000), NULL) == 0);
    wasm_func_delete(func);
    if (!check(most < 5000 && made >= 2000)) fprintf(stderr, "%d of %d\n", most, made);
    tenon_store_collect(store);
    // One is still in the global.
    check(finalized == made - (i == 0));
  }
  wasm_func_delete(new);
  wasm_func_delete(mark);
  wasm_instance_delete(instance);
  wasm_store_delete(store);
  check(finalized == made + 1);
}

static jmp_buf away;

static own wasm_trap_t* jump_away(void* env, const wasm_val_vec_t* args, wasm_val_vec_t* results) {
  (void)env, (void)args, (void)results;
  longjmp(away, 1);
}

/* Overwrites the stack below. */
static int scribble(volatile char* bytes) {
  volatile char here[4096];
  for (size_t i = 0; i < sizeof here; i++) here[i] = (char)0xa5;
  return here[17] + (bytes ? bytes[0] : 0);
}

static void objects_are_made_after_a_jump_out_of_wasm(void) {
  wasm_store_t* store = new_store();
  wasm_func_t* jump = func_with_env(store, wasm_functype_new_0_0(), jump_away, NULL);
  wasm_extern_t* imports[] = {wasm_func_as_extern(jump)};
  wasm_instance_t* instance = instance_with(store,
    "(module (type $box (struct (field i32))) (import \"\" \"\" (func $jump))"
    " (func (export \"f\") (local (ref null $box))"
    "  (local.set 0 (struct.new $box (i32.const 1))) (call $jump)"
    "  (drop (struct.get $box 0 (local.get 0)))))", 1, imports);
  wasm_func_t* func = func_at(instance, 0);
  tenon_deftype_t* bytes = array_type(TENON_STORAGE_I8, NULL);
  if (setjmp(away) == 0) {
    wasm_trap_delete(call_empty(func));
    check(!"it does not return");
  }
  scribble(NULL);
  wasm_ref_t* kept = tenon_array_new_from(store, bytes, "kept", 4);
  for (int i = 0; i < 100; i++) wasm_ref_delete(tenon_array_new(store, bytes, 100000, NULL));
  char text[4];
  check(tenon_array_read(kept, 0, 4, text) == TENON_OK && memcmp(text, "kept", 4) == 0);
  wasm_foreign_delete(wasm_foreign_new(store));
  tenon_store_collect(store);
  check(tenon_store_heap_used(store) == 16);
  wasm_ref_delete(kept);
  tenon_deftype_delete(bytes);
  wasm_func_delete(func);
  wasm_func_delete(jump);
  wasm_instance_delete(instance);
  wasm_store_delete(store);
}

/* Swaps the halves of a vector, adds one to a number, and returns its reference. */
static own wasm_trap_t* shuffle(void* env, const tenon_raw_t args[], tenon_raw_t results[]) {
  ++*(int*)env;
  memcpy(results[0].v128, args[0].v128 + 8, 8);
  memcpy(results[0].v128 + 8, args[0].v128, 8);
  results[1].i32 = args[1].i32 + 1;
  results[2].ref = args[2].ref ? wasm_ref_copy(args[2].ref) : NULL;
  return NULL;
}

static void raw_calls_have_room_for_vectors(void) {
  wasm_store_t* store = new_store();
  int calls = 0;
  finalized = 0;
  wasm_valtype_t* three[2][3];
  for (int i = 0; i < 2; i++) {
    three[i][0] = wasm_valtype_new(TENON_V128);
    three[i][1] = wasm_valtype_new_i32();
    three[i][2] = wasm_valtype_new_externref();
  }
  wasm_valtype_vec_t params, returned;
  wasm_valtype_vec_new(&params, 3, three[0]);
  wasm_valtype_vec_new(&returned, 3, three[1]);
  wasm_functype_t* type = wasm_functype_new(&params, &returned);
  wasm_func_t* host = tenon_func_new_raw(store, type, shuffle, &calls, count_finalized);
  wasm_extern_t* imports[] = {wasm_func_as_extern(host)};
  wasm_instance_t* instance = instance_with(store,
    "(module (import \"\" \"\" (func $h (param v128 i32 externref) (result v128 i32 externref)))"
    " (func (export \"f\") (param v128 i32 externref) (result v128 i32 externref)"
    "  (call $h (local.get 0) (local.get 1) (local.get 2))))", 1, imports);
  wasm_func_t* func = func_at(instance, 0);
  wasm_foreign_t* foreign = wasm_foreign_new(store);
  tenon_raw_t args[3] = {
    {.v128 = {1, 2, [8] = 3, [15] = 4}}, {.i32 = 41}, {.ref = wasm_foreign_as_ref(foreign)}};
  const uint8_t swapped[16] = {3, [7] = 4, [8] = 1, [9] = 2};
  const wasm_func_t* both[] = {func, host};
  for (int i = 0; i < 2; i++) {
    tenon_raw_t results[3];
    check(tenon_func_call_raw(both[i], 3, args, 3, results) == NULL);
    check(memcmp(results[0].v128, swapped, 16) == 0 && results[1].i32 == 42);
    check(wasm_ref_same(results[2].ref, args[2].ref));
    wasm_ref_delete(results[2].ref);
  }
  check(calls == 2);
  tenon_raw_t results[3];
  wasm_trap_t* trap = tenon_func_call_raw(func, 2, args, 3, results);
  check(trap && mentions(trap, "2 arguments"));
  wasm_trap_delete(trap);
  trap = tenon_func_call_raw(func, 3, args, 2, results);
  check(trap && mentions(trap, "room"));
  wasm_trap_delete(trap);
  trap = tenon_func_call_raw(func, 3, args, 3, NULL);
  check(trap && mentions(trap, "room"));
  wasm_trap_delete(trap);
  // A null reference goes both ways.
  args[2].ref = NULL;
  check(tenon_func_call_raw(func, 3, args, 3, results) == NULL && results[2].ref == NULL);
  wasm_foreign_delete(foreign);
  wasm_func_delete(func);
  wasm_func_delete(host);
  wasm_functype_delete(type);
  wasm_instance_delete(instance);
  tenon_store_collect(store);
  check(finalized == 1);
  wasm_store_delete(store);
}

static void vectors_have_globals(void) {
  wasm_store_t* store = new_store();
  wasm_instance_t* instance = instance_of(store,
    "(module (global (export \"g\") (mut v128) (v128.const i64x2 1 2))"
    " (global (export \"c\") i32 (i32.const 3)))");
  wasm_global_t *global = global_at(instance, 0), *constant = global_at(instance, 1);
  tenon_raw_t value, other = {.v128 = {5}};
  check(tenon_global_get_raw(global, &value) == TENON_OK);
  check(value.v128[0] == 1 && value.v128[8] == 2);
  check(tenon_global_set_raw(global, &other) == TENON_OK);
  check(tenon_global_get_raw(global, &value) == TENON_OK && memcmp(&value, &other, 16) == 0);
  check(tenon_global_get_raw(constant, &value) == TENON_OK && value.i32 == 3);
  check(tenon_global_set_raw(constant, &other) == TENON_ERROR_TYPE);
  wasm_globaltype_t* type = wasm_global_type(global);
  wasm_global_t* made = tenon_global_new_raw(store, type, &other);
  check(tenon_global_get_raw(made, &value) == TENON_OK && memcmp(&value, &other, 16) == 0);
  wasm_global_delete(made);
  wasm_globaltype_delete(type);
  type = wasm_globaltype_new(ref_to(TENON_HEAP_I31, false), WASM_VAR);
  other.ref = NULL;
  refused(TENON_ERROR_TYPE, tenon_global_new_raw(store, type, &other));
  other.ref = tenon_i31_new(store, 6);
  made = tenon_global_new_raw(store, type, &other);
  check(tenon_global_get_raw(made, &value) == TENON_OK && wasm_ref_same(value.ref, other.ref));
  wasm_ref_delete(value.ref);
  value.ref = NULL;
  check(tenon_global_set_raw(made, &value) == TENON_ERROR_TYPE);
  wasm_ref_delete(other.ref);
  wasm_global_delete(made);
  wasm_globaltype_delete(type);
  wasm_global_delete(constant);
  wasm_global_delete(global);
  wasm_instance_delete(instance);
  wasm_store_delete(store);
}

int main(void) {
  for (int always = 0; always < 2; always++) {
    wasm_config_t* config = test_config();
    tenon_config_collect_always_set(config, always);
    engine = wasm_engine_new_with_config(config);
    types_of_references_are_told_apart();
    types_are_defined_and_taken_apart();
    function_types_are_defined_too();
    types_of_a_group_name_each_other();
    types_that_are_gone_are_not_found();
    numbers_of_31_bits();
    structs_hold_every_kind_of_value();
    structs_want_all_their_fields();
    arrays_are_read_and_written_at_once();
    arrays_of_one_value_and_of_many();
    kinds_of_references();
    objects_go_to_wasm_and_come_back();
    tables_and_globals_want_their_type();
    handles_outlive_collections();
    a_full_heap_is_a_trap();
    host_info_belongs_to_the_object();
    finalizers_run_while_wasm_runs();
    objects_are_made_after_a_jump_out_of_wasm();
    raw_calls_have_room_for_vectors();
    vectors_have_globals();
    wasm_engine_delete(engine);
  }
  return done();
}
