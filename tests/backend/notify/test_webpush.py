"""Web Push: the example of RFC 8291, what is refused, and whole messages to a push service of our own that can read them."""

import json
import threading
from base64 import urlsafe_b64encode
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.utils import encode_dss_signature
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from backend.config import VAPID_KEY, NotifyConfig
from backend.notify import webpush
from backend.notify.channels import push
from backend.notify.channels.failure import NotDelivered
from backend.notify.channels.message import Message
from backend.notify.webpush import NoSubscription, Subscription
from tests.backend.street import NOW

HERE = NotifyConfig(push_hosts=["127.0.0.1"])
KEY = "00000000-0000-4000-8000-000000000001"
# RFC 8291, 5 and appendix A
PLAIN = b"When I grow up, I want to be a watermelon"
RECEIVER = "BCVxsr7N_eNgVRqvHtD0zTZsEc6-VV-JvLexhqUzORcxaOzi6-AYWXvTBHm4bjyPjs7Vd8pZGH6SRpkNtoIAiw4"
AUTH, SALT = "BTBZMqHH6r4Tts7J_aSIgg", "DGv6ra1nlYgDCS1FRnbzlw"
SENDER = "yfWPiYE-n46HLnH0KqZOF1fJJU3MYrct3AELtAQ-oRw"
SEALED = (
    "DGv6ra1nlYgDCS1FRnbzlwAAEABBBP4z9KsN6nGRTbVYI_c7VJSPQTBtkgcy27mlmlMoZIIgDll6e3vCYLocInmYWAmS6TlzAC8wEqKK6PBru3jl7A_"
    "yl95bQpu6cVPTpK4Mqgkf1CXztLVBSt2Ks3oZwbuwXPXLWyouBWLVWGNWQexSgSxsj_Qulcy4a-fN"
)


class PushService(ThreadingHTTPServer):
    """A push service with one browser behind it: takes messages as RFC 8030 says, and reads them as the browser would."""

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.own = ec.generate_private_key(webpush.CURVE)
        self.auth = bytes(range(16))
        self.status = 201
        self.got: list[tuple[dict[str, str], bytes]] = []

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_address[1]}"

    def subscription(self) -> str:
        """What the browser would give."""
        keys = {"p256dh": webpush.encode(webpush.point_of(self.own)), "auth": webpush.encode(self.auth)}
        return json.dumps({"endpoint": f"{self.url}/push/1", "expirationTime": None, "keys": keys})

    def read(self, number: int = -1) -> dict[str, str]:
        """Decrypt a message; written from RFC 8291, not from the sender's code."""
        body = self.got[number][1]
        salt, size, length = body[:16], int.from_bytes(body[16:20], "big"), body[20]
        sender, sealed = body[21 : 21 + length], body[21 + length :]
        assert len(body) <= size == 4096
        shared = self.own.exchange(ec.ECDH(), ec.EllipticCurvePublicKey.from_encoded_point(webpush.CURVE, sender))

        def derive(secret: bytes, salt: bytes, info: bytes, length: int) -> bytes:
            return HKDF(algorithm=hashes.SHA256(), length=length, salt=salt, info=info).derive(secret)

        secret = derive(shared, self.auth, b"WebPush: info\0" + webpush.point_of(self.own) + sender, 32)
        key, nonce = (derive(secret, salt, f"Content-Encoding: {what}\0".encode(), n) for what, n in (("aes128gcm", 16), ("nonce", 12)))
        plain = AESGCM(key).decrypt(nonce, sealed, None)
        assert plain[-1:] == b"\x02"
        return dict(json.loads(plain[:-1]))


class _Handler(BaseHTTPRequestHandler):
    server: PushService

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["Content-Length"]))
        self.server.got.append((dict(self.headers), body))
        if self.server.status == 0:  # takes it, and its answer is lost
            return
        self.send_response(self.server.status)
        self.send_header("Content-Length", "0")
        self.end_headers()

    def log_message(self, format: str, *args: object) -> None:
        pass


@pytest.fixture
def service(monkeypatch: pytest.MonkeyPatch) -> Iterator[PushService]:
    """A push service on this machine, and a key to sign with."""
    monkeypatch.setenv(VAPID_KEY, webpush.new_key())
    with PushService() as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield server
        server.shutdown()


def message(service: PushService) -> Message:
    return Message(service.subscription(), KEY, "家护 Jiahu: 紧急派单", "", {"at": NOW.isoformat()})


def test_the_example_of_the_rfc_is_sealed_byte_for_byte() -> None:
    to = Subscription("https://push.example.net/push/1", webpush.decode(RECEIVER), webpush.decode(AUTH))
    sealed = webpush.encrypt(PLAIN, to, salt=webpush.decode(SALT), sender=webpush.read_key(SENDER))
    assert webpush.encode(sealed) == SEALED


