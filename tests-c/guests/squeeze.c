/* A compressor: files to gzip (RFC 1951 and 1952) and back.
 *
 *   squeeze c FILE    writes FILE.gz
 *   squeeze d FILE    writes FILE without its .gz
 *   squeeze t FILE    tells what is in a .gz
 *
 * Two functions are exported for hosts that have the data in memory; a host can pass a callback to
 * them as a C function pointer, an index into the table that the module exports. Data that is not
 * gzip ends the program by abort(). */

#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Tells how far it is; anything but 0 stops the work. */
typedef int (*progress_t)(uint32_t done, uint32_t total);

/* A buffer that grows, and what is written to it bit by bit. */
typedef struct {
  uint8_t* data;
  size_t size, room;
  uint32_t bits;
  unsigned bit_count;
} out_t;

static void put_byte(out_t* out, uint8_t byte) {
  if (out->size == out->room) {
    out->room = out->room ? out->room * 2 : 4096;
    out->data = realloc(out->data, out->room);
    if (!out->data) {
      fputs("squeeze: no memory\n", stderr);
      exit(3);
    }
  }
  out->data[out->size++] = byte;
}

static void put_bits(out_t* out, uint32_t bits, unsigned count) {
  out->bits |= bits << out->bit_count;
  out->bit_count += count;
  while (out->bit_count >= 8) {
    put_byte(out, (uint8_t)out->bits);
    out->bits >>= 8;
    out->bit_count -= 8;
  }
}

static void put_u32(out_t* out, uint32_t value) {
  for (int i = 0; i < 4; i++) put_byte(out, (uint8_t)(value >> (8 * i)));
}

static uint32_t crc_table[256];

__attribute__((constructor)) static void make_crc_table(void) {
  for (uint32_t i = 0; i < 256; i++) {
    uint32_t crc = i;
    for (int bit = 0; bit < 8; bit++) crc = crc & 1 ? 0xedb88320u ^ (crc >> 1) : crc >> 1;
    crc_table[i] = crc;
  }
}

static uint32_t crc_of(const uint8_t* data, size_t size) {
  uint32_t crc = 0xffffffffu;
  for (size_t i = 0; i < size; i++) crc = crc_table[(crc ^ data[i]) & 0xff] ^ (crc >> 8);
  return ~crc;
}

/* Lengths and distances are a symbol and extra bits. */

#define LITERALS 286
#define DISTANCES 30
#define END 256

static const uint16_t length_base[29] = {3,  4,  5,  6,  7,  8,  9,  10, 11,  13,  15,  17,  19,  23, 27,
                                         31, 35, 43, 51, 59, 67, 83, 99, 115, 131, 163, 195, 227, 258};
static const uint8_t length_extra[29] = {0, 0, 0, 0, 0, 0, 0, 0, 1, 1, 1, 1, 2, 2, 2,
                                         2, 3, 3, 3, 3, 4, 4, 4, 4, 5, 5, 5, 5, 0};
static const uint16_t dist_base[30] = {1,   2,   3,   4,   5,   7,    9,    13,   17,   25,
                                       33,  49,  65,  97,  129, 193,  257,  385,  513,  769,
                                       1025, 1537, 2049, 3073, 4097, 6145, 8193, 12289, 16385, 24577};
static const uint8_t dist_extra[30] = {0, 0, 0, 0, 1, 1, 2, 2,  3,  3,  4,  4,  5,  5,  6,
                                       6, 7, 7, 8, 8, 9, 9, 10, 10, 11, 11, 12, 12, 13, 13};
static const uint8_t code_order[19] = {16, 17, 18, 0, 8, 7, 9, 6, 10, 5, 11, 4, 12, 3, 13, 2, 14, 1, 15};

/* The last symbol whose base is not above a value. */
static unsigned symbol_of(const uint16_t* base, unsigned count, unsigned value) {
  unsigned symbol = count - 1;
  while (base[symbol] > value) symbol--;
  return symbol;
}

