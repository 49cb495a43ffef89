/* setjmp and longjmp, which clang makes of exceptions: out of calls, of loops, and past other places
 * to jump to. */

#include <setjmp.h>

#define EXPORT(name) __attribute__((export_name(name)))

// The tag that jumps are thrown with; their library has none.
__asm__(".globl __c_longjmp\n.tagtype __c_longjmp i32\n__c_longjmp:\n");

static jmp_buf outer, inner;

static __attribute__((noinline)) int deep(int n, int to) {
  if (n > 0) return deep(n - 1, to) + 1;
  if (to == 1) longjmp(inner, 7);
  if (to == 2) longjmp(outer, 9);
  return 0;
}

static __attribute__((noinline)) int middle(int n, int to) {
  volatile int tries = 0;
  int value = setjmp(inner);
  if (value != 0) return 1000 + value + tries;
  tries = 100;
  return deep(n, to);
}

/* Where the jump has gone: nowhere, to the inner or to the outer place. */
EXPORT("jump") int jump(int n, int to) {
  int value = setjmp(outer);
  if (value != 0) return 10000 + value;
  return middle(n, to);
}

/* Jumps back until it has been there often enough. */
EXPORT("again") int again(int times) {
  jmp_buf here;
  volatile int sum = 0;
  int round = setjmp(here);
  sum += round;
  if (round < times) longjmp(here, round + 1);
  return sum;
}
