/* XNOR and popcount on a CPU: the layers of docs/contract.md, one picture a call.
 *
 * A map is packed pixel by pixel, 64 channels in a word, channel c at bit c % 64; 1 is -1. Weights of
 * eight outputs lie together, word by word, so that one vector counts for eight sums; eight outputs
 * that are done are a byte of the map. A window's inner loops have constant lengths for each count of
 * words a pixel, so that the compiler unrolls and vectorises them, with whatever popcount the machine
 * that compiles it has (it is compiled there, -march=native). NEON counts in bytes, which GCC does not
 * see in a popcount of 64 bits: it has functions of its own.
 *
 * Written for this package; the method is XNOR-Net's (Rastegari et al., section 3.2).
 */
#include "counting.h"

enum { ZERO = 0, ONE = 1, NONE = 2, TAPS = 9 };
enum { FP_CONV = 0, BIN_CONV = 1, BIN_FC = 2, LAST = 3 };

typedef struct {
  int32_t kind, height, width, words;     /* of the input map; words a pixel, of FC layers in all */
  int32_t outputs, padding, pool, unused;
  const void *weights;
  const int32_t *thresholds;
  const uint8_t *flips;
} layer_t;

enum { MOST_FC_OUTPUTS = 8192 };  /* docs/contract.md, "Limits" */

/* The sums of eight outputs at one place of the map. */
INLINE void sums_at(const layer_t *layer, int words, const uint64_t *map, const uint64_t *weights,
                    int y, int x, int32_t sums[GROUP]) {
  const int height = layer->height, width = layer->width;
  counts_t counts;
  uint32_t mismatches[GROUP];
  int taps = 0;
  memset(&counts, 0, sizeof counts);
  if (layer->padding == NONE) { y++; x++; }
  if (y > 0 && x > 0 && y < height - 1 && x < width - 1) {
    const uint64_t *corner = map + ((y - 1) * width + x - 1) * words;
    for (int ky = 0; ky < 3; ky++)
      count_words(corner + ky * width * words, weights + ky * 3 * words * GROUP, 3 * words, &counts);
    taps = TAPS;
  } else {
    static const uint64_t plus[64];        /* +1 in every channel */
    for (int tap = 0; tap < TAPS; tap++) {
      const int row = y + tap / 3 - 1, column = x + tap % 3 - 1;
      const int inside = row >= 0 && row < height && column >= 0 && column < width;
      if (!inside && layer->padding == ZERO) continue;
      count_words(inside ? map + (row * width + column) * words : plus, weights + tap * words * GROUP,
                 words, &counts);
      taps++;
    }
  }
  mismatches_of(&counts, mismatches);
  for (int o = 0; o < GROUP; o++)
    sums[o] = taps * words * 64 - 2 * (int32_t)mismatches[o];
}

/* The sums of eight outputs at two places side by side. */
INLINE void sums_at_two(const layer_t *layer, int words, const uint64_t *map,
                        const uint64_t *weights, int y, int x, int32_t sums[2][GROUP]) {
  const int width = layer->width, row = layer->padding == NONE ? y + 1 : y;
  const int column = layer->padding == NONE ? x + 1 : x;
  if (row > 0 && column > 0 && row < layer->height - 1 && column < width - 2) {
    const uint64_t *corner = map + ((row - 1) * width + column - 1) * words;
    counts_t counts[2];
    uint32_t mismatches[GROUP];
    memset(counts, 0, sizeof counts);
    for (int ky = 0; ky < 3; ky++)
      count_twice(corner + ky * width * words, words, weights + ky * 3 * words * GROUP, 3 * words,
                  counts);
    for (int place = 0; place < 2; place++) {
      mismatches_of(&counts[place], mismatches);
      for (int o = 0; o < GROUP; o++)
        sums[place][o] = TAPS * words * 64 - 2 * (int32_t)mismatches[o];
    }
  } else
    for (int place = 0; place < 2; place++)
      sums_at(layer, words, map, weights, y, x + place, sums[place]);
}

INLINE void keep_greater(int32_t sums[GROUP], const int32_t others[GROUP]) {
  for (int o = 0; o < GROUP; o++) sums[o] = others[o] > sums[o] ? others[o] : sums[o];
}

INLINE void convolve(const layer_t *layer, int words, const uint64_t *map, const uint64_t *weights,
                     const int32_t *thresholds, const uint8_t *flips, uint8_t *out) {
  const int less = layer->padding == NONE ? 2 : 0;
  const int rows = layer->height - less, columns = layer->width - less;
  const int groups = layer->outputs / GROUP;
  for (int group = 0; group < groups; group++) {
    const uint64_t *own = weights + (size_t)group * TAPS * words * GROUP;
    const int32_t *reached = thresholds + group * GROUP;
    uint8_t *to = out + group;
    int32_t sums[2][GROUP], below[2][GROUP];
    if (layer->pool)
      for (int y = 0; y < rows; y += 2)
        for (int x = 0; x < columns; x += 2, to += groups) {
          sums_at_two(layer, words, map, own, y, x, sums);
          sums_at_two(layer, words, map, own, y + 1, x, below);
          keep_greater(sums[0], sums[1]);
          keep_greater(below[0], below[1]);
          keep_greater(sums[0], below[0]);
          *to = decide(sums[0], reached, flips[group]);
        }
    else
      for (int y = 0; y < rows; y++) {
        int x = 0;
        for (; x + 1 < columns; x += 2, to += 2 * groups) {
          sums_at_two(layer, words, map, own, y, x, sums);
          to[0] = decide(sums[0], reached, flips[group]);
          to[groups] = decide(sums[1], reached, flips[group]);
        }
        if (x < columns) {
          sums_at(layer, words, map, own, y, x, sums[0]);
          *to = decide(sums[0], reached, flips[group]);
          to += groups;
        }
      }
  }
}

