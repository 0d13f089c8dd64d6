/*
 * The fuzz targets without libFuzzer: so many inputs from a seed, the same on every machine, for the quick tests.
 *
 *     TARGET SEED COUNT
 */
#include "fuzz.h"

#include <stdio.h>

#define INPUT_BYTES_MAX 1024

/* Xorshift: Marsaglia, Journal of Statistical Software 8(14), 2003. */
static uint32_t next(uint32_t *state)
{
    *state ^= *state << 13;
    *state ^= *state >> 17;
    *state ^= *state << 5;
    return *state;
}

/* Bytes in runs of one kind: all values, few values, zeros, so that lengths and types meet often. */
static size_t make(uint32_t *state, uint8_t *bytes)
{
    const size_t size = next(state) % (INPUT_BYTES_MAX + 1);
    uint32_t kind = 0;
    for (size_t at = 0; at < size; at++) {
        if (next(state) % 16 == 0) {
            kind = next(state) % 3;
        }
        const uint8_t any = (uint8_t)(next(state) >> 8);
        bytes[at] = kind == 0 ? any : (uint8_t)(kind == 1 ? any & 0x47U : 0);
    }
    return size;
}

int main(int count, char **arguments)
{
    if (count != 3) {
        fprintf(stderr, "usage: %s SEED COUNT\n", arguments[0]);
        return 2;
    }
    uint32_t state = (uint32_t)strtoul(arguments[1], NULL, 10) | 1U;
    const unsigned long inputs = strtoul(arguments[2], NULL, 10);
    for (unsigned long input = 0; input < inputs; input++) {
        uint8_t bytes[INPUT_BYTES_MAX];
        const size_t size = make(&state, bytes);
        LLVMFuzzerTestOneInput(bytes, size);
    }
    return 0;
}
