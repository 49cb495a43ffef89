/* Files and directories below the current directory and below a grant, and errors on the way. */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <unistd.h>

#define SHOW(call)                                                        \
  do {                                                                    \
    errno = 0;                                                            \
    long result_ = (long)(call);                                          \
    printf("%s = %ld%s%s\n", #call, result_, result_ < 0 ? " " : "",      \
           result_ < 0 ? strerror(errno) : "");                           \
  } while (0)

static int compare(const void *a, const void *b) {
  return strcmp(*(char *const *)a, *(char *const *)b);
}

static void list(const char *path) {
  char *names[64];
  int count = 0;
  DIR *dir = opendir(path);
  if (!dir) {
    printf("list %s: %s\n", path, strerror(errno));
    return;
  }
  struct dirent *entry;
  while ((entry = readdir(dir)) && count < 60) {
    asprintf(&names[count++], "%s%s", entry->d_name, entry->d_type == DT_DIR ? "/" : entry->d_type == DT_LNK ? "@" : "");
  }
  rewinddir(dir);
  int again = 0;
  while (readdir(dir)) again++;
  closedir(dir);
  qsort(names, count, sizeof *names, compare);
  printf("list %s:", path);
  for (int i = 0; i < count; i++) printf(" %s", names[i]);
  printf(" (%s after rewinding)\n", again == count ? "the same" : "others");
}

