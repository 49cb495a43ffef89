/* Arguments, environment, streams, what runs at exit, and the status. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static void last(void) {
  printf("last words");
}

int main(int argc, char **argv) {
  char line[64];
  atexit(last);
  for (int i = 0; i < argc; i++) printf("argv[%d]=%s\n", i, i ? argv[i] : strrchr(argv[0], '/') + 1);
  printf("argv[argc]=%s COLOUR=%s MISSING=%s\n", argv[argc] ? "something" : "null", getenv("COLOUR"),
         getenv("MISSING") ? "something" : "null");
  while (fgets(line, sizeof line, stdin)) printf("line of %zu: %s", strlen(line), line);
  fprintf(stderr, "to stderr\n");
  printf("%5.2f|%-6s|%06x|%lld\n", 3.14159, "ab", 48879, 1234567890123LL);
  if (argc > 1 && !strcmp(argv[1], "exit")) exit(7);
  if (argc > 1 && !strcmp(argv[1], "_exit")) _exit(8);
  if (argc > 1 && !strcmp(argv[1], "abort")) abort();
  return argc;
}
