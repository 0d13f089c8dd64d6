"""What a GSM modem's errors mean.

Source of codes and meanings: 3GPP TS 27.005, 3.2.5 (+CMS ERROR; below 128 they are the network's own causes, TS 24.011, 8.2.5.4), and
TS 27.007, 9.2 (+CME ERROR).
"""

from enum import StrEnum

UNSUPPORTED_LINES = ("COMMAND NOT SUPPORT", "TOO MANY PARAMETERS")
"""What Huawei says instead of ERROR."""


class ModemFault(StrEnum):
    """Why a message was not sent, or cannot be."""

    PORT_LOST = "port_lost"
    SILENT = "silent"
    NO_SIM = "no_sim"
    SIM_LOCKED = "sim_locked"
    SIM_FAILED = "sim_failed"
    NOT_REGISTERED = "not_registered"
    NO_SERVICE_CENTRE = "no_service_centre"
    NETWORK = "network"
    NOT_ALLOWED = "not_allowed"
    UNSUPPORTED = "unsupported"
    NO_PROMPT = "no_prompt"
    UNKNOWN = "unknown"


F = ModemFault
CMS_ERRORS: dict[int, tuple[ModemFault, str]] = {
    1: (F.NETWORK, "unassigned number"),
    8: (F.NOT_ALLOWED, "operator determined barring"),
    10: (F.NOT_ALLOWED, "call barred"),
    21: (F.NETWORK, "short message transfer rejected"),
    27: (F.NETWORK, "destination out of service"),
    28: (F.NETWORK, "unidentified subscriber"),
    29: (F.NETWORK, "facility rejected"),
    38: (F.NETWORK, "network out of order"),
    41: (F.NETWORK, "temporary failure"),
    42: (F.NETWORK, "congestion"),
    47: (F.NETWORK, "resources unavailable"),
    50: (F.NOT_ALLOWED, "requested facility not subscribed"),
    69: (F.UNSUPPORTED, "requested facility not implemented"),
    300: (F.UNKNOWN, "ME failure"),
    301: (F.UNKNOWN, "SMS service of ME reserved"),
    302: (F.NOT_ALLOWED, "operation not allowed"),
    303: (F.UNSUPPORTED, "operation not supported"),
    304: (F.UNSUPPORTED, "invalid PDU mode parameter"),
    305: (F.UNSUPPORTED, "invalid text mode parameter"),
    310: (F.NO_SIM, "SIM not inserted"),
    311: (F.SIM_LOCKED, "SIM PIN required"),
    312: (F.SIM_LOCKED, "PH-SIM PIN required"),
    313: (F.SIM_FAILED, "SIM failure"),
    314: (F.SIM_FAILED, "SIM busy"),
    315: (F.SIM_FAILED, "SIM wrong"),
    316: (F.SIM_LOCKED, "SIM PUK required"),
    317: (F.SIM_LOCKED, "SIM PIN2 required"),
    318: (F.SIM_LOCKED, "SIM PUK2 required"),
    320: (F.UNKNOWN, "memory failure"),
    322: (F.UNKNOWN, "memory full"),
    330: (F.NO_SERVICE_CENTRE, "SMSC address unknown"),
    331: (F.NOT_REGISTERED, "no network service"),
    332: (F.NETWORK, "network timeout"),
    500: (F.UNKNOWN, "unknown error"),
}
CME_ERRORS: dict[int, tuple[ModemFault, str]] = {
    3: (F.NOT_ALLOWED, "operation not allowed"),
    4: (F.UNSUPPORTED, "operation not supported"),
    10: (F.NO_SIM, "SIM not inserted"),
    11: (F.SIM_LOCKED, "SIM PIN required"),
    12: (F.SIM_LOCKED, "SIM PUK required"),
    13: (F.SIM_FAILED, "SIM failure"),
    14: (F.SIM_FAILED, "SIM busy"),
    15: (F.SIM_FAILED, "SIM wrong"),
    30: (F.NOT_REGISTERED, "no network service"),
    31: (F.NETWORK, "network timeout"),
    32: (F.NOT_REGISTERED, "network not allowed - emergency calls only"),
    100: (F.UNKNOWN, "unknown"),
}
ERRORS = {"+CMS ERROR:": CMS_ERRORS, "+CME ERROR:": CME_ERRORS}


class ModemTrouble(Exception):
    """The modem cannot do what it is asked. `code` is its own number, where it gave one."""

    def __init__(self, fault: ModemFault, code: int | None = None) -> None:
        super().__init__(fault.value if code is None else f"{fault.value} ({code})")
        self.fault = fault
        self.code = code


def fault_of(line: str) -> tuple[ModemFault, int | None]:
    """What an error line means, and its number where it has one."""
    for family, codes in ERRORS.items():
        code = line.removeprefix(family).strip()
        if line.startswith(family) and code.isdecimal():
            return codes.get(int(code), (ModemFault.UNKNOWN, ""))[0], int(code)
    return ModemFault.UNSUPPORTED if line.startswith(UNSUPPORTED_LINES) else ModemFault.UNKNOWN, None


def is_error(line: str) -> bool:
    """True for a line that ends a command without success."""
    return line == "ERROR" or line.startswith((*ERRORS, *UNSUPPORTED_LINES))


def meaning_of(line: str) -> str:
    """The standard's words for an error line's number."""
    family = next(one for one in ERRORS if line.startswith(one))
    _, code = fault_of(line)
    return ERRORS[family][code][1] if code in ERRORS[family] else "unknown error"
