/* Reflection: imports and exports are listed in the module's order with their types, and things
 * tell their type as it is now. */

#include "harness.h"

/* An import or export as text: "module.name kind type". */
struct line {
  char text[160];
  size_t size;
};

static void add(struct line* line, const char* text, size_t size) {
  if (size > sizeof line->text - line->size - 1) size = sizeof line->text - line->size - 1;
  memcpy(line->text + line->size, text, size);
  line->size += size;
  line->text[line->size] = 0;
}

static void add_text(struct line* line, const char* text) {
  add(line, text, strlen(text));
}

/* A type of references that wasm.h has no name for. */
static void add_reftype(struct line* line, const wasm_valtype_t* type) {
  static const char* const names[] = {"?", "func", "nofunc", "extern", "noextern", "any", "eq", "i31",
    "struct", "array", "none", "exn", "noexn", "defined"};
  add_text(line, tenon_valtype_is_nullable(type) ? " (ref null " : " (ref ");
  add_text(line, names[tenon_valtype_heap_kind(type)]);
  add_text(line, ")");
}

static void add_valtype(struct line* line, const wasm_valtype_t* type) {
  wasm_valtype_t* plain = wasm_valtype_new(wasm_valtype_kind(type));
  bool is_plain = tenon_valtype_same(type, plain);
  wasm_valtype_delete(plain);
  if (!is_plain) return add_reftype(line, type);
  switch (wasm_valtype_kind(type)) {
    case WASM_I32: add_text(line, " i32"); break;
    case WASM_I64: add_text(line, " i64"); break;
    case WASM_F32: add_text(line, " f32"); break;
    case WASM_F64: add_text(line, " f64"); break;
    case TENON_V128: add_text(line, " v128"); break;
    case WASM_EXTERNREF: add_text(line, " externref"); break;
    case WASM_FUNCREF: add_text(line, " funcref"); break;
    case TENON_ANYREF: add_text(line, " anyref"); break;
    case TENON_EXNREF: add_text(line, " exnref"); break;
    default: add_text(line, " ?");
  }
}

static void add_valtypes(struct line* line, const wasm_valtype_vec_t* types) {
  for (size_t i = 0; i < types->size; i++) add_valtype(line, types->data[i]);
}

static void add_limits(struct line* line, const wasm_limits_t* limits) {
  char text[40];
  snprintf(text, sizeof text, " %" PRIu32, limits->min);
  add_text(line, text);
  if (limits->max == wasm_limits_max_default) return;
  snprintf(text, sizeof text, "..%" PRIu32, limits->max);
  add_text(line, text);
}

static void add_functype(struct line* line, const wasm_functype_t* type) {
  add_text(line, " func");
  add_valtypes(line, wasm_functype_params(type));
  add_text(line, " ->");
  add_valtypes(line, wasm_functype_results(type));
}

static void add_globaltype(struct line* line, const wasm_globaltype_t* type) {
  add_text(line, wasm_globaltype_mutability(type) == WASM_VAR ? " global mut" : " global");
  add_valtype(line, wasm_globaltype_content(type));
}

static void add_tabletype(struct line* line, const wasm_tabletype_t* type) {
  add_text(line, " table");
  add_limits(line, wasm_tabletype_limits(type));
  add_valtype(line, wasm_tabletype_element(type));
}

static void add_memorytype(struct line* line, const wasm_memorytype_t* type) {
  add_text(line, " memory");
  add_limits(line, wasm_memorytype_limits(type));
}

static void add_type(struct line* line, const wasm_externtype_t* type) {
  switch (wasm_externtype_kind(type)) {
    case WASM_EXTERN_FUNC: add_functype(line, wasm_externtype_as_functype_const(type)); break;
    case WASM_EXTERN_GLOBAL: add_globaltype(line, wasm_externtype_as_globaltype_const(type)); break;
    case WASM_EXTERN_TABLE: add_tabletype(line, wasm_externtype_as_tabletype_const(type)); break;
    case WASM_EXTERN_MEMORY: add_memorytype(line, wasm_externtype_as_memorytype_const(type)); break;
    default: add_text(line, " ?");
  }
}

static void is_line(const struct line* line, const char* wanted) {
  if (!check(strcmp(line->text, wanted) == 0)) {
    fprintf(stderr, "got '%s', not '%s'\n", line->text, wanted);
  }
}

