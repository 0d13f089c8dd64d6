/* What the fuzz targets share. */
#ifndef FUZZ_H
#define FUZZ_H

#include "bridge_frame.h"

#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

/* What only a bug can break. */
#define MUST(claim) \
    do { \
        if (!(claim)) { \
            abort(); \
        } \
    } while (0)

/* Called with every input; clang's libFuzzer, or the driver in the tests, has main. */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* Bytes of the input, one after another; zeros once it is used up. */
struct fuzz_input {
    const uint8_t *bytes;
    size_t left;
};

static inline uint8_t fuzz_u8(struct fuzz_input *input)
{
    if (input->left == 0) {
        return 0;
    }
    input->left--;
    return *input->bytes++;
}

static inline uint16_t fuzz_u16(struct fuzz_input *input)
{
    const uint8_t low = fuzz_u8(input);
    return (uint16_t)(low | fuzz_u8(input) << 8);
}

/*
 * Bytes of a line: as they stand in the input, or a frame sealed from them, whole or with one bit turned, because chance alone never meets a
 * CRC. Returns how many, at most `space`.
 */
static inline size_t fuzz_line(struct fuzz_input *input, uint8_t *bytes, size_t space)
{
    const uint8_t what = fuzz_u8(input);
    uint8_t payload[BRIDGE_PAYLOAD_BYTES_MAX];
    size_t count = what & 0x3FU;
    for (size_t at = 0; at < count; at++) {
        payload[at] = fuzz_u8(input);
    }
    if ((what & 0x40U) == 0) {
        count = count < space ? count : space;
        memcpy(bytes, payload, count);
        return count;
    }
    const struct bridge_frame frame = {
        .payload = payload, .address = fuzz_u8(input), .counter = fuzz_u8(input), .payload_bytes = (uint8_t)count, .type = fuzz_u8(input)};
    uint8_t wire[BRIDGE_WIRE_BYTES_MAX];
    const int sealed = bridge_frame_seal(&frame, wire, sizeof wire);
    if (sealed <= 0) {
        return 0;
    }
    if ((what & 0x80U) != 0) {
        const uint16_t bit = fuzz_u16(input);
        wire[(bit >> 3) % (unsigned)sealed] ^= (uint8_t)(1U << (bit & 7U));
    }
    count = (size_t)sealed < space ? (size_t)sealed : space;
    memcpy(bytes, wire, count);
    return count;
}

#endif
