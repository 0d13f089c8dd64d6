"""What can be refused, as a tree. The web turns each into a status code and a plain sentence.

JiahuError
├── BadInput       what was given cannot be used; the text says what to do
│   └── WrongPin   a record was not signed; the same with the right PIN can be
├── NotFound       no such thing, or none that this person may see
├── IllegalMove    the state does not allow this step
│   └── Taken      somebody else was faster; `by` says who
└── Unavailable    a broker, database or file that the process cannot work without
    ├── NotNow     it works, but not for this at the moment; the text says what to do
    └── TooMany    as many listen as this process can serve
"""


class JiahuError(Exception):
    """Base of all errors this package raises on purpose."""


class BadInput(JiahuError):
    """What was given cannot be used; the text says what to do."""


class WrongPin(BadInput):
    """A record was not signed; the same with the right PIN can be."""


class NotFound(JiahuError):
    """No such thing, or none that this person may see."""


class IllegalMove(JiahuError):
    """The state does not allow this step."""


class Taken(IllegalMove):
    """Somebody else was faster."""

    def __init__(self, by: str) -> None:
        super().__init__(f"already taken by {by}")
        self.by = by


class Unavailable(JiahuError):
    """A broker, database or file that the process cannot work without."""


class NotNow(Unavailable):
    """It works, but not for this at the moment; the text says what to do."""


class TooMany(Unavailable):
    """As many listen as this process can serve."""
