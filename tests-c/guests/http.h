/* What the servers of this folder share: connections that wait for a request, and the answer. A
 * server answers every request with the path that it asks for, and closes the connection. */

#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { MAX_CONNECTIONS = 64, MAX_REQUEST = 2048 };

/* A connection, and as much of its request as has come. */
struct connection {
  int fd;
  size_t size;
  char request[MAX_REQUEST + 1];
};

static struct connection connections[MAX_CONNECTIONS];
static size_t connection_count;

static void fail(const char* what) {
  perror(what);
  exit(1);
}

/* Forgets a connection; another one takes its place. */
static void drop(size_t index) {
  close(connections[index].fd);
  connections[index] = connections[--connection_count];
}

/* Begins a connection; there is no place for more than so many. */
static void begin(int fd) {
  if (connection_count == MAX_CONNECTIONS) {
    close(fd);
    return;
  }
  struct connection* connection = &connections[connection_count++];
  connection->fd = fd;
  connection->size = 0;
}

/* Writes the answer to a request that is there whole; its size. */
static size_t answer(const struct connection* connection, char* out, size_t room) {
  char path[256] = "";
  if (sscanf(connection->request, "GET %255s HTTP/1.", path) != 1) {
    return (size_t)snprintf(out, room,
      "HTTP/1.1 400 Bad Request\r\nContent-Length: 0\r\nConnection: close\r\n\r\n");
  }
  return (size_t)snprintf(out, room,
    "HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nContent-Length: %zu\r\n"
    "Connection: close\r\n\r\n%s", strlen(path), path);
}

/* Whether a request is there whole, after so many bytes have come. */
static bool is_whole(struct connection* connection, size_t come) {
  connection->size += come;
  connection->request[connection->size] = '\0';
  return strstr(connection->request, "\r\n\r\n") != NULL;
}
