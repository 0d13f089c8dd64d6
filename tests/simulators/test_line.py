"""Serial lines fail as told, and not otherwise."""

import pytest

from simulators.line import GARBAGE_BYTES_MAX, LineFaults, LineRates

CHUNK = bytes(range(256)) * 4


def sent_through(rates: LineRates, seed: int = 1, chunks: int = 20) -> list[bytes]:
    line = LineFaults(rates, seed)
    for _ in range(chunks):
        line.push(CHUNK, 0.0)
    return line.pull(1e9)


def test_a_good_line_changes_nothing() -> None:
    assert sent_through(LineRates()) == [CHUNK] * 20


@pytest.mark.parametrize("rates", [LineRates(loss=0.1), LineRates(noise=0.1), LineRates(garbage=0.5), LineRates(repeat=0.5)])
def test_the_same_seed_gives_the_same_damage(rates: LineRates) -> None:
    assert sent_through(rates) == sent_through(rates)
    assert sent_through(rates) != sent_through(rates, seed=2)
    assert sent_through(rates) != [CHUNK] * 20


def test_loss_drops_bytes_and_keeps_the_order_of_the_rest() -> None:
    arrived = sent_through(LineRates(loss=0.2), chunks=1)[0]
    assert len(arrived) / len(CHUNK) == pytest.approx(0.8, abs=0.05)
    rest = iter(CHUNK)
    assert all(byte in rest for byte in arrived)


def test_noise_flips_one_bit_of_some_bytes() -> None:
    arrived = sent_through(LineRates(noise=0.2), chunks=1)[0]
    flipped = [(got ^ sent).bit_count() for got, sent in zip(arrived, CHUNK, strict=True)]
    assert set(flipped) == {0, 1}
    assert sum(flipped) / len(CHUNK) == pytest.approx(0.2, abs=0.05)


def test_garbage_comes_before_a_chunk_and_leaves_it_whole() -> None:
    arrived = sent_through(LineRates(garbage=1))
    assert all(chunk.endswith(CHUNK) and 0 < len(chunk) - len(CHUNK) <= GARBAGE_BYTES_MAX for chunk in arrived)


def test_a_repeated_chunk_comes_twice() -> None:
    assert sent_through(LineRates(repeat=1)) == [CHUNK] * 40


def test_late_chunks_keep_their_order() -> None:
    line = LineFaults(LineRates(delay_s=2), seed=1)
    line.push(b"first", 0.0)
    line.rates = LineRates()
    line.push(b"second", 1.0)
    assert line.pull(1.9) == []
    assert line.pull(2.0) == [b"first", b"second"]
