/*
 * The whole wearable on a Cortex-M0, for its size, its stack and its speed, and to be spoken to: the firmware of src/ as it is, its samples
 * and its button coming in frames on the same UART as its acknowledgements, because no accelerometer is soldered to an emulator.
 *
 *     0xF0 SAMPLES   (XX XX YY YY ZZ ZZ KK) x n    n 1..35; acceleration, signed, mg; KK bit 0 the button is pressed
 *     0xF1 COUNTED   TT TT TT TT SS SS SS SS       answer to each 0xF0: 1/16 us spent in the fall detector, and samples, since the start
 *     0xF2 ECHO      any payload                   answered as it came, with the counter of the sender
 *
 * A sample is 20 ms of the device's clock. So the same frames always give the same answer, byte for byte.
 */
#include "bridge_main.h"
#include "little_endian.h"
#include "nrf51.h"

#define RATE_HZ 50U
#define ADDRESS 77
#define BOOT 0xB007
#define SAMPLES 0xF0
#define COUNTED 0xF1
#define ECHO 0xF2
#define SAMPLE_BYTES 7U
#define ACK_BYTES BRIDGE_WIRE_BYTES(BRIDGE_ACK_BYTES)

/* What the wearable needs: this is the RAM that counts, and nothing of it is the emulator's. */
static uint32_t ring[BRIDGE_FALL_WINDOW_SAMPLES(RATE_HZ)];
static uint32_t windows[BRIDGE_FALL_EVENTS_MAX * BRIDGE_FALL_WINDOW_SAMPLES(RATE_HZ)];
static struct bridge bridge;

/* What stands for the sensors. */
static struct {
    struct bridge_frame_reader reader;
    uint8_t stuffed[BRIDGE_STUFFED_BYTES_MAX];
    uint8_t ack[ACK_BYTES];
    uint8_t ack_bytes;
    uint8_t ack_read;
    struct bridge_sample sample;
    bool has_sample;
    bool is_pressed;
    uint32_t samples;
    uint32_t spent_ticks;
} desk;

static uint32_t clock_ms(void *context)
{
    (void)context;
    return 1000U + desk.samples * (1000U / RATE_HZ);
}

static size_t uart_read(void *context, uint8_t *bytes, size_t space)
{
    (void)context;
    size_t got = 0;
    while (got < space && desk.ack_read < desk.ack_bytes) {
        bytes[got++] = desk.ack[desk.ack_read++];
    }
    return got;
}

static bool sample_next(void *context, struct bridge_sample *sample)
{
    (void)context;
    if (!desk.has_sample) {
        return false;
    }
    desk.has_sample = false;
    *sample = desk.sample;
    return true;
}

static bool sos_is_pressed(void *context)
{
    (void)context;
    return desk.is_pressed;
}

static uint16_t random_u16(void *context)
{
    (void)context;
    return BOOT;
}

static const struct bridge_hal HAL = {
    .clock_ms = clock_ms,
    .uart_read = uart_read,
    .uart_write = nrf51_uart_write,
    .sample_next = sample_next,
    .sos_is_pressed = sos_is_pressed,
    .random_u16 = random_u16,
};

static void say(const struct bridge_frame *frame)
{
    uint8_t wire[BRIDGE_WIRE_BYTES_MAX];
    const int length = bridge_frame_seal(frame, wire, sizeof wire);
    if (length > 0) {
        nrf51_uart_write(NULL, wire, (size_t)length);
    }
}

/* One sample through the wearable as it is, and once more through a detector of its own with the timer running. */
static void live(const uint8_t *at)
{
    static uint32_t timed_ring[BRIDGE_FALL_WINDOW_SAMPLES(RATE_HZ)];
    static struct bridge_fall_detector timed;
    if (timed.ring == NULL) {
        bridge_fall_init(&timed, timed_ring, BRIDGE_FALL_WINDOW_SAMPLES(RATE_HZ), RATE_HZ, BRIDGE_WAIST);
    }
    const struct bridge_acceleration a = {(int16_t)bridge_get_u16(at), (int16_t)bridge_get_u16(at + 2), (int16_t)bridge_get_u16(at + 4)};
    struct bridge_fall_candidate candidate;
    const uint32_t before = nrf51_ticks();
    bridge_fall_feed(&timed, a, &candidate);
    desk.spent_ticks += nrf51_ticks() - before;
    desk.sample = (struct bridge_sample){
        .acceleration = a,
        .skin_temperature_centi_c = BRIDGE_SKIN_TEMPERATURE_NONE,
        .steps = BRIDGE_STEPS_NONE,
        .battery_percent = BRIDGE_BATTERY_UNKNOWN,
        .is_worn = true,
    };
    desk.has_sample = true;
    desk.is_pressed = (at[6] & 1U) != 0;
    desk.samples++;
    while (bridge_poll(&bridge)) {
    }
}

static void take_samples(const struct bridge_frame *frame)
{
    for (uint32_t at = 0; at + SAMPLE_BYTES <= frame->payload_bytes; at += SAMPLE_BYTES) {
        live(frame->payload + at);
    }
    uint8_t payload[8];
    bridge_put_u32(bridge_put_u32(payload, desk.spent_ticks), desk.samples);
    const struct bridge_frame counted = {
        .payload = payload, .address = frame->address, .counter = frame->counter, .payload_bytes = sizeof payload, .type = COUNTED};
    say(&counted);
}

static void take(const struct bridge_frame *frame)
{
    if (frame->type == SAMPLES) {
        take_samples(frame);
    } else if (frame->type == ECHO) {
        say(frame);
    } else if (frame->type == BRIDGE_ACK) {
        const int length = bridge_frame_seal(frame, desk.ack, sizeof desk.ack);
        desk.ack_bytes = length > 0 ? (uint8_t)length : 0;
        desk.ack_read = 0;
        while (bridge_poll(&bridge)) {
        }
    }
}

int main(void)
{
    const struct bridge_config config = {
        .ring = ring,
        .windows = windows,
        .vitals_period_ms = BRIDGE_VITALS_PERIOD_MS,
        .space_samples = BRIDGE_FALL_WINDOW_SAMPLES(RATE_HZ),
        .address = ADDRESS,
        .rate_hz = RATE_HZ,
        .placement = BRIDGE_WAIST,
    };
    nrf51_start();
    desk.reader = (struct bridge_frame_reader){.stuffed = desk.stuffed, .space = sizeof desk.stuffed};
    bridge_init(&bridge, &HAL, &config);
    for (;;) {
        uint8_t byte;
        struct bridge_frame frame;
        if (nrf51_uart_read(NULL, &byte, 1) == 1 && bridge_frame_feed(&desk.reader, byte, &frame) == BRIDGE_OK) {
            take(&frame);
        }
    }
}
