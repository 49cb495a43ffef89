/* Calls between C and WebAssembly. */

#include "bench.h"

static wasm_trap_t* next(const wasm_val_vec_t* args, wasm_val_vec_t* results) {
  results->data[0].kind = WASM_I32;
  results->data[0].of.i32 = args->data[0].of.i32 + 1;
  return NULL;
}

/* An export of the module of calls. */
static context_t function(size_t export) {
  context_t c = context_of("call");
  wasm_extern_t* imports[] = {api.func_as_extern(api.func_new(c.store, i32_to_i32(), next))};
  wasm_extern_vec_t import_vec = WASM_ARRAY_VEC(imports);
  wasm_instance_t* instance = api.instance_new(c.store, c.module, &import_vec, NULL);
  if (!instance) fail("the module of calls");
  c.func = func_at(instance, export);
  return c;
}

static void call(void* context, size_t count) {
  context_t* c = context;
  for (size_t i = 0; i < count; i++) {
    if (api.func_call(c->func, &c->args, &c->results)) fail("a trap");
  }
}

static double call_empty(void) {
  context_t c = function(0);
  return best(call, &c) * 1e9;
}

static double call_add(void) {
  context_t c = function(1);
  wasm_val_t args[] = {WASM_I32_VAL(1), WASM_I32_VAL(2)}, results[] = {WASM_INIT_VAL};
  c.args = (wasm_val_vec_t)WASM_ARRAY_VEC(args);
  c.results = (wasm_val_vec_t)WASM_ARRAY_VEC(results);
  double taken = best(call, &c) * 1e9;
  if (results[0].of.i32 != 3) fail("1 + 2");
  return taken;
}

static double callback(void) {
  const int32_t calls = 10000;
  context_t c = function(2);
  wasm_val_t args[] = {WASM_I32_VAL(calls)}, results[] = {WASM_INIT_VAL};
  c.args = (wasm_val_vec_t)WASM_ARRAY_VEC(args);
  c.results = (wasm_val_vec_t)WASM_ARRAY_VEC(results);
  double taken = best(call, &c) / calls * 1e9;
  if (results[0].of.i32 != calls) fail("the callbacks");
  return taken;
}

const measure_t call_measures[] = {
  {"call_add", "ns", "`wasm_func_call` of (i32, i32) → i32", call_add},
  {"call_empty", "ns", "`wasm_func_call` of () → ()", call_empty},
  {"callback", "ns", "host callback (i32) → i32, its loop included", callback},
  {0},
};
