/* Kernels whose time goes into calls: direct, recursive, through tables. */

#include "kernel.h"

static NOINLINE uint32_t fib(uint32_t n) { return n < 2 ? n : fib(n - 1) + fib(n - 2); }

/* Nothing but recursion. */
KERNEL(fib) { return fib(31 + (seed & 1)); }

static uint32_t shift_add(uint32_t x, uint32_t y) { return (x << 3) + y; }
static uint32_t rotate_xor(uint32_t x, uint32_t y) { return (x << 7 | x >> 25) ^ y; }
static uint32_t multiply(uint32_t x, uint32_t y) { return x * 2654435761u + y; }
static uint32_t subtract(uint32_t x, uint32_t y) { return x - (y ^ 0x5bd1e995u); }
static uint32_t both(uint32_t x, uint32_t y) { return (x & y) + (x | 1); }
static uint32_t fold(uint32_t x, uint32_t y) { return (x >> 5) + (x ^ y); }
static uint32_t least(uint32_t x, uint32_t y) { return x < y ? y - x : x - y; }
static uint32_t invert(uint32_t x, uint32_t y) { return ~x + y * 3; }

typedef uint32_t (*operation)(uint32_t, uint32_t);
static operation const operations[8] = {
  shift_add, rotate_xor, multiply, subtract, both, fold, least, invert,
};

/* Calls through a table, in an order that repeats. */
KERNEL(icall) {
  uint8_t order[64];
  uint32_t state = random_state(seed), x = seed;
  for (int i = 0; i < 64; i++) order[i] = next_random(&state) & 7;
  for (uint32_t i = 0; i < 4000000; i++) x = operations[order[i & 63]](x, i);
  return x;
}

static uint32_t place(uint32_t all, uint32_t columns, uint32_t left, uint32_t right) {
  if (columns == all) return 1;
  uint32_t count = 0;
  for (uint32_t free = all & ~(columns | left | right); free;) {
    uint32_t column = free & -free;
    free ^= column;
    count += place(all, columns | column, (left | column) << 1, (right | column) >> 1);
  }
  return count;
}

/* How many ways there are to place queens. */
KERNEL(queens) { return place((2u << (10 + (seed & 1))) - 1, 0, 0, 0); }

typedef struct tree {
  struct tree *left, *right;
} tree;

/* Trees are given back to a list, from which the next ones are taken. */
static tree nodes[1 << 16];
static uint32_t used;
static tree* unused;

static NOINLINE tree* make_node(void) {
  tree* node = unused;
  if (node) {
    unused = node->left;
  } else {
    node = &nodes[used++];
  }
  return node;
}

static tree* grow_tree(uint32_t depth) {
  tree* node = make_node();
  node->left = depth ? grow_tree(depth - 1) : NULL;
  node->right = depth ? grow_tree(depth - 1) : NULL;
  return node;
}

static uint32_t count_tree(const tree* node) {
  return node->left ? 1 + count_tree(node->left) + count_tree(node->right) : 1;
}

static void drop_tree(tree* node) {
  if (node->left) {
    drop_tree(node->left);
    drop_tree(node->right);
  }
  node->left = unused;
  unused = node;
}

/* Makes, walks and drops binary trees. */
KERNEL(trees) {
  uint64_t sum = seed;
  used = 0;
  unused = NULL;
  tree* kept = grow_tree(13);
  for (uint32_t depth = 4; depth <= 12; depth += 2) {
    for (uint32_t i = 0; i < 1u << (17 - depth); i++) {
      tree* root = grow_tree(depth);
      sum = mix(sum, count_tree(root));
      drop_tree(root);
    }
  }
  return mix(sum, count_tree(kept));
}

enum { PUSH, LOAD, STORE, ADD, SUB, MUL, XOR, SHR, LESS, JUMP, JUMP_IF, DUP, SWAP, DROP, PEEK, HALT };

/* A stack machine: for every number below the limit it mixes the number into the sum, by one of two
 * ways, and looks into a table. */
static const int32_t program[] = {
  /* 0 */ LOAD, 0, PUSH, 400000, LESS, JUMP_IF, 9,
  /* 7 */ JUMP, 54,
  /* 9 */ LOAD, 0, PUSH, 5, SHR, LOAD, 1, XOR, DUP, STORE, 1,
  /* 20 */ PUSH, 63, LESS, JUMP_IF, 35,
  /* 25 */ LOAD, 1, PUSH, 31, MUL, LOAD, 0, ADD, JUMP, 42,
  /* 35 */ LOAD, 1, LOAD, 0, SWAP, PEEK, SUB,
  /* 42 */ STORE, 1, LOAD, 1, DUP, DROP, STORE, 2,
  /* 50 */ JUMP, 55, HALT, HALT,
  /* 54 */ HALT,
  /* 55 */ LOAD, 0, PUSH, 1, ADD, STORE, 0, JUMP, 0,
};

static NOINLINE uint32_t interpret(const int32_t* code, uint32_t* variables, const uint32_t* table) {
  uint32_t stack[16] = {0};
  uint32_t top = 1;
  for (uint32_t pc = 0;;) {
    switch (code[pc++]) {
      case PUSH: stack[++top] = (uint32_t)code[pc++]; break;
      case LOAD: stack[++top] = variables[code[pc++]]; break;
      case STORE: variables[code[pc++]] = stack[top--]; break;
      case ADD: top--; stack[top] += stack[top + 1]; break;
      case SUB: top--; stack[top] -= stack[top + 1]; break;
      case MUL: top--; stack[top] *= stack[top + 1]; break;
      case XOR: top--; stack[top] ^= stack[top + 1]; break;
      case SHR: top--; stack[top] >>= stack[top + 1] & 31; break;
      case LESS: top--; stack[top] = stack[top] < stack[top + 1]; break;
      case JUMP: pc = (uint32_t)code[pc]; break;
      case JUMP_IF: pc = stack[top--] ? (uint32_t)code[pc] : pc + 1; break;
      case DUP: top++; stack[top] = stack[top - 1]; break;
      case SWAP: {
        uint32_t other = stack[top];
        stack[top] = stack[top - 1];
        stack[top - 1] = other;
        break;
      }
      case DROP: top--; break;
      case PEEK: stack[top] = table[stack[top] & 255]; break;
      default: return variables[1];
    }
    top &= 7;
  }
}

/* A bytecode interpreter. */
KERNEL(interp) {
  uint32_t table[256], variables[3] = {0, seed, 0}, state = random_state(seed);
  for (int i = 0; i < 256; i++) table[i] = next_random(&state);
  uint32_t last = interpret(program, variables, table);
  return mix(last, variables[2]);
}
