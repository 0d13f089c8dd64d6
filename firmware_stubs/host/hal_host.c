/* A board made of standard input and a tty; hal_host.h is the manual. */
#include "hal_host.h"
#include "bridge_frame.h"
#include "little_endian.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <termios.h>
#include <time.h>
#include <unistd.h>

#define IDLE_MS 10
#define BUTTON_SOS 0x01
#define BUTTON_WORN 0x02

static uint32_t real_ms(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (uint32_t)((uint64_t)now.tv_sec * 1000U + (uint64_t)now.tv_nsec / 1000000U);
}

/* 115200 8N1, every byte as it is; false when the file is no tty. */
static bool make_raw(int tty)
{
    struct termios settings;
    if (tcgetattr(tty, &settings) != 0) {
        return false;
    }
    settings.c_iflag = 0;
    settings.c_oflag = 0;
    settings.c_lflag = 0;
    settings.c_cflag = CS8 | CREAD | CLOCAL;
    settings.c_cc[VMIN] = 1;
    settings.c_cc[VTIME] = 0;
    cfsetispeed(&settings, B115200);
    cfsetospeed(&settings, B115200);
    return tcsetattr(tty, TCSANOW, &settings) == 0;
}

static void complain(struct host *host)
{
    if (!host->has_complained) {
        fprintf(stderr, "wearable_host: %s: %s; trying again\n", host->port, strerror(errno));
    }
    host->has_complained = true;
}

static void open_port(struct host *host)
{
    host->tried_ms = real_ms();
    host->tty = open(host->port, O_RDWR | O_NOCTTY | O_NONBLOCK | O_CLOEXEC);
    if (host->tty >= 0 && make_raw(host->tty)) {
        host->has_complained = false;
        return;
    }
    complain(host);
    host_stop(host);
}

static void lose_port(struct host *host)
{
    complain(host);
    host_stop(host);
    host->tried_ms = real_ms();
}

static bool has_port(struct host *host)
{
    if (host->tty < 0 && real_ms() - host->tried_ms >= HOST_REOPEN_MS) {
        open_port(host);
    }
    return host->tty >= 0;
}

/* What a read or a write came to: a full or an empty line is 0 bytes, anything else that fails is the loss of the port. */
static size_t moved(struct host *host, ssize_t result)
{
    if (result > 0) {
        return (size_t)result;
    }
    if (result == 0) {
        errno = EIO; /* the other end hung up */
    }
    if (errno != EAGAIN && errno != EINTR) {
        lose_port(host);
    }
    return 0;
}

static size_t uart_read(void *context, uint8_t *bytes, size_t space)
{
    struct host *const host = context;
    return has_port(host) ? moved(host, read(host->tty, bytes, space)) : 0;
}

static size_t uart_write(void *context, const uint8_t *bytes, size_t length)
{
    struct host *const host = context;
    return has_port(host) ? moved(host, write(host->tty, bytes, length)) : 0;
}

/* What can be done with the file at once; POLLHUP and POLLERR come unasked. */
static short readiness(int file, short what)
{
    struct pollfd waiting = {.fd = file, .events = what};
    return poll(&waiting, 1, 0) > 0 ? waiting.revents : 0;
}

/* Whether a sample must wait until the line takes bytes. Without a port and without a writer it would wait for ever: then not. */
static bool stands_still(struct host *host)
{
    if (host->clock == HOST_CLOCK_REAL) {
        return false;
    }
    return has_port(host) ? readiness(host->tty, POLLOUT) == 0 : (readiness(STDIN_FILENO, POLLIN) & POLLHUP) == 0;
}

static void refill(struct host *host)
{
    host->buffered = (uint16_t)(host->buffered - host->used);
    memmove(host->buffer, host->buffer + host->used, host->buffered);
    host->used = 0;
    const ssize_t got = read(STDIN_FILENO, host->buffer + host->buffered, sizeof host->buffer - host->buffered);
    if (got > 0) {
        host->buffered = (uint16_t)(host->buffered + got);
    } else if (got == 0 || errno != EINTR) {
        host->has_ended = true;
        host->ended_ms = real_ms();
    }
}

static bool has_record(struct host *host)
{
    if (host->buffered - host->used < HOST_RECORD_BYTES && !host->has_ended && readiness(STDIN_FILENO, POLLIN) != 0) {
        refill(host);
    }
    return host->buffered - host->used >= HOST_RECORD_BYTES;
}

static bool sample_next(void *context, struct bridge_sample *sample)
{
    struct host *const host = context;
    if (stands_still(host) || !has_record(host)) {
        return false;
    }
    const uint8_t *const record = host->buffer + host->used;
    *sample = (struct bridge_sample){
        .acceleration = {(int16_t)bridge_get_u16(record), (int16_t)bridge_get_u16(record + 2), (int16_t)bridge_get_u16(record + 4)},
        .heart_rate_per_min = record[6],
        .spo2_percent = record[7],
        .skin_temperature_centi_c = (int16_t)bridge_get_u16(record + 8),
        .steps = BRIDGE_STEPS_NONE,
        .battery_percent = record[10],
        .is_worn = (record[11] & BUTTON_WORN) != 0,
    };
    host->sos_is_pressed = (record[11] & BUTTON_SOS) != 0;
    host->used += HOST_RECORD_BYTES;
    host->records++;
    return true;
}

static bool sos_is_pressed(void *context)
{
    const struct host *const host = context;
    return host->sos_is_pressed;
}

static uint32_t clock_ms(void *context)
{
    const struct host *const host = context;
    if (host->clock == HOST_CLOCK_REAL) {
        return real_ms();
    }
    return (uint32_t)((uint64_t)host->records * 1000U / host->rate_hz) + host_ended_for_ms(host);
}

static uint16_t random_u16(void *context)
{
    const struct host *const host = context;
    return host->boot;
}

void host_start(struct host *host, struct bridge_hal *hal)
{
    *hal = (struct bridge_hal){
        .context = host,
        .clock_ms = clock_ms,
        .uart_read = uart_read,
        .uart_write = uart_write,
        .sample_next = sample_next,
        .sos_is_pressed = sos_is_pressed,
        .random_u16 = random_u16,
    };
    open_port(host);
}

void host_wait(const struct host *host)
{
    struct pollfd waiting[] = {
        {.fd = host->has_ended ? -1 : STDIN_FILENO, .events = POLLIN},
        {.fd = host->tty, .events = POLLIN},
    };
    poll(waiting, 2, IDLE_MS);
}

uint32_t host_ended_for_ms(const struct host *host)
{
    return host->has_ended ? real_ms() - host->ended_ms : 0;
}

uint16_t host_left_over(const struct host *host)
{
    return (uint16_t)(host->buffered - host->used);
}

void host_stop(struct host *host)
{
    if (host->tty >= 0) {
        close(host->tty);
    }
    host->tty = -1;
}
