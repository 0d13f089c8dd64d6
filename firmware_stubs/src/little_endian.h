/* Integers in little-endian bytes, on any processor. The `put` functions return the byte behind what they wrote. */
#ifndef LITTLE_ENDIAN_H
#define LITTLE_ENDIAN_H

#include <stdint.h>

static inline uint8_t *bridge_put_u8(uint8_t *at, uint8_t value)
{
    *at = value;
    return at + 1;
}

static inline uint8_t *bridge_put_u16(uint8_t *at, uint16_t value)
{
    return bridge_put_u8(bridge_put_u8(at, (uint8_t)(value & 0xFF)), (uint8_t)(value >> 8));
}

static inline uint8_t *bridge_put_u32(uint8_t *at, uint32_t value)
{
    return bridge_put_u16(bridge_put_u16(at, (uint16_t)(value & 0xFFFF)), (uint16_t)(value >> 16));
}

static inline uint8_t *bridge_put_i16(uint8_t *at, int16_t value)
{
    return bridge_put_u16(at, (uint16_t)value);
}

static inline uint16_t bridge_get_u16(const uint8_t *at)
{
    return (uint16_t)(at[0] | at[1] << 8);
}

#endif
