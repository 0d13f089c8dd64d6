"""The topic rules as questions, and as the file that Mosquitto is deployed with."""

from pathlib import Path

import pytest

from simulators.broker_rules import may_read, may_write, mosquitto_acl, mosquitto_passwords

DEPLOYED = Path(__file__).resolve().parents[2] / "deploy" / "mosquitto.acl"


@pytest.mark.parametrize(
    ("user", "topic", "allowed"),
    [
        ("gw-1", "jiahu/1/7/gw-1/event", True),
        ("gw-1", "jiahu/1/7/gw-1/series", True),
        ("gw-1", "jiahu/1/7/gw-1/status", True),
        ("gw-1", "jiahu/1/7/gw-1/stored", False),
        ("gw-1", "jiahu/1/7/gw-2/event", False),
        ("gw-1", "jiahu/1/7/gw-1/event/more", False),
        ("gw-1", "jiahu/2/7/gw-1/event", False),
        ("backend", "jiahu/1/7/gw-1/stored", True),
        ("backend", "jiahu/1/7/gw-1/command", True),
        ("backend", "jiahu/1/7/gw-1/event", False),
        ("backend", "jiahu/1/7/_/listening", True),
        ("backend", "jiahu/1/7/gw-1/listening", False),
        ("gw-1", "jiahu/1/7/_/listening", False),
        ("backend", "elsewhere", False),
    ],
)
def test_who_may_publish_where(user: str, topic: str, allowed: bool) -> None:
    assert may_write(user, topic, backend_users=["backend"]) is allowed


@pytest.mark.parametrize(
    ("user", "topic_filter", "allowed"),
    [
        ("gw-1", "jiahu/1/+/gw-1/stored", True),
        ("gw-1", "jiahu/1/7/gw-1/command", True),
        ("gw-1", "jiahu/1/7/gw-1/event", False),
        ("gw-1", "jiahu/1/7/+/stored", False),
        ("gw-1", "jiahu/1/7/gw-1/#", False),
        ("gw-1", "jiahu/1/7/_/listening", True),
        ("gw-1", "jiahu/1/7/_/stored", False),
        ("gw-1", "#", False),
        ("backend", "jiahu/1/+/+/event", True),
        ("backend", "jiahu/1/7/gw-1/status", True),
        ("backend", "jiahu/1/+/+/stored", False),
        ("backend", "jiahu/1/#", False),
    ],
)
def test_who_may_read_what(user: str, topic_filter: str, allowed: bool) -> None:
    assert may_read(user, topic_filter, backend_users=["backend"]) is allowed


def test_the_deployed_rules_are_those_the_tests_run_with() -> None:
    deployed = [line for line in DEPLOYED.read_text("utf-8").splitlines() if line and not line.startswith("#")]
    assert deployed == [line for line in mosquitto_acl(["backend"]).splitlines() if line]


def test_a_password_file_holds_no_password() -> None:
    assert "secret" not in mosquitto_passwords({"gw-1": "secret"})


def test_equal_passwords_have_different_hashes() -> None:
    first, second = mosquitto_passwords({"gw-1": "secret", "gw-2": "secret"}).splitlines()
    assert first.partition(":")[2] != second.partition(":")[2]
