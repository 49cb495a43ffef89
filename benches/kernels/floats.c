/* Kernels of floating point arithmetic. They use operations that are exact everywhere: addition,
 * subtraction, multiplication, division, square roots and conversions. */

#include "kernel.h"

/* Multiplies matrices. */
KERNEL(matmul) {
  enum { SIDE = 160 };
  static double a[SIDE][SIDE], b[SIDE][SIDE], c[SIDE][SIDE];
  uint32_t state = random_state(seed);
  for (int i = 0; i < SIDE; i++) {
    for (int j = 0; j < SIDE; j++) {
      a[i][j] = (double)(next_random(&state) >> 20);
      b[i][j] = (double)(next_random(&state) >> 20) * 0.125;
      c[i][j] = 0;
    }
  }
  for (int round = 0; round < 6; round++) {
    for (int i = 0; i < SIDE; i++) {
      for (int k = 0; k < SIDE; k++) {
        double factor = a[i][k];
        for (int j = 0; j < SIDE; j++) c[i][j] += factor * b[k][j];
      }
    }
  }
  uint64_t sum = 0;
  for (int i = 0; i < SIDE; i++) sum = mix(sum, bits_of(c[i][i * 7 % SIDE]));
  return sum;
}

typedef struct {
  double at[3], speed[3], mass;
} body;

/* Bodies that attract each other. */
KERNEL(nbody) {
  enum { COUNT = 5 };
  body bodies[COUNT];
  uint32_t state = random_state(seed);
  for (int i = 0; i < COUNT; i++) {
    for (int d = 0; d < 3; d++) {
      bodies[i].at[d] = (double)(next_random(&state) >> 16) / 4096.0 + i * 20.0;
      bodies[i].speed[d] = (double)(next_random(&state) >> 24) / 65536.0;
    }
    bodies[i].mass = 1.0 / (i + 1);
  }
  for (int step = 0; step < 150000; step++) {
    for (int i = 0; i < COUNT; i++) {
      for (int j = i + 1; j < COUNT; j++) {
        body *one = &bodies[i], *other = &bodies[j];
        double x = one->at[0] - other->at[0], y = one->at[1] - other->at[1];
        double z = one->at[2] - other->at[2], square = x * x + y * y + z * z;
        double force = 0.001 / (square * __builtin_sqrt(square));
        one->speed[0] -= x * other->mass * force;
        one->speed[1] -= y * other->mass * force;
        one->speed[2] -= z * other->mass * force;
        other->speed[0] += x * one->mass * force;
        other->speed[1] += y * one->mass * force;
        other->speed[2] += z * one->mass * force;
      }
    }
    for (int i = 0; i < COUNT; i++) {
      for (int d = 0; d < 3; d++) bodies[i].at[d] += 0.001 * bodies[i].speed[d];
    }
  }
  uint64_t sum = 0;
  for (int i = 0; i < COUNT; i++) {
    for (int d = 0; d < 3; d++) sum = mix(sum, bits_of(bodies[i].at[d]));
  }
  return sum;
}

/* How long points of the plane stay near 0. */
KERNEL(mandel) {
  enum { SIDE = 180, MOST = 200 };
  uint64_t sum = seed;
  for (int row = 0; row < SIDE; row++) {
    for (int column = 0; column < SIDE; column++) {
      double re = column * (3.0 / SIDE) - 2.0, im = row * (2.5 / SIDE) - 1.25, x = 0, y = 0;
      int turn = 0;
      for (; turn < MOST && x * x + y * y < 4.0; turn++) {
        double next = x * x - y * y + re;
        y = 2.0 * x * y + im;
        x = next;
      }
      sum += (uint64_t)turn * (uint64_t)(column + 1);
    }
  }
  return sum;
}

/* A vector and a multiple of another. */
KERNEL(axpy) {
  enum { COUNT = 4096 };
  static float x[COUNT], y[COUNT];
  uint32_t state = random_state(seed);
  for (int i = 0; i < COUNT; i++) {
    x[i] = (float)(next_random(&state) >> 24);
    y[i] = (float)(next_random(&state) >> 24);
  }
  for (int round = 0; round < 16000; round++) {
    float factor = (float)(round & 7) * 0.25f;
    for (int i = 0; i < COUNT; i++) y[i] += factor * x[i];
  }
  uint64_t sum = 0;
  for (int i = 0; i < COUNT; i++) sum = mix(sum, bits_of((double)y[i]));
  return sum;
}

/* Numbers turned into numbers of other types. */
KERNEL(fconv) {
  enum { COUNT = 1024 };
  static double numbers[COUNT];
  uint32_t state = random_state(seed);
  for (int i = 0; i < COUNT; i++) numbers[i] = (double)(int32_t)next_random(&state) / 1024.0;
  uint64_t sum = 0;
  for (int round = 0; round < 700; round++) {
    for (int i = 0; i < COUNT; i++) {
      double number = numbers[i] + round;
      int32_t whole = (int32_t)number;
      int64_t large = (int64_t)(number * 65536.0);
      uint32_t positive = (uint32_t)(number * number * 0.0001220703125);
      float single = (float)large;
      sum += (uint64_t)(whole + (int64_t)positive) ^ (uint64_t)(int64_t)(single * 0.5f);
      sum += bits_of((double)(uint32_t)large + (double)positive);
    }
  }
  return sum;
}