/* Huffman codes: for each symbol its length, and its bits with the first in the lowest place. */
typedef struct {
  uint8_t length[LITERALS];
  uint16_t code[LITERALS];
} code_t;

static void assign_codes(code_t* code, unsigned symbols) {
  unsigned count[16] = {0}, next[16] = {0};
  for (unsigned s = 0; s < symbols; s++) count[code->length[s]]++;
  count[0] = 0;
  for (unsigned length = 1; length < 16; length++) next[length] = (next[length - 1] + count[length - 1]) << 1;
  for (unsigned s = 0; s < symbols; s++) {
    unsigned length = code->length[s], bits = length ? next[length]++ : 0, reversed = 0;
    for (unsigned i = 0; i < length; i++) reversed |= ((bits >> i) & 1) << (length - 1 - i);
    code->code[s] = (uint16_t)reversed;
  }
}

typedef struct {
  uint32_t weight;
  uint16_t symbol;
} leaf_t;

static int by_weight(const void* a, const void* b) {
  const leaf_t *x = a, *y = b;
  if (x->weight != y->weight) return x->weight < y->weight ? -1 : 1;
  return (int)x->symbol - (int)y->symbol;
}

/* Codes for symbols that are so frequent, none longer than `max` bits. */
static void make_code(code_t* code, const uint32_t* frequency, unsigned symbols, unsigned max) {
  leaf_t leaf[LITERALS];
  unsigned leaves = 0;
  memset(code, 0, sizeof *code);
  for (unsigned s = 0; s < symbols; s++) {
    if (frequency[s]) leaf[leaves++] = (leaf_t){frequency[s], (uint16_t)s};
  }
  /* A code has at least two symbols. */
  for (unsigned s = 0; leaves < 2; s++) {
    if (!frequency[s]) leaf[leaves++] = (leaf_t){0, (uint16_t)s};
  }
  qsort(leaf, leaves, sizeof *leaf, by_weight);
  /* The tree: leaves and inner nodes are two queues in order of weight. */
  uint32_t weight[LITERALS];
  unsigned parent[2 * LITERALS], depth[2 * LITERALS], inner = 0, next_leaf = 0, next_inner = 0;
  while (inner < leaves - 1) {
    unsigned pick[2];
    uint32_t sum = 0;
    for (int i = 0; i < 2; i++) {
      if (next_leaf < leaves && (next_inner >= inner || leaf[next_leaf].weight <= weight[next_inner])) {
        sum += leaf[next_leaf].weight;
        pick[i] = next_leaf++;
      } else {
        sum += weight[next_inner];
        pick[i] = leaves + next_inner++;
      }
    }
    parent[pick[0]] = parent[pick[1]] = leaves + inner;
    weight[inner++] = sum;
  }
  /* How many codes of each length, and what is too long shortened at others' cost. */
  unsigned count[64] = {0};
  depth[leaves + inner - 1] = 0;
  for (unsigned node = leaves + inner - 1; node-- > 0;) {
    depth[node] = depth[parent[node]] + 1;
    if (node < leaves) count[depth[node] < max ? depth[node] : max]++;
  }
  uint32_t used = 0;
  for (unsigned length = 1; length <= max; length++) used += count[length] << (max - length);
  while (used > 1u << max) {
    unsigned length = max - 1;
    while (!count[length]) length--;
    count[length]--;
    count[length + 1] += 2;
    count[max]--;
    used--;
  }
  unsigned rarest = 0;
  for (unsigned length = max; length > 0; length--) {
    for (unsigned i = 0; i < count[length]; i++) code->length[leaf[rarest++].symbol] = (uint8_t)length;
  }
  assign_codes(code, symbols);
}

/* A literal has distance 0. */
typedef struct {
  uint16_t length, distance;
} token_t;

#define BLOCK 32768

