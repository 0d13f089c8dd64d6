"""Answers of the backend are lost and repeated on the wire, and nothing else is touched. The packets are as the standard draws them."""

import pytest

from simulators.faults.stored_tap import PacketReader, Publish, StoredTap, make_publish, parse_publish

TOPIC = b"jiahu/1/7/home-01/stored"
COMMAND = b"jiahu/1/7/home-01/command"
CONNECT_5 = bytes.fromhex("10 14 0004 4d515454 05 02 0014 00 0007") + b"home-01"
CONNECT_311 = bytes.fromhex("10 13 0004 4d515454 04 02 0014 0007") + b"home-01"
PINGRESP = bytes.fromhex("d000")
LONG = b"x" * 300


def publish(topic: bytes, payload: bytes, version: int, packet_id: int = 9) -> bytes:
    """QoS 1; in MQTT 5 with a property (topic alias 1) before the payload."""
    body = len(topic).to_bytes(2, "big") + topic + packet_id.to_bytes(2, "big")
    body += (b"\x03\x23\x00\x01" if version == 5 else b"") + payload
    length = bytes([len(body)]) if len(body) < 128 else bytes([len(body) % 128 | 0x80, len(body) // 128])
    return b"\x32" + length + body


@pytest.fixture
def tap() -> StoredTap:
    return StoredTap(seed=1)


VERSIONS = pytest.mark.parametrize(("connect", "version"), [(CONNECT_5, 5), (CONNECT_311, 4)])


@VERSIONS
def test_what_is_not_to_be_lost_passes_as_it_is(tap: StoredTap, connect: bytes, version: int) -> None:
    one = tap.make_filter()
    assert one.pass_up(connect) == connect
    stream = publish(TOPIC, b"{}", version) + PINGRESP + publish(COMMAND, LONG, version)
    assert one.pass_down(stream) == (stream, b"")


@VERSIONS
def test_a_lost_answer_is_acknowledged_to_the_broker(tap: StoredTap, connect: bytes, version: int) -> None:
    one = tap.make_filter()
    one.pass_up(connect)
    tap.lose(1)
    command = publish(COMMAND, b"c", version)
    assert one.pass_down(command + publish(TOPIC, LONG, version, 0x1234) + PINGRESP) == (command + PINGRESP, bytes.fromhex("4002 1234"))
    kept = publish(TOPIC, b"next", version)
    assert one.pass_down(kept) == (kept, b"")
    assert tap.lost == 1


@VERSIONS
def test_an_old_answer_comes_again_on_a_new_connection(tap: StoredTap, connect: bytes, version: int) -> None:
    old, new = tap.make_filter(), tap.make_filter()
    old.pass_up(connect)
    old.pass_down(publish(TOPIC, LONG, version))
    new.pass_up(connect)
    tap.repeat(1)
    onward, back = new.pass_down(PINGRESP)
    assert back == b"" and onward.startswith(PINGRESP)
    assert parse_publish(onward[len(PINGRESP) :], version) == Publish(TOPIC, None, LONG)
    assert tap.repeated == 1


@VERSIONS
def test_any_cut_of_the_stream_gives_the_same(tap: StoredTap, connect: bytes, version: int) -> None:
    one = tap.make_filter()
    assert b"".join(one.pass_up(connect[at : at + 1]) for at in range(len(connect))) == connect
    tap.lose(1)
    stream = publish(TOPIC, LONG, version, 0x0102) + publish(COMMAND, LONG, version)
    pieces = [one.pass_down(stream[at : at + 1]) for at in range(len(stream))]
    assert b"".join(onward for onward, _ in pieces) == publish(COMMAND, LONG, version)
    assert b"".join(back for _, back in pieces) == bytes.fromhex("4002 0102")


def test_what_is_sent_to_the_broker_is_whole_packets_only(tap: StoredTap) -> None:
    one = tap.make_filter()
    assert one.pass_up(CONNECT_5[:5]) == b""
    assert one.pass_up(CONNECT_5[5:] + PINGRESP[:1]) == CONNECT_5


def test_healed_it_loses_nothing_more(tap: StoredTap) -> None:
    tap.lose(3)
    tap.repeat(3)
    tap.heal()
    packet = publish(TOPIC, b"{}", 5)
    assert tap.make_filter().pass_down(packet) == (packet, b"")


@pytest.mark.parametrize("size", [0, 1, 100, 127, 128, 16_383, 16_384, 200_000])
@pytest.mark.parametrize("version", [4, 5])
def test_a_packet_of_any_length_is_read_as_it_was_made(size: int, version: int) -> None:
    packet = make_publish(TOPIC, bytes(size), version)
    assert list(PacketReader().feed(packet + PINGRESP)) == [packet, PINGRESP]
    assert parse_publish(packet, version) == Publish(TOPIC, None, bytes(size))
