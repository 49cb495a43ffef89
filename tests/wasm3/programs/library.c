/* A library that is placed where its importer wants it: addresses of its variables and functions are
 * sums that are made when it is instantiated. */

#define EXPORT(name) __attribute__((export_name(name)))

static int add(int a, int b) {
  return a + b;
}
static int sub(int a, int b) {
  return a - b;
}

typedef int operation(int, int);
struct entry {
  const char* name;
  operation* run;
};

static const struct entry entries[] = {{"add", add}, {"sub", sub}};
int runs = 0;

EXPORT("run") int run(char name, int a, int b) {
  for (unsigned i = 0; i < sizeof entries / sizeof *entries; i++) {
    if (((volatile const struct entry*)entries)[i].name[0] == name) {
      runs++;
      return ((volatile const struct entry*)entries)[i].run(a, b);
    }
  }
  return -1;
}

EXPORT("address") int* address(void) {
  return &runs;
}
