/*
 * Frames between a bridge board and the gateway on a serial line: the manual, the limits and the payloads.
 *
 *     00 | COBS( VV TT AA AA NN NN payload.. CC CC ) | 00        multi-byte fields little-endian
 *
 *     VV  version, 1                      NN  counter of the sender, wraps at 65535
 *     TT  frame type, see below           CC  CRC-16/CCITT-FALSE of everything before it: polynomial 0x1021, start 0xFFFF
 *     AA  device address, 1..65535        payload 0..246 bytes, so that the content (8..254) is one COBS block
 *
 * The zero in front ends whatever noise came before, so noise never costs the frame behind it. Between two delimiters stand
 * 9..255 bytes; what is longer is thrown away up to the next zero. `gateway/bridges/framing.py` says the same for Python.
 * Sources: COBS: Cheshire and Baker, IEEE/ACM Transactions on Networking 7(2), 1999. CRC: check value 0x29B1 for "123456789".
 *
 * Payloads. "boot" is a random number chosen when the device starts, "event" counts the events of that boot, so (address,
 * boot, event) names an event for ever, however often it is sent. A gap in "event" is an event the device had no room for.
 * Integers are unsigned unless said.
 *
 * 0x01 WEARABLE_VITALS     HH OO TT TT SS SS BB FF                        8 bytes, every second, not acknowledged
 *     HH  heart rate, beats/min, 1..254; 0 none           SS  steps since boot, 0..65534, wraps; 65535 none
 *     OO  oxygen saturation, %, 1..100; 0 none            BB  battery, %, 0..100; 255 unknown
 *     TT  skin temperature, signed, 0.01 C; 0x7FFF none   FF  bit 0 worn on the body, other bits 0
 *
 * 0x02 FALL_CANDIDATE      OO OO EE EE AA AA PP PP TT RR CC II II         13 bytes, then its chunks
 *     OO  boot                                            TT  turn of the mean direction, whole degrees, 15..180;
 *     EE  event                                               255 not known (impact too soon after the start)
 *     AA  ms since the impact; 65535 also for longer      RR  samples per second of the window, 25..100; our boards 25..50
 *     PP  largest |acceleration|, mg, 1601..56755         CC  number of chunks, 1..14
 *                                                         II  index of the impact in the window, 0 oldest sample
 *
 * 0x03 WINDOW_CHUNK        OO OO EE EE II CC (XX XX YY YY ZZ ZZ) x n      6 + 6n bytes, n 1..40
 *     OO  boot, EE event: those of the candidate          XX YY ZZ  acceleration, signed, mg, oldest sample first
 *     II  index of the chunk, 0..CC-1                     n is 40 in every chunk but the last
 *     CC  number of chunks
 *
 * 0x06 PACKED_CHUNK        OO OO EE EE II CC (SS SS SS SS) x n            6 + 4n bytes, n 1..20: what our boards send
 *     as WINDOW_CHUNK, but 20 in every chunk but the last, and each sample in 32 bits: bits 0-9 x, 10-19 y, 20-29 z, signed, and
 *     bits 30-31 the step of all three: 0 4 mg, 1 8 mg, 2 16 mg, 3 64 mg. A field f stands for the middle of its step,
 *     (f + 1/2) steps. So 1 g has steps of 4 mg, as the sensors have (ADXL345: 3.9 mg, LIS2DH12 at +-16 g: 12 mg), and a window of
 *     275 samples is 1362 bytes on the line with all its frames.
 *
 * 0x04 SOS                 OO OO EE EE AA AA KK                           7 bytes
 *     OO  boot    EE  event    AA  ms since the button was held long enough; 65535 also for longer
 *     KK  1 pressed, 2 cancelled by its wearer
 *
 * 0x10 BED_MAT             OO RR HH MM BB                                 5 bytes, not acknowledged
 *     OO  1 occupied, 0 empty, 255 unknown                MM  movement, 0..100; 255 none
 *     RR  breaths/min; 0 none                             BB  battery, %, 0..100; 255 unknown
 *     HH  heart rate, beats/min; 0 none
 *
 * 0x11 PENDANT_STATUS      BB                                            1 byte, every minute, not acknowledged
 *     BB  battery, %, 0..100; 255 unknown
 *
 * 0x20 BLE_NOTIFICATION    UU UU DD..                                    2 + n bytes, n 0..64, not acknowledged
 *     UU  16-bit number of the characteristic             DD  its value, as it was notified; the address is the one that
 *                                                             the health device was given when it was bonded to the bridge
 *
 * 0x21 BLE_BRIDGE_STATUS   PP DD DD                                      3 bytes, every 10 s, not acknowledged
 *     PP  own devices in reach, 0..8                      DD  frames that found no room since the start, stays at 65535
 *
 * 0x7F ACK                 OO OO EE EE TT                                 5 bytes, gateway to device; the address is the device's
 *     OO  boot    EE  event    TT  type of the acknowledged frame: FALL_CANDIDATE (for it and its whole window) or SOS
 *
 * A device sends a candidate and its whole window, or an SOS, every 2 s for 3 minutes, then every 30 s for an hour, until it is
 * acknowledged.
 */
