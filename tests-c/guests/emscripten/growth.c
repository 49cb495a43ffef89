/* A memory that grows up to its limit, and random bytes. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <emscripten/heap.h>

int main(void) {
  size_t before = emscripten_get_heap_size();
  char *blocks[64];
  int count = 0;
  while (count < 64 && (blocks[count] = malloc(1 << 20))) {
    memset(blocks[count], count, 1 << 20);
    count++;
  }
  int intact = 1;
  for (int i = 0; i < count; i++) intact &= blocks[i][0] == i && blocks[i][(1 << 20) - 1] == i;
  printf("grown %d, limit %zu MiB, some blocks %d, not all %d, intact %d\n", emscripten_get_heap_size() > before,
         emscripten_get_heap_max() >> 20, count > 20, count < 64, intact);
  memcpy(blocks[0], blocks[1], 1 << 20);
  printf("copied %d\n", blocks[0][12345] == 1);
  printf("resized %d %d\n", emscripten_resize_heap(8 << 20), emscripten_resize_heap((size_t)3 << 30));
  unsigned char bytes[64] = {0};
  int distinct = 0, seen[256] = {0};
  printf("entropy %d\n", getentropy(bytes, sizeof bytes));
  for (int i = 0; i < 64; i++) distinct += !seen[bytes[i]]++;
  printf("random %d\n", distinct > 16);
  return 0;
}
