/* valgrind: no, it replaces signal handlers and faults */
/* Signals: traps come as signals and the host's own faults go to the host's handlers, whichever were
 * installed first; with explicit checks no handler is touched. */

#include <setjmp.h>
#include <signal.h>
#include <sys/mman.h>

#include "harness.h"

static const int signals[] = {SIGSEGV, SIGBUS, SIGILL, SIGFPE};

/* A page that the host protects, to be told of accesses to it. */
static char* page;
static size_t page_size;

/* How often each of the host's handlers ran. */
static volatile int first_hits, second_hits;

/* Where handlers that cannot mend what has happened go. */
static sigjmp_buf rescue;

static void mend_or_leave(siginfo_t* info) {
  char* address = info->si_addr;
  if (address >= page && address < page + page_size) {
    mprotect(page, page_size, PROT_READ | PROT_WRITE);
  } else {
    siglongjmp(rescue, 1);
  }
}

static void first_handler(int signal, siginfo_t* info, void* context) {
  (void)signal, (void)context;
  first_hits++;
  mend_or_leave(info);
}

static void second_handler(int signal, siginfo_t* info, void* context) {
  (void)signal, (void)context;
  second_hits++;
  mend_or_leave(info);
}

static void plain_handler(int signal) {
  (void)signal;
  first_hits++;
  mprotect(page, page_size, PROT_READ | PROT_WRITE);
}

/* What the handlers of a host were before those that pass on what is not theirs. */
static struct sigaction passed_to[4];

static void passing_handler(int signal, siginfo_t* info, void* context) {
  char* address = info->si_addr;
  if (signal == SIGSEGV && address >= page && address < page + page_size) {
    second_hits++;
    mprotect(page, page_size, PROT_READ | PROT_WRITE);
    return;
  }
  for (size_t i = 0; i < 4; i++) {
    if (signals[i] == signal) passed_to[i].sa_sigaction(signal, info, context);
  }
}

static void install(void (*handler)(int, siginfo_t*, void*), struct sigaction old[4]) {
  struct sigaction action = {.sa_flags = SA_SIGINFO | SA_ONSTACK};
  action.sa_sigaction = handler;
  sigemptyset(&action.sa_mask);
  for (size_t i = 0; i < 4; i++) sigaction(signals[i], &action, old ? &old[i] : NULL);
}

/* An engine of its own, whose traps are signals. */
static wasm_engine_t* engine;
static wasm_store_t* store;
static wasm_instance_t* instance;

static own wasm_trap_t* access_page(const wasm_val_vec_t* args, wasm_val_vec_t* results) {
  (void)args, (void)results;
  *(volatile char*)page = 1;
  return NULL;
}

static void start_up(bool explicit_checks) {
  wasm_config_t* config = wasm_config_new();
  tenon_config_explicit_checks_set(config, explicit_checks);
  test_compilation(config);
  engine = wasm_engine_new_with_config(config);
  store = wasm_store_new(engine);
  wasm_func_t* host = func_of_type(store, wasm_functype_new_0_0(), access_page);
  wasm_extern_t* imports[] = {wasm_func_as_extern(host)};
  instance = instance_with(store,
    "(module (import \"\" \"\" (func $host)) (memory (export \"m\") 1)"
    " (func (export \"segv\") (drop (i32.load (i32.const 0x10000))))"
    " (func (export \"ill\") unreachable)"
    " (func (export \"fpe\") (drop (i32.div_u (i32.const 1) (i32.load (i32.const 0)))))"
    " (func $f (export \"overflow\") (call $f))"
    " (func (export \"host\") (call $host)))", 1, imports);
  wasm_func_delete(host);
}

static void shut_down(void) {
  wasm_instance_delete(instance);
  wasm_store_delete(store);
  wasm_engine_delete(engine);
}

static void traps_work(void) {
  static const char* const messages[] = {
    "out of bounds memory access", "unreachable", "integer divide by zero", "call stack exhausted",
  };
  for (size_t i = 0; i < 4; i++) {
    wasm_func_t* func = func_at(instance, i + 1);
    wasm_trap_t* trap = call_empty(func);
    check(trap && has_message(trap, messages[i]));
    wasm_trap_delete(trap);
    wasm_func_delete(func);
  }
}

static void protect_page(void) {
  mprotect(page, page_size, PROT_NONE);
}

/* Proves that a fault of the host reaches the host's handler: in the host alone, on a thread that
 * has never run a guest, and below a guest. */
