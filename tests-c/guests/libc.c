/* Uses files by the C library alone, below the directory that is its argument; says which of its
 * expectations do not hold, and exits with their number. */

#define _GNU_SOURCE

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <time.h>
#include <unistd.h>

static int failures;

#define expect(what) ((what) ? (void)0 : fails(#what, __LINE__))

static void fails(const char* what, int line) {
  fprintf(stderr, "libc.c:%d: not true: %s (errno %d)\n", line, what, errno);
  failures++;
}

static void files(void) {
  char text[100];
  struct stat stats;
  FILE* file = fopen("file", "w+");
  if (!file) return fails("the file is made", __LINE__);
  expect(fprintf(file, "%d lines\n%s", 2, "second") == 14 && fflush(file) == 0);
  expect(fseek(file, -6, SEEK_END) == 0 && ftell(file) == 8);
  expect(fgets(text, sizeof text, file) && strcmp(text, "second") == 0);
  expect(fgets(text, sizeof text, file) == NULL && feof(file));
  rewind(file);
  expect(fgetc(file) == '2' && ungetc('3', file) == '3' && fscanf(file, "%s", text) == 1);
  expect(strcmp(text, "3") == 0);
  expect(ftruncate(fileno(file), 7) == 0 && fstat(fileno(file), &stats) == 0);
  expect(stats.st_size == 7 && S_ISREG(stats.st_mode) && stats.st_nlink == 1);
  expect(!isatty(fileno(file)) && fclose(file) == 0);
  expect((file = fopen("file", "a")) && fputs("end", file) >= 0 && fclose(file) == 0);
  expect(stat("file", &stats) == 0 && stats.st_size == 10);
  expect(fopen("missing", "r") == NULL && errno == ENOENT);
  expect(open("file", O_WRONLY | O_CREAT | O_EXCL, 0600) < 0 && errno == EEXIST);
  int fd = open("file", O_RDWR | O_TRUNC);
  struct iovec parts[] = {{"one ", 4}, {"", 0}, {"two", 3}};
  expect(fd >= 0 && writev(fd, parts, 3) == 7 && lseek(fd, 2, SEEK_SET) == 2);
  expect(pread(fd, text, 3, 4) == 3 && memcmp(text, "two", 3) == 0);
  expect(pwrite(fd, "T", 1, 4) == 1 && read(fd, text, 99) == 5 && memcmp(text, "e Two", 5) == 0);
  expect(fcntl(fd, F_SETFL, O_APPEND) == 0 && (fcntl(fd, F_GETFL) & O_APPEND));
  expect(fsync(fd) == 0 && close(fd) == 0 && close(fd) < 0 && errno == EBADF);
}

static void directories(void) {
  struct stat stats;
  expect(mkdir("dir", 0700) == 0 && mkdir("dir", 0700) < 0 && errno == EEXIST);
  expect(mkdir("dir/nested", 0700) == 0 && rmdir("dir") < 0 && errno == ENOTEMPTY);
  for (int i = 0; i < 300; i++) {
    char name[20];
    snprintf(name, sizeof name, "dir/%d", i);
    FILE* file = fopen(name, "w");
    expect(file && fclose(file) == 0);
  }
  DIR* dir = opendir("dir");
  int entries = 0, removed = 0;
  for (struct dirent* entry; dir && (entry = readdir(dir)); entries++) {
    expect(entry->d_name[0] == '.' || strcmp(entry->d_name, "nested") == 0 ||
      entry->d_type == DT_REG);
    // What has been listed may go meanwhile.
    if (entry->d_type == DT_REG) removed += unlinkat(dirfd(dir), entry->d_name, 0) == 0;
  }
  expect(entries == 303 && removed == 300);
  if (dir) rewinddir(dir);
  for (entries = 0; dir && readdir(dir);) entries++;
  expect(entries == 3 && dir && closedir(dir) == 0);
  expect(rename("file", "dir/moved") == 0 && stat("file", &stats) < 0 && errno == ENOENT);
  expect(link("dir/moved", "again") == 0 && stat("again", &stats) == 0 && stats.st_nlink == 2);
  expect(unlink("dir") < 0 && rmdir("again") < 0 && errno == ENOTDIR);
  expect(unlink("again") == 0 && unlink("dir/moved") == 0 && rmdir("dir/nested") == 0);
  expect(rmdir("dir/") == 0 && access("dir", F_OK) < 0);
}

static void links_and_times(void) {
  char target[100];
  struct stat stats;
  FILE* file = fopen("file", "w");
  expect(file && fclose(file) == 0 && symlink("file", "link") == 0);
  expect(readlink("link", target, 3) == 3 && memcmp(target, "fil", 3) == 0);
  expect(lstat("link", &stats) == 0 && S_ISLNK(stats.st_mode));
  expect(stat("link", &stats) == 0 && S_ISREG(stats.st_mode));
  expect(open("link", O_RDONLY | O_NOFOLLOW) < 0 && errno == ELOOP);
  const struct timespec times[] = {{1000, 1}, {1234567890, 987654321}};
  expect(utimensat(AT_FDCWD, "link", times, 0) == 0 && stat("file", &stats) == 0);
  expect(stats.st_mtim.tv_sec == 1234567890 && stats.st_mtim.tv_nsec == 987654321);
  expect(stats.st_atim.tv_sec == 1000 && stats.st_atim.tv_nsec == 1);
  expect(symlink("../secret", "out") == 0 && open("out", O_RDONLY) < 0);
  expect(open("../secret", O_RDONLY) < 0 && open("/etc/passwd", O_RDONLY) < 0);
  expect(unlink("out") == 0 && unlink("link") == 0 && unlink("file") == 0);
}

static void streams_and_clocks(void) {
  char line[100];
  expect(fgets(line, sizeof line, stdin) && strcmp(line, "first\n") == 0);
  expect(fread(line, 1, sizeof line, stdin) == 6 && memcmp(line, "second", 6) == 0);
  expect(feof(stdin) && !isatty(1) && lseek(1, 0, SEEK_CUR) < 0);
  struct timespec before, after, pause = {0, 2000000};
  expect(clock_gettime(CLOCK_MONOTONIC, &before) == 0 && nanosleep(&pause, NULL) == 0);
  expect(clock_gettime(CLOCK_MONOTONIC, &after) == 0);
  expect((after.tv_sec - before.tv_sec) * 1000000000LL + after.tv_nsec - before.tv_nsec >= 2000000);
  expect(time(NULL) > 1600000000);
  struct pollfd polled[] = {{.fd = 0, .events = POLLIN}, {.fd = 1, .events = POLLOUT}};
  expect(poll(polled, 2, 1000) >= 1 && (polled[1].revents & POLLOUT));
  expect(getenv("NAME") && strcmp(getenv("NAME"), "value") == 0 && !getenv("HOME"));
  uint64_t bytes[2] = {0};
  expect(getentropy(bytes, sizeof bytes) == 0 && (bytes[0] | bytes[1]));
}

int main(int argc, char** argv) {
  expect(argc == 2 && strcmp(argv[0], "libc") == 0);
  expect(argc == 2 && chdir(argv[1]) == 0);
  files();
  directories();
  links_and_times();
  streams_and_clocks();
  puts("done");
  return failures;
}
