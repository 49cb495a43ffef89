/* Programs of WASI get what their settings give and nothing more: arguments, variables, streams,
 * directories. What the functions of wasi.h do besides is in wasi.c. */

#include <wasi.h>

#define own

#include <dirent.h>
#include <sys/stat.h>

#include "probe.h"
#include "scenes.h"

/* Has strings fetched by these two functions, and proves that they are these. */
static void has_strings(
  struct probe* probe, size_t sizes, size_t get, size_t count, const char* const strings[]
) {
  size_t total = 0;
  for (size_t i = 0; i < count; i++) total += strlen(strings[i]) + 1;
  check(CALL(probe, sizes, 0, 4) == SUCCESS);
  check(word_at(probe, 0) == count && word_at(probe, 4) == total);
  check(CALL(probe, get, 8, 20000) == SUCCESS);
  for (size_t i = 0; i < count; i++) {
    check(strcmp(at(probe, word_at(probe, 8 + 4 * (uint32_t)i)), strings[i]) == 0);
  }
}

static void arguments_and_variables_arrive(void) {
  static const char* const args[] = {"probe", "", "two words", "\xff\xfe", "gr\xc3\xbc\xc3\x9f"};
  static const char* const variables[] = {"A=1", "EMPTY=", "A=B=C", "\xff=\xfe"};
  struct probe probe;
  wasi_config_t* config = settings();
  for (size_t i = 1; i < 5; i++) wasi_config_arg(config, args[i]);
  wasi_config_env(config, "A", "1");
  wasi_config_env(config, "EMPTY", "");
  wasi_config_env(config, "A", "B=C");
  wasi_config_env(config, "\xff", "\xfe");
  set_up(&probe, config);
  has_strings(&probe, ARGS_SIZES, ARGS, 5, args);
  has_strings(&probe, ENVIRON_SIZES, ENVIRON, 4, variables);
  tear_down(&probe);
  set_up(&probe, settings());
  setenv("OF_THE_HOST", "1", 1);
  has_strings(&probe, ARGS_SIZES, ARGS, 1, args);
  has_strings(&probe, ENVIRON_SIZES, ENVIRON, 0, NULL);
  tear_down(&probe);
}

static void captured_output_is_read_in_pieces(void) {
  struct probe probe;
  char buffer[100];
  wasi_config_t* config = settings();
  wasi_config_capture_stdout(config);
  wasi_config_capture_stderr(config);
  set_up(&probe, config);
  accepted(wasi_env_read_stdout(probe.env, buffer, sizeof buffer) == 0);
  writes(&probe, 1, "hello, ");
  writes(&probe, 2, "error");
  writes(&probe, 1, "world");
  memset(buffer, '#', sizeof buffer);
  check(wasi_env_read_stdout(probe.env, buffer, 3) == 3 && memcmp(buffer, "hel#", 4) == 0);
  check(wasi_env_read_stdout(probe.env, buffer, 0) == 0);
  check(wasi_env_read_stdout(probe.env, NULL, 5) == 0);
  check(wasi_env_read_stdout(probe.env, buffer, 1) == 1 && memcmp(buffer, "lel", 3) == 0);
  check(wasi_env_read_stdout(probe.env, buffer, sizeof buffer) == 8);
  check(memcmp(buffer, "o, world#", 9) == 0);
  check(wasi_env_read_stdout(probe.env, buffer, sizeof buffer) == 0);
  writes(&probe, 1, "more");
  wasm_instance_delete(probe.instance);
  probe.instance = NULL;
  check(wasi_env_read_stdout(probe.env, buffer, SIZE_MAX) == 4 && memcmp(buffer, "more", 4) == 0);
  check(wasi_env_read_stderr(probe.env, buffer, sizeof buffer) == 5);
  check(memcmp(buffer, "error", 5) == 0);
  tear_down(&probe);
}