static void* access_in_host(void* ignored) {
  protect_page();
  *(volatile char*)page = 1;
  return ignored;
}

static void faults_reach(volatile int* hits) {
  *hits = 0;
  access_in_host(NULL);
  check(*hits == 1);
  on_thread(1 << 18, access_in_host, NULL);
  check(*hits == 2);
  protect_page();
  wasm_func_t* func = func_at(instance, 5);
  check(call_empty(func) == NULL);
  check(*hits == 3);
  wasm_func_delete(func);
}

/* An illegal instruction of the host, and an access to what is reserved behind a guest's memory. */
static void faults_to_leave_from_reach(volatile int* hits) {
  *hits = 0;
  if (sigsetjmp(rescue, 1) == 0) __builtin_trap();
  check(*hits == 1);
  wasm_memory_t* memory = memory_at(instance, 0);
  volatile char* beyond = wasm_memory_data(memory) + wasm_memory_data_size(memory);
  if (sigsetjmp(rescue, 1) == 0) *beyond = 1;
  check(*hits == 2);
  wasm_memory_delete(memory);
}

static void sent_signals_reach(volatile int* hits) {
  *hits = 0;
  if (sigsetjmp(rescue, 1) == 0) raise(SIGFPE);
  if (sigsetjmp(rescue, 1) == 0) raise(SIGSEGV);
  check(*hits == 2);
}

static void all_reach(volatile int* hits) {
  for (int i = 0; i < 3; i++) {
    faults_reach(hits);
    traps_work();
    faults_to_leave_from_reach(hits);
    traps_work();
    sent_signals_reach(hits);
    traps_work();
  }
}

static void handlers_from_before_get_the_hosts_faults(void) {
  install(first_handler, NULL);
  start_up(false);
  traps_work();
  check(first_hits == 0);
  all_reach(&first_hits);
  shut_down();
}

static void plain_handlers_from_before_get_them_too(void) {
  for (size_t i = 0; i < 4; i++) signal(signals[i], plain_handler);
  start_up(false);
  traps_work();
  faults_reach(&first_hits);
  traps_work();
  shut_down();
}

static void handlers_that_pass_on_leave_the_traps(void) {
  start_up(false);
  install(passing_handler, passed_to);
  traps_work();
  faults_reach(&second_hits);
  traps_work();
  tenon_engine_reinstall_signal_handlers(engine);
  traps_work();
  faults_reach(&second_hits);
  traps_work();
  shut_down();
}

static void handlers_between_two_hosts_pass_on(void) {
  install(first_handler, NULL);
  start_up(false);
  install(passing_handler, passed_to);
  tenon_engine_reinstall_signal_handlers(engine);
  traps_work();
  faults_reach(&second_hits);
  // What the second does not know goes to the library, and from it to the first.
  faults_to_leave_from_reach(&first_hits);
  traps_work();
  faults_to_leave_from_reach(&first_hits);
  shut_down();
}

static void reinstalling_brings_traps_back(void) {
  install(first_handler, NULL);
  start_up(false);
  install(second_handler, NULL);
  second_hits = 0;
  wasm_func_t* func = func_at(instance, 2);
  if (sigsetjmp(rescue, 1) == 0) wasm_trap_delete(call_empty(func));
  check(second_hits == 1);
  wasm_func_delete(func);
  tenon_engine_reinstall_signal_handlers(engine);
  first_hits = 0;
  traps_work();
  all_reach(&second_hits);
  check(first_hits == 0);
  tenon_engine_reinstall_signal_handlers(engine);
  all_reach(&second_hits);
  check(first_hits == 0);
  shut_down();
}

static void a_second_engine_changes_nothing(void) {
  install(first_handler, NULL);
  start_up(false);
  wasm_engine_t* other = wasm_engine_new();
  traps_work();
  all_reach(&first_hits);
  wasm_engine_delete(other);
  traps_work();
  all_reach(&first_hits);
  shut_down();
}

static bool is_same_action(const struct sigaction* a, const struct sigaction* b) {
  return a->sa_sigaction == b->sa_sigaction && a->sa_flags == b->sa_flags &&
    memcmp(&a->sa_mask, &b->sa_mask, 8) == 0;  // as much as the system has
}

