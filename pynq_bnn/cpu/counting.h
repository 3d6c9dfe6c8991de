/* What depends on the processor: counting mismatches, and comparing eight sums with thresholds.
 *
 * Weights of eight outputs lie together, word by word; a compiler for x86 makes vectors of these loops.
 */
#include <stdint.h>
#include <string.h>

enum { GROUP = 8 };  /* outputs whose weights lie together, and whose bits are a byte */

#define INLINE static inline __attribute__((always_inline))

#if defined __AVX512BW__
enum { VECTOR_BYTES = 64 };
#elif defined __AVX2__
enum { VECTOR_BYTES = 32 };
#else
enum { VECTOR_BYTES = 16 };
#endif

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

/* The same for two places, each vector of weights loaded once. */
INLINE void count_twice(const uint64_t *pixels, int apart, const uint64_t *weights, int words,
                        counts_t counts[2]) {
  for (int n = 0; n < words; n++)
    for (int pair = 0; pair < GROUP / 2; pair++) {
      const uint8x16_t w = vreinterpretq_u8_u64(vld1q_u64(weights + n * GROUP + 2 * pair));
      for (int place = 0; place < 2; place++) {
        const uint8x16_t x = vreinterpretq_u8_u64(vld1q_dup_u64(pixels + place * apart + n));
        counts[place].of[pair] = vpadalq_u8(counts[place].of[pair], vcntq_u8(veorq_u8(x, w)));
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

/* The same for two places, each vector of weights loaded once. */
INLINE void count_twice(const uint64_t *pixels, int apart, const uint64_t *weights, int words,
                        counts_t counts[2]) {
  for (int n = 0; n < words; n++) {
    const uint64_t *w = weights + n * GROUP;
    const uint64_t x = pixels[n], next = pixels[apart + n];
    for (int o = 0; o < GROUP; o++) counts[0].of[o] += (uint64_t)__builtin_popcountll(x ^ w[o]);
    for (int o = 0; o < GROUP; o++) counts[1].of[o] += (uint64_t)__builtin_popcountll(next ^ w[o]);
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

/* Eight outputs' bits: what has not reached its threshold, or the opposite where that flips. */
#ifdef __AVX2__
#include <immintrin.h>

INLINE uint8_t decide(const int32_t sums[GROUP], const int32_t *thresholds, uint8_t flips) {
  const __m256i below = _mm256_cmpgt_epi32(_mm256_loadu_si256((const __m256i *)thresholds),
                                           _mm256_loadu_si256((const __m256i *)sums));
  return (uint8_t)(_mm256_movemask_ps(_mm256_castsi256_ps(below)) ^ flips);
}
#else
INLINE uint8_t decide(const int32_t sums[GROUP], const int32_t *thresholds, uint8_t flips) {
  uint8_t reached = 0;
  for (int o = 0; o < GROUP; o++) reached |= (uint8_t)((sums[o] >= thresholds[o]) << o);
  return (uint8_t)~(reached ^ flips);
}
#endif