/* In a process whose standard streams are files. */
static void inherited_streams_are_the_hosts(void) {
  char buffer[100];
  FILE *in = tmpfile(), *out = tmpfile(), *err = tmpfile();
  fputs("input", in);
  rewind(in);
  fflush(NULL);
  int saved = dup(2);
  dup2(fileno(in), 0);
  dup2(fileno(out), 1);
  dup2(fileno(err), 2);
  for (int round = 0; round < 2; round++) {
    struct probe probe;
    wasi_config_t* config = settings();
    // The last word counts.
    wasi_config_capture_stdout(config);
    wasi_config_inherit_stdout(config);
    if (round) wasi_config_capture_stderr(config);
    wasi_config_inherit_stderr(config);
    if (round) wasi_config_capture_stderr(config);
    wasi_config_inherit_stdin(config);
    set_up(&probe, config);
    writes(&probe, 1, "to stdout");
    writes(&probe, 2, "to stderr");
    uint32_t iovec[] = {8192, 100};
    memcpy(at(&probe, 0), iovec, sizeof iovec);
    check(CALL(&probe, READ, 0, 0, 1, 16) == SUCCESS);
    // The first program has read it all.
    check(word_at(&probe, 16) == (round ? 0 : 5));
    if (round == 0) check(memcmp(at(&probe, 8192), "input", 5) == 0);
    tenon_last_error_clear();
    check(wasi_env_read_stdout(probe.env, buffer, 100) == -1);
    check(tenon_last_error_code() == TENON_ERROR_ARGUMENT && error_says("captured"));
    check(wasi_env_read_stderr(probe.env, buffer, 100) == (round ? 9 : -1));
    tear_down(&probe);
  }
  dup2(saved, 2);
  rewind(out);
  rewind(err);
  check(fread(buffer, 1, 100, out) == 18 && memcmp(buffer, "to stdoutto stdout", 18) == 0);
  check(fread(buffer, 1, 100, err) == 9 && memcmp(buffer, "to stderr", 9) == 0);
}

/* A directory of the host with a file in it, beside one that is not granted. */
static char base[100], granted[120], denied[120];

static void write_file(const char* dir, const char* name, const char* data, size_t size) {
  char path[200];
  snprintf(path, sizeof path, "%s/%s", dir, name);
  FILE* file = fopen(path, "w");
  check(file && fwrite(data, 1, size, file) == size && fclose(file) == 0);
}

static own wasm_byte_vec_t read_file(const char* dir, const char* name) {
  char path[200];
  wasm_byte_vec_t bytes = WASM_EMPTY_VEC;
  snprintf(path, sizeof path, "%s/%s", dir, name);
  FILE* file = fopen(path, "r");
  if (!check(file != NULL)) return bytes;
  fseek(file, 0, SEEK_END);
  wasm_byte_vec_new_uninitialized(&bytes, (size_t)ftell(file));
  rewind(file);
  check(fread(bytes.data, 1, bytes.size, file) == bytes.size);
  fclose(file);
  return bytes;
}

static void make_directories(void) {
  snprintf(base, sizeof base, "%s/tenon-wasi-XXXXXX", getenv("TMPDIR") ? getenv("TMPDIR") : "/tmp");
  check(mkdtemp(base) != NULL);
  snprintf(granted, sizeof granted, "%s/granted", base);
  snprintf(denied, sizeof denied, "%s/denied", base);
  check(mkdir(granted, 0700) == 0 && mkdir(denied, 0700) == 0);
  write_file(granted, "file", "granted text", 12);
  write_file(denied, "file", "secret text", 11);
  char link[200];
  snprintf(link, sizeof link, "%s/link", granted);
  check(symlink("../denied/file", link) == 0);
  snprintf(link, sizeof link, "%s/absolute", granted);
  check(symlink("/etc/passwd", link) == 0);
}

static void remove_directory(const char* path) {
  DIR* dir = opendir(path);
  for (struct dirent* entry; dir && (entry = readdir(dir));) {
    char name[400];
    snprintf(name, sizeof name, "%s/%s", path, entry->d_name);
    if (entry->d_name[0] != '.') unlink(name);
  }
  closedir(dir);
  check(rmdir(path) == 0);
}

static void remove_directories(void) {
  remove_directory(granted);
  remove_directory(denied);
  check(rmdir(base) == 0);
}

static void only_directories_can_be_granted(void) {
  char file[200];
  snprintf(file, sizeof file, "%s/file", granted);
  wasi_config_t* config = settings();
  accepted(wasi_config_mapdir(config, "/data", granted));
  // Settings that nobody uses grant nothing.
  wasi_config_delete(config);
  config = settings();
  const char* const wrong[] = {"/no/such/directory", "", file};
  for (size_t i = 0; i < 3; i++) {
    refused(TENON_ERROR_ARGUMENT, wasi_config_preopen_dir(config, wrong[i]));
    refused(TENON_ERROR_ARGUMENT, wasi_config_mapdir(config, "/data", wrong[i]));
  }
  refused(TENON_ERROR_ARGUMENT, wasi_config_mapdir(config, "\xff", granted));
  struct probe probe;
  set_up(&probe, config);
  for (int fd = 3; fd < 6; fd++) {
    check(CALL(&probe, PRESTAT, fd, 0) == BAD_FD && opens(&probe, fd, "file", false) == BAD_FD);
  }
  tear_down(&probe);
}