int main(void) {
  char buffer[4096];
  struct stat st, st2;
  SHOW(access("/data", F_OK));
  SHOW(chdir("/data/nothing"));
  SHOW(chdir("/data"));
  printf("cwd %s\n", getcwd(buffer, sizeof buffer));
  SHOW(getcwd(buffer, 3) ? 0 : -1);

  int fd;
  SHOW(fd = open("a.txt", O_RDWR | O_CREAT | O_EXCL, 0600));
  SHOW(open("a.txt", O_RDWR | O_CREAT | O_EXCL, 0600));
  SHOW(write(fd, "hello, world", 12));
  SHOW(lseek(fd, 7, SEEK_SET));
  SHOW(read(fd, buffer, 100));
  printf("read %.5s\n", buffer);
  SHOW(pwrite(fd, "W", 1, 7));
  SHOW(pread(fd, buffer, 5, 7));
  printf("read %.5s\n", buffer);
  SHOW(lseek(fd, 0, SEEK_CUR));
  SHOW(fstat(fd, &st));
  printf("size %lld regular %d blksize>0 %d\n", (long long)st.st_size, S_ISREG(st.st_mode), st.st_blksize > 0);
  SHOW(ftruncate(fd, 5));
  SHOW(fstat(fd, &st));
  printf("size %lld\n", (long long)st.st_size);
  SHOW(fsync(fd));
  SHOW(fdatasync(fd));
  SHOW(posix_fallocate(fd, 0, 64));
  SHOW(posix_fadvise(fd, 0, 64, POSIX_FADV_SEQUENTIAL));
  SHOW(fcntl(fd, F_GETFL) & (O_ACCMODE | O_APPEND));
  SHOW(fcntl(fd, F_SETFL, O_APPEND));
  SHOW(fcntl(fd, F_GETFL) & (O_ACCMODE | O_APPEND));
  SHOW(write(fd, "!", 1));
  SHOW(lseek(fd, 0, SEEK_CUR));
  SHOW(isatty(fd));
  struct flock lock = {.l_type = F_WRLCK, .l_whence = SEEK_SET};
  SHOW(fcntl(fd, F_SETLK, &lock));
  SHOW(fcntl(fd, F_GETLK, &lock));
  printf("unlocked %d\n", lock.l_type == F_UNLCK);
  SHOW(fcntl(fd, 77, 0));

  int copy;
  SHOW(copy = dup(fd));
  SHOW(lseek(fd, 3, SEEK_SET));
  SHOW(lseek(copy, 0, SEEK_CUR));
  SHOW(dup2(fd, 20));
  SHOW(close(fd));
  SHOW(lseek(20, 0, SEEK_CUR));
  SHOW(fcntl(20, F_DUPFD, 30));
  SHOW(close(20) + close(30) + close(copy));
  SHOW(close(20));
  SHOW(dup2(99, 5));
  SHOW(dup(5000));

  SHOW(stat("a.txt", &st));
  SHOW(stat("/data/./x/../a.txt", &st2));
  printf("same file %d\n", st.st_ino == st2.st_ino && st.st_size == st2.st_size);
  SHOW(truncate("a.txt", 3));
  SHOW(stat("a.txt", &st));
  printf("size %lld\n", (long long)st.st_size);
  SHOW(stat("missing", &st));
  SHOW(stat("", &st));
  SHOW(stat("/other", &st));
  SHOW(stat("../../etc/passwd", &st));
  SHOW(open("/etc/passwd", O_RDONLY));

  struct timespec times[2] = {{1000000000, 5}, {1234567890, 987654321}};
  SHOW(utimensat(AT_FDCWD, "a.txt", times, 0));
  SHOW(stat("a.txt", &st));
  printf("times %ld.%09ld %ld.%09ld\n", (long)st.st_atim.tv_sec, st.st_atim.tv_nsec, (long)st.st_mtim.tv_sec, st.st_mtim.tv_nsec);

  SHOW(mkdir("dir", 0777));
  SHOW(mkdir("dir", 0777));
  SHOW(mkdir("dir/sub/", 0777));
  int dir;
  SHOW(dir = open("dir", O_RDONLY | O_DIRECTORY));
  SHOW(fd = openat(dir, "b.txt", O_WRONLY | O_CREAT | O_TRUNC, 0644));
  SHOW(write(fd, "data", 4));
  SHOW(read(fd, buffer, 4));
  SHOW(close(fd));
  SHOW(fstatat(dir, "b.txt", &st, 0));
  SHOW(faccessat(dir, "b.txt", R_OK | W_OK, 0));
  SHOW(access("dir/b.txt", X_OK));
  SHOW(mkdirat(dir, "sub2", 0755));
  SHOW(renameat(dir, "b.txt", dir, "c.txt"));
  SHOW(rename("dir/c.txt", "d.txt"));
  SHOW(rename("missing", "e.txt"));
  SHOW(symlink("d.txt", "link"));
  SHOW(symlinkat("../d.txt", dir, "link2"));
  SHOW(symlink("/etc/passwd", "absolute"));
  SHOW(symlink("../../etc/passwd", "escape"));
  SHOW(open("escape", O_RDONLY));
  SHOW(readlink("link", buffer, sizeof buffer));
  SHOW(readlink("link", buffer, 2));
  SHOW(readlinkat(dir, "link2", buffer, sizeof buffer));
  SHOW(readlink("d.txt", buffer, sizeof buffer));
  SHOW(lstat("link", &st));
  printf("is link %d\n", S_ISLNK(st.st_mode));
  SHOW(stat("dir/link2", &st));
  printf("is file %d size %lld\n", S_ISREG(st.st_mode), (long long)st.st_size);
  SHOW(open("link", O_RDONLY | O_NOFOLLOW));
  SHOW(unlink("escape"));
  list(".");
  list("dir");
  list("missing");
  SHOW(unlink("dir"));
  SHOW(rmdir("dir"));
  SHOW(rmdir("d.txt"));
  SHOW(unlinkat(dir, "link2", 0));
  SHOW(unlinkat(dir, "sub", AT_REMOVEDIR));
  SHOW(rmdir("dir/sub2"));
  SHOW(fchdir(dir));
  SHOW(close(dir));
  SHOW(rmdir("dir"));
  SHOW(chmod("d.txt", 0600));
  SHOW(chown("d.txt", 1, 1));
  SHOW(link("d.txt", "hard"));
  SHOW(unlink("link"));

  FILE *file = fopen("lines", "w");
  for (int i = 0; i < 5000; i++) fprintf(file, "line %d\n", i);
  SHOW(fclose(file));
  file = fopen("lines", "r");
  SHOW(fseek(file, -10, SEEK_END));
  while (fgets(buffer, sizeof buffer, file)) printf("%s", buffer);
  fclose(file);
  SHOW(remove("lines"));
  SHOW((file = tmpfile()) ? 0 : -1);
  SHOW(chdir("/"));
  SHOW(open("relative", O_RDWR | O_CREAT, 0666));
  SHOW(fd = open("/dev/null", O_RDWR));
  SHOW(write(fd, "gone", 4));
  SHOW(read(fd, buffer, 4));
  SHOW(close(fd));

  int ends[2];
  SHOW(pipe(ends));
  struct pollfd polled[3] = {{ends[0], POLLIN, 0}, {ends[1], POLLOUT, 0}, {77, POLLIN, 0}};
  SHOW(poll(polled, 3, 10000));
  printf("events %d %d %d\n", polled[0].revents, polled[1].revents, polled[2].revents == POLLNVAL);
  SHOW(poll(polled, 1, 1));
  SHOW(write(ends[1], "through", 7));
  int waiting = 0;
  SHOW(ioctl(ends[0], FIONREAD, &waiting));
  SHOW(poll(polled, 1, 10000));
  SHOW(read(ends[0], buffer, 100));
  printf("%d bytes: %.7s\n", waiting, buffer);
  SHOW(close(ends[1]));
  SHOW(read(ends[0], buffer, 100));
  SHOW(lseek(ends[0], 0, SEEK_SET));

  SHOW(chdir("/fixed"));
  SHOW(read(open("kept.txt", O_RDONLY), buffer, 100));
  SHOW(open("new.txt", O_WRONLY | O_CREAT, 0666));
  SHOW(open("kept.txt", O_WRONLY));
  SHOW(open("kept.txt", O_RDONLY | O_TRUNC));
  SHOW(access("kept.txt", R_OK));
  SHOW(unlink("kept.txt"));
  SHOW(mkdir("dir", 0777));
  return 0;
}
