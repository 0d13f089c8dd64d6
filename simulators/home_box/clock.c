/* The clock that jumps, and the time since the start. */
#define _GNU_SOURCE
#include <sys/syscall.h>
#include <sys/time.h>
#include <time.h>
#include <unistd.h>

#include "box.h"

static void move(struct timespec *now, int64_t ahead_ns) {
    ahead_ns += now->tv_nsec;
    const int64_t over_ns = ((ahead_ns % NS_PER_S) + NS_PER_S) % NS_PER_S;
    now->tv_sec += (ahead_ns - over_ns) / NS_PER_S;
    now->tv_nsec = over_ns;
}

int clock_gettime(clockid_t clock, struct timespec *now) {
    const int result = (int)syscall(SYS_clock_gettime, clock, now);
    if (result != 0 || box_control == NULL) {
        return result;
    }
    if (clock == CLOCK_REALTIME || clock == CLOCK_REALTIME_COARSE) {
        move(now, atomic_load(&box_control->clock_ahead_ns));
    } else if (clock == CLOCK_BOOTTIME) {
        move(now, atomic_load(&box_control->uptime_ahead_ns));
    }
    return result;
}

int gettimeofday(struct timeval *restrict now, void *restrict zone) {
    struct timespec exact;
    (void)zone;
    if (clock_gettime(CLOCK_REALTIME, &exact) != 0) {
        return -1;
    }
    *now = (struct timeval){exact.tv_sec, exact.tv_nsec / 1000};
    return 0;
}

time_t time(time_t *copy) {
    struct timespec exact;
    clock_gettime(CLOCK_REALTIME, &exact);
    if (copy != NULL) {
        *copy = exact.tv_sec;
    }
    return exact.tv_sec;
}
