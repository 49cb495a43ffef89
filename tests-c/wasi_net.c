/* Programs of WASI reach over the network what their settings give: listeners, and addresses that
 * are granted. Nothing here leaves the machine. */

#include <wasi.h>

#define own

#include <arpa/inet.h>
#include <netinet/in.h>
#include <sys/socket.h>

#include "scenes.h"

/* Error numbers of WASI. */
enum { SUCCESS = 0, ACCESS = 2, AGAIN = 6, BAD_FD = 8, CONNECTION_RESET = 15, PIPE_BROKEN = 64 };

/* A program whose functions take a descriptor, or a port, and return an error number. The address
 * at 32 is 127.0.0.1. */
static const char* const program =
  "(module"
#define WASI(name, params) \
  " (import \"wasi_snapshot_preview1\" \"" name "\" (func $" name " (param " params ") (result i32)))"
  WASI("fd_fdstat_set_flags", "i32 i32") WASI("sock_accept", "i32 i32 i32")
  WASI("sock_send", "i32 i32 i32 i32 i32") WASI("sock_open", "i32 i32 i32")
  WASI("sock_connect", "i32 i32 i32") WASI("sock_bind", "i32 i32 i32")
  " (memory (export \"memory\") 1)"
  " (data (i32.const 0) \"\\40\\00\\00\\00\\05\\00\\00\\00\")"
  " (data (i32.const 32) \"\\28\\00\\00\\00\\04\\00\\00\\00\\7f\\00\\00\\01\")"
  " (data (i32.const 64) \"hello\")"
  " (func (export \"unblock\") (param i32) (result i32)"
  "  (call $fd_fdstat_set_flags (local.get 0) (i32.const 4)))"
  " (func (export \"accept\") (param i32) (result i32)"
  "  (call $sock_accept (local.get 0) (i32.const 0) (i32.const 128)))"
  " (func (export \"send\") (param i32) (result i32)"
  "  (call $sock_send (local.get 0) (i32.const 0) (i32.const 1) (i32.const 0) (i32.const 128)))"
  " (func (export \"open\") (param i32) (result i32)"
  "  (call $sock_open (i32.const 1) (local.get 0) (i32.const 128)))"
  " (func (export \"connect\") (param i32) (result i32)"
  "  (call $sock_connect (i32.const 3) (i32.const 32) (local.get 0)))"
  " (func (export \"bind\") (param i32) (result i32)"
  "  (call $sock_bind (i32.const 4) (i32.const 32) (local.get 0))))";

enum { MEMORY, UNBLOCK, ACCEPT, SEND, OPEN, CONNECT, BIND };
enum { STREAM = 2 };

static own wasi_config_t* settings(void) {
  wasi_config_t* config = wasi_config_new("program");
  check(config != NULL);
  return config;
}

/* Makes the program with these settings. */
static own wasm_instance_t* with(own wasi_config_t* config) {
  wasm_store_t* store = test_store();
  wasi_env_t* env = wasi_env_new(store, config);
  wasm_module_t* module = module_of(store, program);
  wasm_extern_vec_t imports;
  accepted(wasi_get_imports(store, env, module, &imports));
  wasm_instance_t* instance = wasm_instance_new(store, module, &imports, NULL);
  check(instance != NULL);
  wasm_extern_vec_delete(&imports);
  wasm_module_delete(module);
  wasi_env_delete(env);
  wasm_store_delete(store);
  return instance;
}

/* Calls a function of the program; the error number. */
static int32_t call(wasm_instance_t* instance, size_t function, int32_t arg) {
  wasm_func_t* func = func_at(instance, function);
  wasm_trap_t* trap = NULL;
  int32_t error = call_i32(func, arg, &trap);
  check(trap == NULL);
  wasm_func_delete(func);
  return error;
}

