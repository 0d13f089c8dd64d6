"""What is left of a disk after its power was cut: a model of the promises that Linux file systems make, and of no others.

- A file keeps all that was written before its last sync. Of later writes each may be there or not, in any order, the last one in part,
  torn at a sector.
- Names (made, renamed, removed) go through one journal, as in ext4 and XFS: a cut keeps its beginning, at least to the last change within
  a folder that was synced since. POSIX promises no more. That the sync of a file saves its own name too, as ext4, XFS and btrfs do, is
  true in half of the cuts.
- SQLite's -shm is memory and simply goes.
"""

import os
import shutil
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath

import numpy as np

from simulators.home_box.operations import Kind, Operation

SECTOR_BYTES = 512
MEMORY_SUFFIX = "-shm"


@dataclass(slots=True)
class Content:
    """Bytes of a file. Those from len(data) to `size` are zeros: reserved room costs nothing here."""

    data: bytearray = field(default_factory=bytearray)
    size: int = 0

    def write(self, offset: int, data: bytes | memoryview) -> None:
        """As pwrite: without data nothing happens."""
        if not data:
            return
        if offset > len(self.data):
            self.data.extend(bytes(offset - len(self.data)))
        self.data[offset : offset + len(data)] = data
        self.size = max(self.size, offset + len(data))

    def resize(self, size: int) -> None:
        """As ftruncate."""
        del self.data[size:]
        self.size = size

    def apply(self, operation: Operation, bytes_max: int | None = None) -> None:
        """A write, or its first `bytes_max` bytes; or a change of size."""
        if operation.kind is Kind.WRITING:
            self.write(operation.offset, operation.data[:bytes_max])
        else:
            self.resize(operation.offset)

    def copy(self) -> "Content":
        return Content(bytearray(self.data), self.size)


@dataclass(slots=True, eq=False)
class File:
    """What a cut is sure to leave, and what was done since."""

    synced: Content = field(default_factory=Content)
    unsynced: list[Operation] = field(default_factory=list)

    def sync(self) -> None:
        """All that was done is there to stay."""
        for operation in self.unsynced:
            self.synced.apply(operation)
        self.unsynced.clear()

    def as_written(self) -> Content:
        """What a reader sees while there is power."""
        seen = self.synced.copy()
        for operation in self.unsynced:
            seen.apply(operation)
        return seen

    def after_cut(self, random: np.random.Generator) -> tuple[Content, list[Operation]]:
        """What is left, and the operations that are lost, wholly or in part."""
        left, lost = self.synced.copy(), []
        count = len(self.unsynced)
        fate = random.integers(4) if count else 0
        torn = int(random.integers(count)) if fate == 2 else -1
        is_kept = (np.zeros(count, bool), np.ones(count, bool), np.arange(count) < torn, random.random(count) < random.random())[fate]
        for index, operation in enumerate(self.unsynced):
            if is_kept[index]:
                left.apply(operation)
                continue
            lost.append(operation)
            if index == torn and operation.kind is Kind.WRITING:
                left.apply(operation, _torn_bytes(operation, random))
        return left, lost


def _torn_bytes(operation: Operation, random: np.random.Generator) -> int:
    """How much of a write arrived: it ends where a sector of the file does. Of less than a sector nothing does."""
    first = -(operation.offset + 1) % SECTOR_BYTES + 1
    ends = range(first, len(operation.data), SECTOR_BYTES)
    return int(random.choice([0, *ends])) if ends else 0


class Folder:
    """What a name stands for that is no file's."""


Node = File | Folder
FOLDER = Folder()


@dataclass(frozen=True, slots=True)
class Renaming:
    """One entry of the journal of names: what each name stands for from now on; None for nothing."""

    names: dict[str, Node | None]