static void explicit_checks_touch_no_handler(void) {
  struct sigaction before[65], after;
  stack_t stack_before, stack_after;
  install(first_handler, NULL);
  for (int signal = 1; signal <= 64; signal++) sigaction(signal, NULL, &before[signal]);
  sigaltstack(NULL, &stack_before);
  start_up(true);
  traps_work();
  tenon_engine_reinstall_signal_handlers(engine);
  traps_work();
  sigaltstack(NULL, &stack_after);
  check(stack_before.ss_sp == stack_after.ss_sp && stack_before.ss_flags == stack_after.ss_flags);
  for (int signal = 1; signal <= 64; signal++) {
    if (sigaction(signal, NULL, &after) != 0) continue;
    check(is_same_action(&before[signal], &after));
  }
  check(first_hits == 0);
  faults_reach(&first_hits);
  shut_down();
}

static void only_the_four_signals_are_handled(void) {
  struct sigaction before[65], after;
  for (int signal = 1; signal <= 64; signal++) sigaction(signal, NULL, &before[signal]);
  start_up(false);
  traps_work();
  for (int signal = 1; signal <= 64; signal++) {
    if (sigaction(signal, NULL, &after) != 0) continue;
    bool ours = signal == SIGSEGV || signal == SIGBUS || signal == SIGILL || signal == SIGFPE;
    check(ours || is_same_action(&before[signal], &after));
    // Other languages' runtimes require handlers to run on the signal stack.
    if (ours) check(after.sa_flags & SA_ONSTACK && after.sa_flags & SA_SIGINFO);
  }
  shut_down();
}

/* Signals that the host ignores stay ignored when somebody sends them, and traps go on working. */
static void ignored_signals_do_no_harm(void) {
  for (size_t i = 0; i < 4; i++) signal(signals[i], SIG_IGN);
  start_up(false);
  traps_work();
  for (size_t i = 0; i < 4; i++) {
    raise(signals[i]);
    traps_work();
  }
  shut_down();
}

/* What ends the process is reported to its parent as what it is. */
static void die_by_access(void) {
  start_up(false);
  traps_work();
  *(volatile int*)NULL = 1;
}

static void die_below_a_guest(void) {
  start_up(false);
  traps_work();
  protect_page();
  wasm_func_t* func = func_at(instance, 5);
  wasm_trap_delete(call_empty(func));
}

static void die_by_illegal_instruction(void) {
  start_up(false);
  traps_work();
  __builtin_trap();
}

static void die_by_sent_signal(void) {
  start_up(false);
  traps_work();
  raise(SIGFPE);
}

static void die_in_spite_of_passing_handlers(void) {
  start_up(false);
  install(passing_handler, passed_to);
  tenon_engine_reinstall_signal_handlers(engine);
  traps_work();
  *(volatile int*)NULL = 1;
}

static void die_by_access_behind_a_file(void) {
  FILE* file = tmpfile();
  start_up(false);
  traps_work();
  char* view = mmap(NULL, page_size, PROT_READ, MAP_SHARED, fileno(file), 0);
  exit(*(volatile char*)view);
}

static void dies_of(void (*part)(void), int signal) {
  int status = in_child(part);
  check(WIFSIGNALED(status) && WTERMSIG(status) == signal);
}

static void succeeds(const char* name, void (*part)(void)) {
  int status = in_child(part);
  if (check(WIFEXITED(status) && WEXITSTATUS(status) == 0)) return;
  fprintf(stderr, "%s: status %x\n", name, (unsigned)status);
}

#define SUCCEEDS(part) succeeds(#part, part)

int main(void) {
  page_size = (size_t)sysconf(_SC_PAGESIZE);
  page = mmap(NULL, page_size, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  SUCCEEDS(handlers_from_before_get_the_hosts_faults);
  SUCCEEDS(plain_handlers_from_before_get_them_too);
  SUCCEEDS(handlers_that_pass_on_leave_the_traps);
  SUCCEEDS(handlers_between_two_hosts_pass_on);
  SUCCEEDS(reinstalling_brings_traps_back);
  SUCCEEDS(a_second_engine_changes_nothing);
  SUCCEEDS(explicit_checks_touch_no_handler);
  SUCCEEDS(only_the_four_signals_are_handled);
  SUCCEEDS(ignored_signals_do_no_harm);
  dies_of(die_by_access, SIGSEGV);
  dies_of(die_below_a_guest, SIGSEGV);
  dies_of(die_by_illegal_instruction, SIGILL);
  dies_of(die_by_sent_signal, SIGFPE);
  dies_of(die_in_spite_of_passing_handlers, SIGSEGV);
  dies_of(die_by_access_behind_a_file, SIGBUS);
  munmap(page, page_size);
  return done();
}
