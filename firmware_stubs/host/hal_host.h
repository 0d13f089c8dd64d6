/*
 * A board made of two files: records of what its sensors say from standard input, the UART a tty. For simulators and tests; needs POSIX,
 * no hardware. What is in a record stands in the program of each device.
 */
#ifndef HAL_HOST_H
#define HAL_HOST_H

#include "bridge_hal.h"

#define HOST_RECORD_BYTES_MAX 80
#define HOST_BUFFER_BYTES 768
#define HOST_REOPEN_MS 200
#define HOST_LINGER_MS 2000 /* after the last record, for acknowledgements */

#define HOST_OK 0
#define HOST_CUT_RECORD 1
#define HOST_BAD_OPTION 2

enum host_clock {
    HOST_CLOCK_REAL,    /* milliseconds of the machine */
    HOST_CLOCK_SAMPLES, /* milliseconds of the records read; stands still while the line takes nothing. After the last one: real */
};

/* The board. Set record_bytes and rate_hz, the rest zero, then call host_start. */
struct host {
    const char *program; /* its name, for messages */
    const char *port;
    enum host_clock clock;
    uint16_t record_bytes; /* 1..HOST_RECORD_BYTES_MAX */
    uint16_t rate_hz;      /* records a second of the clock of the samples */
    uint16_t boot;
    int tty; /* -1 while the port is gone */
    uint32_t tried_ms;
    bool has_complained; /* about this loss of the port */
    bool has_ended;      /* no more records */
    uint32_t ended_ms;
    uint32_t records;
    uint16_t buffered;
    uint16_t used;                         /* bytes of `buffer` */
    uint8_t record[HOST_RECORD_BYTES_MAX]; /* the last one taken */
    uint8_t buffer[HOST_BUFFER_BYTES];
};

/* What was asked of the program. An option of its own is given to `read_more`. */
struct host_options {
    const char *program;
    const char *usage;
    bool (*read_more)(void *context, const char *name, const char *value);
    void *context;
    const char *port;
    enum host_clock clock;
    uint16_t address;
    uint16_t boot;
};

/* A decimal number from `least` to `most`; false for anything else. */
bool host_read_number(const char *text, unsigned long least, unsigned long most, unsigned long *number);

/*
 * Read --port PATH, --address 1..65535, --boot 0..65535 and --clock real|samples, and what the program adds. The first four members
 * of `options` are set by the caller. False: one line was said on standard error.
 */
bool host_read_options(int count, char *const *arguments, struct host_options *options);

/* Open the port, or begin trying to, and fill clock, UART and random number of `hal`; `host` must outlive it. */
void host_start(struct host *host, struct bridge_hal *hal, const struct host_options *options);

/* Take the next record into `host->record`; false when there is none yet, or its time has not come. */
bool host_next_record(struct host *host);

/* Poll until the input has ended and `is_idle` says so, or HOST_LINGER_MS later; sleeps when nothing moves. */
void host_run(struct host *host, bool (*poll)(void *device), bool (*is_idle)(const void *device), void *device);

/* Open a tty without blocking, 115200 8N1, every byte as it is; -1 for failure. */
int host_open_tty(const char *path);

/* Let go of the port. HOST_OK, or HOST_CUT_RECORD when the input ended inside a record. */
int host_stop(struct host *host);

#endif
