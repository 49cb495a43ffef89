/* Kernels whose time goes into loads and stores of bytes and words. */

#include "kernel.h"

static NOINLINE void quicksort(uint32_t* numbers, int32_t low, int32_t high) {
  while (high - low > 12) {
    uint32_t pivot = numbers[low + (high - low) / 2];
    int32_t i = low, j = high;
    while (i <= j) {
      while (numbers[i] < pivot) i++;
      while (numbers[j] > pivot) j--;
      if (i <= j) {
        uint32_t kept = numbers[i];
        numbers[i++] = numbers[j];
        numbers[j--] = kept;
      }
    }
    if (j - low < high - i) {
      quicksort(numbers, low, j);
      low = i;
    } else {
      quicksort(numbers, i, high);
      high = j;
    }
  }
  for (int32_t i = low + 1; i <= high; i++) {
    uint32_t number = numbers[i];
    int32_t at = i;
    for (; at > low && numbers[at - 1] > number; at--) numbers[at] = numbers[at - 1];
    numbers[at] = number;
  }
}

/* Sorts numbers. */
KERNEL(quicksort) {
  enum { COUNT = 150000 };
  static uint32_t numbers[COUNT];
  uint32_t state = random_state(seed);
  for (int i = 0; i < COUNT; i++) numbers[i] = next_random(&state);
  quicksort(numbers, 0, COUNT - 1);
  uint64_t sum = 0;
  for (int i = 0; i < COUNT; i += 100) sum = mix(sum, numbers[i]);
  return sum;
}

/* Prime numbers by crossing out. */
KERNEL(sieve) {
  enum { LIMIT = 1500000 };
  static uint8_t crossed[LIMIT];
  uint32_t count = seed & 1;
  for (int round = 0; round < 3; round++) {
    for (uint32_t i = 0; i < LIMIT; i++) crossed[i] = 0;
    for (uint32_t i = 2; i * i < LIMIT; i++) {
      if (crossed[i]) continue;
      for (uint32_t j = i * i; j < LIMIT; j += i) crossed[j] = 1;
    }
    for (uint32_t i = 2; i < LIMIT; i++) count += !crossed[i];
  }
  return count;
}

/* A text of words, some of them frequent. */
static void write_words(uint8_t* text, size_t size, uint32_t seed) {
  uint32_t state = random_state(seed);
  for (size_t at = 0; at < size;) {
    uint32_t word = next_random(&state);
    word = word & 3 ? (word >> 8) & 63 : (word >> 8) & 4095;
    uint32_t letters = word * 2654435761u;
    for (uint32_t i = 0; i < 2 + word % 7 && at < size; i++, letters = letters * 33 + 7) {
      text[at++] = (uint8_t)('a' + (letters >> 16) % 26);
    }
    if (at < size) text[at++] = ' ';
  }
}

enum { SLOTS = 16384 };
static struct {
  uint32_t hash, start, length, count;
} slots[SLOTS];

/* Counts words in a table, by a hash of their letters. */
KERNEL(strhash) {
  static uint8_t text[1 << 20];
  write_words(text, sizeof text, seed);
  for (int i = 0; i < SLOTS; i++) slots[i].length = slots[i].count = 0;
  for (uint32_t at = 0; at < sizeof text; at++) {
    uint32_t start = at, hash = 2166136261u;
    for (; at < sizeof text && text[at] != ' '; at++) hash = (hash ^ text[at]) * 16777619u;
    uint32_t length = at - start;
    for (uint32_t slot = hash % SLOTS;; slot = (slot + 1) % SLOTS) {
      if (!slots[slot].count) {
        slots[slot].hash = hash, slots[slot].start = start, slots[slot].length = length;
      } else if (slots[slot].hash != hash || slots[slot].length != length) {
        continue;
      } else {
        uint32_t same = 0;
        while (same < length && text[start + same] == text[slots[slot].start + same]) same++;
        if (same < length) continue;
      }
      slots[slot].count++;
      break;
    }
  }
  uint64_t sum = 0;
  for (int i = 0; i < SLOTS; i++) sum = mix(sum, slots[i].count);
  return sum;
}

/* Copies, moves and fills of lengths that are not known beforehand, and a record of known size. */
KERNEL(memops) {
  static uint8_t from[1 << 16], to[1 << 16];
  struct { uint32_t words[12]; } one, other = {{seed}};
  uint32_t state = random_state(seed);
  uint64_t sum = 0;
  for (size_t i = 0; i < sizeof from; i++) from[i] = to[i] = (uint8_t)next_random(&state);
  for (int round = 0; round < 150000; round++) {
    uint32_t random = next_random(&state), at = random & 4095, length = random >> 24;
    if ((random & 0xf000) == 0) length <<= 7;
    __builtin_memcpy(to + at, from + (random >> 8 & 4095), length);
    __builtin_memmove(to + 64, to + at, length & 1023);
    __builtin_memset(to + at + 9, (int)length, random >> 20 & 127);
    __builtin_memcpy(&one, to + at, sizeof one);
    other.words[random & 7] += one.words[length % 12];
    __builtin_memcpy(to + at + 100, &other, sizeof other);
    sum += to[random >> 16];
  }
  return mix(sum, other.words[3]);
}

