/* Kernels that are written with vectors, or that compilers turn into vectors. */

#include "kernel.h"

typedef float floats __attribute__((vector_size(16)));
typedef int32_t ints __attribute__((vector_size(16)));

/* How long four points of the plane at a time stay near 0. */
KERNEL(vmandel) {
  enum { SIDE = 256, MOST = 200 };
  uint64_t sum = seed;
  for (int row = 0; row < SIDE; row++) {
    for (int column = 0; column < SIDE; column += 4) {
      floats re = (floats){0, 1, 2, 3} + (float)column;
      re = re * (3.0f / SIDE) - 2.0f;
      floats im = (floats){0} + ((float)row * (2.5f / SIDE) - 1.25f), x = {0}, y = {0};
      ints turns = {0};
      for (int turn = 0; turn < MOST; turn++) {
        floats xx = x * x, yy = y * y;
        ints near = xx + yy < 4.0f;
        if (!(near[0] | near[1] | near[2] | near[3])) break;
        turns -= near;
        y = 2.0f * x * y + im;
        x = xx - yy + re;
      }
      sum += (uint64_t)(turns[0] + turns[1] * 3 + turns[2] * 5 + turns[3] * 7) * (uint64_t)(column + 1);
    }
  }
  return sum;
}

static NOINLINE void raise_case(uint8_t* to, const uint8_t* from, size_t size) {
  for (size_t i = 0; i < size; i++) {
    uint8_t letter = from[i];
    to[i] = letter >= 'a' && letter <= 'z' ? letter - 32 : letter;
  }
}

/* Text in upper case. */
KERNEL(vcase) {
  enum { SIZE = 16384 };
  static uint8_t text[SIZE], raised[SIZE];
  uint32_t state = random_state(seed);
  for (int i = 0; i < SIZE; i++) text[i] = (uint8_t)(next_random(&state) >> 25);
  uint64_t sum = 0;
  for (int round = 0; round < 2500; round++) {
    text[round] ^= 1;
    raise_case(raised, text, SIZE);
    sum += raised[round * 3];
  }
  for (int i = 0; i < SIZE; i++) sum = mix(sum, raised[i]);
  return sum;
}
