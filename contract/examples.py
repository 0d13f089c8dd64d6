"""One example of every message, for the contract's document and for tests that parse them."""

from datetime import UTC, datetime

from contract.commands import Dismiss, Enrol, LiveView, Report, Speak
from contract.events import AccelerationWindow, Event, EventKind, remark
from contract.listening import Listening
from contract.message import Message
from contract.quantities import QuantityName, Statistic
from contract.readings import Series, SeriesBatch
from contract.status import DeviceStatus, GatewayStatus
from contract.stored import Refused, RefusedReason, Stored, digest_of
from contract.topics import Leaf

_AT = datetime(2026, 3, 1, 19, 12, tzinfo=UTC)
_LOG = "5f3a9c0d12e47b86"

EXAMPLES: dict[Leaf, list[Message]] = {
    Leaf.SERIES: [
        SeriesBatch(
            log_id=_LOG,
            first=1001,
            last=1005,
            floor=1001,
            sent_at=_AT,
            series=[
                Series(
                    device="wearable-1",
                    quantity=QuantityName.HEART_RATE,
                    start_at=_AT,
                    offsets_ms=[0, 1000, 2000],
                    values=[71, 72, 72],
                    sequences=[0, 2, 4],
                ),
                Series(
                    device="oximeter-1",
                    quantity=QuantityName.SPO2,
                    statistic=Statistic.MEAN,
                    start_at=_AT,
                    offsets_ms=[0],
                    values=[96.4],
                    sequences=[1],
                ),
            ],
        )
    ],
    Leaf.EVENT: [
        Event(
            log_id=_LOG,
            sequence=1004,
            floor=1001,
            event_id="wearable-1:9c2e-3",
            device="wearable-1",
            kind=EventKind.FALL,
            at=_AT,
            sent_at=_AT,
            confidence=0.93,
            window=AccelerationWindow(rate_hz=50, x=[12, 30, -410], y=[-980, -1010, -3900], z=[88, 90, 1200]),
        ),
        Event(
            log_id=_LOG,
            sequence=1006,
            floor=1004,
            event_id="gateway:alone-1f0c6a5b9d3e7724-sms-2-failed",
            device="wearable-1",
            kind=EventKind.ALONE_SMS,
            at=_AT,
            sent_at=_AT,
            detail=remark(event="wearable-1:9c2e-3", contact=2, result="failed", reason="no_sim"),
        ),
    ],
    Leaf.STATUS: [
        GatewayStatus(
            online=True,
            at=_AT,
            version="0.1.0",
            log_id=_LOG,
            started_at=_AT,
            waiting=3,
            oldest_waiting_at=_AT,
            devices=[
                DeviceStatus(
                    id="wearable-1",
                    type="jiahu_wearable",
                    is_lost=False,
                    heard_at=_AT,
                    frames=86_400,
                    rejects={"checksum": 2},
                    battery_percent=80,
                )
            ],
        ),
        GatewayStatus(online=False, at=_AT),
    ],
    Leaf.STORED: [
        Stored(log_id=_LOG, first=1001, last=1005, at=_AT),
        Refused(digest=digest_of(b"not JSON"), reason=RefusedReason.NOT_JSON, detail="expected value at line 1", at=_AT),
    ],
    Leaf.COMMAND: [
        Speak(id=7, text="已收到求助，正在联系。", until=_AT),
        Report(id=8),
        LiveView(id=11, until=_AT),
        Enrol(id=9, device="cuff-1", address="C1:22:33:44:55:66", until=_AT),
        Dismiss(id=10, device="cuff-1", until=_AT),
    ],
}
"""Messages by the leaf of their topic; the second status is a last will."""

LISTENING_EXAMPLE = Listening(at=_AT)