static void put_block(out_t* out, const token_t* tokens, size_t count, int last) {
  uint32_t literal_frequency[LITERALS] = {0}, dist_frequency[DISTANCES] = {0};
  literal_frequency[END] = 1;
  for (size_t i = 0; i < count; i++) {
    if (tokens[i].distance) {
      literal_frequency[257 + symbol_of(length_base, 29, tokens[i].length)]++;
      dist_frequency[symbol_of(dist_base, 30, tokens[i].distance)]++;
    } else {
      literal_frequency[tokens[i].length]++;
    }
  }
  code_t literals, distances, lengths;
  make_code(&literals, literal_frequency, LITERALS, 15);
  make_code(&distances, dist_frequency, DISTANCES, 15);

  /* The lengths of both codes as one sequence, with runs. */
  uint8_t all[LITERALS + DISTANCES], symbol[LITERALS + DISTANCES], extra[LITERALS + DISTANCES];
  memcpy(all, literals.length, LITERALS);
  memcpy(all + LITERALS, distances.length, DISTANCES);
  uint32_t frequency[19] = {0};
  unsigned runs = 0;
  for (unsigned i = 0; i < sizeof all;) {
    unsigned run = 1;
    while (i + run < sizeof all && all[i + run] == all[i] && run < 138) run++;
    if (all[i] == 0 && run >= 3) {
      symbol[runs] = run < 11 ? 17 : 18;
      extra[runs] = (uint8_t)(run < 11 ? run - 3 : run - 11);
    } else if (i > 0 && all[i] == all[i - 1] && run >= 3) {
      run = run > 6 ? 6 : run;
      symbol[runs] = 16;
      extra[runs] = (uint8_t)(run - 3);
    } else {
      run = 1;
      symbol[runs] = all[i];
    }
    frequency[symbol[runs++]]++;
    i += run;
  }
  make_code(&lengths, frequency, 19, 7);
  unsigned code_count = 19;
  while (code_count > 4 && !lengths.length[code_order[code_count - 1]]) code_count--;

  put_bits(out, (uint32_t)last, 1);
  put_bits(out, 2, 2);
  put_bits(out, LITERALS - 257, 5);
  put_bits(out, DISTANCES - 1, 5);
  put_bits(out, code_count - 4, 4);
  for (unsigned i = 0; i < code_count; i++) put_bits(out, lengths.length[code_order[i]], 3);
  for (unsigned i = 0; i < runs; i++) {
    put_bits(out, lengths.code[symbol[i]], lengths.length[symbol[i]]);
    if (symbol[i] >= 16) put_bits(out, extra[i], symbol[i] == 16 ? 2 : symbol[i] == 17 ? 3 : 7);
  }
  for (size_t i = 0; i < count; i++) {
    token_t token = tokens[i];
    if (token.distance) {
      unsigned s = symbol_of(length_base, 29, token.length);
      put_bits(out, literals.code[257 + s], literals.length[257 + s]);
      put_bits(out, token.length - length_base[s], length_extra[s]);
      s = symbol_of(dist_base, 30, token.distance);
      put_bits(out, distances.code[s], distances.length[s]);
      put_bits(out, token.distance - dist_base[s], dist_extra[s]);
    } else {
      put_bits(out, literals.code[token.length], literals.length[token.length]);
    }
  }
  put_bits(out, literals.code[END], literals.length[END]);
}

/* Where the last three bytes that hash to something began, and before that, in the window. */
#define WINDOW 32768
#define NONE UINT32_MAX

typedef struct {
  uint32_t head[WINDOW], previous[WINDOW];
} chains_t;

static unsigned hash_of(const uint8_t* data) {
  return ((data[0] | data[1] << 8 | data[2] << 16) * 0x9e3779b1u) >> 17;
}

static void remember(chains_t* chains, const uint8_t* data, size_t size, size_t at) {
  if (at + 3 > size) return;
  unsigned hash = hash_of(data + at);
  chains->previous[at % WINDOW] = chains->head[hash];
  chains->head[hash] = (uint32_t)at;
}

