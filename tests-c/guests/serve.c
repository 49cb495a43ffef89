/* An HTTP server on a listener that it is given, its first descriptor after the standard streams:
 *
 *   serve REQUESTS    answers so many requests, several at a time, and ends
 *
 * It uses sockets as the C library of WASI has them: accept, recv, send, shutdown, poll. */

#include <fcntl.h>
#include <poll.h>
#include <sys/socket.h>

#include "http.h"

enum { LISTENER = 3 };

int main(int argc, char** argv) {
  int requests = argc > 1 ? atoi(argv[1]) : 1;
  if (fcntl(LISTENER, F_SETFL, O_NONBLOCK) != 0) fail("fcntl");
  // Nobody has come yet, or somebody has: it does not wait.
  int early = accept(LISTENER, NULL, NULL);
  if (early >= 0) {
    begin(early);
  } else if (errno != EAGAIN) {
    fail("accept");
  }
  while (requests > 0) {
    struct pollfd fds[MAX_CONNECTIONS + 1];
    for (size_t i = 0; i < connection_count; i++) {
      fds[i] = (struct pollfd) {.fd = connections[i].fd, .events = POLLIN};
    }
    fds[connection_count] = (struct pollfd) {.fd = LISTENER, .events = POLLIN};
    size_t polled = connection_count;
    if (poll(fds, polled + 1, -1) < 0) fail("poll");
    // From the last, because what is dropped is replaced by the last.
    for (size_t i = polled; i-- > 0;) {
      if (!fds[i].revents) continue;
      struct connection* connection = &connections[i];
      char* end = connection->request + connection->size;
      ssize_t come = recv(connection->fd, end, MAX_REQUEST - connection->size, 0);
      if (come < 0 && errno == EAGAIN) continue;
      if (come <= 0) {
        drop(i);
      } else if (is_whole(connection, (size_t)come)) {
        char out[1024];
        size_t size = answer(connection, out, sizeof out);
        for (size_t sent = 0; sent < size;) {
          ssize_t now = send(connection->fd, out + sent, size - sent, 0);
          if (now < 0) break;
          sent += (size_t)now;
        }
        shutdown(connection->fd, SHUT_WR);
        drop(i);
        requests--;
      }
    }
    if (fds[polled].revents & POLLIN) {
      int fd = accept(LISTENER, NULL, NULL);
      if (fd >= 0) {
        begin(fd);
      } else if (errno != EAGAIN && errno != ECONNABORTED) {
        fail("accept");
      }
    }
  }
  puts("served");
  return 0;
}
