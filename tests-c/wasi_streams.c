/* What wasi.h has beyond Wasmer's functions: directories to read only; standard streams that are
 * descriptors, bytes, bounded buffers or callbacks; clocks and random bytes of the host's making.
 * Writing to a pipe that nobody reads kills nobody. */

#include <wasi.h>

#define own

#include <signal.h>
#include <sys/stat.h>

#include "probe.h"
#include "scenes.h"

/* An environment that counts how often it is released. */
struct env {
  int released, calls;
  size_t size;
  char bytes[200];
};

static void release(void* env) {
  ((struct env*)env)->released++;
}

/* Hands out what is in the environment, at most five bytes a call. */
static ptrdiff_t hand_out(void* arg, char* buffer, size_t len) {
  struct env* env = arg;
  env->calls++;
  size_t size = len < 5 ? len : 5;
  if (size > env->size) size = env->size;
  memcpy(buffer, env->bytes, size);
  memmove(env->bytes, env->bytes + size, env->size -= size);
  return (ptrdiff_t)size;
}

/* Takes at most five bytes a call, and twenty in all. */
static ptrdiff_t take(void* arg, const char* bytes, size_t len) {
  struct env* env = arg;
  env->calls++;
  check(len > 0);
  if (len > 5) len = 5;
  if (len > 20 - env->size) len = 20 - env->size;
  memcpy(env->bytes + env->size, bytes, len);
  env->size += len;
  return (ptrdiff_t)len;
}

static ptrdiff_t fail_to_read(void* arg, char* buffer, size_t len) {
  (void)arg, (void)buffer, (void)len;
  return -1;
}

static ptrdiff_t fail_to_write(void* arg, const char* bytes, size_t len) {
  (void)arg, (void)bytes, (void)len;
  return -1;
}

/* Says more than it can have done. */
static ptrdiff_t boast(void* arg, char* buffer, size_t len) {
  (void)arg, (void)buffer, (void)len;
  return PTRDIFF_MAX;
}

static uint64_t show(void* arg, uint32_t clock) {
  struct env* env = arg;
  env->calls++;
  return 1000 * (uint64_t)clock + env->size;
}

static void count_up(void* arg, char* bytes, size_t len) {
  struct env* env = arg;
  for (size_t i = 0; i < len; i++) bytes[i] = (char)++env->calls;
}

/* Has the program write; the error number, and at 16 how much was written. */
static int32_t tries_to_write(struct probe* probe, int fd, const char* text) {
  put(probe, text);
  return CALL(probe, WRITE, fd, 0, 1, 16);
}

/* Has the program read so many bytes to 8192; how many they were, or less than 0. */
static int32_t tries_to_read(struct probe* probe, int fd, uint32_t len) {
  uint32_t buffer[] = {8192, len};
  memcpy(at(probe, 0), buffer, sizeof buffer);
  int32_t error = CALL(probe, READ, fd, 0, 1, 16);
  return error ? -error : (int32_t)word_at(probe, 16);
}

static void callbacks_are_streams(void) {
  struct env in = {.size = 12, .bytes = "hello, world"}, out = {0}, err = {0};
  struct probe probe;
  wasi_config_t* config = settings();
  accepted(tenon_wasi_config_read(config, hand_out, &in, release));
  accepted(tenon_wasi_config_write(config, TENON_WASI_STDOUT, take, &out, release));
  accepted(tenon_wasi_config_write(config, TENON_WASI_STDERR, fail_to_write, &err, release));
  set_up(&probe, config);
  check(tries_to_read(&probe, 0, 100) == 5 && memcmp(at(&probe, 8192), "hello", 5) == 0);
  check(tries_to_read(&probe, 0, 2) == 2 && memcmp(at(&probe, 8192), ", ", 2) == 0);
  check(tries_to_read(&probe, 0, 100) == 5 && memcmp(at(&probe, 8192), "world", 5) == 0);
  check(tries_to_read(&probe, 0, 100) == 0 && in.calls == 4);
  check(tries_to_read(&probe, 0, 0) == 0);
  for (int i = 0; i < 4; i++) {
    check(tries_to_write(&probe, 1, "0123456789") == SUCCESS && word_at(&probe, 16) == 5);
  }
  // A program that is told that nothing was written would try for ever.
  check(tries_to_write(&probe, 1, "0123456789") == NO_SPACE);
  check(out.size == 20 && memcmp(out.bytes, "01234012340123401234", 20) == 0);
  check(tries_to_write(&probe, 2, "text") == IO_ERROR);
  check(tries_to_write(&probe, 1, "") == SUCCESS);
  check(in.released == 0 && out.released == 0 && err.released == 0);
  tear_down(&probe);
  check(in.released == 1 && out.released == 1 && err.released == 1);
  // What is replaced is released, and so is what nobody uses.
  struct env first = {0}, second = {0}, third = {0};
  config = settings();
  accepted(tenon_wasi_config_read(config, fail_to_read, &first, release));
  accepted(tenon_wasi_config_read(config, boast, &second, release));
  check(first.released == 1 && second.released == 0);
  accepted(tenon_wasi_config_write(config, TENON_WASI_STDOUT, take, &third, release));
  wasi_config_inherit_stdout(config);
  check(third.released == 1);
  set_up(&probe, config);
  check(tries_to_read(&probe, 0, 100) == 100);
  tear_down(&probe);
  config = settings();
  accepted(tenon_wasi_config_read(config, fail_to_read, &first, NULL));
  set_up(&probe, config);
  check(tries_to_read(&probe, 0, 100) == -IO_ERROR);
  tear_down(&probe);
  check(first.released == 1 && second.released == 1);
}

