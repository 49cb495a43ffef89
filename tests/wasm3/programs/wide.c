/* Numbers of 128 bits: products modulo 64 bits, and whether numbers are prime. */

#define EXPORT(name) __attribute__((export_name(name)))

typedef unsigned long long u64;
typedef unsigned __int128 u128;

static u64 times(u64 a, u64 b, u64 modulus) {
  return (u128)a * b % modulus;
}

static u64 power(u64 base, u64 exponent, u64 modulus) {
  u64 result = 1;
  for (; exponent; exponent >>= 1, base = times(base, base, modulus)) {
    if (exponent & 1) result = times(result, base, modulus);
  }
  return result;
}

/* Miller and Rabin's test with bases that leave no doubt below 2^64. */
EXPORT("is_prime") int is_prime(u64 n) {
  static const u64 bases[] = {2, 3, 5, 7, 11, 13, 17, 19, 23, 29, 31, 37};
  if (n < 2) return 0;
  for (unsigned i = 0; i < sizeof bases / sizeof *bases; i++) {
    if (n % bases[i] == 0) return n == bases[i];
  }
  u64 odd = n - 1;
  int twos = __builtin_ctzll(odd);
  odd >>= twos;
  for (unsigned i = 0; i < sizeof bases / sizeof *bases; i++) {
    u64 x = power(bases[i], odd, n);
    if (x == 1 || x == n - 1) continue;
    int round = 1;
    while (round < twos && (x = times(x, x, n)) != n - 1) round++;
    if (round == twos) return 0;
  }
  return 1;
}

/* Both halves of a sum of signed products, which carries. */
EXPORT("sum") long long sum(long long a, long long b, int count) {
  u128 total = 0;
  for (int i = 0; i < count; i++) {
    total += (u128)((__int128)a * b);
    total -= (u128)i * 1234567890123ull;
    a = (long long)((u64)a * 3 + i), b = (long long)((u64)b * 5 - i);
  }
  return (long long)(u64)(total >> 64) ^ (long long)(u64)total;
}
