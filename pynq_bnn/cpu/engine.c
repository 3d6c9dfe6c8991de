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
#include <stdint.h>
#include <string.h>

enum { ZERO = 0, ONE = 1, NONE = 2, TAPS = 9, GROUP = 8 };
enum { FP_CONV = 0, BIN_CONV = 1, BIN_FC = 2, LAST = 3 };

typedef struct {
  int32_t kind, height, width, words;     /* of the input map; words a pixel, of FC layers in all */
  int32_t outputs, padding, pool, unused;
  const void *weights;
  const int32_t *thresholds;
  const uint8_t *flips;
} layer_t;

enum { MOST_OUTPUTS = 512, MOST_FC_OUTPUTS = 8192 };  /* docs/contract.md, "Limits" */

#define INLINE static inline __attribute__((always_inline))

#ifdef __ARM_NEON
#include <arm_neon.h>

/* Mismatches of eight outputs, two in a vector, 16 bits for each 16 lanes: 4,095 words at most. */
typedef struct { uint16x8_t of[GROUP / 2]; } counts_t;

INLINE void count_words(const uint64_t *pixels, const uint64_t *weights, int words, counts_t *counts) {
  for (int n = 0; n < words; n++) {
    const uint8x16_t x = vreinterpretq_u8_u64(vld1q_dup_u64(pixels + n));
    for (int pair = 0; pair < GROUP / 2; pair++) {
      const uint8x16_t w = vreinterpretq_u8_u64(vld1q_u64(weights + n * GROUP + 2 * pair));
      counts->of[pair] = vpadalq_u8(counts->of[pair], vcntq_u8(veorq_u8(x, w)));
    }
  }
}

INLINE void mismatches_of(const counts_t *counts, uint32_t mismatches[GROUP]) {
  for (int pair = 0; pair < GROUP / 2; pair++) {
    const uint32x4_t four = vpaddlq_u16(counts->of[pair]);
    vst1_u32(mismatches + 2 * pair, vpadd_u32(vget_low_u32(four), vget_high_u32(four)));
  }
}

/* Mismatches of two vectors of words. */
INLINE uint32_t differing(const uint64_t *a, const uint64_t *b, int words) {
  uint16x8_t counts = vdupq_n_u16(0);
  for (int n = 0; n + 1 < words; n += 2) {
    const uint64x2_t both = veorq_u64(vld1q_u64(a + n), vld1q_u64(b + n));
    counts = vpadalq_u8(counts, vcntq_u8(vreinterpretq_u8_u64(both)));
  }
  if (words & 1) {
    const uint64x1_t last = veor_u64(vld1_u64(a + words - 1), vld1_u64(b + words - 1));
    counts = vaddw_u8(counts, vcnt_u8(vreinterpret_u8_u64(last)));
  }
  const uint64x2_t halves = vpaddlq_u32(vpaddlq_u16(counts));
  return (uint32_t)(vgetq_lane_u64(halves, 0) + vgetq_lane_u64(halves, 1));
}
#else
/* Mismatches of eight outputs. */
typedef struct { uint64_t of[GROUP]; } counts_t;

INLINE void count_words(const uint64_t *pixels, const uint64_t *weights, int words, counts_t *counts) {
  for (int n = 0; n < words; n++) {
    const uint64_t x = pixels[n];
    const uint64_t *w = weights + n * GROUP;
    for (int o = 0; o < GROUP; o++) counts->of[o] += (uint64_t)__builtin_popcountll(x ^ w[o]);
  }
}

INLINE void mismatches_of(const counts_t *counts, uint32_t mismatches[GROUP]) {
  for (int o = 0; o < GROUP; o++) mismatches[o] = (uint32_t)counts->of[o];
}

/* Mismatches of two vectors of words. */
INLINE uint32_t differing(const uint64_t *a, const uint64_t *b, int words) {
  uint64_t count = 0;
  for (int n = 0; n < words; n++) count += (uint64_t)__builtin_popcountll(a[n] ^ b[n]);
  return (uint32_t)count;
}
#endif

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

INLINE uint8_t decide(const int32_t sums[GROUP], const int32_t *thresholds, uint8_t flips) {
  uint8_t reached = 0;
  for (int o = 0; o < GROUP; o++) reached |= (uint8_t)((sums[o] >= thresholds[o]) << o);
  return (uint8_t)~(reached ^ flips);
}

INLINE void convolve(const layer_t *layer, int words, const uint64_t *map, const uint64_t *weights,
                     const int32_t *thresholds, const uint8_t *flips, uint8_t *out) {
  const int less = layer->padding == NONE ? 2 : 0, step = layer->pool ? 2 : 1;
  const int rows = (layer->height - less) / step, columns = (layer->width - less) / step;
  const int groups = layer->outputs / GROUP;
  for (int group = 0; group < groups; group++) {
    const uint64_t *own = weights + (size_t)group * TAPS * words * GROUP;
    for (int y = 0; y < rows; y++)
      for (int x = 0; x < columns; x++) {
        int32_t sums[GROUP], others[GROUP];
        sums_at(layer, words, map, own, y * step, x * step, sums);
        for (int place = 1; place < step * step; place++) {
          sums_at(layer, words, map, own, y * step + place / 2, x * step + place % 2, others);
          for (int o = 0; o < GROUP; o++) sums[o] = others[o] > sums[o] ? others[o] : sums[o];
        }
        out[(y * columns + x) * groups + group] = decide(sums, thresholds + group * GROUP, flips[group]);
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
static void first(const layer_t *layer, const uint8_t *pixels, uint8_t *out) {
  const int16_t *weights = layer->weights;
  int16_t sums[MOST_OUTPUTS], highest[MOST_OUTPUTS];
  const int height = layer->height, width = layer->width, outputs = layer->outputs;
  const int less = layer->padding == NONE ? 2 : 0, step = layer->pool ? 2 : 1;
  const int rows = (height - less) / step, columns = (width - less) / step, groups = outputs / GROUP;
  for (int y = 0; y < rows; y++)
    for (int x = 0; x < columns; x++) {
      for (int place = 0; place < step * step; place++) {
        const int cy = y * step + place / 2 + less / 2, cx = x * step + place % 2 + less / 2;
        memset(sums, 0, (size_t)outputs * sizeof sums[0]);
        for (int tap = 0; tap < TAPS; tap++) {
          const int row = cy + tap / 3 - 1, column = cx + tap % 3 - 1;
          if (row < 0 || row >= height || column < 0 || column >= width) continue;
          for (int c = 0; c < 3; c++) {
            const int16_t value = (int16_t)(2 * pixels[(row * width + column) * 3 + c] - 255);
            const int16_t *w = weights + (tap * 3 + c) * outputs;
            for (int o = 0; o < outputs; o++) sums[o] = (int16_t)(sums[o] + value * w[o]);
          }
        }
        for (int o = 0; o < outputs; o++)
          highest[o] = place && highest[o] > sums[o] ? highest[o] : sums[o];
      }
      for (int group = 0; group < groups; group++) {
        int32_t wide[GROUP];
        for (int o = 0; o < GROUP; o++) wide[o] = highest[group * GROUP + o];
        out[(y * columns + x) * groups + group] = decide(wide, layer->thresholds + group * GROUP,
                                                         layer->flips[group]);
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
