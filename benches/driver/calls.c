/* Calls between C and WebAssembly. */

#include <math.h>

#include "bench.h"

static wasm_trap_t* next(const wasm_val_vec_t* args, wasm_val_vec_t* results) {
  results->data[0].kind = WASM_I32;
  results->data[0].of.i32 = args->data[0].of.i32 + 1;
  return NULL;
}

/* An export of the module of calls, in an instance around a function. */
static context_t function_around(context_t c, wasm_func_t* import, size_t export) {
  wasm_extern_t* imports[] = {api.func_as_extern(import)};
  wasm_extern_vec_t import_vec = WASM_ARRAY_VEC(imports);
  wasm_instance_t* instance = api.instance_new(c.store, c.module, &import_vec, NULL);
  if (!instance) fail("the module of calls");
  c.func = func_at(instance, export);
  return c;
}

static context_t function(size_t export) {
  context_t c = context_of("call");
  return function_around(c, api.func_new(c.store, i32_to_i32(), next), export);
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

/* The export that calls its import in a loop. */
static double loop_of_imports(context_t c) {
  const int32_t calls = 10000;
  wasm_val_t args[] = {WASM_I32_VAL(calls)}, results[] = {WASM_INIT_VAL};
  c.args = (wasm_val_vec_t)WASM_ARRAY_VEC(args);
  c.results = (wasm_val_vec_t)WASM_ARRAY_VEC(results);
  double taken = best(call, &c) / calls * 1e9;
  if (results[0].of.i32 != calls) fail("the callbacks");
  return taken;
}

static double callback(void) {
  return loop_of_imports(function(2));
}

/* What tenon.h adds: C functions with plain values. */
typedef void (*native_t)(void);

static int32_t native_next(int32_t value) {
  return value + 1;
}

static double call_import(void) {
  wasm_func_t* (*new_native)(wasm_store_t*, const wasm_functype_t*, native_t) =
    optional("tenon_func_new_native");
  if (!new_native) return NAN;
  context_t c = context_of("call");
  return loop_of_imports(
    function_around(c, new_native(c.store, i32_to_i32(), (native_t)native_next), 2));
}

static int32_t (*volatile pointed_at)(int32_t, int32_t);

static void call_pointed_at(void* sum, size_t count) {
  int32_t (*add)(int32_t, int32_t) = pointed_at;
  for (size_t i = 0; i < count; i++) *(int32_t*)sum = add(*(int32_t*)sum, 1);
}

static __attribute__((noinline)) int32_t call_here(int32_t (*add)(int32_t, int32_t), int32_t sum) {
  int32_t result = add(sum, 1);
  // So that it is a call, and not a jump.
  __asm__ volatile("" : "+r"(result));
  return result;
}

static __attribute__((noinline)) int32_t call_deeper(int32_t (*add)(int32_t, int32_t), int32_t sum) {
  volatile char room[64];
  room[0] = 0;
  return add(sum, 1) + room[0];
}

static void call_in_turn(void* sum, size_t count) {
  int32_t (*add)(int32_t, int32_t) = pointed_at;
  for (size_t i = 0; i < count; i++) {
    *(int32_t*)sum = (i % 2 ? call_deeper : call_here)(add, *(int32_t*)sum);
  }
}

static double by_pointer(void (*work)(void*, size_t)) {
  native_t (*pointer)(const wasm_func_t*, const wasm_functype_t*) = optional("tenon_func_pointer");
  wasm_functype_t* (*type_of)(const wasm_func_t*) = optional("wasm_func_type");
  if (!pointer || !type_of) return NAN;
  context_t c = function(1);
  pointed_at = (int32_t (*)(int32_t, int32_t))pointer(c.func, type_of(c.func));
  if (!pointed_at || pointed_at(1, 2) != 3) fail("1 + 2");
  int32_t sum = 0;
  return best(work, &sum) * 1e9;
}

static double call_pointer(void) {
  return by_pointer(call_pointed_at);
}

static double call_pointer_in_turn(void) {
  return by_pointer(call_in_turn);
}

/* What no crossing with a frame of its own can be faster than: a call with another one in it. */
static int32_t (*volatile inner)(int32_t) = native_next;

static __attribute__((noinline)) int32_t outer(int32_t value) {
  int32_t result = inner(value);
  // So that it is a call, and not a jump.
  __asm__ volatile("" : "+r"(result));
  return result;
}

static void call_nested(void* sum, size_t count) {
  int32_t (*volatile pointer)(int32_t) = outer;
  int32_t (*function)(int32_t) = pointer;
  for (size_t i = 0; i < count; i++) *(int32_t*)sum = function(*(int32_t*)sum);
}

static double call_c(void) {
  int32_t sum = 0;
  return best(call_nested, &sum) * 1e9;
}

const measure_t call_measures[] = {
  {"call_add", "ns", "`wasm_func_call` of (i32, i32) → i32", call_add},
  {"call_empty", "ns", "`wasm_func_call` of () → ()", call_empty},
  {"callback", "ns", "host callback (i32) → i32, its loop included", callback},
  {"call_pointer", "ns", "call by a C function pointer, (i32, i32) → i32", call_pointer},
  {"call_pointer_in_turn", "ns", "the same, from two depths of the stack in turn", call_pointer_in_turn},
  {"call_import", "ns", "plain C import (i32) → i32, its loop included", call_import},
  {"call_c", "ns", "in C alone: a call with another in it, by pointers", call_c},
  {0},
};
