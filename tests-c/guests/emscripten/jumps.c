/* longjmp: out of nested calls, out of callbacks, again and again, with the stack as it was. */
#include <setjmp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static jmp_buf outer, inner;
static int calls;

static void *stack_now(void) {
  return __builtin_frame_address(0);
}

__attribute__((noinline)) static void deep(int depth, jmp_buf where, int value) {
  volatile char room[256];
  memset((char *)room, depth, sizeof room);
  if (depth == 0) longjmp(where, value);
  deep(depth - 1, where, value);
  if (room[0] != (char)depth) abort();
}

static int compare(const void *a, const void *b) {
  if (++calls == 5) longjmp(outer, 55);
  return *(const int *)a - *(const int *)b;
}

__attribute__((noinline)) static double mixed(int a, long long b, float c, double d) {
  if (a == 3) longjmp(inner, (int)(b >> 32));
  return a + (double)b + c + d;
}

static double (*volatile mixed_pointer)(int, long long, float, double) = mixed;

__attribute__((noinline)) static int try_once(void) {
  if (setjmp(outer) == 0) deep(2, outer, 1);
  return 1;
}

__attribute__((noinline)) static void zero(void) {
  if (setjmp(outer) == 0) longjmp(outer, 0);
  else puts("0 becomes 1");
}

int main(void) {
  int tries = 0;
  int value = setjmp(outer);
  printf("first %d\n", value);
  if (value < 3) deep(20, outer, value + 1);

  int numbers[32];
  for (int i = 0; i < 32; i++) numbers[i] = (i * 7) % 32;
  if ((value = setjmp(outer)) == 0) {
    qsort(numbers, 32, sizeof *numbers, compare);
    puts("not here");
  }
  printf("out of qsort with %d after %d calls\n", value, calls);
  calls = 100;
  qsort(numbers, 32, sizeof *numbers, compare);
  int sorted = 1;
  for (int i = 0; i < 32; i++) sorted &= numbers[i] == i;
  printf("sorted %d\n", sorted);

  if (setjmp(outer) == 0) {
    if (setjmp(inner) == 0) deep(3, inner, 9);
    puts("inner caught");
    deep(3, outer, 1);
  }
  puts("outer caught");

  value = setjmp(inner);
  printf("%d %.2f\n", value, mixed_pointer(value ? 4 : 3, 0x2a00000001LL, 0.5f, 0.25));

  void *before = stack_now();
  while (tries < 2000) tries += try_once();
  printf("%d jumps, the stack is %s\n", tries, before == stack_now() ? "the same" : "another");
  zero();
  return 0;
}
