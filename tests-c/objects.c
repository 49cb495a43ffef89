/* Objects: structs, arrays and numbers of 31 bits, as C makes, reads and writes them, and what keeps
 * them. */

#include <setjmp.h>

#include "deftypes.h"

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
    " (table (export \"t\") 1 funcref) (memory (export \"m\") 1) (tag (export \"e\")))");
  const tenon_ref_kind_t wanted[] = {
    TENON_REF_FUNC, TENON_REF_GLOBAL, TENON_REF_TABLE, TENON_REF_MEMORY,
    TENON_REF_TAG};
  for (size_t i = 0; i < 5; i++) {
    wasm_extern_t* item = export_at(instance, i);
    check(tenon_ref_kind(wasm_extern_as_ref(item)) == wanted[i]);
    wasm_val_t value;
    check(tenon_object_get(wasm_extern_as_ref(item), 0, &value) == TENON_ERROR_ARGUMENT);
    check(tenon_array_read(wasm_extern_as_ref(item), 0, 0, NULL) == TENON_ERROR_ARGUMENT);
    wasm_extern_delete(item);
  }
  check(tenon_ref_kind(wasm_instance_as_ref(instance)) == TENON_REF_INSTANCE);
  wasm_extern_t* tag = export_at(instance, 4);
  wasm_val_vec_t none = WASM_EMPTY_VEC;
  tenon_exception_t* exception = tenon_exception_new(store, tenon_extern_as_tag(tag), &none);
  check(tenon_ref_kind(tenon_exception_as_ref(exception)) == TENON_REF_EXCEPTION);
  check(tenon_object_size(tenon_exception_as_ref(exception)) == 0);
  // An exception is no anyref and no externref, and nothing else is an exnref.
  wasm_globaltype_t* types[] = {wasm_globaltype_new(wasm_valtype_new(TENON_ANYREF), WASM_VAR),
    wasm_globaltype_new(wasm_valtype_new_externref(), WASM_VAR),
    wasm_globaltype_new(wasm_valtype_new(TENON_EXNREF), WASM_VAR)};
  const wasm_val_t wrong[] = {any_val(tenon_exception_as_ref(exception)),
    extern_val(tenon_exception_as_ref(exception)),
    {.kind = TENON_EXNREF, .of = {.ref = wasm_instance_as_ref(instance)}}};
  for (size_t i = 0; i < 3; i++) {
    refused(TENON_ERROR_TYPE, wasm_global_new(store, types[i], &wrong[i]));
    wasm_globaltype_delete(types[i]);
  }
  tenon_exception_delete(exception);
  wasm_extern_delete(tag);
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
  const int32_t many = (int32_t)rounds(200000, 3000);
  tenon_deftype_t* bytes = array_type(TENON_STORAGE_I8, NULL);
  refused(TENON_ERROR_TRAP, tenon_array_new(store, bytes, 2 << 20, NULL));
  check(error_says("heap"));
  refused(TENON_ERROR_TRAP, tenon_array_new(store, bytes, SIZE_MAX, NULL));
  wasm_ref_t* half = tenon_array_new(store, bytes, 600 << 10, NULL);
  check(half != NULL);
  refused(TENON_ERROR_TRAP, tenon_array_new(store, bytes, 600 << 10, NULL));
  // What nothing refers to does not count.
  check(call_i32(churn, many, NULL) == many);
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
  const int32_t many = (int32_t)rounds(100000, 3000);
  int info[2];
  finalized = 0;
  wasm_ref_t* object = tenon_struct_new(store, type, NULL);
  check(wasm_ref_get_host_info(object) == NULL);
  wasm_ref_set_host_info_with_finalizer(object, &info[0], count_finalized);
  check(wasm_table_set(table, 0, object));
  wasm_ref_delete(object);
  tenon_store_collect(store);
  check(call_i32(churn, many, NULL) == many);
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
  // To find the frames that a jump has left the library looks where they were: for valgrind an error.
  if (is_set("TEST_VALGRIND")) return;
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

CASES(
  numbers_of_31_bits,
  structs_hold_every_kind_of_value,
  structs_want_all_their_fields,
  arrays_are_read_and_written_at_once,
  arrays_of_one_value_and_of_many,
  kinds_of_references,
  objects_go_to_wasm_and_come_back,
  tables_and_globals_want_their_type,
  handles_outlive_collections,
  a_full_heap_is_a_trap,
  host_info_belongs_to_the_object,
  finalizers_run_while_wasm_runs,
  objects_are_made_after_a_jump_out_of_wasm
)
