/* Threads on a shared memory. The host starts them: each is an instance of its own, with a stack
 * and thread-local variables of its own. */

#define EXPORT(name) __attribute__((export_name(name)))

enum { THREADS = 4, STACK = 1 << 14, TLS = 256 };
static _Alignas(16) unsigned char stacks[THREADS][STACK];
static _Alignas(16) unsigned char locals[THREADS][TLS];

void __wasm_init_tls(void* memory);

static void wait(int* word, int seen) {
  __builtin_wasm_memory_atomic_wait32(word, seen, -1);
}

static void wake(int* word) {
  __builtin_wasm_memory_atomic_notify(word, 1);
}

/* A lock as of futexes: 0 is free, 1 taken, 2 taken with somebody waiting. */
static int lock_word;
static long long counter;
static _Thread_local int own = 100;

static void lock(void) {
  if (__sync_bool_compare_and_swap(&lock_word, 0, 1)) return;
  while (__atomic_exchange_n(&lock_word, 2, __ATOMIC_SEQ_CST) != 0) wait(&lock_word, 2);
}

static void unlock(void) {
  if (__atomic_exchange_n(&lock_word, 0, __ATOMIC_SEQ_CST) == 2) wake(&lock_word);
}

/* Where the stack of a thread begins: for the host, which sets the stack pointer. */
EXPORT("stack_of") void* stack_of(int thread) {
  return stacks[thread] + STACK;
}

/* A thread's first call. */
EXPORT("begin") void begin(int thread) {
  __wasm_init_tls(locals[thread]);
}

/* Adds one to what all have in common, many times, under the lock; what the thread has counted for
 * itself. */
EXPORT("count") int count(int times) {
  for (int i = 0; i < times; i++) {
    lock();
    counter++;
    unlock();
    own++;
  }
  return own;
}

EXPORT("counted") long long counted(void) {
  lock();
  long long value = counter;
  unlock();
  return value;
}

/* A queue of one element between a thread that puts and one that takes. */
static int full, element;

EXPORT("put") void put(int count) {
  for (int i = 1; i <= count; i++) {
    while (__atomic_load_n(&full, __ATOMIC_SEQ_CST)) wait(&full, 1);
    element = i;
    __atomic_store_n(&full, 1, __ATOMIC_SEQ_CST);
    wake(&full);
  }
}

EXPORT("take") long long take(int count) {
  long long hash = 0;
  for (int i = 0; i < count; i++) {
    while (!__atomic_load_n(&full, __ATOMIC_SEQ_CST)) wait(&full, 0);
    hash = hash * 31 + element;
    __atomic_store_n(&full, 0, __ATOMIC_SEQ_CST);
    wake(&full);
  }
  return hash;
}
