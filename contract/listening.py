"""To all homes of a shard: somebody hears them again."""

from contract.message import Instant, Message


class Listening(Message):
    """An ingest process has just begun to hear the homes of this shard. What it has not answered may be lost: send it again at once."""

    at: Instant
