/* Kernels of integer arithmetic on data that fits into the caches. */

#include "kernel.h"

static const uint32_t sha_constants[64] = {
  0x428a2f98, 0x71374491, 0xb5c0fbcf, 0xe9b5dba5, 0x3956c25b, 0x59f111f1, 0x923f82a4, 0xab1c5ed5,
  0xd807aa98, 0x12835b01, 0x243185be, 0x550c7dc3, 0x72be5d74, 0x80deb1fe, 0x9bdc06a7, 0xc19bf174,
  0xe49b69c1, 0xefbe4786, 0x0fc19dc6, 0x240ca1cc, 0x2de92c6f, 0x4a7484aa, 0x5cb0a9dc, 0x76f988da,
  0x983e5152, 0xa831c66d, 0xb00327c8, 0xbf597fc7, 0xc6e00bf3, 0xd5a79147, 0x06ca6351, 0x14292967,
  0x27b70a85, 0x2e1b2138, 0x4d2c6dfc, 0x53380d13, 0x650a7354, 0x766a0abb, 0x81c2c92e, 0x92722c85,
  0xa2bfe8a1, 0xa81a664b, 0xc24b8b70, 0xc76c51a3, 0xd192e819, 0xd6990624, 0xf40e3585, 0x106aa070,
  0x19a4c116, 0x1e376c08, 0x2748774c, 0x34b0bcb5, 0x391c0cb3, 0x4ed8aa4a, 0x5b9cca4f, 0x682e6ff3,
  0x748f82ee, 0x78a5636f, 0x84c87814, 0x8cc70208, 0x90befffa, 0xa4506ceb, 0xbef9a3f7, 0xc67178f2,
};

static inline uint32_t rotate(uint32_t x, int by) { return x >> by | x << (32 - by); }

static NOINLINE void sha_block(uint32_t state[8], const uint8_t* bytes) {
  uint32_t w[64];
  for (int i = 0; i < 16; i++, bytes += 4) {
    w[i] = (uint32_t)bytes[0] << 24 | (uint32_t)bytes[1] << 16 | (uint32_t)bytes[2] << 8 | bytes[3];
  }
  for (int i = 16; i < 64; i++) {
    uint32_t x = w[i - 15], y = w[i - 2];
    w[i] = w[i - 16] + (rotate(x, 7) ^ rotate(x, 18) ^ x >> 3) + w[i - 7] +
           (rotate(y, 17) ^ rotate(y, 19) ^ y >> 10);
  }
  uint32_t a = state[0], b = state[1], c = state[2], d = state[3];
  uint32_t e = state[4], f = state[5], g = state[6], h = state[7];
  for (int i = 0; i < 64; i++) {
    uint32_t first = h + (rotate(e, 6) ^ rotate(e, 11) ^ rotate(e, 25)) + ((e & f) ^ (~e & g)) +
                     sha_constants[i] + w[i];
    uint32_t second = (rotate(a, 2) ^ rotate(a, 13) ^ rotate(a, 22)) + ((a & b) ^ (a & c) ^ (b & c));
    h = g, g = f, f = e, e = d + first, d = c, c = b, b = a, a = first + second;
  }
  state[0] += a, state[1] += b, state[2] += c, state[3] += d;
  state[4] += e, state[5] += f, state[6] += g, state[7] += h;
}

/* SHA-256 of blocks. */
KERNEL(sha256) {
  static uint8_t text[4096];
  uint32_t random = random_state(seed);
  for (size_t i = 0; i < sizeof text; i++) text[i] = (uint8_t)next_random(&random);
  uint32_t state[8] = {0x6a09e667, 0xbb67ae85, 0x3c6ef372, 0xa54ff53a,
                       0x510e527f, 0x9b05688c, 0x1f83d9ab, 0x5be0cd19};
  for (int round = 0; round < 400; round++) {
    for (size_t at = 0; at < sizeof text; at += 64) sha_block(state, text + at);
  }
  uint64_t sum = 0;
  for (int i = 0; i < 8; i++) sum = mix(sum, state[i]);
  return sum;
}

