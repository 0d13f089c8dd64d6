/* From reset to main on a Cortex-M0 without a C library, and the functions of memory.h that the compiler expects. */
#include "memory.h"

#include <stdint.h>

extern uint32_t stack_top, data_start, data_end, data_load, bss_start, bss_end;

int main(void);
void reset(void);

static void halt(void)
{
    for (;;) {
    }
}

/* Initial stack pointer, reset, NMI, hard fault. No interrupt is used. Source: ARMv6-M Architecture Reference Manual, B1.5.3. */
__attribute__((section(".vectors"), used)) static const uintptr_t VECTORS[] = {
    (uintptr_t)&stack_top,
    (uintptr_t)reset,
    (uintptr_t)halt,
    (uintptr_t)halt,
};

void reset(void)
{
    memcpy(&data_start, &data_load, (size_t)((uintptr_t)&data_end - (uintptr_t)&data_start));
    memset(&bss_start, 0, (size_t)((uintptr_t)&bss_end - (uintptr_t)&bss_start));
    main();
    halt();
}

/* Byte by byte; -ffreestanding and -fno-tree-loop-distribute-patterns keep the compiler from calling them in themselves. */
void *memcpy(void *restrict to, const void *restrict from, size_t length)
{
    uint8_t *target = to;
    const uint8_t *source = from;
    while (length-- > 0) {
        *target++ = *source++;
    }
    return to;
}

void *memmove(void *to, const void *from, size_t length)
{
    uint8_t *const target = to;
    const uint8_t *const source = from;
    if ((uintptr_t)target <= (uintptr_t)source) {
        return memcpy(to, from, length);
    }
    while (length-- > 0) {
        target[length] = source[length];
    }
    return to;
}

void *memset(void *at, int value, size_t length)
{
    uint8_t *target = at;
    while (length-- > 0) {
        *target++ = (uint8_t)value;
    }
    return at;
}
