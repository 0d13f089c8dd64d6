/*
 * A board made of two files: samples from standard input, the UART a tty. For simulators and tests; needs POSIX, no hardware.
 *
 * A sample is a record of 12 bytes, little-endian, and is one tick of the sample clock:
 *
 *     XX XX YY YY ZZ ZZ HH OO TT TT BB KK
 *
 *     XX YY ZZ  acceleration, signed, mg            TT  skin temperature, signed, 0.01 C; 0x7FFF none
 *     HH        heart rate, beats/min; 0 none       BB  battery, %; 255 unknown
 *     OO        oxygen saturation, %; 0 none        KK  bit 0 SOS button pressed, bit 1 worn
 */
#ifndef HAL_HOST_H
#define HAL_HOST_H

#include "bridge_hal.h"

#define HOST_RECORD_BYTES 12
#define HOST_REOPEN_MS 200

enum host_clock {
    HOST_CLOCK_REAL,    /* milliseconds of the machine */
    HOST_CLOCK_SAMPLES, /* milliseconds of the records read; stands still while the line takes nothing. After the last one: real */
};

/* The board. Set the first four members, the rest zero, then call host_start. */
struct host {
    const char *port;
    enum host_clock clock;
    uint8_t rate_hz;
    uint16_t boot;
    int tty; /* -1 while the port is gone */
    uint32_t tried_ms;
    bool has_complained; /* about this loss of the port */
    bool has_ended;      /* no more samples */
    uint32_t ended_ms;
    uint32_t records;
    uint16_t buffered;
    uint16_t used; /* bytes of `buffer` */
    bool sos_is_pressed;
    uint8_t buffer[HOST_RECORD_BYTES * 64];
};

/* Open the port, or begin trying to, and fill `hal`; `host` must outlive it. */
void host_start(struct host *host, struct bridge_hal *hal);

/* Sleep until a record or a byte has come, at most 10 ms. */
void host_wait(const struct host *host);

/* Milliseconds since the last record was taken; 0 while there may be more. */
uint32_t host_ended_for_ms(const struct host *host);

/* Bytes of an unfinished record at the end of the input. */
uint16_t host_left_over(const struct host *host);

/* Let go of the port. */
void host_stop(struct host *host);

#endif