def test_a_message_arrives_signed_and_only_the_browser_can_read_it(service: PushService) -> None:
    push.send(message(service), HERE)
    [(headers, body)] = service.got
    assert service.read() == {"key": KEY, "title": "家护 Jiahu: 紧急派单", "at": NOW.isoformat()}
    assert "派单".encode() not in body
    assert (headers["Content-Encoding"], headers["TTL"], headers["Urgency"]) == ("aes128gcm", "600", "high")
    assert headers["Topic"] == KEY.replace("-", ""), "at most 32 characters of base64url (RFC 8030, 5.4)"
    token, _, public = headers["Authorization"].removeprefix("vapid t=").partition(", k=")
    said, _, signature = token.rpartition(".")
    r, s = (int.from_bytes(half, "big") for half in (webpush.decode(signature)[:32], webpush.decode(signature)[32:]))
    key = ec.EllipticCurvePublicKey.from_encoded_point(webpush.CURVE, webpush.decode(public))
    key.verify(encode_dss_signature(r, s), said.encode(), ec.ECDSA(hashes.SHA256()))
    claims = json.loads(webpush.decode(said.partition(".")[2]))
    assert claims["aud"] == service.url
    assert claims["sub"] == "mailto:jiahu@localhost"
    assert public == push.public_key()


@pytest.mark.parametrize(
    ("status", "is_final", "is_gone"), [(404, True, True), (410, True, True), (400, True, False), (429, False, False), (503, False, False)]
)
def test_what_the_service_answers(service: PushService, status: int, is_final: bool, is_gone: bool) -> None:
    service.status = status
    with pytest.raises(NotDelivered) as raised:
        push.send(message(service), HERE)
    assert (raised.value.is_final, raised.value.is_gone) == (is_final, is_gone)


def test_a_lost_answer_leaves_it_in_doubt_and_a_service_that_is_not_there_does_not(service: PushService) -> None:
    service.status = 0
    with pytest.raises(NotDelivered) as lost:
        push.send(message(service), HERE)
    assert (lost.value.is_in_doubt, lost.value.is_final, len(service.got)) == (True, False, 1)
    service.shutdown()
    service.server_close()
    with pytest.raises(NotDelivered) as away:
        push.send(message(service), HERE)
    assert (away.value.is_in_doubt, away.value.is_final) == (False, False)


@pytest.mark.parametrize(
    "change",
    [
        {"endpoint": "https://evil.test/push"},
        {"endpoint": "http://fcm.googleapis.com/x"},
        {"endpoint": "https://fcm.googleapis.com.evil.test/x"},
        {"endpoint": "https://169.254.169.254/latest"},
        {"endpoint": "file:///etc/passwd"},
        {"keys": {"p256dh": "AAAA", "auth": AUTH}},
        {"keys": {"p256dh": RECEIVER, "auth": "AAAA"}},
        {"keys": None},
    ],
)
def test_strange_subscriptions_are_refused(change: dict[str, object]) -> None:
    good: dict[str, object] = {"endpoint": "https://fcm.googleapis.com/fcm/send/1", "keys": {"p256dh": RECEIVER, "auth": AUTH}}
    hosts = tuple(NotifyConfig().push_hosts)
    assert Subscription.read(json.dumps(good), hosts).endpoint == good["endpoint"]
    with pytest.raises(NoSubscription):
        Subscription.read(json.dumps(good | change), hosts)
    for text in ("", "[]", "null", '"x"', "{", urlsafe_b64encode(b"\xff").decode()):
        with pytest.raises(NoSubscription):
            Subscription.read(text, hosts)


def test_without_a_key_nothing_is_sent_and_it_says_what_to_do(service: PushService, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv(VAPID_KEY)
    with pytest.raises(NotDelivered, match=VAPID_KEY):
        push.send(message(service), HERE)
    assert push.public_key() is None
    assert service.got == []


@pytest.mark.parametrize("place", ["/a\x01b", "/\ud800", "/路", "/a b", ":99999999/a", ":x/a"], ids=ascii)
def test_an_endpoint_that_cannot_be_called_is_no_subscription(place: str) -> None:
    keys = {"p256dh": RECEIVER, "auth": AUTH}
    Subscription.read(json.dumps({"endpoint": "https://fcm.googleapis.com/a", "keys": keys}), ("fcm.googleapis.com",))
    with pytest.raises(NoSubscription):
        Subscription.read(json.dumps({"endpoint": f"https://fcm.googleapis.com{place}", "keys": keys}), ("fcm.googleapis.com",))
