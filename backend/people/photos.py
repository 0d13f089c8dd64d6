"""Pictures of elders: small ones, as a browser or a careful hand made them; what they are is read from their first bytes."""

from datetime import datetime
from typing import Any

from backend.db.pool import Connection
from backend.errors import BadInput, NotFound

BYTES_MAX = 48 * 1024
"""A face of 320 x 320 as JPEG takes some 20 kB. The table `elder_photo` checks the same."""

GET = "SELECT media_type, image FROM elder_photo WHERE elder_id = %(elder_id)s"
SET = """
INSERT INTO elder_photo (elder_id, media_type, image, set_by, set_at)
SELECT id, %(media_type)s, %(image)s, %(by)s, coalesce(%(now)s, now()) FROM elder WHERE id = %(elder_id)s
ON CONFLICT (elder_id) DO UPDATE SET media_type = EXCLUDED.media_type, image = EXCLUDED.image, set_by = EXCLUDED.set_by,
    set_at = EXCLUDED.set_at
"""
REMOVE = "DELETE FROM elder_photo WHERE elder_id = %(elder_id)s"


def media_type_of(image: bytes) -> str:
    """`image/jpeg`, `image/png` or `image/webp`. Raises BadInput for anything else, and for one over BYTES_MAX.

    First bytes: JPEG FF D8 FF (ISO/IEC 10918-1 B.1.1.3), PNG 89 "PNG" 0D 0A 1A 0A (ISO/IEC 15948 5.2), WebP "RIFF" size "WEBP" (RFC 9649).
    """
    if len(image) > BYTES_MAX:
        raise BadInput(f"a picture of at most {BYTES_MAX // 1024} kB, please: about 320 x 320 as JPEG")
    if image.startswith(b"\xff\xd8\xff"):
        return "image/jpeg"
    if image.startswith(b"\x89PNG\r\n\x1a\n"):
        return "image/png"
    if image[:4] == b"RIFF" and image[8:12] == b"WEBP":
        return "image/webp"
    raise BadInput("the picture must be a JPEG, PNG or WebP file")


async def put(conn: Connection, elder_id: str, image: bytes, *, by: str, now: datetime | None = None) -> None:
    """Keep this picture of an elder instead of any other; without `now` it is the database's. Raises BadInput, NotFound."""
    values = {"elder_id": elder_id, "media_type": media_type_of(image), "image": image, "by": by, "now": now}
    if (await conn.execute(SET, values)).rowcount == 0:
        raise NotFound(f"there is no elder {elder_id}")


async def get(conn: Connection, elder_id: str) -> tuple[str, bytes]:
    """Media type and bytes of an elder's picture. Raises NotFound."""
    row: dict[str, Any] | None = await (await conn.execute(GET, {"elder_id": elder_id})).fetchone()
    if row is None:
        raise NotFound(f"there is no picture of elder {elder_id}")
    return row["media_type"], bytes(row["image"])


async def remove(conn: Connection, elder_id: str) -> None:
    """Keep no picture of an elder any more."""
    await conn.execute(REMOVE, {"elder_id": elder_id})
