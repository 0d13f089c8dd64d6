"""Every MQTT topic string of the project is built and parsed here.

    jiahu/1/{shard}/{gateway_id}/{leaf}

    leaf        direction            retained   message
    series      gateway -> backend   no         SeriesBatch
    event       gateway -> backend   no         Event
    status      gateway -> backend   yes        GatewayStatus (also the last will)
    stored      backend -> gateway   no         Stored or Refused
    command     backend -> gateway   no         Command

    jiahu/1/{shard}/_/listening: backend -> all gateways of the shard, not retained, Listening

`1` is the version of the contract. A home always belongs to the same shard; an ingest process serves a range of shards.
"""

import re
import zlib
from enum import StrEnum
from typing import NamedTuple

ROOT = "jiahu/1"
SHARD_COUNT = 64
LISTENING = "listening"
EVERYBODY = "_"
"""Stands for all gateways of a shard; no gateway can have this name."""

_TOPIC = re.compile(r"jiahu/1/([0-9]{1,2})/([a-z0-9][a-z0-9_-]{0,39})/([a-z]+)")


class Leaf(StrEnum):
    """Last level of a topic."""

    SERIES = "series"
    EVENT = "event"
    STATUS = "status"
    STORED = "stored"
    COMMAND = "command"


UPWARD = (Leaf.SERIES, Leaf.EVENT, Leaf.STATUS)
DOWNWARD = (Leaf.STORED, Leaf.COMMAND)


class Topic(NamedTuple):
    """A parsed topic."""

    shard: int
    gateway_id: str
    leaf: Leaf


def shard_of(gateway_id: str) -> int:
    """Shard of a gateway, 0..63: CRC-32 of its name, so that every program finds the same one without asking."""
    return zlib.crc32(gateway_id.encode()) % SHARD_COUNT


def build(gateway_id: str, leaf: Leaf) -> str:
    """Topic of one gateway's leaf."""
    return f"{ROOT}/{shard_of(gateway_id)}/{gateway_id}/{leaf}"


def parse(topic: str) -> Topic:
    """Parse a topic. Raises ValueError for a foreign one, an unknown leaf or a shard that is not the gateway's own."""
    match = _TOPIC.fullmatch(topic)
    if match is None:
        raise ValueError(f"not a topic of contract version 1: {topic!r}")
    shard, gateway_id, leaf = match[1], match[2], Leaf(match[3])
    if shard != str(shard_of(gateway_id)):
        raise ValueError(f"gateway {gateway_id} belongs to shard {shard_of(gateway_id)}, not {shard}")
    return Topic(int(shard), gateway_id, leaf)


def listening(shard: int) -> str:
    """Topic on which all gateways of a shard are told that they are heard."""
    return f"{ROOT}/{shard}/{EVERYBODY}/{LISTENING}"


def downward_filter(gateway_id: str) -> list[str]:
    """What a gateway subscribes to."""
    return [*(build(gateway_id, leaf) for leaf in DOWNWARD), listening(shard_of(gateway_id))]


def upward_filters(first_shard: int = 0, last_shard: int = SHARD_COUNT - 1) -> list[str]:
    """What an ingest process subscribes to for shards first..last; one wildcard per leaf when it serves them all."""
    if not 0 <= first_shard <= last_shard < SHARD_COUNT:
        raise ValueError(f"shards must lie in 0..{SHARD_COUNT - 1}, first before last")
    everything = (first_shard, last_shard) == (0, SHARD_COUNT - 1)
    shards = ["+"] if everything else [str(shard) for shard in range(first_shard, last_shard + 1)]
    return [f"{ROOT}/{shard}/+/{leaf}" for leaf in UPWARD for shard in shards]
