/* Instantiates a module of text, calls its function, and prints the result. */

#include <stdio.h>
#include <tenon.h>

int main(void) {
  wasm_engine_t* engine = wasm_engine_new();
  wasm_store_t* store = wasm_store_new(engine);

  wasm_byte_vec_t text;
  wasm_name_new_from_string(&text, "(module (func (export \"add\") (param i32 i32) (result i32)"
                                   "  (i32.add (local.get 0) (local.get 1))))");
  wasm_module_t* module = tenon_module_new_wat(store, &text);
  wasm_extern_vec_t imports = WASM_EMPTY_VEC, exports;
  wasm_instance_t* instance = wasm_instance_new(store, module, &imports, NULL);
  if (!instance) return 1; /* tenon_last_error_message says why. */
  wasm_instance_exports(instance, &exports);

  wasm_val_t args[] = {WASM_I32_VAL(20), WASM_I32_VAL(22)}, results[] = {WASM_INIT_VAL};
  wasm_val_vec_t arg_vec = WASM_ARRAY_VEC(args), result_vec = WASM_ARRAY_VEC(results);
  wasm_trap_t* trap = wasm_func_call(wasm_extern_as_func(exports.data[0]), &arg_vec, &result_vec);
  if (trap) return 1; /* wasm_trap_message says why. */
  printf("20 + 22 = %d\n", results[0].of.i32);

  wasm_extern_vec_delete(&exports);
  wasm_instance_delete(instance);
  wasm_module_delete(module);
  wasm_byte_vec_delete(&text);
  wasm_store_delete(store);
  wasm_engine_delete(engine);
  return 0;
}
