/* The last error: each failure sets it to its kind and text on its own thread, success does not. */

#include "harness.h"

static own wasm_trap_t* nothing(const wasm_val_vec_t* args, wasm_val_vec_t* results) {
  (void)args, (void)results;
  return NULL;
}

static void there_is_none_at_first(void) {
  char buffer[4] = "abc";
  size_t offset = 5;
  check(tenon_last_error_code() == TENON_OK);
  check(tenon_last_error_message(buffer, sizeof buffer) == 0);
  check(!tenon_last_error_offset(&offset) && offset == 5);
  check(tenon_last_error_import_module(buffer, sizeof buffer) == 0);
  check(tenon_last_error_import_name(buffer, sizeof buffer) == 0);
}

static void success_leaves_it_as_it_is(wasm_store_t* store) {
  refused(TENON_ERROR_ARGUMENT, wasm_store_new(NULL));
  char before[200];
  snprintf(before, sizeof before, "%s", last_error());
  wasm_instance_delete(instance_of(store, "(module (memory 1))"));
  wasm_func_t* func = func_of_type(store, wasm_functype_new_0_0(), nothing);
  check(call_empty(func) == NULL);
  wasm_func_delete(func);
  check(tenon_last_error_code() == TENON_ERROR_ARGUMENT && strcmp(before, last_error()) == 0);
  tenon_last_error_clear();
  there_is_none_at_first();
}

static void the_text_is_cut_to_the_buffer(void) {
  char buffer[200], whole[200];
  check(wasm_store_new(NULL) == NULL);
  size_t size = tenon_last_error_message(whole, sizeof whole);
  check(size == strlen(whole) + 1 && size > 5);
  for (size_t room = 1; room <= size + 1; room++) {
    memset(buffer, 'x', sizeof buffer);
    check(tenon_last_error_message(buffer, room) == size);
    size_t kept = room < size ? room : size;
    check(buffer[kept - 1] == 0 && strncmp(buffer, whole, kept - 1) == 0);
    check(buffer[kept] == 'x');
  }
  memset(buffer, 'x', sizeof buffer);
  check(tenon_last_error_message(buffer, 0) == size && buffer[0] == 'x');
  check(tenon_last_error_message(NULL, 0) == size);
}

/* A module whose function drops a value that is not there, at offset 27. */
static const unsigned char no_value[] = {
  0x00, 0x61, 0x73, 0x6d, 0x01, 0x00, 0x00, 0x00,
  0x01, 0x04, 0x01, 0x60, 0x00, 0x00, 0x03, 0x02, 0x01, 0x00,
  0x0a, 0x09, 0x01, 0x07, 0x00, 0x01, 0x01, 0x01, 0x01, 0x1a, 0x0b,
};

static void invalid_modules_have_an_offset(wasm_store_t* store) {
  static const char unknown_section[] = "\0asm\1\0\0\0\xff";
  struct {
    wasm_byte_vec_t bytes;
    size_t offset;
  } cases[] = {
    {{sizeof no_value, (char*)no_value}, 27},
    {{sizeof unknown_section - 1, (char*)unknown_section}, 8},
    {{0, NULL}, 0},
    {{4, (char*)no_value}, 4},
  };
  for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
    for (int validate = 0; validate < 2; validate++) {
      size_t* offset = malloc(sizeof *offset);
      *offset = 99;
      if (validate) refused(TENON_ERROR_INVALID, wasm_module_validate(store, &cases[i].bytes));
      else refused(TENON_ERROR_INVALID, wasm_module_new(store, &cases[i].bytes));
      check(tenon_last_error_offset(offset));
      if (!check(*offset == cases[i].offset)) fprintf(stderr, "%zu: %zu\n", i, *offset);
      check(strlen(last_error()) > 0);
      free(offset);
    }
  }
}

static void texts_have_their_own_offset_or_none(wasm_store_t* store) {
  static const char text[] = "(module (func (param i33)))";
  wasm_byte_vec_t source = bytes_of(text), binary;
  size_t offset = 0;
  refused(TENON_ERROR_INVALID, tenon_module_new_wat(store, &source));
  check(!tenon_last_error_offset(&offset) || offset == strlen("(module (func (param "));
  check(strstr(last_error(), "offset 0x0") == NULL);
  tenon_last_error_clear();
  check(tenon_wat2wasm(&source, &binary) == TENON_ERROR_INVALID);
  check(binary.size == 0 && binary.data == NULL);
  check(tenon_last_error_code() == TENON_ERROR_INVALID);
  check(!tenon_last_error_offset(&offset) || offset == strlen("(module (func (param "));
}

static void texts_that_are_none_are_refused(wasm_store_t* store) {
  static const char* const texts[] = {
    "(module", "(module))", "\xff\xfe", "(module (func (call $none)))", "(modul)", "module",
    "(module (func) (import \"\" \"\" (func)))",
  };
  for (size_t i = 0; i < sizeof texts / sizeof *texts; i++) {
    wasm_byte_vec_t source = bytes_of(texts[i]), binary;
    refused(TENON_ERROR_INVALID, tenon_module_new_wat(store, &source));
    check(tenon_wat2wasm(&source, &binary) == TENON_ERROR_INVALID && binary.size == 0);
    check(strlen(last_error()) > 0);
  }
}