static void imports_are(const wasm_module_t* module, size_t count, const char* const wanted[]) {
  wasm_importtype_vec_t imports;
  wasm_module_imports(module, &imports);
  check(imports.size == count);
  for (size_t i = 0; i < imports.size && i < count; i++) {
    struct line line = {.size = 0};
    const wasm_name_t* from = wasm_importtype_module(imports.data[i]);
    const wasm_name_t* name = wasm_importtype_name(imports.data[i]);
    add(&line, from->data, from->size);
    add_text(&line, ".");
    add(&line, name->data, name->size);
    add_type(&line, wasm_importtype_type(imports.data[i]));
    is_line(&line, wanted[i]);
  }
  wasm_importtype_vec_delete(&imports);
}

static void exports_are(const wasm_module_t* module, size_t count, const char* const wanted[]) {
  wasm_exporttype_vec_t exports;
  wasm_module_exports(module, &exports);
  check(exports.size == count);
  for (size_t i = 0; i < exports.size && i < count; i++) {
    struct line line = {.size = 0};
    const wasm_name_t* name = wasm_exporttype_name(exports.data[i]);
    add(&line, name->data, name->size);
    add_type(&line, wasm_exporttype_type(exports.data[i]));
    is_line(&line, wanted[i]);
  }
  wasm_exporttype_vec_delete(&exports);
}

/* Whether an instance's exports have the types, behind their names, that the module lists. */
static void instance_exports_are(
  const wasm_instance_t* instance, size_t count, const char* const wanted[]
) {
  wasm_extern_vec_t exports;
  wasm_instance_exports(instance, &exports);
  check(exports.size == count);
  for (size_t i = 0; i < exports.size && i < count; i++) {
    struct line line = {.size = 0};
    wasm_externtype_t* type = wasm_extern_type(exports.data[i]);
    check(wasm_extern_kind(exports.data[i]) == wasm_externtype_kind(type));
    add_type(&line, type);
    is_line(&line, strchr(wanted[i], ' '));
    wasm_externtype_delete(type);
  }
  wasm_extern_vec_delete(&exports);
}

static void imports_come_in_order_with_their_types(wasm_store_t* store) {
  static const char* const wanted[] = {
    "z.last func ->",
    "a.first memory 1",
    "a.first memory 2..3",
    "m. table 0 funcref",
    ".n table 4..5 externref",
    "g.c global i32",
    "g.v global mut f64",
    "g.e global externref",
    "g.w global mut v128",
    "f.all func i32 i64 f32 f64 v128 externref funcref -> funcref externref v128 f64 f32 i64 i32",
    "\xe2\x82\xac.\xf0\x9f\x98\x80 func i32 -> i32",
    "a.first func -> i64",
  };
  wasm_module_t* module = module_of(store,
    "(module (import \"z\" \"last\" (func)) (import \"a\" \"first\" (memory 1))"
    " (import \"a\" \"first\" (memory 2 3)) (import \"m\" \"\" (table 0 funcref))"
    " (import \"\" \"n\" (table 4 5 externref)) (import \"g\" \"c\" (global i32))"
    " (import \"g\" \"v\" (global (mut f64))) (import \"g\" \"e\" (global externref))"
    " (import \"g\" \"w\" (global (mut v128)))"
    " (import \"f\" \"all\" (func (param i32 i64 f32 f64 v128 externref funcref)"
    "  (result funcref externref v128 f64 f32 i64 i32)))"
    " (import \"\xe2\x82\xac\" \"\xf0\x9f\x98\x80\" (func (param i32) (result i32)))"
    " (import \"a\" \"first\" (func (result i64))))");
  imports_are(module, 12, wanted);
  exports_are(module, 0, NULL);
  wasm_module_delete(module);
}

static const char* const exporter =
  "(module"
  " (func (export \"z\") (param v128) (result v128 i32) local.get 0 i32.const 1)"
  " (memory (export \"m\") 1) (memory (export \"n\") 2 7)"
  " (table (export \"t\") 3 funcref) (table (export \"u\") 0 9 externref)"
  " (global (export \"a\") i32 (i32.const 1)) (global (export \"b\") (mut i64) (i64.const 2))"
  " (global (export \"c\") v128 (v128.const i64x2 1 2))"
  " (global (export \"d\") (mut externref) (ref.null extern))"
  " (global (export \"\") funcref (ref.null func))"
  " (func (export \"e\") (param f32 f64 externref) (result funcref) ref.null func)"
  " (export \"again\" (func 0)))";

static const char* const exported[] = {
  "z func v128 -> v128 i32", "m memory 1", "n memory 2..7", "t table 3 funcref",
  "u table 0..9 externref", "a global i32", "b global mut i64", "c global v128",
  "d global mut externref", " global funcref", "e func f32 f64 externref -> funcref",
  "again func v128 -> v128 i32",
};

