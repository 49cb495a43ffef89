/* An HTTP server that makes its own listener, by the functions of WasmEdge:
 *
 *   serve_wasmedge PORT REQUESTS    listens on 127.0.0.1:PORT, says on which port, answers so
 *                                   many requests, several at a time, and ends
 *
 * Ends with the error number of the function that has failed, for instance 2 (EACCES) where the
 * host has not granted the address. */

#include <poll.h>
#include <stdint.h>

#include "http.h"

#define IMPORTED(name) \
  __attribute__((import_module("wasi_snapshot_preview1"), import_name(name)))

struct address {
  uint8_t* bytes;
  uint32_t size;
};

struct vector {
  void* bytes;
  uint32_t size;
};

IMPORTED("sock_open") int32_t sock_open(uint8_t family, uint8_t type, uint32_t* fd);
IMPORTED("sock_bind") int32_t sock_bind(uint32_t fd, struct address* address, uint32_t port);
IMPORTED("sock_listen") int32_t sock_listen(uint32_t fd, uint32_t backlog);
IMPORTED("sock_accept") int32_t sock_accept(uint32_t fd, uint32_t* connection);
IMPORTED("sock_getlocaladdr") int32_t sock_getlocaladdr(
  uint32_t fd, struct address* address, uint32_t* family, uint32_t* port);
IMPORTED("sock_setsockopt") int32_t sock_setsockopt(
  uint32_t fd, uint32_t level, uint32_t name, const int32_t* value, uint32_t size);
IMPORTED("sock_recv") int32_t sock_recv(
  uint32_t fd, struct vector* to, uint32_t count, uint16_t flags, uint32_t* size, uint32_t* out);
IMPORTED("sock_send") int32_t sock_send(
  uint32_t fd, const struct vector* from, uint32_t count, uint16_t flags, uint32_t* size);

enum { INET4 = 1, STREAM = 2, SOCKET_LEVEL = 0, REUSE_ADDRESS = 0 };

static void need(int32_t error, const char* what) {
  if (!error) return;
  fprintf(stderr, "%s: error %d\n", what, error);
  exit(error);
}

/* Sends all of it, or as much as the peer takes. */
static void send_all(uint32_t fd, char* bytes, size_t size) {
  while (size > 0) {
    struct vector vector = {bytes, size};
    uint32_t sent = 0;
    if (sock_send(fd, &vector, 1, 0, &sent)) return;
    bytes += sent;
    size -= sent;
  }
}

int main(int argc, char** argv) {
  uint32_t port = argc > 1 ? (uint32_t)atoi(argv[1]) : 0;
  int requests = argc > 2 ? atoi(argv[2]) : 1;
  uint32_t listener;
  need(sock_open(INET4, STREAM, &listener), "sock_open");
  int32_t on = 1;
  need(sock_setsockopt(listener, SOCKET_LEVEL, REUSE_ADDRESS, &on, sizeof on), "sock_setsockopt");
  uint8_t octets[16] = {127, 0, 0, 1};
  struct address address = {octets, 4};
  need(sock_bind(listener, &address, port), "sock_bind");
  need(sock_listen(listener, 16), "sock_listen");
  uint32_t family;
  address.size = sizeof octets;
  need(sock_getlocaladdr(listener, &address, &family, &port), "sock_getlocaladdr");
  printf("%u.%u.%u.%u:%u\n", octets[0], octets[1], octets[2], octets[3], port);
  fflush(stdout);

  while (requests > 0) {
    struct pollfd fds[MAX_CONNECTIONS + 1];
    for (size_t i = 0; i < connection_count; i++) {
      fds[i] = (struct pollfd) {.fd = connections[i].fd, .events = POLLIN};
    }
    fds[connection_count] = (struct pollfd) {.fd = (int)listener, .events = POLLIN};
    size_t polled = connection_count;
    if (poll(fds, polled + 1, -1) < 0) fail("poll");
    for (size_t i = polled; i-- > 0;) {
      if (!fds[i].revents) continue;
      struct connection* connection = &connections[i];
      struct vector rest =
        {connection->request + connection->size, MAX_REQUEST - connection->size};
      uint32_t come = 0, flags;
      if (sock_recv((uint32_t)connection->fd, &rest, 1, 0, &come, &flags) || come == 0) {
        drop(i);
      } else if (is_whole(connection, come)) {
        char out[1024];
        send_all((uint32_t)connection->fd, out, answer(connection, out, sizeof out));
        drop(i);
        requests--;
      }
    }
    uint32_t fd;
    if ((fds[polled].revents & POLLIN) && sock_accept(listener, &fd) == 0) begin((int)fd);
  }
  return 0;
}