static token_t find_match(const chains_t* chains, const uint8_t* data, size_t size, size_t at) {
  token_t best = {data[at], 0};
  if (at + 3 > size) return best;
  size_t most = size - at < 258 ? size - at : 258, longest = 2;
  uint32_t from = chains->head[hash_of(data + at)];
  for (int tries = 64; tries > 0 && from != NONE && at - from <= WINDOW; tries--) {
    size_t length = 0;
    while (length < most && data[from + length] == data[at + length]) length++;
    if (length > longest) {
      longest = length;
      best = (token_t){(uint16_t)length, (uint16_t)(at - from)};
    }
    uint32_t older = chains->previous[from % WINDOW];
    if (older >= from) break;
    from = older;
  }
  return best;
}

static int deflate(out_t* out, const uint8_t* data, size_t size, progress_t progress) {
  chains_t* chains = malloc(sizeof *chains);
  token_t* tokens = malloc(BLOCK * sizeof *tokens);
  if (!chains || !tokens) abort();
  memset(chains, 0xff, sizeof *chains);
  size_t count = 0, at = 0;
  int stopped = 0;
  while (at < size && !stopped) {
    token_t token = find_match(chains, data, size, at);
    size_t step = token.distance ? token.length : 1;
    if (token.distance && token.length < 32) {
      /* One byte later may be a longer match. */
      remember(chains, data, size, at);
      token_t later = at + 1 < size ? find_match(chains, data, size, at + 1) : token;
      if (later.distance && later.length > token.length) {
        token = (token_t){data[at], 0};
        step = 1;
      }
      for (size_t i = 1; i < step; i++) remember(chains, data, size, at + i);
    } else {
      for (size_t i = 0; i < step; i++) remember(chains, data, size, at + i);
    }
    tokens[count++] = token;
    at += step;
    if (count == BLOCK) {
      put_block(out, tokens, count, 0);
      count = 0;
      stopped = progress && progress((uint32_t)at, (uint32_t)size);
    }
  }
  put_block(out, tokens, count, 1);
  if (out->bit_count) put_bits(out, 0, 8 - out->bit_count);
  if (progress && !stopped) stopped = progress((uint32_t)at, (uint32_t)size);
  free(tokens);
  free(chains);
  return stopped;
}

/* What is wrong with data that cannot be decoded; it ends the program. */
static _Noreturn void corrupt(const char* what) {
  fprintf(stderr, "squeeze: corrupt data: %s\n", what);
  abort();
}

typedef struct {
  const uint8_t* data;
  size_t size, at;
  uint32_t bits;
  unsigned bit_count;
} in_t;

static uint32_t get_bits(in_t* in, unsigned count) {
  while (in->bit_count < count) {
    if (in->at == in->size) corrupt("it ends too early");
    in->bits |= (uint32_t)in->data[in->at++] << in->bit_count;
    in->bit_count += 8;
  }
  uint32_t bits = in->bits & ((1u << count) - 1);
  in->bits >>= count;
  in->bit_count -= count;
  return bits;
}

/* To decode: how many codes of each length there are, and their symbols in order. */
typedef struct {
  uint16_t count[16], symbol[288];
} decoder_t;

static void make_decoder(decoder_t* decoder, const uint8_t* length, unsigned symbols) {
  uint16_t first[16] = {0};
  memset(decoder->count, 0, sizeof decoder->count);
  for (unsigned s = 0; s < symbols; s++) decoder->count[length[s]]++;
  decoder->count[0] = 0;
  for (unsigned i = 1; i < 16; i++) first[i] = (uint16_t)(first[i - 1] + decoder->count[i - 1]);
  for (unsigned s = 0; s < symbols; s++) {
    if (length[s]) decoder->symbol[first[length[s]]++] = (uint16_t)s;
  }
}