static void exports_come_in_order_with_their_types(wasm_store_t* store) {
  wasm_module_t* module = module_of(store, exporter);
  exports_are(module, 12, exported);
  imports_are(module, 0, NULL);
  wasm_instance_t* instance = wasm_instance_new(store, module, NULL, NULL);
  instance_exports_are(instance, 12, exported);
  wasm_instance_delete(instance);
  wasm_module_delete(module);
}

static void functions_tell_their_type_and_arity(wasm_store_t* store) {
  wasm_instance_t* instance = instance_of(store, exporter);
  wasm_func_t* func = func_at(instance, 10);
  wasm_functype_t* type = wasm_func_type(func);
  struct line line = {.size = 0};
  add_functype(&line, type);
  is_line(&line, " func f32 f64 externref -> funcref");
  check(wasm_func_param_arity(func) == 3 && wasm_func_result_arity(func) == 1);
  wasm_functype_delete(type);
  wasm_func_delete(func);
  func = func_at(instance, 0);
  check(wasm_func_param_arity(func) == 1 && wasm_func_result_arity(func) == 2);
  wasm_func_delete(func);
  wasm_instance_delete(instance);
}

static void types_tell_the_size_after_growth(wasm_store_t* store) {
  wasm_instance_t* instance = instance_of(store, exporter);
  wasm_memory_t* memory = memory_at(instance, 2);
  wasm_table_t* table = table_at(instance, 4);
  check(wasm_memory_grow(memory, 3) && wasm_table_grow(table, 9, NULL));
  wasm_memorytype_t* memory_type = wasm_memory_type(memory);
  wasm_tabletype_t* table_type = wasm_table_type(table);
  check(wasm_memorytype_limits(memory_type)->min == 5);
  check(wasm_memorytype_limits(memory_type)->max == 7);
  check(wasm_tabletype_limits(table_type)->min == 9);
  check(wasm_tabletype_limits(table_type)->max == 9);
  static const char* const now[] = {"", "", "n memory 5..7", "", "u table 9..9 externref"};
  for (size_t i = 2; i <= 4; i += 2) {
    struct line line = {.size = 0};
    wasm_extern_t* item = export_at(instance, i);
    wasm_externtype_t* type = wasm_extern_type(item);
    add_type(&line, type);
    is_line(&line, strchr(now[i], ' '));
    wasm_externtype_delete(type);
    wasm_extern_delete(item);
  }
  wasm_memorytype_delete(memory_type);
  wasm_tabletype_delete(table_type);
  wasm_memory_delete(memory);
  wasm_table_delete(table);
  wasm_instance_delete(instance);
}

static void globals_tell_their_type(wasm_store_t* store) {
  wasm_instance_t* instance = instance_of(store, exporter);
  for (size_t i = 5; i <= 9; i++) {
    struct line line = {.size = 0};
    wasm_global_t* global = global_at(instance, i);
    wasm_globaltype_t* type = wasm_global_type(global);
    add_globaltype(&line, type);
    is_line(&line, strchr(exported[i], ' '));
    wasm_globaltype_delete(type);
    wasm_global_delete(global);
  }
  wasm_instance_delete(instance);
}

static void types_outlive_module_and_store(void) {
  wasm_store_t* store = test_store();
  wasm_module_t* module = module_of(store, exporter);
  wasm_exporttype_vec_t exports, copies;
  wasm_module_exports(module, &exports);
  wasm_module_delete(module);
  wasm_store_delete(store);
  wasm_exporttype_vec_copy(&copies, &exports);
  wasm_exporttype_vec_delete(&exports);
  check(copies.size == 12 && wasm_exporttype_name(copies.data[0])->data[0] == 'z');
  wasm_exporttype_vec_delete(&copies);
}

static own wasm_trap_t* nothing(const wasm_val_vec_t* args, wasm_val_vec_t* results) {
  (void)args, (void)results;
  return NULL;
}

static void things_of_the_host_tell_their_type(wasm_store_t* store) {
  static const char* const wanted[] = {
    " func i32 -> i32", " global mut externref", " table 2 funcref", " memory 0..65536",
  };
  wasm_extern_t* items[] = {
    wasm_func_as_extern(func_of_type(store, type_i32_i32(), nothing)),
    wasm_global_as_extern(global_of(store, WASM_VAR, extern_val(NULL))),
    wasm_table_as_extern(table_of(store, WASM_FUNCREF, 2, wasm_limits_max_default)),
    wasm_memory_as_extern(memory_of(store, 0, 65536)),
  };
  for (wasm_externkind_t i = 0; i < 4; i++) {
    struct line line = {.size = 0};
    wasm_externtype_t* type = wasm_extern_type(items[i]);
    add_type(&line, type);
    is_line(&line, wanted[i]);
    check(wasm_extern_kind(items[i]) == i);
    wasm_externtype_delete(type);
    wasm_extern_delete(items[i]);
  }
}