/* Proves what a directory is called. */
static void is_called(struct probe* probe, int fd, const char* name) {
  check(CALL(probe, PRESTAT, fd, 0) == SUCCESS);
  check(word_at(probe, 0) == 0 && word_at(probe, 4) == strlen(name));
  check(CALL(probe, DIR_NAME, fd, 100, (int64_t)strlen(name)) == SUCCESS);
  check(memcmp(at(probe, 100), name, strlen(name)) == 0);
}

static void programs_reach_what_is_granted_and_nothing_else(void) {
  struct probe probe;
  wasi_config_t* config = settings();
  accepted(wasi_config_preopen_dir(config, granted));
  accepted(wasi_config_mapdir(config, "/data", granted));
  set_up(&probe, config);
  is_called(&probe, 3, granted);
  is_called(&probe, 4, "/data");
  check(CALL(&probe, PRESTAT, 5, 0) == BAD_FD);
  for (int fd = 3; fd < 5; fd++) {
    reads(&probe, fd, "file", "granted text");
    check(opens(&probe, fd, "missing", false) == NO_ENTRY);
    static const char* const outside[] = {
      "..", "../denied/file", "../../etc/passwd", "/etc/passwd", "./../denied/file", "link",
      "absolute", "new/../../denied/file", "../granted/file",
    };
    for (size_t i = 0; i < sizeof outside / sizeof *outside; i++) {
      check(opens(&probe, fd, outside[i], false) != SUCCESS);
      check(opens(&probe, fd, outside[i], true) != SUCCESS);
    }
    check(opens(&probe, fd, "../denied/file", false) == NOT_PERMITTED);
    check(opens(&probe, fd, "/etc/passwd", false) == NOT_PERMITTED);
    check(opens(&probe, fd, "new", true) == SUCCESS);
    uint32_t new = word_at(&probe, 20);
    writes(&probe, (int)new, "new text");
    check(CALL(&probe, CLOSE, new) == SUCCESS);
    reads(&probe, 7 - fd, "new", "new text");
    int64_t size = (int64_t)put(&probe, "../denied/file");
    check(CALL(&probe, UNLINK, fd, 4096, size) != SUCCESS);
    size = (int64_t)put(&probe, "new");
    check(CALL(&probe, UNLINK, fd, 4096, size) == SUCCESS);
    // A link of the program's own leads no further than those of the host.
    memcpy(at(&probe, 8192), "../denied/file", 14);
    if (CALL(&probe, SYMLINK, 8192, 14, fd, 4096, size) == SUCCESS) {
      for (int new = 0; new < 2; new++) check(opens(&probe, fd, "new", new) != SUCCESS);
      put(&probe, "new");
      check(CALL(&probe, UNLINK, fd, 4096, size) == SUCCESS);
    }
  }
  tear_down(&probe);
  wasm_byte_vec_t secret = read_file(denied, "file");
  check(secret.size == 11 && memcmp(secret.data, "secret text", 11) == 0);
  wasm_byte_vec_delete(&secret);
}

/* How a program has ended, and what it has written. */
struct outcome {
  bool exited, trapped;
  uint32_t status;
  char output[200], errors[200];
};

/* Runs a program, the compressor, with two arguments; it sees the granted directory as /data. */
static struct outcome squeeze(const wasm_byte_vec_t* program, const char* what, const char* path) {
  struct outcome outcome = {.status = 0};
  wasm_store_t* store = test_store();
  wasi_config_t* config = wasi_config_new("squeeze");
  wasi_config_arg(config, what);
  wasi_config_arg(config, path);
  check(wasi_config_mapdir(config, "/data", granted));
  wasi_config_capture_stdout(config);
  wasi_config_capture_stderr(config);
  wasi_env_t* env = wasi_env_new(store, config);
  wasm_module_t* module = wasm_module_new(store, program);
  check(wasi_get_wasi_version(module) == WASI_VERSION_SNAPSHOT1);
  wasm_extern_vec_t imports;
  accepted(wasi_get_imports(store, env, module, &imports));
  wasm_instance_t* instance = wasm_instance_new(store, module, &imports, NULL);
  wasm_module_delete(module);
  wasm_extern_vec_delete(&imports);
  accepted(wasi_env_initialize_instance(env, store, instance));
  wasm_func_t* start = wasi_get_start_function(instance);
  wasm_instance_delete(instance);
  wasm_trap_t* trap = call_empty(start);
  outcome.exited = tenon_trap_exit_status(trap, &outcome.status);
  outcome.trapped = trap != NULL;
  wasm_trap_delete(trap);
  wasi_env_read_stdout(env, outcome.output, sizeof outcome.output - 1);
  wasi_env_read_stderr(env, outcome.errors, sizeof outcome.errors - 1);
  wasm_func_delete(start);
  wasi_env_delete(env);
  wasm_store_delete(store);
  return outcome;
}