/* Connects to a port of the machine, or listens on one that the system chooses. */
static int host_socket(uint16_t* port, bool listens) {
  struct sockaddr_in at = {
    .sin_family = AF_INET, .sin_port = htons(*port), .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
  int fd = socket(AF_INET, SOCK_STREAM, 0);
  if (listens) {
    socklen_t size = sizeof at;
    check(bind(fd, (struct sockaddr*)&at, size) == 0 && listen(fd, 4) == 0);
    check(getsockname(fd, (struct sockaddr*)&at, &size) == 0);
    *port = ntohs(at.sin_port);
  } else {
    check(connect(fd, (struct sockaddr*)&at, sizeof at) == 0);
  }
  return fd;
}

static void listeners_follow_the_standard_streams(void) {
  uint16_t ports[2] = {0, 0};
  wasi_config_t* config = settings();
  accepted(tenon_wasi_config_tcp_listen(config, "127.0.0.1:0", &ports[0]));
  accepted(tenon_wasi_config_tcp_listen(config, "localhost:0", &ports[1]));
  accepted(tenon_wasi_config_tcp_listen(config, "127.0.0.1:0", NULL));
  check(ports[0] != 0 && ports[1] != 0 && ports[0] != ports[1]);
  wasm_instance_t* instance = with(config);
  // The machine takes the connection before the program does.
  int client = host_socket(&ports[0], false);
  check(call(instance, ACCEPT, 3) == SUCCESS);
  check(call(instance, SEND, 6) == SUCCESS);
  char text[5];
  check(recv(client, text, sizeof text, MSG_WAITALL) == 5 && memcmp(text, "hello", 5) == 0);
  for (int32_t fd = 3; fd < 6; fd++) {
    check(call(instance, UNBLOCK, fd) == SUCCESS && call(instance, ACCEPT, fd) == AGAIN);
  }
  check(call(instance, ACCEPT, 7) == BAD_FD);
  close(client);
  wasm_instance_delete(instance);
}

static void addresses_in_use_are_refused(void) {
  uint16_t port = 0;
  int listener = host_socket(&port, true);
  char address[40];
  snprintf(address, sizeof address, "127.0.0.1:%u", port);
  wasi_config_t* config = settings();
  refused(TENON_ERROR_ARGUMENT, tenon_wasi_config_tcp_listen(config, address, NULL));
  check(error_says(address));
  static const char* const wrong[] = {"", "127.0.0.1", "127.0.0.1:x", "192.0.2.1:0", "\xff:1"};
  for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++) {
    refused(TENON_ERROR_ARGUMENT, tenon_wasi_config_tcp_listen(config, wrong[i], NULL));
  }
  wasi_config_delete(config);
  close(listener);
}

static void only_what_is_granted_is_reached(void) {
  uint16_t port = 0;
  int listener = host_socket(&port, true);
  char grant[40];
  snprintf(grant, sizeof grant, "127.0.0.0/8:%u", port);

  wasm_instance_t* instance = with(settings());
  check(call(instance, OPEN, STREAM) == ACCESS);
  wasm_instance_delete(instance);

  wasi_config_t* config = settings();
  accepted(tenon_wasi_config_allow_net(config, grant));
  accepted(tenon_wasi_config_allow_net(config, "[::1]:1-9"));
  instance = with(config);
  check(call(instance, OPEN, STREAM) == SUCCESS && call(instance, OPEN, STREAM) == SUCCESS);
  check(call(instance, CONNECT, port == 1 ? 2 : 1) == ACCESS);
  check(call(instance, BIND, 0) == ACCESS);
  check(call(instance, CONNECT, port) == SUCCESS);
  int peer = accept(listener, NULL, NULL);
  check(peer >= 0 && call(instance, SEND, 3) == SUCCESS);
  close(peer);
  close(listener);
  wasm_instance_delete(instance);
}

static void nonsense_is_granted_to_nobody(void) {
  wasi_config_t* config = settings();
  static const char* const wrong[] = {
    "", "127.0.0.1", "127.0.0.1:65536", "127.0.0.1/40:1", "::1:1", "*.example:1", "\xff:1",
  };
  for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++) {
    refused(TENON_ERROR_ARGUMENT, tenon_wasi_config_allow_net(config, wrong[i]));
  }
  wasm_instance_t* instance = with(config);
  check(call(instance, OPEN, STREAM) == ACCESS);
  wasm_instance_delete(instance);
}

/* A program that sends to a peer which has gone gets an error, and the host no signal, though it
 * does not ignore SIGPIPE. */
static void peers_that_go_do_not_end_the_host(void) {
  uint16_t port = 0;
  wasi_config_t* config = settings();
  accepted(tenon_wasi_config_tcp_listen(config, "127.0.0.1:0", &port));
  wasm_instance_t* instance = with(config);
  int client = host_socket(&port, false);
  check(call(instance, ACCEPT, 3) == SUCCESS);
  // Without lingering, closing resets the connection.
  struct linger at_once = {.l_onoff = 1, .l_linger = 0};
  check(setsockopt(client, SOL_SOCKET, SO_LINGER, &at_once, sizeof at_once) == 0);
  close(client);
  int32_t first = call(instance, SEND, 4), second = call(instance, SEND, 4);
  check(first == CONNECTION_RESET || first == PIPE_BROKEN);
  check(second == PIPE_BROKEN);
  wasm_instance_delete(instance);
}

static void null_is_refused(void) {
  wasi_config_t* config = settings();
  refused(TENON_ERROR_ARGUMENT, tenon_wasi_config_tcp_listen(NULL, "127.0.0.1:0", NULL));
  refused(TENON_ERROR_ARGUMENT, tenon_wasi_config_tcp_listen(config, NULL, NULL));
  refused(TENON_ERROR_ARGUMENT, tenon_wasi_config_allow_net(NULL, "*:*"));
  refused(TENON_ERROR_ARGUMENT, tenon_wasi_config_allow_net(config, NULL));
  wasi_config_delete(config);
}

int main(void) {
  listeners_follow_the_standard_streams();
  addresses_in_use_are_refused();
  only_what_is_granted_is_reached();
  nonsense_is_granted_to_nobody();
  SURVIVES(peers_that_go_do_not_end_the_host);
  null_is_refused();
  return done();
}
