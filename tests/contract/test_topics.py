"""Topics: what is built can be parsed and is filtered; nothing else is a topic; a home keeps its shard for ever."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from contract import topics
from contract.topics import DOWNWARD, SHARD_COUNT, UPWARD, Leaf

GATEWAY_IDS = st.from_regex(r"[a-z0-9][a-z0-9_-]{0,39}", fullmatch=True)


def matches(topic_filter: str, topic: str) -> bool:
    """MQTT 5.0, 4.7.1: + stands for one level."""
    pairs = zip(topic_filter.split("/"), topic.split("/"), strict=True)
    return all(wanted in ("+", level) for wanted, level in pairs)


@given(GATEWAY_IDS, st.sampled_from(Leaf))
def test_what_is_built_can_be_parsed(gateway_id: str, leaf: Leaf) -> None:
    assert topics.parse(topics.build(gateway_id, leaf)) == (topics.shard_of(gateway_id), gateway_id, leaf)


def test_nobody_can_be_called_everybody() -> None:
    with pytest.raises(ValueError):
        topics.parse(topics.listening(7))


# CRC-32 of the name modulo 64: a change would send homes to a process that does not serve them.
@pytest.mark.parametrize(("gateway_id", "shard"), [("gw-1", 38), ("gw-2", 28), ("home-03", 40), ("a", 3)])
def test_the_shard_of_a_home_never_changes(gateway_id: str, shard: int) -> None:
    assert topics.shard_of(gateway_id) == shard


def test_homes_spread_over_all_shards() -> None:
    assert {topics.shard_of(f"gw-{number}") for number in range(1000)} == set(range(SHARD_COUNT))


@pytest.mark.parametrize(
    "topic",
    [
        "",
        "jiahu",
        "jiahu/2/38/gw-1/series",
        "jiahu/1/38/gw-1",
        "jiahu/1/38/gw-1/series/x",
        "/jiahu/1/38/gw-1/series",
        "jiahu/1/38/gw-1/secret",
        "jiahu/1/38/gw-1/",
        "jiahu/1/23/GW-1/series",
        "jiahu/1/38//series",
        "jiahu/1/+/gw-1/series",
        "jiahu/1/37/gw-1/series",
        "jiahu/1/038/gw-1/series",
        "jiahu/1/3/home-03/series",
        "jiahu/1/-1/gw-1/series",
        "jiahu/1/３８/gw-1/series",
        "jiahu/1/03/a/series",
        "jiahu/1/38/gw-1/series\n",
    ],
)
def test_other_topics_are_refused(topic: str) -> None:
    with pytest.raises(ValueError):
        topics.parse(topic)


def test_a_gateway_hears_what_is_meant_for_it_and_for_everybody() -> None:
    assert topics.downward_filter("gw-1") == ["jiahu/1/38/gw-1/stored", "jiahu/1/38/gw-1/command", "jiahu/1/38/_/listening"]


def test_one_process_for_all_shards_needs_three_filters() -> None:
    assert topics.upward_filters() == ["jiahu/1/+/+/series", "jiahu/1/+/+/event", "jiahu/1/+/+/status"]


@given(GATEWAY_IDS, st.sampled_from(Leaf), st.integers(1, SHARD_COUNT - 1))
def test_whatever_goes_up_is_heard_by_exactly_one_of_two_processes(gateway_id: str, leaf: Leaf, cut: int) -> None:
    topic = topics.build(gateway_id, leaf)
    halves = [topics.upward_filters(0, cut - 1), topics.upward_filters(cut, SHARD_COUNT - 1)]
    heard = [sum(matches(one, topic) for one in filters) for filters in halves]
    assert sorted(heard) == ([0, 1] if leaf in UPWARD else [0, 0])


@pytest.mark.parametrize(("first", "last"), [(-1, 3), (0, SHARD_COUNT), (5, 4)])
def test_shards_that_do_not_exist_are_refused(first: int, last: int) -> None:
    with pytest.raises(ValueError):
        topics.upward_filters(first, last)


def test_every_leaf_goes_one_way() -> None:
    assert {*UPWARD} | {*DOWNWARD} == {*Leaf} and not {*UPWARD} & {*DOWNWARD}
