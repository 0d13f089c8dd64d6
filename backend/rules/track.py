"""What a rule said about one series, in event time: levels that are set and given back, and the stretches that follow.

Every kind that looks at numbers feeds a `Latch`; the words for a sample are made by `word_of`.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field

from backend.rules.model import Verdict

Point = tuple[int, float]
"""One sample: microseconds since 1970, value."""


@dataclass(slots=True)
class Episode:
    """A stretch during which at least one level was set. `steps`: (when, names set from then on); the last of a closed one is empty.

    `peak`: the worst value in it. `last_at`: the newest sample seen in it. All times in microseconds.
    """

    opened_at: int
    steps: list[tuple[int, tuple[str, ...]]]
    peak: float
    last_at: int
    closed_at: int | None = None

    @property
    def level(self) -> str | None:
        """The gravest level set at its end; None once it is closed."""
        return self.steps[-1][1][-1] if self.closed_at is None else None

    def names_at(self, at_us: int) -> tuple[str, ...]:
        """Levels set just after the samples of `at_us`."""
        return next((names for when, names in reversed(self.steps) if when <= at_us), ())

    def worst(self, order: Sequence[str]) -> str:
        """The gravest level it ever had, by `order` from mild to grave."""
        return max({name for _, names in self.steps for name in names}, key=order.index)


@dataclass(slots=True)
class Latch:
    """Which levels are set. Each is set and given back by itself: leaving a grave one never skips a mild one that still stands."""

    names: tuple[str, ...]
    is_upper: bool
    set_: list[bool] = field(default_factory=list)
    episode: Episode | None = None
    episodes: list[Episode] = field(default_factory=list)
    is_any: bool = False

    def __post_init__(self) -> None:
        self.set_ = self.set_ or [False] * len(self.names)

    def restore(self, episode: Episode) -> None:
        """Go on from an open episode."""
        names = episode.steps[-1][1]
        self.set_ = [name in names for name in self.names]
        self.is_any = any(self.set_)
        if self.is_any:
            self.episode = episode
            self.episodes.append(episode)

    def take(self, at: int, value: float, reached: Sequence[bool], cleared: Sequence[bool]) -> None:
        """One sample: a level that is reached is set; one that is cleared is given back."""
        now = [True if hit else on and not off for hit, on, off in zip(reached, self.set_, cleared, strict=True)]
        if now != self.set_:
            self.change(at, value, now)
        elif self.episode is not None:
            self.touch(at, value)

    def touch(self, at: int, value: float) -> None:
        """One sample of an open episode that changes no level."""
        episode = self.episode
        assert episode is not None
        episode.last_at = at
        if (value > episode.peak) is self.is_upper and value != episode.peak:
            episode.peak = value

    def change(self, at: int, value: float, now: list[bool]) -> None:
        """One sample with which other levels are set than before."""
        self.set_ = now
        names = tuple(name for name, on in zip(self.names, now, strict=True) if on)
        self.is_any = bool(names)
        if self.episode is None:
            self.episode = Episode(at, [(at, names)], value, at)
            self.episodes.append(self.episode)
            return
        self.touch(at, value)
        self.episode.steps.append((at, names))
        if not names:
            self.episode.closed_at = at
            self.episode = None

    @property
    def level(self) -> str | None:
        """The gravest level that is set."""
        return gravest(self.names, self.set_)


def word_of(reached: Sequence[bool], cleared: Sequence[bool]) -> Verdict:
    """What a sample says: BREACHED where a level is reached, CLEAR where all are cleared, else HELD."""
    if any(reached):
        return Verdict.BREACHED
    return Verdict.CLEAR if all(cleared) else Verdict.HELD


def gravest(names: Sequence[str], reached: Sequence[bool]) -> str | None:
    """The last of the names whose level is reached."""
    return next((name for name, hit in zip(reversed(names), reversed(reached), strict=True) if hit), None)


def is_same(known: Episode, new: Episode) -> bool:
    """The same stretch, as far as it was known: they begin together, or have more than an instant in common."""
    is_common = (new.closed_at is None or known.opened_at < new.closed_at) and (known.closed_at is None or new.opened_at < known.closed_at)
    return known.opened_at == new.opened_at or is_common
