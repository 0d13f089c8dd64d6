"""Tells systemd how the daemon is, by its notification protocol: one datagram per word to the socket that systemd names.

READY=1 once devices are read and the outbox is open; WATCHDOG=1 while the main loop steps; STOPPING=1 at the end. When the word stays out
for WatchdogSec=, systemd ends the daemon and starts it again. Source: sd_notify(3) and sd_watchdog_enabled(3) of systemd.
"""

import logging
import os
import socket
from collections.abc import Mapping

logger = logging.getLogger(__name__)

MICROSECONDS = 1e6
SHARE = 4
"""The word is sent this many times as often as it must come; systemd's manual asks for two."""


class Systemd:
    """The way to systemd, from the environment it gave; without one every word is dropped."""

    def __init__(self, environment: Mapping[str, str]) -> None:
        self._address = environment.get("NOTIFY_SOCKET", "")
        self._every_s = _every_s(environment)
        self._said_s: float | None = None
        self._is_unheard = False

    def ready(self) -> None:
        """The start is over."""
        self._say("READY=1")

    def stopping(self) -> None:
        """The end has begun, by wish or by a fault."""
        self._say("STOPPING=1")

    def alive(self, now_s: float) -> None:
        """The main loop has stepped; `now_s` on a clock that only grows. Sent as often as the watchdog asks for, if it does."""
        if self._every_s is not None and (self._said_s is None or now_s - self._said_s >= self._every_s):
            self._said_s = now_s
            self._say("WATCHDOG=1")

    def _say(self, word: str) -> None:
        """An address that begins with @ is abstract: it has no file, and a zero byte in place of the @."""
        if not self._address:
            return
        address = f"\0{self._address[1:]}" if self._address.startswith("@") else self._address
        try:
            with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_CLOEXEC) as line:
                line.setblocking(False)
                line.sendto(word.encode(), address)
        except OSError as error:
            level = logging.DEBUG if self._is_unheard else logging.WARNING
            self._is_unheard = True
            logger.log(level, "systemd cannot be told %s: %s", word, error, extra={"event": "systemd_unheard"})


def _every_s(environment: Mapping[str, str]) -> float | None:
    """None where no watchdog is set, or it is meant for another process."""
    limit, pid = environment.get("WATCHDOG_USEC", ""), environment.get("WATCHDOG_PID", "")
    if not limit.isdigit() or int(limit) == 0 or pid not in ("", str(os.getpid())):
        return None
    return int(limit) / MICROSECONDS / SHARE
