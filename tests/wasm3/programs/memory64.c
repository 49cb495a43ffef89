/* Pointers of 64 bits: a sorted tree of nodes from an allocator that grows the memory, and accesses
 * at any address. */

#define EXPORT(name) __attribute__((export_name(name)))

typedef unsigned long long u64;
_Static_assert(sizeof(void*) == 8, "addresses have 64 bits");

struct node {
  struct node *left, *right;
  u64 key, count;
};

extern unsigned char __heap_base;
static unsigned char* next;

static void* allocate(u64 size) {
  if (!next) next = (unsigned char*)(((u64)&__heap_base + 15) & ~15ull);
  unsigned char* place = next;
  next += (size + 15) & ~15ull;
  u64 end = __builtin_wasm_memory_size(0) << 16;
  if ((u64)next > end && __builtin_wasm_memory_grow(0, ((u64)next - end + 0xffff) >> 16) == ~0ull) {
    __builtin_trap();
  }
  return place;
}

static struct node* root;

static void insert(u64 key) {
  struct node** place = &root;
  while (*place && (*place)->key != key) {
    place = key < (*place)->key ? &(*place)->left : &(*place)->right;
  }
  if (!*place) {
    *place = allocate(sizeof(struct node));
    **place = (struct node){.key = key};
  }
  (*place)->count++;
}

static u64 walk(const struct node* node, u64 hash) {
  if (!node) return hash;
  hash = walk(node->left, hash);
  hash = hash * 31 + node->key * node->count;
  return walk(node->right, hash);
}

/* Puts numbers into the tree; a hash over all of them in their order. */
EXPORT("sort") u64 sort(u64 count) {
  root = 0;
  u64 number = 1;
  for (u64 i = 0; i < count; i++) {
    number = number * 6364136223846793005ull + 1442695040888963407ull;
    insert(number >> 44);
  }
  return walk(root, 0);
}

/* What is at any address. */
EXPORT("peek") u64 peek(u64 address) {
  return *(volatile u64*)address;
}

EXPORT("pages") u64 pages(void) {
  return __builtin_wasm_memory_size(0);
}
