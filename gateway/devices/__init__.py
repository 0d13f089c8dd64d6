"""The table of device types: a new driver is a file beside this one and a row here."""

from gateway.devices.bci_oximeter import BciOximeter
from gateway.devices.driver import Driver
from gateway.devices.jiahu_bed_mat import BedMat
from gateway.devices.jiahu_wearable import Wearable

DRIVERS: dict[str, type[Driver]] = {
    "bci_oximeter": BciOximeter,
    "jiahu_bed_mat": BedMat,
    "jiahu_wearable": Wearable,
}
