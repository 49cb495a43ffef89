/* How programs end that something is wrong with. */
#include <assert.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static void handler(int signal) {
  printf("signal %d\n", signal);
}

int main(int argc, char **argv) {
  signal(SIGUSR1, handler);
  raise(SIGUSR1);
  printf("system %d %d\n", system(0), system("ls"));
  fflush(stdout);
  assert(argc < 2 || strcmp(argv[1], "assert"));
  return 0;
}
