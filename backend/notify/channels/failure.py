"""Why a channel did not take a message."""


class NotDelivered(Exception):
    """The message did not go out. `is_final`: trying again is useless. `retry_after_s`: how long the channel asked to wait, if it did.

    `is_gone`: nobody is at this address any more, and nothing more should be sent there. `is_in_doubt`: it was handed over and no answer
    came, so it may have gone out.
    """

    def __init__(
        self, message: str, *, is_final: bool, retry_after_s: float | None = None, is_gone: bool = False, is_in_doubt: bool = False
    ) -> None:
        super().__init__(message)
        self.is_final = is_final
        self.retry_after_s = retry_after_s
        self.is_gone = is_gone
        self.is_in_doubt = is_in_doubt
