/* Types of references, and defined types: functions, structs and arrays, alone and in groups. */

#include "deftypes.h"

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

CASES(
  types_of_references_are_told_apart,
  types_are_defined_and_taken_apart,
  function_types_are_defined_too,
  types_of_a_group_name_each_other,
  types_that_are_gone_are_not_found
)
