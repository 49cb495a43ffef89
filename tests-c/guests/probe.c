/* Shows a program's surroundings: probe COMMAND…, each with its operand.
 *
 *   args          the rest of the arguments, and first its own name, one a line
 *   env           the variables, one a line
 *   stdin         what standard input has
 *   cat FILE      a file
 *   write FILE    writes a file, or says why it cannot
 *   exit STATUS   ends with this status
 */

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

extern char** environ;

static int copy(FILE* from) {
  char buffer[512];
  size_t size;
  while ((size = fread(buffer, 1, sizeof buffer, from)) > 0) fwrite(buffer, 1, size, stdout);
  return ferror(from) ? 1 : 0;
}

static int failed(const char* file) {
  printf("%s: %s\n", file, strerror(errno));
  return 1;
}

static int cat(const char* file) {
  FILE* from = fopen(file, "r");
  if (!from) return failed(file);
  int status = copy(from);
  fclose(from);
  return status;
}

static int put(const char* file) {
  FILE* to = fopen(file, "w");
  if (!to) return failed(file);
  fputs("written", to);
  return fclose(to) == 0 ? 0 : failed(file);
}

int main(int argc, char** argv) {
  for (int i = 1; i < argc; i++) {
    const char* command = argv[i];
    if (strcmp(command, "args") == 0) {
      printf("%s\n", argv[0]);
      while (++i < argc) printf("%s\n", argv[i]);
    } else if (strcmp(command, "env") == 0) {
      for (char** variable = environ; *variable; variable++) printf("%s\n", *variable);
    } else if (strcmp(command, "stdin") == 0) {
      if (copy(stdin)) return 1;
    } else if (i + 1 == argc) {
      return 64;
    } else if (strcmp(command, "cat") == 0) {
      if (cat(argv[++i])) return 1;
    } else if (strcmp(command, "write") == 0) {
      if (put(argv[++i])) return 1;
    } else if (strcmp(command, "exit") == 0) {
      return atoi(argv[++i]);
    } else {
      return 64;
    }
  }
  return 0;
}