/* Compresses a text: runs that were there before become references to them. */
static NOINLINE size_t compress(const uint8_t* text, size_t size, uint8_t* out, uint32_t* seen) {
  size_t at = 0, literal = 0;
  uint8_t* to = out;
  for (int i = 0; i < 4096; i++) seen[i] = 0;
  while (at + 4 < size) {
    uint32_t next;
    __builtin_memcpy(&next, text + at, 4);
    uint32_t hash = next * 2654435761u >> 20, before = seen[hash], there;
    seen[hash] = (uint32_t)at;
    __builtin_memcpy(&there, text + before, 4);
    if (before < at && at - before < 65536 && there == next) {
      size_t length = 4;
      while (at + length < size && text[before + length] == text[at + length]) length++;
      *to++ = (uint8_t)(at - literal);
      for (; literal < at; literal++) *to++ = text[literal];
      *to++ = (uint8_t)(at - before);
      *to++ = (uint8_t)((at - before) >> 8);
      for (size_t rest = length - 4;; rest -= 255) {
        *to++ = (uint8_t)(rest < 255 ? rest : 255);
        if (rest < 255) break;
      }
      at += length;
      literal = at;
    } else if (++at - literal == 255) {
      *to++ = 255;
      for (; literal < at; literal++) *to++ = text[literal];
    }
  }
  for (; literal < size; literal++) *to++ = text[literal];
  return (size_t)(to - out);
}

KERNEL(lz) {
  static uint8_t text[1 << 20], out[1 << 21];
  static uint32_t seen[4096];
  write_words(text, sizeof text, seed);
  size_t size = compress(text, sizeof text, out, seen);
  uint64_t sum = size;
  for (size_t i = 0; i < size; i += 64) sum = mix(sum, out[i]);
  return sum;
}

/* The game of life on a field that has borders. */
KERNEL(life) {
  enum { SIDE = 256, ROW = SIDE + 2 };
  static uint8_t fields[2][ROW * ROW];
  uint32_t state = random_state(seed);
  for (int i = 0; i < ROW * ROW; i++) fields[0][i] = fields[1][i] = 0;
  for (int y = 1; y <= SIDE; y++) {
    for (int x = 1; x <= SIDE; x++) fields[0][y * ROW + x] = next_random(&state) >> 30 == 0;
  }
  for (int turn = 0; turn < 60; turn++) {
    const uint8_t* now = fields[turn & 1];
    uint8_t* then = fields[~turn & 1];
    for (int y = 1; y <= SIDE; y++) {
      for (int x = 1; x <= SIDE; x++) {
        int at = y * ROW + x;
        int around = now[at - ROW - 1] + now[at - ROW] + now[at - ROW + 1] + now[at - 1] +
                     now[at + 1] + now[at + ROW - 1] + now[at + ROW] + now[at + ROW + 1];
        then[at] = (uint8_t)(around == 3 || (around == 2 && now[at]));
      }
    }
  }
  uint64_t sum = 0;
  for (int i = 0; i < ROW * ROW; i++) sum += (uint64_t)fields[0][i] * (uint64_t)i;
  return sum;
}

static const char digits[64] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

/* Base64 there and back. */
KERNEL(base64) {
  enum { SIZE = 3 << 14 };
  static uint8_t bytes[SIZE], text[SIZE / 3 * 4], values[256];
  uint32_t state = random_state(seed);
  for (int i = 0; i < SIZE; i++) bytes[i] = (uint8_t)next_random(&state);
  for (int i = 0; i < 64; i++) values[(uint8_t)digits[i]] = (uint8_t)i;
  uint64_t sum = 0;
  for (int round = 0; round < 160; round++) {
    uint8_t* to = text;
    for (int i = 0; i < SIZE; i += 3, to += 4) {
      uint32_t group = (uint32_t)bytes[i] << 16 | (uint32_t)bytes[i + 1] << 8 | bytes[i + 2];
      to[0] = (uint8_t)digits[group >> 18];
      to[1] = (uint8_t)digits[group >> 12 & 63];
      to[2] = (uint8_t)digits[group >> 6 & 63];
      to[3] = (uint8_t)digits[group & 63];
    }
    sum = mix(sum, text[round * 97]);
    uint8_t* back = bytes;
    for (int i = 0; i < SIZE / 3 * 4; i += 4, back += 3) {
      uint32_t group = (uint32_t)values[text[i]] << 18 | (uint32_t)values[text[i + 1]] << 12 |
                       (uint32_t)values[text[i + 2]] << 6 | values[text[i + 3]];
      back[0] = (uint8_t)(group >> 16);
      back[1] = (uint8_t)(group >> 8);
      back[2] = (uint8_t)group;
    }
    bytes[round * 31] ^= (uint8_t)round;
  }
  return mix(sum, bytes[SIZE - 1]);
}
