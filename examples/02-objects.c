/* Shares structs with a guest: it makes a list of words' lengths, the host reads it, and puts a node
 * of its own in front. */

#include <stdio.h>
#include <tenon.h>

static const char* const guest =
  "(module"
  "  (type $node (struct (field $length i32) (field $next (mut (ref null $node)))))"
  "  (func (export \"list\") (result (ref $node))"
  "    (struct.new $node (i32.const 4) (struct.new $node (i32.const 5) (ref.null $node))))"
  "  (func (export \"total\") (param (ref null $node)) (result i32) (local $total i32)"
  "    (loop $more"
  "      (if (ref.is_null (local.get 0)) (then (return (local.get $total))))"
  "      (local.set $total"
  "        (i32.add (local.get $total) (struct.get $node $length (local.get 0))))"
  "      (local.set 0 (struct.get $node $next (local.get 0)))"
  "      (br $more))"
  "    (unreachable)))";

int main(void) {
  wasm_engine_t* engine = wasm_engine_new();
  wasm_store_t* store = wasm_store_new(engine);

  wasm_byte_vec_t text;
  wasm_name_new_from_string(&text, guest);
  wasm_module_t* module = tenon_module_new_wat(store, &text);
  wasm_extern_vec_t imports = WASM_EMPTY_VEC, exports;
  wasm_instance_t* instance = wasm_instance_new(store, module, &imports, NULL);
  if (!instance) return 1;
  wasm_instance_exports(instance, &exports);

  /* The guest's list: a reference, which keeps its object as long as it is not deleted. */
  wasm_val_t list[] = {WASM_INIT_VAL};
  wasm_val_vec_t none = WASM_EMPTY_VEC, list_vec = WASM_ARRAY_VEC(list);
  if (wasm_func_call(wasm_extern_as_func(exports.data[0]), &none, &list_vec)) return 1;
  if (tenon_ref_kind(list[0].of.ref) != TENON_REF_STRUCT) return 1;

  /* A node of the host's, of the same type, in front of it. */
  tenon_deftype_t* type = tenon_object_type(list[0].of.ref);
  wasm_val_t fields[] = {WASM_I32_VAL(3), list[0]};
  wasm_val_vec_t field_vec = WASM_ARRAY_VEC(fields);
  wasm_ref_t* first = tenon_struct_new(store, type, &field_vec);
  if (!first) return 1; /* tenon_last_error_message says why. */
  wasm_val_delete(&list[0]);

  wasm_val_t args[] = {{.kind = TENON_ANYREF, .of = {.ref = first}}}, results[] = {WASM_INIT_VAL};
  wasm_val_vec_t arg_vec = WASM_ARRAY_VEC(args), result_vec = WASM_ARRAY_VEC(results);
  if (wasm_func_call(wasm_extern_as_func(exports.data[1]), &arg_vec, &result_vec)) return 1;

  /* Along the list, field by field. */
  wasm_val_t node = {.kind = TENON_ANYREF, .of = {.ref = wasm_ref_copy(first)}};
  while (node.of.ref) {
    wasm_val_t length, next;
    tenon_object_get(node.of.ref, 0, &length);
    tenon_object_get(node.of.ref, 1, &next);
    printf("%d ", length.of.i32);
    wasm_val_delete(&node);
    node = next;
  }
  printf("= %d\n", results[0].of.i32);

  wasm_ref_delete(first);
  tenon_deftype_delete(type);
  wasm_extern_vec_delete(&exports);
  wasm_instance_delete(instance);
  wasm_module_delete(module);
  wasm_byte_vec_delete(&text);
  wasm_store_delete(store);
  wasm_engine_delete(engine);
  return 0;
}
