"""The SOS button: levels in, what was recognised out. A press is (from, to) in ms; the button is looked at every 10 ms."""

import ctypes

import pytest

from tests.firmware.library import SosButton

PRESSED, CANCELLED = 1, 2
WRAP = 1 << 32

Presses = list[tuple[int, int]]
Events = list[tuple[int, int]]


def play(library: ctypes.CDLL, presses: Presses, *, start_ms: int = 0, length_ms: int = 90_000, fell_ms: int | None = None) -> Events:
    button, events = SosButton(), []
    for now_ms in range(0, length_ms, 10):
        if now_ms == fell_ms:
            library.bridge_sos_note_fall(button, (start_ms + now_ms) % WRAP)
        is_pressed = any(begin <= now_ms < end for begin, end in presses)
        kind = library.bridge_sos_feed(button, is_pressed, (start_ms + now_ms) % WRAP)
        if kind:
            events.append((now_ms, kind))
    return events


@pytest.mark.parametrize(
    ("presses", "events"),
    [
        pytest.param([(100, 1050)], [], id="too short"),
        pytest.param([(100, 1200)], [(1100, PRESSED)], id="held a second, still down"),
        pytest.param([(100, 80_000)], [(1100, PRESSED)], id="stuck down gives one"),
        pytest.param([(100, 600), (610, 1300)], [(1100, PRESSED)], id="a bounce does not start the hold anew"),
        pytest.param([(100, 600), (700, 1300)], [], id="two short presses are not one long"),
        pytest.param([(0, 20)] + [(at, at + 10) for at in range(100, 2000, 20)], [], id="chatter is no press"),
        pytest.param([(100, 1200), (5000, 8100)], [(1100, PRESSED), (8000, CANCELLED)], id="three seconds more cancel"),
        pytest.param([(100, 1200), (5000, 7900)], [(1100, PRESSED)], id="asking again does not cancel"),
        pytest.param([(100, 5000)], [(1100, PRESSED)], id="the same hold does not cancel"),
        pytest.param([(100, 1200), (31_000, 35_000)], [(1100, PRESSED), (34_000, CANCELLED)], id="begun within 30 s"),
        pytest.param([(100, 1200), (31_200, 35_000)], [(1100, PRESSED), (32_200, PRESSED)], id="begun after 30 s is a new SOS"),
        pytest.param(
            [(100, 1200), (5000, 8100), (9000, 10_100)],
            [(1100, PRESSED), (8000, CANCELLED), (10_000, PRESSED)],
            id="after a cancellation a second is an SOS again",
        ),
    ],
)
def test_presses_become_events(library: ctypes.CDLL, presses: Presses, events: Events) -> None:
    assert play(library, presses) == events


@pytest.mark.parametrize("start_ms", [WRAP - 500, WRAP - 3000, WRAP - 6000])
def test_the_wrap_of_the_clock_changes_nothing(library: ctypes.CDLL, start_ms: int) -> None:
    presses = [(100, 1200), (5000, 8100)]
    assert play(library, presses, start_ms=start_ms) == play(library, presses)


WELL = [(5000, 5400), (5800, 6200)]


@pytest.mark.parametrize(
    ("presses", "events"),
    [
        pytest.param(WELL, [(6230, CANCELLED)], id="two short presses"),
        pytest.param([*WELL, (7000, 7300), (7600, 7900)], [(6230, CANCELLED)], id="once only"),
        pytest.param([(5000, 5400)], [], id="one is not enough"),
        pytest.param([(5000, 5400), (7000, 7400)], [], id="too far apart"),
        pytest.param([(5000, 6200), *[(at + 3000, end + 3000) for at, end in WELL]], [(6000, PRESSED)], id="not after an SOS"),
        pytest.param([(5000, 5400), (5800, 7000)], [(6800, PRESSED)], id="the second held is an SOS"),
        pytest.param([(91_200, 91_400), (91_800, 92_000)], [], id="not after 90 s"),
    ],
)
def test_after_a_fall_two_short_presses_say_that_all_is_well(library: ctypes.CDLL, presses: Presses, events: Events) -> None:
    assert play(library, presses, length_ms=95_000, fell_ms=1000) == events
