/* A board made of standard input and a tty; hal_host.h is the manual. */
#include "hal_host.h"
#include "bridge_frame.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <termios.h>
#include <time.h>
#include <unistd.h>

#define IDLE_MS 10

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
        fprintf(stderr, "%s: %s: %s; trying again\n", host->program, host->port, strerror(errno));
    }
    host->has_complained = true;
}

int host_open_tty(const char *path)
{
    const int tty = open(path, O_RDWR | O_NOCTTY | O_NONBLOCK | O_CLOEXEC);
    if (tty >= 0 && !make_raw(tty)) {
        const int why = errno;
        close(tty);
        errno = why;
        return -1;
    }
    return tty;
}

static void close_port(struct host *host)
{
    if (host->tty >= 0) {
        close(host->tty);
    }
    host->tty = -1;
}

static void open_port(struct host *host)
{
    host->tried_ms = real_ms();
    host->tty = host_open_tty(host->port);
    if (host->tty >= 0) {
        host->has_complained = false;
    } else {
        complain(host);
    }
}

static void lose_port(struct host *host)
{
    complain(host);
    close_port(host);
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
    if (host->buffered - host->used < host->record_bytes && !host->has_ended && readiness(STDIN_FILENO, POLLIN) != 0) {
        refill(host);
    }
    return host->buffered - host->used >= host->record_bytes;
}

bool host_next_record(struct host *host)
{
    if (stands_still(host) || !has_record(host)) {
        return false;
    }
    memcpy(host->record, host->buffer + host->used, host->record_bytes);
    host->used = (uint16_t)(host->used + host->record_bytes);
    host->records++;
    return true;
}

static uint32_t ended_for_ms(const struct host *host)
{
    return host->has_ended ? real_ms() - host->ended_ms : 0;
}

static uint32_t clock_ms(void *context)
{
    const struct host *const host = context;
    if (host->clock == HOST_CLOCK_REAL) {
        return real_ms();
    }
    return (uint32_t)((uint64_t)host->records * 1000U / host->rate_hz) + ended_for_ms(host);
}

static uint16_t random_u16(void *context)
{
    const struct host *const host = context;
    return host->boot;
}

void host_start(struct host *host, struct bridge_hal *hal, const struct host_options *options)
{
    host->program = options->program;
    host->port = options->port;
    host->clock = options->clock;
    host->boot = options->boot;
    hal->context = host;
    hal->clock_ms = clock_ms;
    hal->uart_read = uart_read;
    hal->uart_write = uart_write;
    hal->random_u16 = random_u16;
    open_port(host);
}

/* Sleep until a record or a byte has come, at most IDLE_MS. */
static void wait_for_news(const struct host *host)
{
    struct pollfd waiting[] = {
        {.fd = host->has_ended ? -1 : STDIN_FILENO, .events = POLLIN},
        {.fd = host->tty, .events = POLLIN},
    };
    poll(waiting, 2, IDLE_MS);
}

void host_run(struct host *host, bool (*poll_device)(void *device), bool (*is_idle)(const void *device), void *device)
{
    while (!host->has_ended || (!is_idle(device) && ended_for_ms(host) < HOST_LINGER_MS)) {
        if (!poll_device(device)) {
            wait_for_news(host);
        }
    }
}

int host_stop(struct host *host)
{
    close_port(host);
    return host->buffered > host->used ? HOST_CUT_RECORD : HOST_OK;
}

bool host_read_number(const char *text, unsigned long least, unsigned long most, unsigned long *number)
{
    char *end;
    errno = 0;
    *number = strtoul(text, &end, 10);
    return text[0] >= '0' && text[0] <= '9' && *end == '\0' && errno == 0 && *number >= least && *number <= most;
}

static bool read_option(struct host_options *options, const char *name, const char *value)
{
    unsigned long number;
    if (strcmp(name, "--port") == 0) {
        options->port = value;
        return value[0] != '\0';
    }
    if (strcmp(name, "--clock") == 0) {
        options->clock = strcmp(value, "samples") == 0 ? HOST_CLOCK_SAMPLES : HOST_CLOCK_REAL;
        return strcmp(value, "real") == 0 || strcmp(value, "samples") == 0;
    }
    if (strcmp(name, "--address") == 0 && host_read_number(value, 1, UINT16_MAX, &number)) {
        options->address = (uint16_t)number;
        return true;
    }
    if (strcmp(name, "--boot") == 0 && host_read_number(value, 0, UINT16_MAX, &number)) {
        options->boot = (uint16_t)number;
        return true;
    }
    return options->read_more != NULL && options->read_more(options->context, name, value);
}

/* Differs from start to start, which is all that a boot number needs. */
static uint16_t boot_of_now(void)
{
    struct timespec now;
    clock_gettime(CLOCK_REALTIME, &now);
    return (uint16_t)((unsigned long)now.tv_nsec / 1000U ^ (unsigned long)now.tv_sec ^ (unsigned long)getpid());
}

bool host_read_options(int count, char *const *arguments, struct host_options *options)
{
    options->clock = HOST_CLOCK_REAL;
    options->boot = boot_of_now();
    for (int at = 1; at < count; at += 2) {
        if (at + 1 == count) {
            fprintf(stderr, "%s: %s needs a value; %s\n", options->program, arguments[at], options->usage);
            return false;
        }
        if (!read_option(options, arguments[at], arguments[at + 1])) {
            fprintf(stderr, "%s: bad option %s %s; %s\n", options->program, arguments[at], arguments[at + 1], options->usage);
            return false;
        }
    }
    if (options->port == NULL || options->address == 0) {
        fprintf(stderr, "%s: --port and --address are needed; %s\n", options->program, options->usage);
        return false;
    }
    return true;
}
