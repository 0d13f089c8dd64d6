"""docs/bluetooth.md: its example is taken, and it names every key and reason that there is."""

import re
from pathlib import Path

import pytest

from gateway import config
from gateway.bridges.bluetooth.words import TROUBLES
from gateway.config import BluetoothConfig, BluetoothDeviceConfig

TEXT = (Path(__file__).parents[2] / "docs" / "bluetooth.md").read_text("utf-8")


def test_the_example_is_taken(tmp_path: Path) -> None:
    (example,) = re.findall(r"```toml\n(.*?)```", TEXT, flags=re.DOTALL)
    (tmp_path / "gateway.toml").write_text(example, "utf-8")
    home = config.read(tmp_path / "gateway.toml")
    assert home.bluetooth is not None
    assert [one.id for one in home.bluetooth.device] == ["cuff-1", "oximeter-1", "meter-1"]
    assert home.keys_path() == Path("/var/lib/jiahu/bluetooth.keys")
    assert "004217" not in home.model_dump_json()


@pytest.mark.parametrize("name", [*BluetoothConfig.model_fields, *BluetoothDeviceConfig.model_fields, *sorted(TROUBLES)])
def test_every_key_and_reason_is_explained(name: str) -> None:
    assert f"`{name}`" in TEXT