/* CRC-32, a byte at a time. */
KERNEL(crc32) {
  static uint32_t table[256];
  static uint8_t text[8192];
  for (uint32_t i = 0; i < 256; i++) {
    uint32_t c = i;
    for (int bit = 0; bit < 8; bit++) c = c & 1 ? 0xedb88320u ^ c >> 1 : c >> 1;
    table[i] = c;
  }
  uint32_t state = random_state(seed);
  for (size_t i = 0; i < sizeof text; i++) text[i] = (uint8_t)next_random(&state);
  uint32_t crc = ~seed;
  for (int round = 0; round < 400; round++) {
    for (size_t i = 0; i < sizeof text; i++) crc = table[(crc ^ text[i]) & 255] ^ crc >> 8;
  }
  return crc;
}

static uint64_t power(uint64_t base, uint64_t exponent, uint64_t modulus) {
  uint64_t result = 1;
  for (base %= modulus; exponent; exponent >>= 1) {
    if (exponent & 1) result = result * base % modulus;
    base = base * base % modulus;
  }
  return result;
}

/* Modular powers: divisions of 64 bits. */
KERNEL(modpow) {
  uint64_t sum = 0;
  for (uint64_t i = 0; i < 20000; i++) sum = mix(sum, power(seed + i, 4294967289u - i, 4294967291u - i * 2));
  return sum;
}

/* Permutations and how often their beginnings can be turned around. */
KERNEL(fannkuch) {
  enum { SIZE = 9 };
  int order[SIZE], turned[SIZE], counts[SIZE];
  int most = 0, sum = (int)(seed & 1), left = SIZE, even = 1;
  for (int i = 0; i < SIZE; i++) order[i] = i;
  for (;;) {
    for (; left != 1; left--) counts[left - 1] = left;
    for (int i = 0; i < SIZE; i++) turned[i] = order[i];
    int flips = 0;
    for (int first = turned[0]; first; first = turned[0]) {
      for (int low = 0, high = first; low < high; low++, high--) {
        int kept = turned[low];
        turned[low] = turned[high];
        turned[high] = kept;
      }
      flips++;
    }
    if (flips > most) most = flips;
    sum += even ? flips : -flips;
    even = !even;
    for (;; left++) {
      if (left == SIZE) return mix((uint64_t)(uint32_t)sum, (uint64_t)most);
      int first = order[0];
      for (int i = 0; i < left; i++) order[i] = order[i + 1];
      order[left] = first;
      if (--counts[left] > 0) break;
    }
  }
}

typedef struct {
  uint32_t key;
  uint16_t kind, count;
  uint64_t total;
} record;

/* Records of fields of several sizes, searched, sorted in and changed. */
KERNEL(mixed) {
  static record records[1024];
  uint32_t state = random_state(seed), used = 0;
  uint64_t sum = 0;
  for (uint32_t round = 0; round < 150000; round++) {
    uint32_t random = next_random(&state), key = random % 5000, low = 0, high = used;
    while (low < high) {
      uint32_t middle = low + (high - low) / 2;
      if (records[middle].key < key) low = middle + 1;
      else high = middle;
    }
    if (low < used && records[low].key == key) {
      record* found = &records[low];
      found->count++;
      found->total += (uint64_t)(random >> 8) * found->kind;
      if (found->count > 20) sum = mix(sum, found->total / found->count), found->count = 0;
    } else if (used < 1024 && (random >> 28) == 3) {
      for (uint32_t i = used++; i > low; i--) records[i] = records[i - 1];
      records[low] = (record){key, (uint16_t)(random >> 20), 1, (int16_t)random < 0 ? 7 : random};
    } else {
      sum += (uint64_t)__builtin_popcount(random) << (key & 15);
    }
  }
  for (uint32_t i = 0; i < used; i++) sum = mix(sum, records[i].total);
  return sum;
}
