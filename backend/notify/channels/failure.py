"""Why a channel did not take a message."""


class NotDelivered(Exception):
    """The message did not go out. `is_final`: trying again is useless."""

    def __init__(self, message: str, *, is_final: bool) -> None:
        super().__init__(message)
        self.is_final = is_final