#ifndef BRIDGE_FRAME_H
#define BRIDGE_FRAME_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define BRIDGE_FRAME_VERSION 1
#define BRIDGE_FRAME_OVERHEAD_BYTES 8 /* header and CRC */
#define BRIDGE_PAYLOAD_BYTES_MAX 246
#define BRIDGE_CONTENT_BYTES_MAX (BRIDGE_FRAME_OVERHEAD_BYTES + BRIDGE_PAYLOAD_BYTES_MAX)
#define BRIDGE_STUFFED_BYTES_MAX (BRIDGE_CONTENT_BYTES_MAX + 1)
#define BRIDGE_WIRE_BYTES_MAX (BRIDGE_STUFFED_BYTES_MAX + 2)
#define BRIDGE_WIRE_PAYLOAD_AT 8 /* where in the sealed frame its payload begins, before it is stuffed */
#define BRIDGE_WIRE_BYTES(payload_bytes) (BRIDGE_FRAME_OVERHEAD_BYTES + (payload_bytes) + 3)

#define BRIDGE_WEARABLE_VITALS_BYTES 8
#define BRIDGE_FALL_CANDIDATE_BYTES 13
#define BRIDGE_WINDOW_CHUNK_HEADER_BYTES 6
#define BRIDGE_WINDOW_CHUNK_SAMPLES_MAX 40 /* of frame 0x03, which no board of ours sends any more; gateways take both */
#define BRIDGE_PACKED_SAMPLE_BYTES 4
#define BRIDGE_PACKED_CHUNK_SAMPLES_MAX 20
#define BRIDGE_SOS_BYTES 7
#define BRIDGE_BED_MAT_BYTES 5
#define BRIDGE_PENDANT_STATUS_BYTES 1
#define BRIDGE_BLE_NOTIFICATION_HEADER_BYTES 2
#define BRIDGE_BLE_VALUE_BYTES_MAX 64
#define BRIDGE_BLE_BRIDGE_STATUS_BYTES 3
#define BRIDGE_ACK_BYTES 5

#define BRIDGE_HEART_RATE_NONE 0
#define BRIDGE_SPO2_NONE 0
#define BRIDGE_SKIN_TEMPERATURE_NONE 0x7FFF
#define BRIDGE_STEPS_NONE 0xFFFF
#define BRIDGE_BATTERY_UNKNOWN 255
#define BRIDGE_TURN_UNKNOWN 255
#define BRIDGE_VITALS_WORN 0x01

enum bridge_frame_type {
    BRIDGE_WEARABLE_VITALS = 0x01,
    BRIDGE_FALL_CANDIDATE = 0x02,
    BRIDGE_WINDOW_CHUNK = 0x03,
    BRIDGE_SOS = 0x04,
    BRIDGE_PACKED_CHUNK = 0x06,
    BRIDGE_BED_MAT = 0x10,
    BRIDGE_PENDANT_STATUS = 0x11,
    BRIDGE_BLE_NOTIFICATION = 0x20,
    BRIDGE_BLE_BRIDGE_STATUS = 0x21,
    BRIDGE_ACK = 0x7F,
};

/* What a call came to. Negative values are errors; BRIDGE_UNFINISHED is not one. */
enum bridge_status {
    BRIDGE_OK = 0,
    BRIDGE_UNFINISHED = 1,      /* no frame has ended here: feed on */
    BRIDGE_ERROR_SPACE = -1,    /* the caller's memory is too small */
    BRIDGE_ERROR_LENGTH = -2,   /* shorter or longer than any frame */
    BRIDGE_ERROR_COBS = -3,     /* a distance points past the end */
    BRIDGE_ERROR_CHECKSUM = -4, /* the CRC differs */
    BRIDGE_ERROR_VERSION = -5,  /* a frame of another version */
    BRIDGE_ERROR_ADDRESS = -6,  /* address 0 */
    BRIDGE_ERROR_RATE = -7,     /* a sample rate or a period outside its range */
    BRIDGE_ERROR_PLACEMENT = -8, /* no such place on the body */
};

/* One frame. `payload` is borrowed, never owned. */
struct bridge_frame {
    const uint8_t *payload;
    uint16_t address;
    uint16_t counter;
    uint8_t payload_bytes;
    uint8_t type; /* a bridge_frame_type; unknown ones pass, for frames of newer boards */
};

/*
 * Finds frames in a byte stream, in the caller's memory: `space` bytes at `stuffed`, at most BRIDGE_STUFFED_BYTES_MAX. A device that
 * only waits for acknowledgements needs no more than BRIDGE_ACK_STUFFED_BYTES; what is longer passes by as an error of LENGTH.
 * The other members start at zero.
 */
struct bridge_frame_reader {
    uint8_t *stuffed;
    uint8_t space;
    uint8_t stuffed_bytes;
    bool is_overlong;
};

#define BRIDGE_ACK_STUFFED_BYTES (1 + BRIDGE_FRAME_OVERHEAD_BYTES + BRIDGE_ACK_BYTES)

/* CRC-16/CCITT-FALSE of `bytes`. */
uint16_t bridge_frame_checksum(const uint8_t *bytes, size_t length);

/*
 * Write the frame with both delimiters to `wire`. Returns how many bytes were written, 11..BRIDGE_WIRE_BYTES_MAX, or
 * BRIDGE_ERROR_LENGTH (payload too long), BRIDGE_ERROR_ADDRESS (0) or BRIDGE_ERROR_SPACE; then `wire` is untouched. The payload
 * may lie anywhere, also at `wire + BRIDGE_WIRE_PAYLOAD_AT`, where it is already in its place.
 */
int bridge_frame_seal(const struct bridge_frame *frame, uint8_t *wire, size_t space);

/*
 * Take one byte off the line. BRIDGE_OK: `frame` is filled; its payload lies in the reader and is valid until the next call.
 * BRIDGE_UNFINISHED: no news. An error: the bytes before this delimiter were not a frame; the reader is ready for the next.
 */
enum bridge_status bridge_frame_feed(struct bridge_frame_reader *reader, uint8_t byte, struct bridge_frame *frame);

#endif
