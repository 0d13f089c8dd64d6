/* Seal frames and find them in a byte stream; bridge_frame.h is the manual. */
#include "bridge_frame.h"
#include "little_endian.h"

#include "memory.h"

#define HEADER_BYTES 6
#define CRC_BYTES 2

_Static_assert(BRIDGE_WIRE_PAYLOAD_AT == 2 + HEADER_BYTES, "a delimiter, the first distance and the header stand before the payload");

/* CRC of each value of four bits: two look-ups a byte cost 32 bytes of flash, one look-up would cost 512. */
static const uint16_t CRC_OF_NIBBLE[16] = {
    0x0000, 0x1021, 0x2042, 0x3063, 0x4084, 0x50A5, 0x60C6, 0x70E7, 0x8108, 0x9129, 0xA14A, 0xB16B, 0xC18C, 0xD1AD, 0xE1CE, 0xF1EF,
};

static uint16_t crc_add_nibble(uint16_t crc, uint8_t nibble)
{
    return (uint16_t)(crc << 4) ^ CRC_OF_NIBBLE[(crc >> 12) ^ nibble];
}

uint16_t bridge_frame_checksum(const uint8_t *bytes, size_t length)
{
    uint16_t crc = 0xFFFF;
    for (size_t at = 0; at < length; at++) {
        crc = crc_add_nibble(crc, bytes[at] >> 4);
        crc = crc_add_nibble(crc, bytes[at] & 0x0F);
    }
    return crc;
}

/* COBS of 1 + length bytes: the first byte and every zero become the distance to the next zero, or to the end. */
static void stuff(uint8_t *bytes, size_t length)
{
    size_t distance_at = 0;
    for (size_t at = 1; at <= length; at++) {
        if (at == length || bytes[at] == 0) {
            bytes[distance_at] = (uint8_t)(at - distance_at);
            distance_at = at;
        }
    }
}

/* Inverse of `stuff`; false where a distance points past the end. The reader never keeps a zero, so each step goes forward. */
static bool unstuff(uint8_t *bytes, size_t length)
{
    size_t at = 0;
    while (at < length) {
        const size_t next = at + bytes[at];
        if (next > length) {
            return false;
        }
        bytes[at] = 0;
        at = next;
    }
    return true;
}

int bridge_frame_seal(const struct bridge_frame *frame, uint8_t *wire, size_t space)
{
    if (frame->payload_bytes > BRIDGE_PAYLOAD_BYTES_MAX) {
        return BRIDGE_ERROR_LENGTH;
    }
    if (frame->address == 0) {
        return BRIDGE_ERROR_ADDRESS;
    }
    const size_t checked_bytes = HEADER_BYTES + (size_t)frame->payload_bytes;
    const size_t stuffed_bytes = 1 + checked_bytes + CRC_BYTES;
    if (space < stuffed_bytes + 2) {
        return BRIDGE_ERROR_SPACE;
    }
    uint8_t *const content = wire + 2;
    if (frame->payload_bytes > 0) {
        memmove(content + HEADER_BYTES, frame->payload, frame->payload_bytes); /* first: the payload may lie in `wire` */
    }
    uint8_t *at = bridge_put_u8(content, BRIDGE_FRAME_VERSION);
    at = bridge_put_u8(at, frame->type);
    at = bridge_put_u16(at, frame->address);
    bridge_put_u16(at, frame->counter);
    bridge_put_u16(content + checked_bytes, bridge_frame_checksum(content, checked_bytes));
    wire[0] = 0;
    stuff(wire + 1, stuffed_bytes);
    wire[1 + stuffed_bytes] = 0;
    return (int)(stuffed_bytes + 2);
}

/* Frame in the bytes between two delimiters. The checks come in the order of framing.py, so that both name the same error. */
static enum bridge_status open_sealed(uint8_t *stuffed, size_t length, struct bridge_frame *frame)
{
    if (!unstuff(stuffed, length)) {
        return BRIDGE_ERROR_COBS;
    }
    if (length < 1 + BRIDGE_FRAME_OVERHEAD_BYTES) {
        return BRIDGE_ERROR_LENGTH;
    }
    const uint8_t *const content = stuffed + 1;
    const size_t checked_bytes = length - 1 - CRC_BYTES;
    if (bridge_frame_checksum(content, checked_bytes) != bridge_get_u16(content + checked_bytes)) {
        return BRIDGE_ERROR_CHECKSUM;
    }
    if (content[0] != BRIDGE_FRAME_VERSION) {
        return BRIDGE_ERROR_VERSION;
    }
    if (bridge_get_u16(content + 2) == 0) {
        return BRIDGE_ERROR_ADDRESS;
    }
    *frame = (struct bridge_frame){
        .payload = content + HEADER_BYTES,
        .address = bridge_get_u16(content + 2),
        .counter = bridge_get_u16(content + 4),
        .payload_bytes = (uint8_t)(checked_bytes - HEADER_BYTES),
        .type = content[1],
    };
    return BRIDGE_OK;
}

static void keep(struct bridge_frame_reader *reader, uint8_t byte)
{
    if (reader->stuffed_bytes >= reader->space) {
        reader->is_overlong = true;
        return;
    }
    reader->stuffed[reader->stuffed_bytes++] = byte;
}

enum bridge_status bridge_frame_feed(struct bridge_frame_reader *reader, uint8_t byte, struct bridge_frame *frame)
{
    if (byte != 0) {
        keep(reader, byte);
        return BRIDGE_UNFINISHED;
    }
    const size_t length = reader->stuffed_bytes;
    const bool was_overlong = reader->is_overlong;
    reader->stuffed_bytes = 0;
    reader->is_overlong = false;
    if (was_overlong) {
        return BRIDGE_ERROR_LENGTH;
    }
    return length == 0 ? BRIDGE_UNFINISHED : open_sealed(reader->stuffed, length, frame);
}