static void references_tell_what_they_refer_to(wasm_store_t* store) {
  static const char* const imports[] = {
    "a.f func (ref null defined) (ref defined) (ref func) -> (ref null struct) (ref array)",
    "a.t table 1 (ref extern)",
    "a.g global mut (ref null i31)",
    "a.n global (ref null none)",
  };
  static const char* const exports[] = {
    "own func anyref (ref null eq) (ref any) -> (ref i31) (ref null nofunc) (ref null noextern)",
    "table table 2..3 (ref defined)",
    "global global (ref null defined)",
    "again func (ref null defined) (ref defined) (ref func) -> (ref null struct) (ref array)",
  };
  static const char* const text =
    "(module (type $s (struct (field i8))) (type $f (func (param (ref $s))))"
    " (import \"a\" \"f\" (func $i (param (ref null $s) (ref $f) (ref func))"
    "  (result structref (ref array))))"
    " (import \"a\" \"t\" (table 1 (ref extern)))"
    " (import \"a\" \"g\" (global (mut i31ref))) (import \"a\" \"n\" (global nullref))"
    " (func (export \"own\") (param anyref eqref (ref any))"
    "  (result (ref i31) nullfuncref nullexternref) (unreachable))"
    " (func $of (type $f)) (elem declare func $of)"
    " (table (export \"table\") 2 3 (ref $f) (ref.func $of))"
    " (global (export \"global\") (ref null $s) (ref.null $s)) (export \"again\" (func $i)))";
  wasm_module_t* module = module_of(store, text);
  imports_are(module, 4, imports);
  exports_are(module, 4, exports);
  // Equal types of modules are the same, and a function of such a type can be made and imported.
  wasm_importtype_vec_t first, second;
  wasm_module_t* again = module_of(store, text);
  wasm_module_imports(module, &first);
  wasm_module_imports(again, &second);
  const wasm_functype_t* types[2] = {
    wasm_externtype_as_functype_const(wasm_importtype_type(first.data[0])),
    wasm_externtype_as_functype_const(wasm_importtype_type(second.data[0]))};
  for (size_t i = 0; i < 3; i++) {
    check(tenon_valtype_same(
      wasm_functype_params(types[0])->data[i], wasm_functype_params(types[1])->data[i]));
  }
  wasm_func_t* func = wasm_func_new(store, types[1], (wasm_func_callback_t)8);
  wasm_foreign_t* foreign = wasm_foreign_new(store);
  const wasm_externtype_t* table = wasm_importtype_type(first.data[1]);
  wasm_table_t* elements = wasm_table_new(
    store, wasm_externtype_as_tabletype_const(table), wasm_foreign_as_ref(foreign));
  wasm_global_t* globals[2];
  for (size_t i = 0; i < 2; i++) {
    const wasm_externtype_t* type = wasm_importtype_type(second.data[i + 2]);
    wasm_val_t null = {.kind = TENON_ANYREF, .of = {.ref = NULL}};
    globals[i] = wasm_global_new(store, wasm_externtype_as_globaltype_const(type), &null);
  }
  wasm_extern_t* given[] = {wasm_func_as_extern(func), wasm_table_as_extern(elements),
    wasm_global_as_extern(globals[0]), wasm_global_as_extern(globals[1])};
  wasm_extern_vec_t vec = WASM_ARRAY_VEC(given);
  wasm_instance_t* instance = wasm_instance_new(store, module, &vec, NULL);
  if (check(instance != NULL)) instance_exports_are(instance, 4, exports);
  else fprintf(stderr, "%s\n", last_error());
  wasm_instance_delete(instance);
  for (size_t i = 0; i < 2; i++) wasm_global_delete(globals[i]);
  wasm_table_delete(elements);
  wasm_foreign_delete(foreign);
  wasm_func_delete(func);
  wasm_importtype_vec_delete(&first);
  wasm_importtype_vec_delete(&second);
  wasm_module_delete(again);
  wasm_module_delete(module);
}

int main(void) {
  wasm_store_t* store = test_store();
  imports_come_in_order_with_their_types(store);
  exports_come_in_order_with_their_types(store);
  functions_tell_their_type_and_arity(store);
  types_tell_the_size_after_growth(store);
  globals_tell_their_type(store);
  things_of_the_host_tell_their_type(store);
  references_tell_what_they_refer_to(store);
  types_outlive_module_and_store();
  wasm_store_delete(store);
  return done();
}