@dataclass(frozen=True, slots=True)
class PowerCut:
    """What a power cut left of a disk, and what it took: bytes and number of unsynced writes, number of changes of names."""

    files: dict[str, Content]
    folders: list[str]
    lost_bytes: int
    lost_writes: int
    lost_names: int

    def write_to(self, folder: Path) -> None:
        """Make `folder`, which must exist, hold this and nothing else. Files are open to their owner only."""
        for old in folder.iterdir():
            if old.is_dir() and not old.is_symlink():
                shutil.rmtree(old)
            else:
                old.unlink()
        for name in sorted(self.folders):
            (folder / name).mkdir(mode=0o700)
        for name, content in self.files.items():
            with open(os.open(folder / name, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as file:
                file.write(content.data)
                file.truncate(content.size)


class Disk:
    """A disk and what is done to it, one operation after the other. `root` is read once, now: all that is there is taken for synced."""

    def __init__(self, root: Path) -> None:
        self._synced_names: dict[str, Node] = {"": FOLDER}
        self._by_inode: dict[int, File] = {}
        self._journal: list[Renaming] = []
        self._saved_with_files = 0
        for path in sorted(root.rglob("*")):
            self._synced_names[path.relative_to(root).as_posix()] = FOLDER if path.is_dir() else self._read(path)
        self._names = dict(self._synced_names)

    def apply(self, operation: Operation) -> None:
        """Follow one operation."""
        match operation.kind:
            case Kind.CREATED:
                self._create(operation)
            case Kind.CREATED_FOLDER:
                self._change({operation.path: FOLDER})
            case Kind.REMOVED:
                self._change({operation.path: None})
            case Kind.RENAMED:
                self._change(self._moved(operation.path, operation.new_path))
            case Kind.SYNCED_FOLDER:
                self._save_names(self._last_within(operation.path))
            case Kind.SYNCED:
                file = self._file(operation)
                file.sync()
                self._saved_with_files = max(self._saved_with_files, self._last_of(file))
            case _:
                self._file(operation).unsynced.append(operation)

    def cut_power(self, random: np.random.Generator) -> PowerCut:
        """What may be left if the power goes now, chosen by `random`. The disk itself stays as it is, so it can be cut again."""
        first = self._saved_with_files if random.random() < 0.5 else 0
        last = len(self._journal)
        kept = (first, last, int(random.integers(first, last + 1)))[random.integers(3)]
        names: dict[str, Node | None] = dict(self._synced_names)
        for renaming in self._journal[:kept]:
            names |= renaming.names
        there = {name: node for name, node in names.items() if node is not None}
        return _left(there, lambda file: file.after_cut(random), lost_names=last - kept)

    def kill(self) -> PowerCut:
        """What is there if only the process is killed now: all that it did. The next process finds it, synced or not."""
        return _left(self._names, lambda file: (file.as_written(), []), lost_names=0)

    def adopt(self, root: Path) -> None:
        """From now on follow what is done at `root`, where `kill` was written to: the same files by other inodes."""
        self._by_inode = {
            (root / name).stat().st_ino: node for name, node in self._names.items() if isinstance(node, File) and _stays(name)
        }

    def _read(self, path: Path) -> File:
        file = self._by_inode[path.stat().st_ino] = File()
        whole = path.read_bytes()
        file.synced.write(0, whole.rstrip(b"\0"))
        file.synced.size = len(whole)
        return file

    def _file(self, operation: Operation) -> File:
        """The file written to. One that got its name unseen, from a call within the C library, is new."""
        file = self._by_inode.get(operation.inode)
        if file is None or (operation.path and file is not self._names.get(operation.path) and file not in self._names.values()):
            return self._create(operation)
        return file

    def _create(self, operation: Operation) -> File:
        file = self._by_inode[operation.inode] = File()
        if operation.path:
            self._change({operation.path: file})
        return file

    def _moved(self, old: str, new: str) -> dict[str, Node | None]:
        """A folder takes along what is in it."""
        moved = {name: node for name, node in self._names.items() if name == old or name.startswith(f"{old}/")}
        return {name: None for name in moved} | {new + name.removeprefix(old): node for name, node in moved.items()}

    # -- the journal of names ------------------------------------------------------------------------------------------------------------

    def _change(self, names: dict[str, Node | None]) -> None:
        self._journal.append(Renaming(names))
        for name, node in names.items():
            if node is None:
                self._names.pop(name, None)
            else:
                self._names[name] = node

    def _last_within(self, folder: str) -> int:
        """Number of journal entries up to the last one that changed a name in this folder."""
        return self._last(lambda renaming: any(_parent(name) == folder for name in renaming.names))

    def _last_of(self, file: File) -> int:
        return self._last(lambda renaming: any(node is file for node in renaming.names.values()))

    def _last(self, concerns: Callable[[Renaming], bool]) -> int:
        return max((number for number, renaming in enumerate(self._journal, 1) if concerns(renaming)), default=0)

    def _save_names(self, count: int) -> None:
        for renaming in self._journal[:count]:
            for name, node in renaming.names.items():
                if node is None:
                    self._synced_names.pop(name, None)
                else:
                    self._synced_names[name] = node
        del self._journal[:count]
        self._saved_with_files = max(0, self._saved_with_files - count)


def _stays(name: str) -> bool:
    """The disk itself is no name on it, and what was memory goes."""
    return bool(name) and not name.endswith(MEMORY_SUFFIX)


def _left(names: Mapping[str, Node], fate: Callable[[File], tuple[Content, list[Operation]]], *, lost_names: int) -> PowerCut:
    files = {name: fate(node) for name, node in names.items() if isinstance(node, File) and _stays(name)}
    lost = [operation for _, operations in files.values() for operation in operations]
    return PowerCut(
        files={name: content for name, (content, _) in files.items()},
        folders=[name for name, node in names.items() if isinstance(node, Folder) and _stays(name)],
        lost_bytes=sum(len(operation.data) for operation in lost),
        lost_writes=len(lost),
        lost_names=lost_names,
    )


def _parent(name: str) -> str:
    parent = str(PurePosixPath(name).parent)
    return "" if parent == "." else parent
