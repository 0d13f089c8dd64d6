"""What can go wrong, as a tree.

GatewayError
├── BadInput       the configuration cannot be used; the text says what to do
└── StoreBroken    the outbox cannot be written at all: the daemon must stop and be restarted
"""


class GatewayError(Exception):
    """Base of all errors this package raises on purpose."""


class BadInput(GatewayError):
    """The configuration cannot be used; the text says what to do."""


class StoreBroken(GatewayError):
    """The outbox cannot be written at all: the daemon must stop and be restarted."""