static void conv(const layer_t *layer, const uint64_t *map, uint8_t *out) {
#define CASE(n) case n: \
    convolve(layer, n, map, layer->weights, layer->thresholds, layer->flips, out); break;
  switch (layer->words) { CASE(1) CASE(2) CASE(3) CASE(4) CASE(5) CASE(6) CASE(7) CASE(8) }
#undef CASE
}

/* The picture convolution: pixels p as 2p - 255, weights +1 and -1, tap after tap for all outputs. */
typedef int16_t lanes_t __attribute__((vector_size(VECTOR_BYTES), aligned(2)));
enum { LANES = sizeof(lanes_t) / sizeof(int16_t), STEP = 64, COLOURS = 3 };  /* outputs come in STEPs */

/* What lies round a place of the picture, 0 outside. */
INLINE void window_at(const uint8_t *pixels, int height, int width, int y, int x,
                      int16_t window[TAPS * COLOURS]) {
  enum { ROW = 3 * COLOURS };  /* of the window: neighbours in memory */
  if (y > 0 && x > 0 && y < height - 1 && x < width - 1)
    for (int ky = 0; ky < 3; ky++)
      for (int n = 0; n < ROW; n++)
        window[ky * ROW + n] =
            (int16_t)(2 * pixels[((y + ky - 1) * width + x - 1) * COLOURS + n] - 255);
  else
    for (int tap = 0; tap < TAPS; tap++) {
      const int row = y + tap / 3 - 1, column = x + tap % 3 - 1;
      const int inside = row >= 0 && row < height && column >= 0 && column < width;
      for (int c = 0; c < COLOURS; c++)
        window[tap * COLOURS + c] =
            inside ? (int16_t)(2 * pixels[(row * width + column) * COLOURS + c] - 255) : 0;
    }
}

static void first(const layer_t *layer, const uint8_t *pixels, uint8_t *out) {
  const int16_t *weights = layer->weights;
  const int height = layer->height, width = layer->width, outputs = layer->outputs;
  const int less = layer->padding == NONE ? 2 : 0, step = layer->pool ? 2 : 1;
  const int rows = (height - less) / step, columns = (width - less) / step;
  for (int y = 0; y < rows; y++)
    for (int x = 0; x < columns; x++) {
      int16_t windows[4][TAPS * COLOURS];
      for (int place = 0; place < step * step; place++)
        window_at(pixels, height, width, y * step + place / 2 + less / 2,
                  x * step + place % 2 + less / 2, windows[place]);
      for (int output = 0; output < outputs; output += STEP) {
        int16_t sums[STEP], highest[STEP];
        for (int place = 0; place < step * step; place++) {
          lanes_t totals[STEP / LANES] = {{0}};
          for (int n = 0; n < TAPS * COLOURS; n++) {
            const lanes_t *w = (const lanes_t *)(weights + n * outputs + output);
            for (int part = 0; part < STEP / LANES; part++)
              totals[part] += w[part] * windows[place][n];
          }
          memcpy(sums, totals, sizeof totals);
          for (int o = 0; o < STEP; o++)
            highest[o] = place && highest[o] > sums[o] ? highest[o] : sums[o];
        }
        for (int o = 0; o < STEP; o += GROUP) {
          const int group = (output + o) / GROUP;
          int32_t wide[GROUP];
          for (int n = 0; n < GROUP; n++) wide[n] = highest[o + n];
          *out++ = decide(wide, layer->thresholds + group * GROUP, layer->flips[group]);
        }
      }
    }
}

/* The sums of a fully connected layer; weights output after output. */
static void full(const layer_t *layer, const uint64_t *map, int32_t *sums) {
  const int words = layer->words;
  for (int o = 0; o < layer->outputs; o++) {
    const uint64_t *w = (const uint64_t *)layer->weights + (size_t)o * words;
    sums[o] = words * 64 - 2 * (int32_t)differing(map, w, words);
  }
}

/* One layer of one picture: a map of bits, or of the last layer its sums. */
void bnn_layer(const layer_t *layer, const void *in, void *out) {
  if (layer->kind == FP_CONV) first(layer, in, out);
  else if (layer->kind == BIN_CONV) conv(layer, in, out);
  else if (layer->kind == LAST) full(layer, in, out);
  else {
    int32_t sums[MOST_FC_OUTPUTS];
    full(layer, in, sums);
    for (int group = 0; group < layer->outputs / GROUP; group++)
      ((uint8_t *)out)[group] = decide(sums + group * GROUP, layer->thresholds + group * GROUP,
                                       layer->flips[group]);
  }
}

/* All layers of some pictures; maps is room for two maps of map_bytes each, a multiple of 8. */
void bnn_run(const layer_t *layers, int count, const uint8_t *pictures, int pictures_count,
             size_t picture_bytes, uint8_t *maps, size_t map_bytes, int32_t *sums) {
  const int classes = layers[count - 1].outputs;
  for (int picture = 0; picture < pictures_count; picture++) {
    const void *in = pictures + (size_t)picture * picture_bytes;
    for (int n = 0; n < count - 1; n++) {
      uint8_t *out = maps + (n & 1) * map_bytes;
      bnn_layer(&layers[n], in, out);
      in = out;
    }
    bnn_layer(&layers[count - 1], in, sums + (size_t)picture * classes);
  }
}
