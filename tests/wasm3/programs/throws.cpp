/* Exceptions of C++: destructors run on the way, handlers are chosen by type, and what is caught can
 * be thrown on. Emscripten makes the older form of exceptions, and Binaryen that of version 3.0. */

#include <cstdio>
#include <stdexcept>
#include <string>
#include <vector>

static int alive = 0;

struct Counted {
  Counted() { alive++; }
  Counted(const Counted&) { alive++; }
  ~Counted() { alive--; }
};

struct Failure : std::runtime_error {
  int code;
  Failure(int code) : std::runtime_error("failure " + std::to_string(code)), code(code) {}
};

__attribute__((noinline)) static int descend(int depth, int kind) {
  Counted counted;
  std::vector<Counted> more(depth % 3);
  if (depth == 0) {
    if (kind == 0) throw kind;
    if (kind == 1) throw Failure(42);
    if (kind == 2) throw std::string("text");
    return 0;
  }
  return descend(depth - 1, kind) + 1;
}

static std::string outcome(int depth, int kind) try {
  try {
    return "returned " + std::to_string(descend(depth, kind));
  } catch (const std::exception& e) {
    return e.what();
  } catch (int& number) {
    number += 7;
    throw;
  }
} catch (int number) {
  return "number " + std::to_string(number);
} catch (...) {
  return "something";
}

int main() {
  for (int kind = 0; kind < 4; kind++) {
    std::printf("%s, %d alive\n", outcome(10 + kind, kind).c_str(), alive);
  }
  try {
    (void)std::vector<int>().at(3);
  } catch (const std::out_of_range&) {
    std::printf("out of range\n");
  }
  int caught = 0;
  for (int i = 0; i < 1000; i++) {
    try {
      if (i % 2) descend(i % 5, i % 4);
    } catch (...) {
      caught++;
    }
  }
  std::printf("%d caught, %d alive\n", caught, alive);
}
