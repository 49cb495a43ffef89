/* What the kernels share. A kernel takes a seed, so that no compiler can compute it in advance, and
 * returns a checksum over bits, on which all engines and compilers have to agree. */

#ifndef KERNEL_H
#define KERNEL_H

#include <stddef.h>
#include <stdint.h>

#ifdef __wasm__
#define KERNEL(name) __attribute__((export_name(#name))) uint64_t kernel_##name(uint32_t seed)
#else
#define KERNEL(name) __attribute__((visibility("default"))) uint64_t kernel_##name(uint32_t seed)
#endif

#define NOINLINE __attribute__((noinline))

/* The next of a row of numbers without pattern. The state is never 0. */
static inline uint32_t next_random(uint32_t* state) {
  uint32_t x = *state;
  x ^= x << 13;
  x ^= x >> 17;
  x ^= x << 5;
  return *state = x;
}

/* The state that `seed` begins with. */
static inline uint32_t random_state(uint32_t seed) { return seed * 2654435761u | 1; }

/* A checksum that goes on with one more number. */
static inline uint64_t mix(uint64_t sum, uint64_t value) {
  sum = (sum ^ value) * 0x9e3779b97f4a7c15u;
  return sum ^ sum >> 29;
}

static inline uint64_t bits_of(double value) {
  uint64_t bits;
  __builtin_memcpy(&bits, &value, sizeof bits);
  return bits;
}

#endif
