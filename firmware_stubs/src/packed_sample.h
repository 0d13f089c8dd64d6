/*
 * Three accelerations in 32 bits, as the ring keeps them and PACKED_CHUNK sends them; bridge_frame.h draws the bits.
 *
 * The step is the finest that holds the largest of the three: 4 mg up to 2.044 g, 8 mg up to 4.088 g, 16 mg up to 8.176 g, 64 mg up
 * to 32.704 g, where 16 bits of mg end; the last 63 mg of them are cut off. Rounded to the nearest step, halves away from zero.
 */
#ifndef PACKED_SAMPLE_H
#define PACKED_SAMPLE_H

#include "bridge_hal.h"

#define BRIDGE_PACKED_MAX 511U
#define BRIDGE_PACKED_BITS 10
#define BRIDGE_PACKED_MASK 0x3FFU
#define BRIDGE_PACKED_SIGN 0x200U
#define BRIDGE_PACKED_SCALE_AT 30

/* log2 of the step of a scale 0..3, in mg: 2, 3, 4, 6. */
static inline uint32_t bridge_packed_shift(uint32_t scale)
{
    return scale + 2U + (scale == 3U ? 1U : 0U);
}

static inline uint32_t bridge_magnitude(int16_t value)
{
    return value < 0 ? (uint32_t)(-(int32_t)value) : (uint32_t)value;
}

static inline uint32_t bridge_pack_axis(int16_t value, uint32_t shift)
{
    uint32_t steps = (bridge_magnitude(value) + (1U << (shift - 1U))) >> shift;
    if (steps > BRIDGE_PACKED_MAX) {
        steps = BRIDGE_PACKED_MAX;
    }
    return (value < 0 ? 0U - steps : steps) & BRIDGE_PACKED_MASK;
}

static inline uint32_t bridge_pack(struct bridge_acceleration a)
{
    uint32_t largest = bridge_magnitude(a.x);
    if (bridge_magnitude(a.y) > largest) {
        largest = bridge_magnitude(a.y);
    }
    if (bridge_magnitude(a.z) > largest) {
        largest = bridge_magnitude(a.z);
    }
    uint32_t scale = 0;
    while (scale < 3U && largest > BRIDGE_PACKED_MAX << bridge_packed_shift(scale)) {
        scale++;
    }
    const uint32_t shift = bridge_packed_shift(scale);
    return bridge_pack_axis(a.x, shift) | bridge_pack_axis(a.y, shift) << BRIDGE_PACKED_BITS |
           bridge_pack_axis(a.z, shift) << (2 * BRIDGE_PACKED_BITS) | scale << BRIDGE_PACKED_SCALE_AT;
}

/* One field as signed mg; at most 512 * 64, so it fits 16 bits. */
static inline int16_t bridge_unpack_axis(uint32_t field, uint32_t shift)
{
    const int32_t steps = (int32_t)((field & BRIDGE_PACKED_MASK) ^ BRIDGE_PACKED_SIGN) - (int32_t)BRIDGE_PACKED_SIGN;
    return (int16_t)(steps * (int32_t)(1U << shift));
}

static inline struct bridge_acceleration bridge_unpack(uint32_t packed)
{
    const uint32_t shift = bridge_packed_shift(packed >> BRIDGE_PACKED_SCALE_AT);
    return (struct bridge_acceleration){
        .x = bridge_unpack_axis(packed, shift),
        .y = bridge_unpack_axis(packed >> BRIDGE_PACKED_BITS, shift),
        .z = bridge_unpack_axis(packed >> (2 * BRIDGE_PACKED_BITS), shift),
    };
}

#endif
