"""What became of each message: a table in a file that load, cloud and judge have mapped into their memory."""

from pathlib import Path

import numpy as np
import numpy.typing as npt

COLUMNS = ("sent_s", "accepted_s", "received_s", "copies")
Times = npt.NDArray[np.float64]


class Ledger:
    """One entry per message, by its number. Instants are on the machine's monotonic clock, in seconds; 0 is never."""

    def __init__(self, path: Path, count: int | None = None) -> None:
        """Map the file; with `count` make it first, all zeros."""
        if count is not None:
            path.write_bytes(bytes(8 * len(COLUMNS) * count))
        table = np.memmap(path, np.float64, "r+").reshape(len(COLUMNS), -1)
        self.sent_s: Times = table[0]
        self.accepted_s: Times = table[1]
        self.received_s: Times = table[2]
        self.copies: Times = table[3]

    def __len__(self) -> int:
        return len(self.sent_s)

    def receive(self, number: int, now_s: float) -> None:
        """The cloud has the whole message; the first time counts. A number that nobody sent is a bug and raises IndexError."""
        if self.received_s[number] == 0:
            self.received_s[number] = now_s
        self.copies[number] += 1

    @property
    def accepted(self) -> int:
        """How many were accepted."""
        return int(np.count_nonzero(self.accepted_s))

    @property
    def received(self) -> int:
        """How many the cloud has."""
        return int(np.count_nonzero(self.received_s))

    @property
    def duplicates(self) -> int:
        """How many copies the cloud had besides."""
        return int(np.sum(np.maximum(self.copies - 1, 0)))

    def lost(self, before_s: float = np.inf) -> Times:
        """When each message was accepted that the cloud never got, of those accepted before `before_s`."""
        is_lost = (self.accepted_s > 0) & (self.received_s == 0) & (self.accepted_s < before_s)
        return np.asarray(self.accepted_s[is_lost], np.float64)

    def latencies_s(self, first: int = 0, last: int | None = None) -> Times:
        """From sent to received, of messages first..last (without last) that were sent; infinite for those never received. Sorted."""
        sent_s, received_s = self.sent_s[first:last], self.received_s[first:last]
        latencies: Times = np.where(received_s > 0, received_s - sent_s, np.inf)
        return np.asarray(np.sort(latencies[sent_s > 0]), np.float64)


def percentile(sorted_values: Times, share: float) -> float:
    """Value below which `share` (0..1) of the values lie; infinite when there are none."""
    return float(sorted_values[min(int(len(sorted_values) * share), len(sorted_values) - 1)]) if len(sorted_values) else float("inf")
