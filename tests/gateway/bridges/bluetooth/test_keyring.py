"""The file of the Bluetooth keys: closed to others, whole or put aside, one program at a time."""

import json
import os
from pathlib import Path

import pytest

from gateway.bridges.bluetooth.keyring import Keyring, enrolled_in
from gateway.errors import BadInput

A, B = "C1:00:00:00:00:01", "C1:00:00:00:00:02"


def opened(path: Path) -> Keyring:
    ring = Keyring(path)
    ring.open()
    return ring


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "deep" / "keys"


def test_each_gateway_has_its_own_identity_and_keeps_it(path: Path, tmp_path: Path) -> None:
    first, other = opened(path), opened(tmp_path / "other")
    first.close()
    again = opened(path)
    assert (again.irk, again.address) == (first.irk, first.address)
    assert first.irk != other.irk != bytes(16)
    assert int(first.address[:2], 16) >= 0xC0
    assert first.address != other.address


def test_nobody_else_may_read_it_whatever_the_mask_is(path: Path) -> None:
    mask = os.umask(0)
    try:
        ring = opened(path)
        ring.known("cuff", A).bond = {"ltk": {"value": "00"}, "names": [A]}
        ring.save()
    finally:
        os.umask(mask)
    assert path.stat().st_mode & 0o777 == 0o600
    ring.close()
    path.chmod(0o644)
    opened(path).close()
    assert path.stat().st_mode & 0o777 == 0o600


def test_another_address_under_the_same_name_is_another_device(path: Path) -> None:
    ring = opened(path)
    ring.known("cuff", A).last = 7
    assert ring.known("cuff", A).last == 7
    assert ring.known("cuff", B).last is None


def test_enrolled_devices_are_found_without_the_lock(path: Path) -> None:
    assert enrolled_in(path) == {}
    ring = opened(path)
    ring.known("cuff", A).is_enrolled = True
    ring.known("scale", B)
    ring.save()
    assert enrolled_in(path) == {"cuff": A}
    ring.forget("cuff")
    assert enrolled_in(path) == {}


def test_two_programs_cannot_have_it(path: Path) -> None:
    ring = opened(path)
    with pytest.raises(BadInput, match="Stop it first"):
        opened(path)
    ring.close()
    opened(path)


@pytest.mark.parametrize("text", ["", "[]", "{", '{"irk": "zz"}', json.dumps({"irk": "00" * 16, "address": A, "devices": {"x": {"y": 1}}})])
def test_a_damaged_file_is_put_aside(path: Path, text: str) -> None:
    path.parent.mkdir()
    path.write_text(text, "utf-8")
    ring = opened(path)
    assert ring.devices == {}
    assert path.with_name("keys.damaged").read_text("utf-8") == text
    assert json.loads(path.read_text("utf-8"))["irk"] == ring.irk.hex()


def test_a_place_that_cannot_be_written_is_said(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(BadInput, match=r"\[bluetooth\] keys"):
        opened(tmp_path / "file" / "keys")


def test_what_may_not_be_read_is_not_thrown_away(path: Path) -> None:
    path.mkdir(parents=True)
    with pytest.raises(BadInput, match="must belong to the user"):
        opened(path)
    assert path.exists()


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can give a file away")
def test_what_root_pairs_belongs_to_the_gateway_s_user(path: Path) -> None:
    path.parent.mkdir()
    os.chown(path.parent, 12345, 12345)
    ring = opened(path)
    ring.save()
    assert {one.stat().st_uid for one in path.parent.iterdir()} == {12345}