static void a_real_program_runs(void) {
  wasm_byte_vec_t program = read_file("tests-c/guests", "squeeze.wasm"), packed, unpacked;
  size_t size = 300000;
  char* text = malloc(size);
  for (size_t i = 0; i < size; i++) text[i] = "round trip "[(i + i / 100) % 11];
  write_file(granted, "text", text, size);
  struct outcome outcome = squeeze(&program, "c", "/data/text");
  check(!outcome.trapped && strstr(outcome.output, "bytes") && !outcome.errors[0]);
  packed = read_file(granted, "text.gz");
  if (!check(packed.size > 20)) return;
  check(packed.size < size / 4 && memcmp(packed.data, "\x1f\x8b", 2) == 0);
  write_file(granted, "text", "overwritten", 11);
  outcome = squeeze(&program, "d", "/data/text.gz");
  check(!outcome.trapped && strstr(outcome.output, "bytes") && !outcome.errors[0]);
  unpacked = read_file(granted, "text");
  check(unpacked.size == size && memcmp(unpacked.data, text, size) == 0);
  // One byte wrong, and the program aborts, which is no exit.
  packed.data[packed.size - 6] ^= 1;
  write_file(granted, "bad.gz", packed.data, packed.size);
  outcome = squeeze(&program, "t", "/data/bad.gz");
  check(outcome.trapped && !outcome.exited && strstr(outcome.errors, "corrupt data"));
  free(text);
  wasm_byte_vec_delete(&unpacked);
  wasm_byte_vec_delete(&packed);
  wasm_byte_vec_delete(&program);
}

static void a_real_program_is_kept_out(void) {
  wasm_byte_vec_t program = read_file("tests-c/guests", "squeeze.wasm");
  char by_host_name[200];
  snprintf(by_host_name, sizeof by_host_name, "%s/file", denied);
  const char* const outside[] = {
    "/etc/passwd", "/data/../denied/file", "/data/link", "/data/absolute", "denied/file",
    by_host_name, "/data/missing",
  };
  for (size_t i = 0; i < sizeof outside / sizeof *outside; i += rounds(1, 3)) {
    struct outcome outcome = squeeze(&program, "c", outside[i]);
    check(outcome.exited && outcome.status == 2 && strstr(outcome.errors, outside[i]));
    check(!outcome.output[0]);
  }
  struct outcome outcome = squeeze(&program, "nonsense", "/data/file");
  check(outcome.exited && outcome.status == 1 && strstr(outcome.errors, "usage: squeeze"));
  wasm_byte_vec_delete(&program);
}

/* It imports from `env` what makes `longjmp` work. */
static void a_standalone_module_of_emscripten_runs(void) {
  wasm_byte_vec_t program = read_file("tests-c/guests/emscripten", "jumps-standalone.wasm");
  wasm_byte_vec_t expected = read_file("tests-c/guests/emscripten", "jumps.txt");
  struct outcome outcome = squeeze(&program, "", "");
  check(outcome.status == 0 && !outcome.errors[0]);
  size_t size = sizeof outcome.output - 1;
  if (expected.size < size) size = expected.size;
  check(size > 100 && memcmp(outcome.output, expected.data, size) == 0);
  wasm_byte_vec_delete(&expected);
  wasm_byte_vec_delete(&program);
}

int main(void) {
  arguments_and_variables_arrive();
  captured_output_is_read_in_pieces();
  SURVIVES(inherited_streams_are_the_hosts);
  make_directories();
  only_directories_can_be_granted();
  programs_reach_what_is_granted_and_nothing_else();
  a_real_program_runs();
  a_real_program_is_kept_out();
  a_standalone_module_of_emscripten_runs();
  remove_directories();
  return done();
}
