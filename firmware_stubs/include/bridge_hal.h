/*
 * What a board must supply, as function pointers. A port is one file that fills `struct bridge_hal`.
 *
 * No function may block: what cannot be done now is refused and asked for again at the next poll. `context` is the board's own
 * and is handed back to every function.
 */
#ifndef BRIDGE_HAL_H
#define BRIDGE_HAL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Acceleration in mg (0.001 g), gravity included: at rest |x, y, z| is about 1000. Any mounting will do. */
struct bridge_acceleration {
    int16_t x;
    int16_t y;
    int16_t z;
};

/* What the sensors say at one tick of the sample clock. A sensor that has nothing to say gives its "none", never a guess. */
struct bridge_sample {
    struct bridge_acceleration acceleration;
    int16_t skin_temperature_centi_c; /* 0.01 C; BRIDGE_SKIN_TEMPERATURE_NONE */
    uint16_t steps;                   /* of the accelerometer's own step counter, wraps after 65534; BRIDGE_STEPS_NONE */
    uint8_t heart_rate_per_min;       /* BRIDGE_HEART_RATE_NONE */
    uint8_t spo2_percent;             /* BRIDGE_SPO2_NONE */
    uint8_t battery_percent;          /* BRIDGE_BATTERY_UNKNOWN */
    bool is_worn;
};

struct bridge_hal {
    void *context;

    /* Milliseconds since any instant, never going back; wraps at 2^32. */
    uint32_t (*clock_ms)(void *context);

    /* Move up to `space` received bytes to `bytes`; returns how many, 0 when there are none. */
    size_t (*uart_read)(void *context, uint8_t *bytes, size_t space);

    /* Take up to `length` bytes for sending; returns how many, 0 when there is no room or no line. Taken bytes are copied. */
    size_t (*uart_write)(void *context, const uint8_t *bytes, size_t length);

    /* The next sample, `rate_hz` of them a second, in order and without gaps; false when its time has not come. */
    bool (*sample_next)(void *context, struct bridge_sample *sample);

    /* Level of the SOS button, bouncing or not. Apart from the samples: a dead accelerometer must not take the button with it. */
    bool (*sos_is_pressed)(void *context);

    /* A number that differs from start to start (noise of an ADC, a counter in flash). Called once, by bridge_init. */
    uint16_t (*random_u16)(void *context);
};

#endif