static void streams_can_be_bytes_and_nothing(void) {
  struct probe probe;
  char bytes[] = "by\0tes";
  wasi_config_t* config = settings();
  accepted(tenon_wasi_config_stdin_bytes(config, bytes, 6));
  memset(bytes, '#', sizeof bytes);
  accepted(tenon_wasi_config_null(config, TENON_WASI_STDOUT));
  accepted(tenon_wasi_config_capture(config, TENON_WASI_STDERR, 6));
  set_up(&probe, config);
  check(tries_to_read(&probe, 0, 100) == 6 && memcmp(at(&probe, 8192), "by\0tes", 6) == 0);
  check(tries_to_read(&probe, 0, 100) == 0);
  writes(&probe, 1, "into the void");
  check(tries_to_write(&probe, 2, "0123456789") == SUCCESS && word_at(&probe, 16) == 6);
  check(tries_to_write(&probe, 2, "6789") == NO_SPACE);
  check(wasi_env_read_stderr(probe.env, bytes, 4) == 4 && memcmp(bytes, "0123", 4) == 0);
  check(tries_to_write(&probe, 2, "6789ab") == SUCCESS && word_at(&probe, 16) == 4);
  check(wasi_env_read_stdout(probe.env, bytes, 4) == -1);
  tear_down(&probe);
  config = settings();
  accepted(tenon_wasi_config_stdin_bytes(config, NULL, 0));
  set_up(&probe, config);
  check(tries_to_read(&probe, 0, 100) == 0);
  tear_down(&probe);
}

/* In a process whose SIGPIPE has its default action, as it has in programs of C. */
static void a_closed_pipe_kills_nobody(void) {
  int in[2], out[2];
  char buffer[100];
  signal(SIGPIPE, SIG_DFL);
  check(pipe(in) == 0 && pipe(out) == 0);
  struct probe probe;
  wasi_config_t* config = settings();
  accepted(tenon_wasi_config_fd(config, TENON_WASI_STDIN, in[0]));
  accepted(tenon_wasi_config_fd(config, TENON_WASI_STDOUT, out[1]));
  accepted(tenon_wasi_config_fd(config, TENON_WASI_STDERR, out[1]));
  // They are the program's own by now.
  close(in[0]);
  close(out[1]);
  set_up(&probe, config);
  check(write(in[1], "input", 5) == 5);
  check(tries_to_read(&probe, 0, 100) == 5 && memcmp(at(&probe, 8192), "input", 5) == 0);
  writes(&probe, 1, "out");
  writes(&probe, 2, "err");
  check(read(out[0], buffer, 100) == 6 && memcmp(buffer, "outerr", 6) == 0);
  close(out[0]);
  for (int fd = 1; fd < 3; fd++) check(tries_to_write(&probe, fd, "nobody reads") == PIPE);
  // A signal that the host has blocked and that already waits is left to it.
  sigset_t pipes, waiting;
  sigemptyset(&pipes);
  sigaddset(&pipes, SIGPIPE);
  sigprocmask(SIG_BLOCK, &pipes, NULL);
  raise(SIGPIPE);
  check(tries_to_write(&probe, 1, "nobody reads") == PIPE);
  check(sigpending(&waiting) == 0 && sigismember(&waiting, SIGPIPE));
  signal(SIGPIPE, SIG_IGN);
  sigprocmask(SIG_UNBLOCK, &pipes, NULL);
  tear_down(&probe);
  close(in[1]);
}

