/* Calls that clang promises to be tail calls: functions that call each other a million times, and
 * an interpreter each of whose instructions calls the next one. */

#define EXPORT(name) __attribute__((export_name(name)))
#define TAIL __attribute__((musttail)) return

static unsigned odd(unsigned n, unsigned sum, double weight);

static __attribute__((noinline)) unsigned even(unsigned n, unsigned sum, double weight) {
  if (n == 0) return sum;
  TAIL odd(n - 1, sum + (unsigned)(int)weight, -weight);
}

static __attribute__((noinline)) unsigned odd(unsigned n, unsigned sum, double weight) {
  if (n == 0) return -sum;
  TAIL even(n - 1, sum * 3, weight + 1);
}

EXPORT("alternate") unsigned alternate(unsigned n) {
  return even(n, 1, 2);
}

typedef unsigned long long word;

struct machine {
  word stack[64];
  word jumps;
};

typedef word step(const signed char* code, word* top, struct machine* machine);
#define STEP(name) \
  static word name(const signed char* code, word* top, struct machine* machine)
#define NEXT(code, top) TAIL steps[(unsigned char)*(code)]((code), (top), machine)

static step push, dup, add, mul, swap, jump, halt;
static step* const steps[] = {push, dup, add, mul, swap, jump, halt};
enum { PUSH, DUP, ADD, MUL, SWAP, JUMP, HALT };

STEP(push) {
  *++top = (word)code[1];
  NEXT(code + 2, top);
}
STEP(dup) {
  top[1] = top[0];
  NEXT(code + 1, top + 1);
}
STEP(add) {
  top[-1] += top[0];
  NEXT(code + 1, top - 1);
}
STEP(mul) {
  top[-1] *= top[0];
  NEXT(code + 1, top - 1);
}
STEP(swap) {
  word below = top[-1];
  top[-1] = top[0], top[0] = below;
  NEXT(code + 1, top);
}
/* Jumps if what is on top is not zero, which stays. */
STEP(jump) {
  machine->jumps++;
  const signed char* next = *top ? code + code[1] : code + 2;
  NEXT(next, top);
}
STEP(halt) {
  (void)code;
  return top[-1] ^ machine->jumps;
}

/* Interprets a loop that makes x = x * x + 7, n times. */
EXPORT("interpret") word interpret(word n) {
  static const signed char count[] = {
    SWAP, DUP, MUL, PUSH, 7, ADD, SWAP, PUSH, -1, ADD, JUMP, -10, HALT,
  };
  struct machine machine = {.jumps = 0};
  machine.stack[1] = 3, machine.stack[2] = n;
  return steps[(unsigned char)count[0]](count, &machine.stack[2], &machine);
}
