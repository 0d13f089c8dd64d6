/*
 * The three functions of the C library that the firmware calls. Declared here because a freestanding compiler has no <string.h>, though
 * it expects these to exist; a board without a C library finds them in arm/startup.c.
 */
#ifndef MEMORY_H
#define MEMORY_H

#include <stddef.h>

void *memcpy(void *restrict to, const void *restrict from, size_t length);
void *memmove(void *to, const void *from, size_t length);
void *memset(void *at, int value, size_t length);

#endif
