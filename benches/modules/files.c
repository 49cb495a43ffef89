/* Measures calls of WASI by itself: prints a line for each, a name and the nanoseconds that one call
 * takes, the best of several runs. Works in the first directory that it is given. */

#include <stdio.h>
#include <stdlib.h>
#include <wasi/api.h>

enum { DIR = 3, CALLS = 2000, RUNS = 20, SMALL = 64, LINE = 20, BLOCK = 4 << 10, LARGE = 64 << 10 };

static __wasi_fd_t file;
static char bytes[LARGE];
static __wasi_size_t done;

static void must(__wasi_errno_t error) {
  if (error == 0) return;
  fprintf(stderr, "files: error %d\n", error);
  exit(1);
}

static __wasi_timestamp_t now(void) {
  __wasi_timestamp_t time;
  must(__wasi_clock_time_get(__WASI_CLOCKID_MONOTONIC, 1, &time));
  return time;
}

static __wasi_iovec_t into(__wasi_size_t len) {
  return (__wasi_iovec_t){(uint8_t*)bytes, len};
}

static __wasi_ciovec_t from(__wasi_size_t len) {
  return (__wasi_ciovec_t){(const uint8_t*)bytes, len};
}

static void write_small(void) {
  __wasi_ciovec_t buffer = from(SMALL);
  must(__wasi_fd_pwrite(file, &buffer, 1, 0, &done));
}

static void write_large(void) {
  __wasi_ciovec_t buffer = from(LARGE);
  must(__wasi_fd_pwrite(file, &buffer, 1, 0, &done));
}

static void write_block(void) {
  __wasi_ciovec_t buffer = from(BLOCK);
  must(__wasi_fd_pwrite(file, &buffer, 1, 0, &done));
}

/* At the end of the file, which grows. */
static void write_line(void) {
  __wasi_ciovec_t buffer = from(LINE);
  must(__wasi_fd_write(file, &buffer, 1, &done));
}

static void read_small(void) {
  __wasi_iovec_t buffer = into(SMALL);
  must(__wasi_fd_pread(file, &buffer, 1, 0, &done));
}

static void read_block(void) {
  __wasi_iovec_t buffer = into(BLOCK);
  must(__wasi_fd_pread(file, &buffer, 1, 0, &done));
}

static void read_large(void) {
  __wasi_iovec_t buffer = into(LARGE);
  must(__wasi_fd_pread(file, &buffer, 1, 0, &done));
}

static void read_parts(void) {
  __wasi_iovec_t buffers[4];
  for (int i = 0; i < 4; i++) buffers[i] = (__wasi_iovec_t){(uint8_t*)bytes + 100 * i, 16};
  must(__wasi_fd_pread(file, buffers, 4, 0, &done));
}

static void seek(void) {
  __wasi_filesize_t position;
  must(__wasi_fd_seek(file, 0, __WASI_WHENCE_SET, &position));
}

static void open_and_close(void) {
  __wasi_fd_t fd;
  must(__wasi_path_open(DIR, 0, "bench.tmp", 0, __WASI_RIGHTS_FD_READ, 0, 0, &fd));
  must(__wasi_fd_close(fd));
}

static void look(void) {
  __wasi_filestat_t stat;
  must(__wasi_path_filestat_get(DIR, 0, "bench.tmp", &stat));
}

static void tell_time(void) {
  now();
}

static void print_best(const char* name, void (*call)(void)) {
  double best = 1e18;
  for (int run = 0; run < RUNS; run++) {
    __wasi_timestamp_t begin = now();
    for (int i = 0; i < CALLS; i++) call();
    double taken = (double)(now() - begin) / CALLS;
    if (taken < best) best = taken;
  }
  printf("%s\t%.1f\n", name, best);
}

int main(void) {
  __wasi_rights_t rights = __WASI_RIGHTS_FD_READ | __WASI_RIGHTS_FD_WRITE | __WASI_RIGHTS_FD_SEEK |
    __WASI_RIGHTS_FD_TELL;
  must(__wasi_path_open(DIR, 0, "bench.tmp", __WASI_OFLAGS_CREAT, rights, 0, 0, &file));
  print_best("fd_pwrite, 64 KiB", write_large);
  print_best("fd_pread, 64 KiB", read_large);
  print_best("fd_pwrite, 4 KiB", write_block);
  print_best("fd_pread, 4 KiB", read_block);
  print_best("fd_pwrite, 64 bytes", write_small);
  print_best("fd_pread, 64 bytes", read_small);
  print_best("fd_pread, 4 buffers of 16 bytes", read_parts);
  print_best("fd_write, a line of 20 bytes", write_line);
  print_best("fd_seek", seek);
  print_best("path_open and fd_close", open_and_close);
  print_best("path_filestat_get", look);
  print_best("clock_time_get", tell_time);
  must(__wasi_path_unlink_file(DIR, "bench.tmp"));
  return 0;
}