static unsigned decode(in_t* in, const decoder_t* decoder) {
  unsigned code = 0, first = 0, index = 0;
  for (unsigned length = 1; length < 16; length++) {
    code |= get_bits(in, 1);
    unsigned count = decoder->count[length];
    if (code - first < count) return decoder->symbol[index + code - first];
    index += count;
    first = (first + count) << 1;
    code <<= 1;
  }
  corrupt("a code that nothing has");
}

static void read_codes(in_t* in, decoder_t* literals, decoder_t* distances) {
  uint8_t length[288 + 32] = {0};
  unsigned literal_count = get_bits(in, 5) + 257, dist_count = get_bits(in, 5) + 1;
  unsigned code_count = get_bits(in, 4) + 4, at = 0;
  decoder_t lengths;
  for (unsigned i = 0; i < code_count; i++) length[code_order[i]] = (uint8_t)get_bits(in, 3);
  make_decoder(&lengths, length, 19);
  memset(length, 0, 19);
  while (at < literal_count + dist_count) {
    unsigned symbol = decode(in, &lengths), run = 1;
    uint8_t value = (uint8_t)symbol;
    if (symbol == 16) {
      if (at == 0) corrupt("a repetition of nothing");
      value = length[at - 1];
      run = 3 + get_bits(in, 2);
    } else if (symbol > 16) {
      value = 0;
      run = symbol == 17 ? 3 + get_bits(in, 3) : 11 + get_bits(in, 7);
    }
    if (at + run > literal_count + dist_count) corrupt("too many codes");
    while (run--) length[at++] = value;
  }
  make_decoder(literals, length, literal_count);
  make_decoder(distances, length + literal_count, dist_count);
}

static void fixed_codes(decoder_t* literals, decoder_t* distances) {
  uint8_t length[288];
  for (unsigned s = 0; s < 288; s++) length[s] = s < 144 ? 8 : s < 256 ? 9 : s < 280 ? 7 : 8;
  make_decoder(literals, length, 288);
  memset(length, 5, 30);
  make_decoder(distances, length, 30);
}

static void inflate_block(out_t* out, in_t* in, const decoder_t* literals, const decoder_t* distances) {
  for (;;) {
    unsigned symbol = decode(in, literals);
    if (symbol == END) return;
    if (symbol < END) {
      put_byte(out, (uint8_t)symbol);
      continue;
    }
    if (symbol - 257 >= 29) corrupt("a length that nothing has");
    unsigned length = length_base[symbol - 257] + get_bits(in, length_extra[symbol - 257]);
    symbol = decode(in, distances);
    if (symbol >= 30) corrupt("a distance that nothing has");
    unsigned distance = dist_base[symbol] + get_bits(in, dist_extra[symbol]);
    if (distance > out->size) corrupt("a distance before the beginning");
    while (length--) put_byte(out, out->data[out->size - distance]);
  }
}

static void inflate(out_t* out, in_t* in, progress_t progress) {
  decoder_t literals, distances;
  unsigned last;
  do {
    last = get_bits(in, 1);
    unsigned kind = get_bits(in, 2);
    if (kind == 0) {
      in->bits = in->bit_count = 0;
      unsigned length = get_bits(in, 16);
      if ((get_bits(in, 16) ^ length) != 0xffff) corrupt("a length that is not what it says");
      while (length--) put_byte(out, (uint8_t)get_bits(in, 8));
    } else if (kind < 3) {
      if (kind == 1) fixed_codes(&literals, &distances);
      else read_codes(in, &literals, &distances);
      inflate_block(out, in, &literals, &distances);
    } else {
      corrupt("a block of no kind");
    }
    if (progress && progress((uint32_t)in->at, (uint32_t)in->size)) return;
  } while (!last);
}

