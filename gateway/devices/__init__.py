"""The table of device types: a new driver is a file beside this one and a row here.

A driver is imported when its type is first asked for: all of them together would cost every home 2.5 MB of memory.
"""

from collections.abc import Iterator, Mapping
from functools import cache
from importlib import import_module

from gateway.devices.driver import Driver

PLACES: dict[str, str] = {
    "bci_oximeter": "bci_oximeter:BciOximeter",
    "bluetooth": "bluetooth:Bluetooth",
    "bp_beurer_bm65": "bp_beurer_bm65:BpBeurerBm65",
    "bp_visomat": "bp_visomat:BpVisomat",
    "contec_v5": "contec_v5:ContecV5",
    "contec_v7": "contec_v7:ContecV7",
    "emfit_qs": "emfit_qs:EmfitQs",
    "enocean_esp3": "enocean_esp3:EnoceanEsp3",
    "hlk_ld1125h": "hlk_ld1125h:HlkLd1125h",
    "hlk_ld2410": "hlk_ld2410:HlkLd2410",
    "hlk_ld2450": "hlk_ld2450:HlkLd2450",
    "jiahu_bed_mat": "jiahu_bed_mat:BedMat",
    "jiahu_ble_bridge": "jiahu_ble_bridge:BleBridge",
    "jiahu_ble_device": "jiahu_ble_device:BleDevice",
    "jiahu_pendant": "jiahu_pendant:Pendant",
    "jiahu_wearable": "jiahu_wearable:Wearable",
    "nonin_serial": "nonin_serial:NoninSerial",
    "nonin_spot": "nonin_spot:NoninSpot",
    "radar_sy": "radar_sy:RadarSy",
    "radar_tinyframe": "radar_tinyframe:RadarTinyFrame",
    "rflink": "rflink:Rflink",
    "rfxtrx": "rfxtrx:Rfxtrx",
    "rtl433_json": "rtl433_json:Rtl433",
    "zigbee2mqtt": "zigbee:Zigbee2Mqtt",
}
"""Type: the file beside this one, and its driver."""

RECEIVERS = frozenset({"enocean_esp3", "rflink", "rfxtrx", "rtl433_json", "zigbee2mqtt"})
"""Types that hear radio devices, which are enrolled below them."""


class _Drivers(Mapping[str, type[Driver]]):
    """The drivers by their types."""

    def __getitem__(self, name: str) -> type[Driver]:
        return _load(PLACES[name])

    def __iter__(self) -> Iterator[str]:
        return iter(PLACES)

    def __len__(self) -> int:
        return len(PLACES)


@cache
def _load(place: str) -> type[Driver]:
    file, _, name = place.partition(":")
    driver: type[Driver] = getattr(import_module(f"gateway.devices.{file}"), name)
    return driver


DRIVERS: Mapping[str, type[Driver]] = _Drivers()
