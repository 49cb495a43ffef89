// An instance with 16 pages of memory, 64 KiB of data and a table of 1,000 functions.

#define TEN(F, n) F(n##0) F(n##1) F(n##2) F(n##3) F(n##4) F(n##5) F(n##6) F(n##7) F(n##8) F(n##9)
#define HUNDRED(F, n) \
  TEN(F, n##0) TEN(F, n##1) TEN(F, n##2) TEN(F, n##3) TEN(F, n##4) \
  TEN(F, n##5) TEN(F, n##6) TEN(F, n##7) TEN(F, n##8) TEN(F, n##9)
#define THOUSAND(F) \
  HUNDRED(F, 1) HUNDRED(F, 2) HUNDRED(F, 3) HUNDRED(F, 4) HUNDRED(F, 5) \
  HUNDRED(F, 6) HUNDRED(F, 7) HUNDRED(F, 8) HUNDRED(F, 9) HUNDRED(F, 10)

#define DEFINE(n) static int f##n(int x) { return x * n; }
#define NAME(n) f##n,
THOUSAND(DEFINE)
static int (*const table[])(int) = {THOUSAND(NAME)};

static unsigned char data[1 << 16] = {[0 ... (1 << 16) - 1] = 0x5a};

// Writes a byte to each of 32 pages of 4 KiB.
__attribute__((export_name("touch"))) int touch(void) {
  unsigned char* start = data;
  for (int i = 0; i < 32; i++) *(volatile unsigned char*)(start + i * 4096) = (unsigned char)i;
  return data[4096];
}

__attribute__((export_name("call"))) int call(unsigned index, int x) {
  return table[index % 1000](x);
}