/* Compresses a buffer. Returns what `free` frees, and writes its size; null when it was stopped. */
__attribute__((export_name("compress"))) uint8_t* compress(
  const uint8_t* data, size_t size, progress_t progress, size_t* result_size
) {
  out_t out = {0};
  static const uint8_t header[10] = {0x1f, 0x8b, 8, 0, 0, 0, 0, 0, 0, 255};
  for (size_t i = 0; i < sizeof header; i++) put_byte(&out, header[i]);
  int stopped = deflate(&out, data, size, progress);
  put_u32(&out, crc_of(data, size));
  put_u32(&out, (uint32_t)size);
  *result_size = out.size;
  if (!stopped) return out.data;
  free(out.data);
  return NULL;
}

/* The opposite. Data that is not gzip ends the program. */
__attribute__((export_name("decompress"))) uint8_t* decompress(
  const uint8_t* data, size_t size, progress_t progress, size_t* result_size
) {
  out_t out = {0};
  in_t in = {.data = data, .size = size, .at = 10};
  if (size < 18 || data[0] != 0x1f || data[1] != 0x8b || data[2] != 8) corrupt("this is no gzip");
  unsigned flags = data[3];
  if (flags & 4) {
    unsigned extra = get_bits(&in, 16);
    if (extra > size - in.at) corrupt("it ends too early");
    in.at += extra;
  }
  for (unsigned texts = (flags >> 3 & 1) + (flags >> 4 & 1); texts; texts--) {
    while (get_bits(&in, 8)) continue;
  }
  if (flags & 2) get_bits(&in, 16);
  inflate(&out, &in, progress);
  in.bits = in.bit_count = 0;
  uint32_t crc = get_bits(&in, 16);
  crc |= get_bits(&in, 16) << 16;
  if (crc != crc_of(out.data, out.size)) corrupt("the checksum is another");
  *result_size = out.size;
  return out.data;
}

__attribute__((export_name("allocate"))) void* allocate(size_t size) {
  return malloc(size);
}

static uint8_t* read_file(const char* path, size_t* size) {
  FILE* file = fopen(path, "rb");
  if (!file) {
    perror(path);
    exit(2);
  }
  out_t out = {0};
  uint8_t buffer[16384];
  for (size_t n; (n = fread(buffer, 1, sizeof buffer, file)) > 0;) {
    for (size_t i = 0; i < n; i++) put_byte(&out, buffer[i]);
  }
  fclose(file);
  *size = out.size;
  return out.data;
}

static void write_file(const char* path, const uint8_t* data, size_t size) {
  FILE* file = fopen(path, "wb");
  if (!file || (size && fwrite(data, 1, size, file) != size) || fclose(file) != 0) {
    perror(path);
    exit(2);
  }
}

static int usage(void) {
  fputs("usage: squeeze c|d|t FILE\n", stderr);
  return 1;
}

int main(int argc, char** argv) {
  if (argc != 3 || strlen(argv[1]) != 1 || !strchr("cdt", argv[1][0])) return usage();
  const char* path = argv[2];
  size_t length = strlen(path), size, result_size;
  char target[4096];
  if (length + 4 > sizeof target) return usage();
  strcpy(target, path);
  uint8_t* data = read_file(path, &size);
  uint8_t* result;
  if (argv[1][0] == 'c') {
    result = compress(data, size, NULL, &result_size);
    strcat(target, ".gz");
  } else {
    if (argv[1][0] == 'd' && (length < 4 || strcmp(path + length - 3, ".gz") != 0)) return usage();
    result = decompress(data, size, NULL, &result_size);
    target[length > 3 ? length - 3 : 0] = 0;
  }
  if (argv[1][0] != 't') write_file(target, result, result_size);
  printf("%zu -> %zu bytes, %.1f %%, crc %08x\n", size, result_size,
         size ? 100.0 * (double)result_size / (double)size : 0,
         argv[1][0] == 'c' ? crc_of(data, size) : crc_of(result, result_size));
  free(data);
  free(result);
  return 0;
}
