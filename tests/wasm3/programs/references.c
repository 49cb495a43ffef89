/* References to things of the host, in a table, and functions that return several values. */

#define EXPORT(name) __attribute__((export_name(name)))
#define IMPORT(name) __attribute__((import_module("host"), import_name(name)))

static __externref_t objects[0];

IMPORT("number") int number(__externref_t object);

/* Keeps an object; its place. */
EXPORT("keep") int keep(__externref_t object) {
  return __builtin_wasm_table_grow(objects, object, 1);
}

EXPORT("kept") __externref_t kept(int place) {
  return __builtin_wasm_table_get(objects, place);
}

/* Swaps two objects. */
EXPORT("swap") void swap(int a, int b) {
  __externref_t object = __builtin_wasm_table_get(objects, a);
  __builtin_wasm_table_set(objects, a, __builtin_wasm_table_get(objects, b));
  __builtin_wasm_table_set(objects, b, object);
}

/* The numbers of all objects in their order. */
EXPORT("hash") int hash(void) {
  int hash = 0;
  for (unsigned i = 0; i < __builtin_wasm_table_size(objects); i++) {
    hash = hash * 31 + number(__builtin_wasm_table_get(objects, i));
  }
  return hash;
}

struct parts {
  long long quotient, rest;
  double exact;
};

/* Three values. */
EXPORT("divide") struct parts divide(long long a, long long b) {
  return (struct parts){a / b, a % b, (double)a / b};
}

static __attribute__((noinline)) struct parts swapped(struct parts parts) {
  return (struct parts){parts.rest, parts.quotient, -parts.exact};
}

EXPORT("divide_swapped") struct parts divide_swapped(long long a, long long b) {
  return swapped(divide(a, b));
}
