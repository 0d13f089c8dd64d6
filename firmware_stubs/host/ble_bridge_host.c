/*
 * The BLE-to-UART bridge as a program: ble_bridge.c on the host's board (hal_host.h), the air made of files.
 *
 *     ble_bridge_host --port PATH --address N [--radio PATH]... [--bond AA:BB:CC:DD:EE:FF=N]... [--clock real|samples]  < records
 *
 * Each --radio, at most 8, is the tty of one of our own devices: the bytes that it would send over the air, and those for it. A record of
 * 73 bytes on standard input is one notification of a health device:
 *
 *     MM MM MM MM MM MM UU UU NN DD..     MM its address, most significant byte first    UU characteristic, little-endian
 *                                         NN bytes of the value, 0..64                   DD the value, filled up to 64 bytes
 *
 * Ends as wearable_host, once its input has ended and nothing waits. A radio that vanishes is opened again, every 200 ms.
 */
#include "ble_bridge.h"
#include "hal_host.h"
#include "little_endian.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define RECORD_BYTES 73
#define CHARACTERISTIC_AT 6
#define LENGTH_AT 8
#define VALUE_AT 9
#define VALUE_BYTES 64
#define RATE_HZ 100
#define RADIOS_MAX BLE_BRIDGE_PEERS_MAX
#define BONDS_MAX 16
#define HEX 16

static const char USAGE[] = "usage: ble_bridge_host --port PATH --address 1..65535 [--radio PATH]... [--bond AA:BB:CC:DD:EE:FF=1..65535]... "
                            "[--boot 0..65535] [--clock real|samples]";

/* The tty of one device; its number is the last byte of its address on the air. */
struct radio {
    const char *path;
    int tty;
    uint32_t tried_ms;
};

/* The host's board must be the first member: it is the context of clock and UART. */
struct air {
    struct host host;
    struct ble_bridge bridge;
    struct radio radios[RADIOS_MAX];
    struct ble_bond bonds[BONDS_MAX];
    uint8_t radio_count;
    uint8_t bond_count;
    uint8_t next_radio;
};

static bool read_bond(struct air *air, const char *text)
{
    struct ble_bond bond = {.address = 0};
    const char *at = text;
    for (int byte = 0; byte < BRIDGE_PEER_BYTES; byte++) {
        char *end;
        const unsigned long value = strtoul(at, &end, HEX);
        const char wanted = byte + 1 < BRIDGE_PEER_BYTES ? ':' : '=';
        if (end != at + 2 || *end != wanted) {
            return false;
        }
        bond.peer[byte] = (uint8_t)value;
        at = end + 1;
    }
    unsigned long address;
    if (air->bond_count == BONDS_MAX || !host_read_number(at, 1, UINT16_MAX, &address)) {
        return false;
    }
    bond.address = (uint16_t)address;
    air->bonds[air->bond_count++] = bond;
    return true;
}

static bool read_choice(void *context, const char *name, const char *value)
{
    struct air *const air = context;
    if (strcmp(name, "--bond") == 0) {
        return read_bond(air, value);
    }
    if (strcmp(name, "--radio") == 0 && value[0] != '\0' && air->radio_count < RADIOS_MAX) {
        air->radios[air->radio_count++] = (struct radio){.path = value, .tty = -1};
        return true;
    }
    return false;
}

/* Whether the radio's tty is open; one that is not is tried again every HOST_REOPEN_MS. */
static bool is_open(struct air *air, struct radio *radio)
{
    const uint32_t now_ms = air->bridge.hal->clock_ms(&air->host);
    if (radio->tty < 0 && (radio->tried_ms == 0 || now_ms - radio->tried_ms >= HOST_REOPEN_MS)) {
        radio->tried_ms = now_ms == 0 ? 1 : now_ms;
        radio->tty = host_open_tty(radio->path);
    }
    return radio->tty >= 0;
}

static void lose(struct radio *radio)
{
    close(radio->tty);
    radio->tty = -1;
}

static bool hear_radio(struct air *air, uint8_t number, struct bridge_radio_packet *packet)
{
    struct radio *const radio = &air->radios[number];
    if (!is_open(air, radio)) {
        return false;
    }
    const ssize_t got = read(radio->tty, packet->value, sizeof packet->value);
    if (got == 0 || (got < 0 && errno != EAGAIN && errno != EINTR)) {
        lose(radio);
    }
    if (got <= 0) {
        return false;
    }
    memset(packet->peer, 0, sizeof packet->peer);
    packet->peer[BRIDGE_PEER_BYTES - 1] = number;
    packet->characteristic = BRIDGE_RADIO_OWN;
    packet->bytes = (uint8_t)got;
    return true;
}

static bool hear_record(struct air *air, struct bridge_radio_packet *packet)
{
    if (!host_next_record(&air->host)) {
        return false;
    }
    const uint8_t *const record = air->host.record;
    memcpy(packet->peer, record, BRIDGE_PEER_BYTES);
    packet->characteristic = bridge_get_u16(record + CHARACTERISTIC_AT);
    packet->bytes = record[LENGTH_AT] < VALUE_BYTES ? record[LENGTH_AT] : VALUE_BYTES;
    memcpy(packet->value, record + VALUE_AT, packet->bytes);
    return packet->characteristic != BRIDGE_RADIO_OWN; /* a record is no device of ours */
}

static bool radio_read(void *context, struct bridge_radio_packet *packet)
{
    struct air *const air = context;
    for (uint8_t tried = 0; tried < air->radio_count; tried++) {
        const uint8_t number = air->next_radio;
        air->next_radio = (uint8_t)((number + 1) % air->radio_count);
        if (hear_radio(air, number, packet)) {
            return true;
        }
    }
    return hear_record(air, packet);
}

static bool radio_write(void *context, const uint8_t peer[BRIDGE_PEER_BYTES], const uint8_t *bytes, size_t length)
{
    struct air *const air = context;
    const uint8_t number = peer[BRIDGE_PEER_BYTES - 1];
    return number < air->radio_count && is_open(air, &air->radios[number]) &&
           write(air->radios[number].tty, bytes, length) == (ssize_t)length;
}

static bool poll_air(void *device)
{
    struct air *const air = device;
    return ble_bridge_poll(&air->bridge);
}

static bool is_idle(const void *device)
{
    const struct air *const air = device;
    return ble_bridge_is_idle(&air->bridge);
}

int main(int count, char **arguments)
{
    static struct air air;
    struct host_options options = {.program = "ble_bridge_host", .usage = USAGE, .read_more = read_choice, .context = &air};
    if (!host_read_options(count, arguments, &options)) {
        return HOST_BAD_OPTION;
    }
    air.host.record_bytes = RECORD_BYTES;
    air.host.rate_hz = RATE_HZ;
    struct bridge_hal hal = {.radio_read = radio_read, .radio_write = radio_write};
    const struct ble_bridge_config config = {.bonds = air.bonds, .bond_count = air.bond_count, .address = options.address};
    host_start(&air.host, &hal, &options);
    ble_bridge_init(&air.bridge, &hal, &config);
    host_run(&air.host, poll_air, is_idle, &air);
    fprintf(
        stderr,
        "ble_bridge_host: records=%u dropped=%u strangers=%u rejected=%u cut_off=%u\n",
        air.host.records,
        air.bridge.dropped,
        air.bridge.strangers,
        air.bridge.frames_rejected,
        air.bridge.frames_cut_off);
    return host_stop(&air.host);
}
