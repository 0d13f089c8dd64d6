/*
 * What a board must supply, as function pointers. A port is one file that fills a constant `struct bridge_hal`.
 *
 * No function may block: what cannot be done now is refused and asked for again at the next poll. `context` is the board's own
 * and is handed back to every function. Every device needs the first four functions; the others are needed by those that are
 * named beside them, and may be NULL elsewhere.
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

#define BRIDGE_PEER_BYTES 6
#define BRIDGE_RADIO_BYTES_MAX 244 /* of one notification: ATT_MTU 247 less its header of 3 */
#define BRIDGE_RADIO_OWN 0         /* `characteristic` of our own devices' byte stream; 0x0000 is no assigned number */

/* One notification from a connected device. What a device of our own sends is a piece of its stream of sealed frames. */
struct bridge_radio_packet {
    uint8_t peer[BRIDGE_PEER_BYTES]; /* its address, most significant byte first */
    uint16_t characteristic;         /* 16-bit number, BRIDGE_RADIO_OWN */
    uint8_t bytes;                   /* 0..BRIDGE_RADIO_BYTES_MAX */
    uint8_t value[BRIDGE_RADIO_BYTES_MAX];
};

struct bridge_hal {
    void *context;

    /* Milliseconds since any instant, never going back; wraps at 2^32. */
    uint32_t (*clock_ms)(void *context);

    /* Move up to `space` received bytes to `bytes`; returns how many, 0 when there are none. */
    size_t (*uart_read)(void *context, uint8_t *bytes, size_t space);

    /* Take up to `length` bytes for sending; returns how many, 0 when there is no room or no line. Taken bytes are copied. */
    size_t (*uart_write)(void *context, const uint8_t *bytes, size_t length);

    /* Wearable: the next sample, `rate_hz` of them a second, in order and without gaps; false when its time has not come. */
    bool (*sample_next)(void *context, struct bridge_sample *sample);

    /*
     * Wearable, pendant: level of the SOS button, bouncing or not. Apart from the samples: a dead accelerometer must not take the
     * button with it.
     */
    bool (*sos_is_pressed)(void *context);

    /* A number that differs from start to start (noise of an ADC, a counter in flash). Called once, at the start. */
    uint16_t (*random_u16)(void *context);

    /* Pendant, bed mat: battery, %; BRIDGE_BATTERY_UNKNOWN. */
    uint8_t (*battery_percent)(void *context);

    /* Bed mat: the next load, BED_MAT_RATE_HZ of them a second, as the ADC counts it; false when its time has not come. */
    bool (*load_next)(void *context, uint16_t *load);

    /* BLE bridge: the next notification, with `bytes` at most BRIDGE_RADIO_BYTES_MAX; false when there is none. */
    bool (*radio_read)(void *context, struct bridge_radio_packet *packet);

    /* BLE bridge: write `length` bytes to the stream of one of our own devices; false when it cannot be reached now. */
    bool (*radio_write)(void *context, const uint8_t peer[BRIDGE_PEER_BYTES], const uint8_t *bytes, size_t length);
};

#endif
