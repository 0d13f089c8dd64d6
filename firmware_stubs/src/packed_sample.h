/*
 * Three accelerations in 32 bits, as the ring keeps them and PACKED_CHUNK sends them; bridge_frame.h draws the bits.
 *
 * The step is the finest with which every axis fits ten signed bits: 4 mg from -2.048 to 2.047 g, 8 mg to twice that, 16 mg to four
 * times, else 64 mg. A field is the step that the value lies in, and stands for the middle of that step: nothing can overflow, nothing is
 * cut off, and no value is off by more than half a step.
 *
 * Runs for every sample, so it is written to be short on a processor without a barrel of registers: signed numbers are shifted right as
 * GCC and Clang define it, keeping the sign.
 */
#ifndef PACKED_SAMPLE_H
#define PACKED_SAMPLE_H

#include "bridge_hal.h"

/* Smaller without, but a call costs a third of what it calls. */
#define BRIDGE_INLINE inline __attribute__((always_inline))

#define BRIDGE_PACKED_BITS 10
#define BRIDGE_PACKED_MASK 0x3FFU
#define BRIDGE_PACKED_SCALE_AT 30
#define BRIDGE_PACKED_FINEST_MG 2048U /* below which the finest step will do */

_Static_assert(-1 >> 1 == -1, "the sign is kept when a number is shifted right");

/* log2 of the step of a scale 0..3, in mg: 2, 3, 4, 6. */
static inline uint32_t bridge_packed_shift(uint32_t scale)
{
    return scale + 2U + (scale == 3U ? 1U : 0U);
}

/* The step in which a value lies, as a field. */
static inline uint32_t bridge_pack_axis(int32_t value, uint32_t shift)
{
    return (uint32_t)(value >> shift) & BRIDGE_PACKED_MASK;
}

static inline uint32_t bridge_pack(struct bridge_acceleration a)
{
    const int32_t x = a.x;
    const int32_t y = a.y;
    const int32_t z = a.z;
    const uint32_t bits = (uint32_t)((x ^ x >> 31) | (y ^ y >> 31) | (z ^ z >> 31)); /* as high as the largest of the three */
    uint32_t scale = 0;
    while (scale < 3U && bits >= BRIDGE_PACKED_FINEST_MG << scale) {
        scale++;
    }
    const uint32_t shift = bridge_packed_shift(scale);
    return bridge_pack_axis(x, shift) | bridge_pack_axis(y, shift) << BRIDGE_PACKED_BITS |
           bridge_pack_axis(z, shift) << (2 * BRIDGE_PACKED_BITS) | scale << BRIDGE_PACKED_SCALE_AT;
}

/* The middle of the step at a bit, in half steps: odd, -1023..1023. */
static inline int32_t bridge_packed_halves(uint32_t packed, uint32_t at)
{
    return ((int32_t)(packed << (32U - BRIDGE_PACKED_BITS - at)) >> (32U - BRIDGE_PACKED_BITS)) * 2 + 1;
}

/* log2 of half a step, in mg. */
static inline uint32_t bridge_packed_half(uint32_t packed)
{
    return bridge_packed_shift(packed >> BRIDGE_PACKED_SCALE_AT) - 1U;
}

/* Square of |a|, mg^2: at most 3 * 2^30, which fits. */
static BRIDGE_INLINE uint32_t bridge_packed_square(uint32_t packed)
{
    const int32_t x = bridge_packed_halves(packed, 0);
    const int32_t y = bridge_packed_halves(packed, BRIDGE_PACKED_BITS);
    const int32_t z = bridge_packed_halves(packed, 2 * BRIDGE_PACKED_BITS);
    return (uint32_t)(x * x + y * y + z * z) << (2U * bridge_packed_half(packed));
}

static inline struct bridge_acceleration bridge_unpack(uint32_t packed)
{
    const int32_t half_mg = (int32_t)(1U << bridge_packed_half(packed));
    return (struct bridge_acceleration){
        .x = (int16_t)(bridge_packed_halves(packed, 0) * half_mg),
        .y = (int16_t)(bridge_packed_halves(packed, BRIDGE_PACKED_BITS) * half_mg),
        .z = (int16_t)(bridge_packed_halves(packed, 2 * BRIDGE_PACKED_BITS) * half_mg),
    };
}

#endif