static void text_becomes_binary_and_binary_stays(void) {
  wasm_byte_vec_t binary = binary_of("(module)"), again;
  check(binary.size == 8 && memcmp(binary.data, "\0asm\1\0\0\0", 8) == 0);
  check(tenon_wat2wasm(&binary, &again) == TENON_OK);
  check(again.size == 8 && again.data != binary.data && memcmp(again.data, binary.data, 8) == 0);
  wasm_byte_vec_delete(&again);
  wasm_byte_vec_delete(&binary);
}

static void link_errors_name_the_import(wasm_store_t* store) {
  char module_name[100], name[100], small[3];
  wasm_module_t* module =
    module_of(store, "(module (import \"m\xc3\xb6\" \"name\" (func (param i64))))");
  refused(TENON_ERROR_LINK, wasm_instance_new(store, module, NULL, NULL));
  check(tenon_last_error_import_module(module_name, sizeof module_name) == 4);
  check(tenon_last_error_import_name(name, sizeof name) == 5);
  check(strcmp(module_name, "m\xc3\xb6") == 0 && strcmp(name, "name") == 0);
  check(tenon_last_error_import_name(small, sizeof small) == 5 && strcmp(small, "na") == 0);
  check(!tenon_last_error_offset(NULL));
  check(error_says("m\xc3\xb6") && error_says("name") && error_says("(i64)"));
  wasm_module_delete(module);
  refused(TENON_ERROR_ARGUMENT, wasm_store_new(NULL));
  check(tenon_last_error_import_module(module_name, sizeof module_name) == 0);
}

static void each_kind_of_failure_has_its_code(wasm_store_t* store) {
  wasm_byte_vec_t garbage = bytes_of("garbage");
  refused(TENON_ERROR_ARTIFACT, wasm_module_deserialize(store, &garbage));
  refused(TENON_ERROR_INVALID, wasm_module_new(store, &garbage));
  wasm_memory_t* memory = memory_of(store, 1, 1);
  refused(TENON_ERROR_LIMIT, wasm_memory_grow(memory, 1));
  wasm_memory_delete(memory);
  refused(TENON_ERROR_ARGUMENT, wasm_valtype_new(77));
  wasm_func_t* func = func_of_type(store, type_i32_i32(), nothing);
  tenon_last_error_clear();
  wasm_trap_delete(call_empty(func));
  check(tenon_last_error_code() == TENON_ERROR_TYPE);
  tenon_last_error_clear();
  check(call_i32(func, 1, NULL) == -1 && tenon_last_error_code() == TENON_ERROR_TRAP);
  check(error_says("result"));
  wasm_func_delete(func);
}

static void traps_are_errors_too(wasm_store_t* store) {
  wasm_instance_t* instance = instance_of(store, "(module (func (export \"f\") unreachable))");
  wasm_func_t* func = func_at(instance, 0);
  tenon_last_error_clear();
  wasm_trap_t* trap = call_empty(func);
  check(tenon_last_error_code() == TENON_ERROR_TRAP && strcmp(last_error(), "unreachable") == 0);
  wasm_trap_delete(trap);
  wasm_func_delete(func);
  wasm_instance_delete(instance);
}

static void* fails_elsewhere(void* ignored) {
  there_is_none_at_first();
  refused(TENON_ERROR_ARGUMENT, wasm_valtype_new(77));
  return ignored;
}

static void threads_have_their_own(void) {
  refused(TENON_ERROR_ARGUMENT, wasm_store_new(NULL));
  char before[200];
  snprintf(before, sizeof before, "%s", last_error());
  on_thread(1 << 20, fails_elsewhere, NULL);
  check(strcmp(before, last_error()) == 0 && error_says("engine"));
}

static void the_version_is_three_numbers(void) {
  int parts[3] = {-1, -1, -1}, length = 0;
  check(sscanf(tenon_version(), "%d.%d.%d%n", &parts[0], &parts[1], &parts[2], &length) == 3);
  check(length >= 5 && tenon_version() == tenon_version());
}

int main(void) {
  there_is_none_at_first();
  wasm_store_t* store = test_store();
  success_leaves_it_as_it_is(store);
  the_text_is_cut_to_the_buffer();
  invalid_modules_have_an_offset(store);
  texts_have_their_own_offset_or_none(store);
  texts_that_are_none_are_refused(store);
  text_becomes_binary_and_binary_stays();
  link_errors_name_the_import(store);
  each_kind_of_failure_has_its_code(store);
  traps_are_errors_too(store);
  threads_have_their_own();
  the_version_is_three_numbers();
  wasm_store_delete(store);
  return done();
}
