"""The table of device types: a new driver is a file beside this one and a row here."""

from gateway.devices.bci_oximeter import BciOximeter
from gateway.devices.bp_beurer_bm65 import BpBeurerBm65
from gateway.devices.bp_visomat import BpVisomat
from gateway.devices.contec_v5 import ContecV5
from gateway.devices.contec_v7 import ContecV7
from gateway.devices.driver import Driver
from gateway.devices.emfit_qs import EmfitQs
from gateway.devices.enocean_esp3 import EnoceanEsp3
from gateway.devices.hlk_ld1125h import HlkLd1125h
from gateway.devices.hlk_ld2410 import HlkLd2410
from gateway.devices.hlk_ld2450 import HlkLd2450
from gateway.devices.jiahu_bed_mat import BedMat
from gateway.devices.jiahu_wearable import Wearable
from gateway.devices.nonin_serial import NoninSerial
from gateway.devices.nonin_spot import NoninSpot
from gateway.devices.radar_sy import RadarSy
from gateway.devices.radar_tinyframe import RadarTinyFrame
from gateway.devices.rflink import Rflink
from gateway.devices.rfxtrx import Rfxtrx
from gateway.devices.rtl433_json import Rtl433
from gateway.devices.zigbee import Zigbee2Mqtt

DRIVERS: dict[str, type[Driver]] = {
    "bci_oximeter": BciOximeter,
    "bp_beurer_bm65": BpBeurerBm65,
    "bp_visomat": BpVisomat,
    "contec_v5": ContecV5,
    "contec_v7": ContecV7,
    "emfit_qs": EmfitQs,
    "enocean_esp3": EnoceanEsp3,
    "hlk_ld1125h": HlkLd1125h,
    "hlk_ld2410": HlkLd2410,
    "hlk_ld2450": HlkLd2450,
    "jiahu_bed_mat": BedMat,
    "jiahu_wearable": Wearable,
    "nonin_serial": NoninSerial,
    "nonin_spot": NoninSpot,
    "radar_sy": RadarSy,
    "radar_tinyframe": RadarTinyFrame,
    "rflink": Rflink,
    "rfxtrx": Rfxtrx,
    "rtl433_json": Rtl433,
    "zigbee2mqtt": Zigbee2Mqtt,
}

RECEIVERS = frozenset({"enocean_esp3", "rflink", "rfxtrx", "rtl433_json", "zigbee2mqtt"})
"""Types that hear radio devices, which are enrolled below them."""
