"""What a program in a home's box did to its disk, as `box.h` says it is written down.

MMMMMMMM IIIIIIII OOOOOOOO DDDDDDDD KKKK TTTT PPPPPPPP path data MMMMMMMM      native byte order
M  MARK, before and after: a record that a kill cut short lacks the second
I  inode    O  offset, bytes: of the data written, or the new size; for RESULT what the last WRITING or RESIZING of the thread returned
D  length of the data, bytes (RENAMED: the new path)    K  Kind    T  thread    P  length of the path, bytes; it is below the disk
"""

import mmap
import os
import struct
from collections.abc import Iterator
from dataclasses import dataclass, replace
from enum import IntEnum
from pathlib import Path

MARK = 0x9D1CF0A7B3586E42
MARK_BYTES = MARK.to_bytes(8, "little" if struct.pack("=H", 1)[0] else "big")
HEAD = struct.Struct("=QQqQIIQ")


class Kind(IntEnum):
    """As `enum kind` in box.h."""

    CREATED = 1
    WRITING = 2
    RESIZING = 3
    SYNCED = 4
    SYNCED_FOLDER = 5
    RENAMED = 6
    REMOVED = 7
    CREATED_FOLDER = 8
    RESULT = 9


@dataclass(frozen=True, slots=True)
class Operation:
    """One effect. `path` is below the disk and empty for a file without a name; `end` is the length of the log after it, bytes."""

    kind: Kind
    inode: int
    offset: int
    data: memoryview
    thread: int
    path: str
    end: int

    @property
    def new_path(self) -> str:
        """Of RENAMED."""
        return os.fsdecode(bytes(self.data))


def read_log(path: Path) -> list[Operation]:
    """All effects so far, in their order. What failed is left out, what succeeded in part is cut. The data stays in the file."""
    if path.stat().st_size == 0:
        return []
    with path.open("rb") as log:
        whole = memoryview(mmap.mmap(log.fileno(), 0, access=mmap.ACCESS_READ))
    done: list[Operation | None] = []
    last_of_thread: dict[int, int] = {}
    for operation in _records(whole):
        if operation.kind is Kind.RESULT:
            index = last_of_thread[operation.thread]
            done[index] = _as_it_went(done[index], operation.offset)
        elif operation.kind in (Kind.WRITING, Kind.RESIZING):
            last_of_thread[operation.thread] = len(done)
        if operation.kind is not Kind.RESULT:
            done.append(operation)
    return [operation for operation in done if operation is not None]


def _as_it_went(operation: Operation | None, result: int) -> Operation | None:
    if operation is None or result < 0 or operation.kind is Kind.RESIZING:
        return None
    return replace(operation, data=operation.data[:result])


def _records(whole: memoryview) -> Iterator[Operation]:
    start = 0
    while (record := _record_at(whole, start)) is not None or (start := _next_mark(whole, start + 1)) >= 0:
        if record is not None:
            yield record
            start = record.end


def _record_at(whole: memoryview, start: int) -> Operation | None:
    """None where no whole record begins: at the end, or where a kill cut one short."""
    if start + HEAD.size > len(whole):
        return None
    mark, inode, offset, data_bytes, kind, thread, path_bytes = HEAD.unpack_from(whole, start)
    path_end = start + HEAD.size + path_bytes
    end = path_end + data_bytes + len(MARK_BYTES)
    if mark != MARK or end > len(whole) or whole[end - len(MARK_BYTES) : end] != MARK_BYTES:
        return None
    path = os.fsdecode(bytes(whole[start + HEAD.size : path_end]))
    return Operation(Kind(kind), inode, offset, whole[path_end : path_end + data_bytes], thread, path, end)


def _next_mark(whole: memoryview, start: int) -> int:
    """Where the next record may begin after one cut short; -1 for nowhere. Rare, so it may copy."""
    found = bytes(whole[start:]).find(MARK_BYTES)
    return start + found if found >= 0 else -1
