"""Web Push without I/O: the message encrypted for one browser (RFC 8291), and the signature that says who sends it (RFC 8292).

A subscription is what the browser gives (`PushSubscription.toJSON()`): {"endpoint": URL, "keys": {"p256dh": ..., "auth": ...}}.
"""

import json
import re
import secrets
from base64 import urlsafe_b64decode, urlsafe_b64encode
from dataclasses import dataclass
from datetime import datetime, timedelta
from urllib.parse import urlsplit

from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.kdf.hkdf import HKDF
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

CURVE = ec.SECP256R1()
RECORD_BYTES = 4096
"""RFC 8291, 4: one record of at most 4096 bytes."""
PAYLOAD_BYTES_MAX = RECORD_BYTES - 16 - 1 - 86
"""Without the tag, the delimiter and the header (16 salt, 4 size, 1 length, 65 key): what every push service takes."""
SIGNED_FOR = timedelta(hours=12)
"""RFC 8292, 2: at most 24 h."""


URL = re.compile(r"[!-~]{1,2000}")
"""RFC 3986, 2: printable ASCII. Real endpoints have some 200 characters."""


class NoSubscription(ValueError):
    """Not a subscription that a message can be encrypted for."""


@dataclass(frozen=True, slots=True)
class Subscription:
    """One browser: where its push service takes messages, its public key (65 bytes) and its secret (16 bytes)."""

    endpoint: str
    key: bytes
    auth: bytes

    @classmethod
    def read(cls, text: str, hosts: tuple[str, ...]) -> "Subscription":
        """From JSON. `hosts`: push services that are allowed, each with all below it. Raises NoSubscription.

        Over HTTPS only (RFC 8030, 8), but to this very machine, where a test's service may listen.
        """
        try:
            given = json.loads(text)
            found = cls(str(given["endpoint"]), decode(given["keys"]["p256dh"]), decode(given["keys"]["auth"]))
            if not URL.fullmatch(found.endpoint):
                raise ValueError("an endpoint is a URL of printable ASCII")
            place = urlsplit(found.endpoint)
            _ = place.port  # raises for one that is none
            ec.EllipticCurvePublicKey.from_encoded_point(CURVE, found.key)
        except (ValueError, KeyError, TypeError) as error:
            raise NoSubscription("this is not a push subscription") from error
        host = place.hostname or ""
        is_safe = place.scheme == "https" or (place.scheme == "http" and host == "127.0.0.1")
        if not is_safe or not any(host == one or host.endswith(f".{one}") for one in hosts) or len(found.auth) != 16:
            raise NoSubscription("this push service is not one that is allowed")
        return found

    def text(self) -> str:
        """The same subscription is always the same text."""
        return json.dumps({"endpoint": self.endpoint, "keys": {"p256dh": encode(self.key), "auth": encode(self.auth)}})


def encrypt(
    payload: bytes, to: Subscription, *, salt: bytes | None = None, sender: ec.EllipticCurvePrivateKey | None = None
) -> bytes:  # fmt: skip
    """The body of the request, at most PAYLOAD_BYTES_MAX bytes of payload. `salt` (16 bytes) and `sender` are fresh but in tests.

        SSSSSSSSSSSSSSSS RRRR L K*65 C...     salt, record size, length of the key, sender's key, ciphertext with its tag

    Source: RFC 8188, 2.1 (header) and 2.2, 2.3 (keys); RFC 8291, 3.3 and 3.4 (key from both sides and the browser's secret).
    """
    if len(payload) > PAYLOAD_BYTES_MAX:
        raise ValueError(f"at most {PAYLOAD_BYTES_MAX} bytes")
    salt = salt or secrets.token_bytes(16)
    sender = sender or ec.generate_private_key(CURVE)
    own = point_of(sender)
    shared = sender.exchange(ec.ECDH(), ec.EllipticCurvePublicKey.from_encoded_point(CURVE, to.key))
    secret = _hkdf(shared, salt=to.auth, info=b"WebPush: info\x00" + to.key + own, length=32)
    key = _hkdf(secret, salt=salt, info=b"Content-Encoding: aes128gcm\x00", length=16)
    nonce = _hkdf(secret, salt=salt, info=b"Content-Encoding: nonce\x00", length=12)
    sealed = AESGCM(key).encrypt(nonce, payload + b"\x02", None)
    return salt + RECORD_BYTES.to_bytes(4, "big") + bytes([len(own)]) + own + sealed


def authorization(endpoint: str, key: ec.EllipticCurvePrivateKey, *, contact: str, now: datetime) -> str:
    """The Authorization header: a JWT signed with ES256 (RFC 8292, 2 and 3). `contact`: `mailto:` or `https:` of whoever runs this."""
    place = urlsplit(endpoint)
    claims = {"aud": f"{place.scheme}://{place.netloc}", "exp": int((now + SIGNED_FOR).timestamp()), "sub": contact}
    said = f"{_json({'typ': 'JWT', 'alg': 'ES256'})}.{_json(claims)}"
    r, s = decode_dss_signature(key.sign(said.encode(), ec.ECDSA(hashes.SHA256())))
    signature = encode(r.to_bytes(32, "big") + s.to_bytes(32, "big"))
    return f"vapid t={said}.{signature}, k={encode(point_of(key))}"


def new_key() -> str:
    """A new private key as it stands in the environment: 32 bytes, base64url."""
    return encode(ec.generate_private_key(CURVE).private_numbers().private_value.to_bytes(32, "big"))


def read_key(text: str) -> ec.EllipticCurvePrivateKey:
    """The private key of such a text. Raises ValueError."""
    return ec.derive_private_key(int.from_bytes(decode(text), "big"), CURVE)


def point_of(key: ec.EllipticCurvePrivateKey) -> bytes:
    """The public key, 65 bytes: 04, x, y."""
    return key.public_key().public_bytes(Encoding.X962, PublicFormat.UncompressedPoint)


def encode(data: bytes) -> str:
    """Base64url without padding."""
    return urlsafe_b64encode(data).rstrip(b"=").decode()


def decode(text: str) -> bytes:
    """Base64url, padded or not. Raises ValueError."""
    return urlsafe_b64decode(text + "=" * (-len(text) % 4))


def _json(value: dict[str, object]) -> str:
    return encode(json.dumps(value, separators=(",", ":")).encode())


def _hkdf(secret: bytes, *, salt: bytes, info: bytes, length: int) -> bytes:
    return HKDF(hashes.SHA256(), length, salt, info).derive(secret)
