// C++ exceptions in the form that needs the host.
#include <cstdio>
#include <exception>
#include <memory>
#include <stdexcept>
#include <string>
#include <vector>

static int alive;
struct Counted {
  int id;
  explicit Counted(int id) : id(id) { alive++; }
  Counted(const Counted &other) : id(other.id) { alive++; }
  virtual ~Counted() { alive--; }
};
struct Left { virtual ~Left() {} int left = 1; };
struct Right { virtual ~Right() {} int right = 2; };
struct Both : Left, Right { int both = 3; };

static void thrower(int which) {
  Counted local(which);
  std::vector<std::string> strings(3, "a string that is too long to be short");
  switch (which) {
    case 0: throw 42;
    case 1: throw std::runtime_error("runtime");
    case 2: throw Both();
    case 3: throw std::string("string");
    case 4: throw static_cast<const char *>("pointer");
    case 5: throw Counted(5);
    case 6: strings.at(10);
    case 7: { static Both both; throw static_cast<Both *>(&both); }
    case 8: throw 1.5;
  }
}

static void catcher(int which) {
  try {
    thrower(which);
    std::puts("nothing");
  } catch (int value) {
    std::printf("int %d\n", value);
  } catch (const std::out_of_range &) {
    std::puts("out of range");
  } catch (const std::exception &e) {
    std::printf("exception %s\n", e.what());
  } catch (Right &right) {
    std::printf("right %d\n", right.right);
  } catch (const std::string &string) {
    std::printf("string %s\n", string.c_str());
  } catch (const char *string) {
    std::printf("pointer %s\n", string);
  } catch (const Counted &counted) {
    std::printf("counted %d\n", counted.id);
  } catch (Right *right) {
    std::printf("pointer to right %d\n", right->right);
  } catch (...) {
    std::puts("something");
  }
}

static void rethrower(int depth) {
  try {
    if (depth == 0) throw Counted(9);
    rethrower(depth - 1);
  } catch (Counted &counted) {
    counted.id++;
    throw;
  }
}

struct Guard {
  ~Guard() { std::printf("unwinding, uncaught %d\n", std::uncaught_exceptions()); }
};

int main(int argc, char **) {
  for (int i = 0; i < 10; i++) catcher(i);
  try {
    rethrower(5);
  } catch (const Counted &counted) {
    std::printf("rethrown %d\n", counted.id);
  }
  try {
    Guard guard;
    throw 1;
  } catch (int) {
    try {
      throw std::logic_error("inner");
    } catch (const std::exception &e) {
      std::printf("%s, uncaught %d\n", e.what(), std::uncaught_exceptions());
    }
  }
  std::exception_ptr kept;
  try {
    throw Counted(77);
  } catch (...) {
    kept = std::current_exception();
  }
  try {
    std::rethrow_exception(kept);
  } catch (const Counted &counted) {
    std::printf("kept %d\n", counted.id);
  }
  kept = nullptr;
  for (int i = 0; i < 1000; i++) {
    try {
      thrower(5);
    } catch (const Counted &) {
    }
  }
  std::printf("alive %d, uncaught %d\n", alive, std::uncaught_exceptions());
  if (argc > 1) throw std::runtime_error("nobody");
  return 0;
}