static void directories_can_be_for_reading(void) {
  char dir[100], path[120];
  snprintf(dir, sizeof dir, "%s/tenon-wasi-XXXXXX", getenv("TMPDIR") ? getenv("TMPDIR") : "/tmp");
  check(mkdtemp(dir) != NULL);
  snprintf(path, sizeof path, "%s/file", dir);
  FILE* file = fopen(path, "w");
  check(file && fputs("text", file) >= 0 && fclose(file) == 0);
  struct probe probe;
  wasi_config_t* config = settings();
  accepted(tenon_wasi_config_dir(config, dir, "/read", false));
  accepted(tenon_wasi_config_dir(config, dir, "/write", true));
  refused(TENON_ERROR_ARGUMENT, tenon_wasi_config_dir(config, path, "/file", false));
  check(error_says(path));
  refused(TENON_ERROR_ARGUMENT, tenon_wasi_config_dir(config, dir, "\xff", false));
  set_up(&probe, config);
  reads(&probe, 3, "file", "text");
  check(opens(&probe, 3, "file", true) == NOT_CAPABLE);
  check(opens(&probe, 3, "new", true) == NOT_CAPABLE);
  int64_t size = (int64_t)put(&probe, "file");
  check(CALL(&probe, UNLINK, 3, 4096, size) == NOT_CAPABLE);
  reads(&probe, 4, "file", "text");
  check(opens(&probe, 4, "file", true) == SUCCESS);
  writes(&probe, (int)word_at(&probe, 20), "new text");
  reads(&probe, 3, "file", "new text");
  size = (int64_t)put(&probe, "file");
  check(CALL(&probe, UNLINK, 4, 4096, size) == SUCCESS);
  tear_down(&probe);
  check(rmdir(dir) == 0);
}

static void every_run_can_be_the_same(void) {
  struct env clock = {.size = 7}, chance = {0};
  struct probe probe;
  wasi_config_t* config = settings();
  accepted(tenon_wasi_config_clock(config, show, &clock, release));
  accepted(tenon_wasi_config_random(config, count_up, &chance, release));
  set_up(&probe, config);
  for (uint32_t id = 0; id < 4; id++) {
    check(CALL(&probe, CLOCK_TIME, id, 0, 64) == SUCCESS);
    check(word_at(&probe, 64) == 1000 * id + 7 && word_at(&probe, 68) == 0);
  }
  check(clock.calls == 4);
  check(CALL(&probe, RANDOM, 64, 5) == SUCCESS && memcmp(at(&probe, 64), "\1\2\3\4\5\0", 6) == 0);
  // A clock that stands still does not make a program wait for ever. Valgrind does not know the
  // page of the kernel's that the host's own clocks are read from.
  char subscription[48] = {7};
  subscription[16] = 1;
  subscription[26] = 1;
  memcpy(at(&probe, 64), subscription, sizeof subscription);
  if (!is_set("TEST_VALGRIND")) {
    check(CALL(&probe, POLL, 64, 200, 1, 300) == SUCCESS && word_at(&probe, 300) == 1);
    check(word_at(&probe, 200) == 7);
  }
  check(clock.released == 0 && chance.released == 0);
  tear_down(&probe);
  check(clock.released == 1 && chance.released == 1);
}

static void null_and_nonsense_are_refused(void) {
  struct env env = {0};
  int released = 0;
  wasi_config_t* config = settings();
  for (int i = 0; i < 2; i++) {
    wasi_config_t* some = i ? config : NULL;
    refused(TENON_ERROR_ARGUMENT, tenon_wasi_config_dir(some, i ? NULL : ".", "/", false));
    refused(TENON_ERROR_ARGUMENT, tenon_wasi_config_dir(some, ".", i ? NULL : "/", false));
    refused(TENON_ERROR_ARGUMENT, tenon_wasi_config_null(some, i ? 3 : 0));
    refused(TENON_ERROR_ARGUMENT, tenon_wasi_config_fd(some, i ? 255 : 0, 0));
    refused(TENON_ERROR_ARGUMENT, tenon_wasi_config_capture(some, i ? 3 : 1, 100));
    refused(TENON_ERROR_ARGUMENT, tenon_wasi_config_stdin_bytes(some, i ? NULL : "text", 4));
    refused(TENON_ERROR_ARGUMENT,
      tenon_wasi_config_read(some, i ? NULL : hand_out, &env, release));
    refused(TENON_ERROR_ARGUMENT,
      tenon_wasi_config_write(some, 1, i ? NULL : take, &env, release));
    refused(TENON_ERROR_ARGUMENT,
      tenon_wasi_config_clock(some, i ? NULL : show, &env, release));
    refused(TENON_ERROR_ARGUMENT,
      tenon_wasi_config_random(some, i ? NULL : count_up, &env, release));
    check(env.released == (released += 4));
  }
  refused(TENON_ERROR_ARGUMENT, tenon_wasi_config_write(config, 0, take, &env, release));
  refused(TENON_ERROR_ARGUMENT, tenon_wasi_config_write(config, 3, take, &env, release));
  check(env.released == released + 2);
  refused(TENON_ERROR_ARGUMENT, tenon_wasi_config_capture(config, 0, 100));
  const int closed[] = {-1, -100, 99999, INT32_MAX};
  for (size_t i = 0; i < 4; i++) {
    refused(TENON_ERROR_ARGUMENT, tenon_wasi_config_fd(config, 1, closed[i]));
  }
  wasi_config_delete(config);
}

int main(void) {
  callbacks_are_streams();
  streams_can_be_bytes_and_nothing();
  SURVIVES(a_closed_pipe_kills_nobody);
  directories_can_be_for_reading();
  every_run_can_be_the_same();
  null_and_nonsense_are_refused();
  return done();
}
