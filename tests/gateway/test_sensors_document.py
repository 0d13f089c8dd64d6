"""The example in docs/sensors.md is a configuration that the gateway takes."""

import re
from pathlib import Path

from gateway import config

DOCUMENT = Path(__file__).parents[2] / "docs" / "sensors.md"


def test_the_example_for_radars_and_cuffs_is_taken(tmp_path: Path) -> None:
    (example,) = re.findall(r"```toml\n(.*?)```", DOCUMENT.read_text("utf-8"), flags=re.DOTALL)
    (tmp_path / "gateway.toml").write_text(example, "utf-8")
    home = config.read(tmp_path / "gateway.toml")
    assert [port.setting().baud for port in home.port if port.is_serial] == [115_200, 115_200, 1_382_400, 4800]
    assert [device.type for port in home.port for device in port.device] == [
        "radar_sy",
        "radar_tinyframe",
        "radar_tinyframe",
        "emfit_qs",
        "bp_beurer_bm65",
    ]
