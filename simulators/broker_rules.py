"""Who may publish and read what on the project's brokers, as questions for amqtt and as files for Mosquitto. No I/O.

    client         publishes to                             reads
    gateway gw-x   jiahu/1/+/gw-x/{series,event,status}     jiahu/1/+/gw-x/{stored,command}, jiahu/1/+/_/listening
    backend user   jiahu/1/+/+/{stored,command}             jiahu/1/+/+/{series,event,status}
                   jiahu/1/+/_/listening

A gateway's topics carry its own name, which is also the name it signs in with; nobody is anonymous.
"""

import base64
import hashlib
import secrets
from collections.abc import Collection, Mapping
from pathlib import Path

from contract.topics import DOWNWARD, EVERYBODY, LISTENING, ROOT, UPWARD

_PASSWORD_ROUNDS = 101  # what mosquitto_passwd 2.0 uses; the passwords of private brokers are random anyway


def may_write(user: str, topic: str, *, backend_users: Collection[str]) -> bool:
    """May `user` publish to `topic`?"""
    gateway_id, leaf = _levels(topic)
    if user in backend_users:
        return leaf in DOWNWARD or (gateway_id, leaf) == (EVERYBODY, LISTENING)
    return gateway_id == user and leaf in UPWARD


def may_read(user: str, topic_filter: str, *, backend_users: Collection[str]) -> bool:
    """May `user` have everything that `topic_filter` can match? A topic is a filter that matches itself."""
    gateway_id, leaf = _levels(topic_filter)
    if user in backend_users:
        return leaf in UPWARD
    return (gateway_id == user and leaf in DOWNWARD) or (gateway_id, leaf) == (EVERYBODY, LISTENING)


def mosquitto_acl(backend_users: Collection[str], *, loaders: Collection[str] = ()) -> str:
    """The rules as an ACL file; %u is the client's name. Mosquitto asks about reading at each delivery, not at SUBSCRIBE.

    `loaders` play many homes over one connection: each may do what all gateways may.
    """
    lines = [f"pattern write {ROOT}/+/%u/{leaf}" for leaf in UPWARD] + [f"pattern read {ROOT}/+/%u/{leaf}" for leaf in DOWNWARD]
    lines += [f"pattern read {ROOT}/+/{EVERYBODY}/{LISTENING}"]
    for user in backend_users:
        lines += ["", f"user {user}"]
        lines += [f"topic read {ROOT}/+/+/{leaf}" for leaf in UPWARD] + [f"topic write {ROOT}/+/+/{leaf}" for leaf in DOWNWARD]
        lines += [f"topic write {ROOT}/+/{EVERYBODY}/{LISTENING}"]
    for user in loaders:
        lines += ["", f"user {user}", f"topic read {ROOT}/+/{EVERYBODY}/{LISTENING}"]
        lines += [f"topic write {ROOT}/+/+/{leaf}" for leaf in UPWARD] + [f"topic read {ROOT}/+/+/{leaf}" for leaf in DOWNWARD]
    return "\n".join(lines) + "\n"


def mosquitto_conf(port: int, *, passwords: Path, rules: Path) -> str:
    """Configuration of a Mosquitto 2 on this machine only. `deploy/mosquitto.conf`, for a real one, gives the reasons of the limits."""
    lines = [
        f"listener {port} 127.0.0.1",
        "allow_anonymous false",
        f"password_file {passwords}",
        f"acl_file {rules}",
        "persistence false",
        "max_inflight_messages 1000",
        "max_queued_messages 10000",
        "max_packet_size 1048576",
    ]
    return "\n".join(lines) + "\n"


def mosquitto_passwords(accounts: Mapping[str, str]) -> str:
    """A password file. Each line: name:$7$rounds$salt$hash, PBKDF2 with SHA-512, 12 and 64 bytes (Mosquitto 2.0, password_mosq.c)."""
    lines = []
    for name, password in accounts.items():
        salt = secrets.token_bytes(12)
        digest = hashlib.pbkdf2_hmac("sha512", password.encode(), salt, _PASSWORD_ROUNDS)
        lines.append(f"{name}:$7${_PASSWORD_ROUNDS}${base64.b64encode(salt).decode()}${base64.b64encode(digest).decode()}\n")
    return "".join(lines)


def _levels(topic: str) -> tuple[str, str]:
    """Gateway and leaf of a topic or filter; empty for one of another shape, which nobody may use."""
    levels = topic.split("/")
    if len(levels) != 5 or "/".join(levels[:2]) != ROOT:
        return "", ""
    return levels[3], levels[4]
