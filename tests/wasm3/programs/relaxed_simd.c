/* Relaxed vector instructions, with operands for which every choice that an engine has gives the
 * same: sums that are exact, indices in bounds, masks of all ones or zeros. */

#include <wasm_simd128.h>

#define EXPORT(name) __attribute__((export_name(name)))

enum { SIZE = 64 };
static float a[SIZE][SIZE], b[SIZE][SIZE], c[SIZE][SIZE];

/* A product of matrices of small whole numbers: the sum of its elements. */
EXPORT("multiply") double multiply(int seed) {
  for (int i = 0; i < SIZE; i++) {
    for (int j = 0; j < SIZE; j++) {
      a[i][j] = (i * 7 + j * 3 + seed) % 11 - 5;
      b[i][j] = (i * 5 + j * 2 + seed) % 13 - 6;
    }
  }
  for (int i = 0; i < SIZE; i++) {
    for (int j = 0; j < SIZE; j += 4) {
      v128_t sum = wasm_f32x4_splat(0);
      for (int k = 0; k < SIZE; k++) {
        sum = wasm_f32x4_relaxed_madd(wasm_f32x4_splat(a[i][k]), wasm_v128_load(&b[k][j]), sum);
      }
      wasm_v128_store(&c[i][j], sum);
    }
  }
  double total = 0;
  for (int i = 0; i < SIZE; i++) {
    for (int j = 0; j < SIZE; j++) total += c[i][j] * (i + 1) - c[i][j] * j;
  }
  return total;
}

/* The scalar product of bytes. */
EXPORT("dot") int dot(int count) {
  v128_t sum = wasm_i32x4_splat(0);
  v128_t step = wasm_i8x16_splat(3), ones = wasm_i8x16_splat(0x3f);
  v128_t left = wasm_i8x16_make(-8, -7, -6, -5, -4, -3, -2, -1, 0, 1, 2, 3, 4, 5, 6, 7);
  v128_t right = wasm_i8x16_make(1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16);
  for (int i = 0; i < count; i++) {
    sum = wasm_i32x4_relaxed_dot_i8x16_i7x16_add(left, right, sum);
    left = wasm_i8x16_add(left, step);
    right = wasm_v128_and(wasm_i8x16_add(right, step), ones);
  }
  return wasm_i32x4_extract_lane(sum, 0) + wasm_i32x4_extract_lane(sum, 1) * 3 +
         wasm_i32x4_extract_lane(sum, 2) * 5 + wasm_i32x4_extract_lane(sum, 3) * 7;
}

/* Bytes in reverse, the larger of each pair of doubles, truncated, and one of two by a mask. */
EXPORT("shuffle") long long shuffle(double x, double y) {
  v128_t pair = wasm_f64x2_make(x, y), other = wasm_f64x2_make(y, x);
  v128_t most = wasm_f64x2_relaxed_max(pair, other), least = wasm_f64x2_relaxed_min(pair, other);
  v128_t mask = wasm_f64x2_lt(pair, other);
  v128_t chosen = wasm_i64x2_relaxed_laneselect(most, least, mask);
  v128_t whole = wasm_i32x4_relaxed_trunc_f64x2_zero(chosen);
  v128_t order = wasm_i8x16_make(3, 2, 1, 0, 7, 6, 5, 4, 8, 9, 10, 11, 12, 13, 14, 15);
  return wasm_i64x2_extract_lane(wasm_i8x16_relaxed_swizzle(whole, order), 0);
}
