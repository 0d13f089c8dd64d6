"""The box around a home's process: its clock jumps, its disk is full, its power fails, and the process is told nothing of it."""

import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from datetime import timedelta
from pathlib import Path

import numpy as np
import psycopg
import pytest

from simulators.child_process import public_temp
from simulators.home_box import HomeBox, HomeBoxError, PowerCut, build
from simulators.home_box.operations import read_log
from simulators.home_box.power_cut import SECTOR_BYTES, Disk
from simulators.servers import Database

RUN_DEADLINE_S = 30.0
SERVER_DEADLINE_S = 60.0
CLOCK_TOLERANCE_S = 10.0
CUTS = 200
DEBIAN_POSTGRES = sorted(Path("/usr/lib/postgresql").glob("*/bin"))
BROKEN_BOX_EXIT_CODE = 120  # BROKEN_BOX in box.h
GROWING = {
    "write": "os.write(file, b'x' * 10)",
    "pwrite": "os.pwrite(file, b'x', 4000)",
    "pwritev": "os.pwritev(file, [b'x', b'y'], 4000)",
    "writev": "os.writev(file, [b'x' * 10, b'y'])",
    "ftruncate": "os.ftruncate(file, 5)",
    "truncate": "os.truncate('old', 5)",
    "posix_fallocate": "os.posix_fallocate(file, 0, 5)",
    "a new file": "open('new', 'wb')",
    "a new folder": "os.mkdir('folder')",
}


@pytest.fixture(scope="module")
def library() -> Iterator[Path]:
    """In a place that a database's user can enter."""
    folder = Path(tempfile.mkdtemp(prefix="jiahu-box-", dir=public_temp()))
    folder.chmod(0o755)
    try:
        yield build(folder)
    except HomeBoxError as error:
        pytest.skip(str(error))
    finally:
        shutil.rmtree(folder)


@pytest.fixture
def disk(tmp_path: Path) -> Path:
    (tmp_path / "disk").mkdir()
    return tmp_path / "disk"


@pytest.fixture
def box(disk: Path, tmp_path: Path, library: Path) -> HomeBox:
    return HomeBox(disk, tmp_path / "box", library=library)


@pytest.fixture
def run(box: HomeBox, disk: Path) -> Callable[[str], str]:
    """Runs Python in the box, on the disk, and returns what it prints."""

    def run_one(code: str) -> str:
        command = [sys.executable, "-c", f"import os, resource, sqlite3, threading, time\n{code}"]
        environment = os.environ | box.environment
        done = subprocess.run(command, env=environment, cwd=disk, capture_output=True, text=True, timeout=RUN_DEADLINE_S, check=False)
        assert done.returncode == 0, done.stderr
        return done.stdout.strip()

    return run_one


def told(box: HomeBox) -> list[tuple[str, str, int, bytes]]:
    """Kind, path, offset and data of every operation."""
    return [(one.kind.name, one.path, one.offset, bytes(one.data)) for one in read_log(box.log)]


def many_cuts(disk: Disk) -> Iterator[PowerCut]:
    """The same disk, cut again and again."""
    for seed in range(CUTS):
        yield disk.cut_power(np.random.default_rng(seed))


def followed(disk: Disk, box: HomeBox) -> Disk:
    for operation in read_log(box.log):
        disk.apply(operation)
    return disk


def shown(cut: PowerCut, name: str) -> bytes | None:
    content = cut.files.get(name)
    return None if content is None else bytes(content.data) + bytes(content.size - len(content.data))


# -- the clock ---------------------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "offset", [timedelta(hours=1), timedelta(hours=-1), timedelta(days=-365 * 56), timedelta(days=365 * 60), timedelta(microseconds=-1)]
)
@pytest.mark.parametrize(
    "clock",
    ["time.time()", "time.clock_gettime(5)", "int(sqlite3.connect(':memory:').execute(\"SELECT strftime('%s', 'now')\").fetchone()[0])"],
)
def test_the_clock_is_ahead_or_behind(box: HomeBox, run: Callable[[str], str], offset: timedelta, clock: str) -> None:
    box.set_clock(offset)
    assert abs(float(run(f"print({clock})")) - time.time() - offset.total_seconds()) < CLOCK_TOLERANCE_S


def test_counts_since_the_start_go_on_as_they_were(box: HomeBox, run: Callable[[str], str]) -> None:
    box.set_clock(timedelta(days=1000))
    counts = run("print(time.monotonic(), time.clock_gettime(time.CLOCK_BOOTTIME))").split()
    assert float(counts[0]) == pytest.approx(time.monotonic(), abs=CLOCK_TOLERANCE_S)
    assert float(counts[1]) == pytest.approx(time.clock_gettime(time.CLOCK_BOOTTIME), abs=CLOCK_TOLERANCE_S)


def test_the_machine_can_have_been_running_for_longer(box: HomeBox, run: Callable[[str], str]) -> None:
    box.set_clock(timedelta(hours=1), uptime=timedelta(days=30))
    counts = run("print(time.time(), time.monotonic(), time.clock_gettime(time.CLOCK_BOOTTIME))").split()
    real = (time.time(), time.monotonic(), time.clock_gettime(time.CLOCK_BOOTTIME))
    moved_s = [float(count) - was for count, was in zip(counts, real, strict=True)]
    assert moved_s == pytest.approx([3600, 0, 30 * 86_400], abs=CLOCK_TOLERANCE_S)


def test_who_waits_for_a_while_waits_no_longer_under_a_wrong_clock(box: HomeBox, run: Callable[[str], str]) -> None:
    box.set_clock(timedelta(days=-3650))
    begun_s = time.monotonic()
    run("threading.Event().wait(0.2); lock = threading.Lock(); lock.acquire(); lock.acquire(timeout=0.2)")
    assert 0.4 <= time.monotonic() - begun_s < CLOCK_TOLERANCE_S


def test_the_clock_jumps_while_a_process_runs(box: HomeBox) -> None:
    code = "import sys, time\nfor line in sys.stdin: print(time.time(), flush=True)"
    command = [sys.executable, "-c", code]
    with subprocess.Popen(command, env=os.environ | box.environment, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as child:
        assert child.stdin is not None and child.stdout is not None
        for days in (0, 400, -400, 0):
            box.set_clock(timedelta(days=days))
            child.stdin.write("\n")
            child.stdin.flush()
            assert float(child.stdout.readline()) - time.time() == pytest.approx(days * 86_400, abs=CLOCK_TOLERANCE_S)
        child.stdin.close()


# -- the log -----------------------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("code", "expected"),
    [
        ("open('a', 'wb').close()", [("CREATED", "a", 0, b"")]),
        ("f = os.open('old', os.O_WRONLY); os.write(f, b'12'); os.write(f, b'34')",
         [("WRITING", "old", 0, b"12"), ("WRITING", "old", 2, b"34")]),
        ("f = os.open('old', os.O_WRONLY | os.O_APPEND); os.write(f, b'12')", [("WRITING", "old", 3, b"12")]),
        ("f = os.open('old', os.O_WRONLY); os.writev(f, [b'1', b'', b'2'])", [("WRITING", "old", 0, b"12")]),
        ("f = os.open('old', os.O_WRONLY); os.pwrite(f, b'12', 7)", [("WRITING", "old", 7, b"12")]),
        ("f = os.open('old', os.O_WRONLY); os.pwritev(f, [b'1', b'2'], 7)", [("WRITING", "old", 7, b"12")]),
        ("f = os.open('old', os.O_WRONLY); os.ftruncate(f, 1); os.ftruncate(f, 1)", [("RESIZING", "old", 1, b"")]),
        ("os.truncate('old', 9)", [("RESIZING", "old", 9, b"")]),
        ("open('old', 'wb').close()", [("RESIZING", "old", 0, b"")]),
        ("f = os.open('old', os.O_WRONLY); os.posix_fallocate(f, 1, 8); os.posix_fallocate(f, 0, 2)", [("RESIZING", "old", 9, b"")]),
        ("f = os.open('old', os.O_WRONLY); os.fsync(f); os.fdatasync(f)", [("SYNCED", "old", 0, b"")] * 2),
        ("os.fsync(os.open('.', os.O_RDONLY))", [("SYNCED_FOLDER", "", 0, b"")]),
        ("os.rename('old', 'new'); os.replace('new', 'old')", [("RENAMED", "old", 0, b"new"), ("RENAMED", "new", 0, b"old")]),
        ("f = os.open('.', os.O_RDONLY); os.rename('old', 'new', src_dir_fd=f, dst_dir_fd=f)", [("RENAMED", "old", 0, b"new")]),
        ("os.unlink('old')", [("REMOVED", "old", 0, b"")]),
        ("os.mkdir('b'); os.rmdir('b')", [("CREATED_FOLDER", "b", 0, b""), ("REMOVED", "b", 0, b"")]),
        ("f = os.open('.', os.O_RDONLY); os.open('a', os.O_CREAT | os.O_EXCL, dir_fd=f); os.unlink('a', dir_fd=f)",
         [("CREATED", "a", 0, b""), ("REMOVED", "a", 0, b"")]),
        ("f = os.open('old', os.O_WRONLY); os.unlink('old'); os.write(f, b'1')", [("REMOVED", "old", 0, b""), ("WRITING", "", 0, b"1")]),
        ("g = os.dup(os.open('old', os.O_WRONLY)); os.write(g, b'12')", [("WRITING", "old", 0, b"12")]),
        ("os.mkdir('b'); os.chdir('b'); open('../b/a', 'wb').close()", [("CREATED_FOLDER", "b", 0, b""), ("CREATED", "b/a", 0, b"")]),
        ("open('old', 'rb').read(); os.stat('old')", []),
    ],
)  # fmt: skip
def test_each_effect_on_the_disk_is_written_down(
    disk: Path, box: HomeBox, run: Callable[[str], str], code: str, expected: list[tuple[str, str, int, bytes]]
) -> None:
    (disk / "old").write_bytes(b"abc")
    run(code)
    assert told(box) == expected


def test_what_happens_elsewhere_is_not_written_down(box: HomeBox, run: Callable[[str], str], tmp_path: Path) -> None:
    beside = tmp_path / "disk-two"
    run(f"open({str(beside)!r}, 'wb').write(b'1'); os.unlink({str(beside)!r}); print('said'); os.pipe()")
    assert told(box) == []


def test_nothing_is_moved_between_the_disk_and_elsewhere(run: Callable[[str], str], disk: Path) -> None:
    (disk / "old").write_bytes(b"abc")
    code = "try: os.rename('old', '../old')\nexcept OSError as error: print(error.errno)"
    assert run(code) == "18"  # EXDEV


def test_a_copy_by_the_kernel_becomes_one_that_is_written_down(box: HomeBox, run: Callable[[str], str], tmp_path: Path) -> None:
    (tmp_path / "elsewhere").write_bytes(b"abc")
    run("import shutil; shutil.copyfile('../elsewhere', 'a')")
    assert told(box) == [("CREATED", "a", 0, b""), ("WRITING", "a", 0, b"abc")]


def test_only_what_succeeded_counts(box: HomeBox, run: Callable[[str], str]) -> None:
    run(
        "resource.setrlimit(resource.RLIMIT_FSIZE, (100_000, 100_000)); f = os.open('a', os.O_CREAT | os.O_WRONLY)\n"
        "assert os.pwrite(f, b'x' * 150, 99_900) == 100\n"
        "def refused(call, *values):\n  try: call(*values)\n  except OSError: return True\n"
        "assert refused(os.pwrite, f, b'y', 100_000) and refused(os.ftruncate, f, 100_001)\n"
        "assert refused(os.write, os.open('a', os.O_RDONLY), b'y') and refused(os.unlink, 'b') and refused(os.rename, 'b', 'c')"
    )
    assert told(box) == [("CREATED", "a", 0, b""), ("WRITING", "a", 99_900, b"x" * 100)]


def test_a_record_that_a_kill_cut_short_hides_no_other(box: HomeBox, run: Callable[[str], str]) -> None:
    run("open('a', 'wb').write(b'1' * 5000)")
    whole = box.log.read_bytes()
    for kept in (1, 7, 30, 60, 4000, len(whole) - 1):
        box.log.write_bytes(whole[:kept])
        run("open('b', 'wb').close(); os.unlink('b')")
        assert told(box)[-2:] == [("CREATED", "b", 0, b""), ("REMOVED", "b", 0, b"")]


# -- the room ----------------------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("limit", ["nothing may grow", "so many bytes"])
@pytest.mark.parametrize("call", GROWING)
def test_a_full_disk_refuses_to_grow_until_there_is_room(
    disk: Path, box: HomeBox, run: Callable[[str], str], limit: str, call: str
) -> None:
    (disk / "old").write_bytes(b"abc")
    box.limit_room(0 if limit == "nothing may grow" else 2)
    code = f"file = os.open('old', os.O_WRONLY)\ntry: {GROWING[call]}\nexcept OSError as error: print(error.errno)"
    assert run(code) == "28"  # ENOSPC
    assert [(path.name, path.read_bytes()) for path in disk.iterdir()] == [("old", b"abc")]
    assert told(box) == []
    box.limit_room(None)
    assert run(code) == ""


def test_a_full_disk_can_be_written_where_something_is(disk: Path, box: HomeBox, run: Callable[[str], str]) -> None:
    (disk / "old").write_bytes(b"abc")
    box.limit_room(0)
    run("f = os.open('old', os.O_WRONLY); os.write(f, b'ABC'); os.pwrite(f, b'x', 2); os.fsync(f); os.ftruncate(f, 2)")
    assert (disk / "old").read_bytes() == b"AB"


@pytest.mark.parametrize("freeing", ["os.unlink('old')", "os.truncate('old', 0)", "open('old', 'wb')", "os.rename('small', 'old')"])
def test_what_is_freed_can_be_used_again(disk: Path, box: HomeBox, run: Callable[[str], str], freeing: str) -> None:
    (disk / "old").write_bytes(bytes(1000))
    (disk / "small").write_bytes(b"1")
    box.limit_room(1011)
    code = "f = os.open('a', os.O_CREAT | os.O_WRONLY)\ntry: os.write(f, bytes(1000)); print('enough')\nexcept OSError: print('too little')"
    assert run(code) == "too little"
    assert run(f"{freeing}\n{code}") == "enough"
    assert sum(path.stat().st_size for path in disk.iterdir()) <= 1011


def test_sqlite_finds_a_full_disk_and_then_room(box: HomeBox, run: Callable[[str], str]) -> None:
    open_it = "db = sqlite3.connect('a.sqlite', isolation_level=None); db.execute('PRAGMA journal_mode = WAL')\n"
    run(f"{open_it}db.execute('CREATE TABLE t (x)')")
    box.limit_room(100_000)
    fill = (
        "try:\n  while True: db.execute('INSERT INTO t VALUES (?)', ('x' * 5000,))\nexcept sqlite3.OperationalError as error: print(error)"
    )
    assert run(open_it + fill) == "database or disk is full"
    box.limit_room(None)
    assert int(run(f"{open_it}db.execute('INSERT INTO t VALUES (1)'); print(db.execute('SELECT count(*) FROM t').fetchone()[0])")) > 3


@pytest.mark.parametrize("binaries", [None, *DEBIAN_POSTGRES], ids=lambda binaries: str(binaries or "embedded"))
@pytest.mark.parametrize("more_bytes", [0, 4_000_000])
def test_postgresql_runs_out_of_disk_and_recovers(library: Path, binaries: Path | None, more_bytes: int) -> None:
    with tempfile.TemporaryDirectory(dir=library.parent) as folder, database_for(binaries) as database:
        Path(folder).chmod(0o755)
        box = HomeBox(database.directory / "data", Path(folder) / "box", library=library, keeps_log=False)
        database.run_in(box.environment)
        database.restart()
        ask(database, "CREATE TABLE t (x text)")
        box.limit_room(size_of(database) + more_bytes if more_bytes else 0)
        stored = fill(database)
        box.limit_room(None)
        if not is_answering(database):
            database.restart()
        assert ask(database, "SELECT count(*) FROM t") in (stored, stored + 1)  # the one that failed may yet have been stored
        ask(database, "INSERT INTO t SELECT repeat('y', 8000) FROM generate_series(1, 10)")


def database_for(binaries: Path | None) -> Database:
    return Database(binaries=binaries, is_durable=False)


def size_of(database: Database) -> int:
    return sum(path.stat().st_size for path in (database.directory / "data").rglob("*") if path.is_file())


def ask(database: Database, statement: str) -> int:
    with psycopg.connect(database.url, autocommit=True, connect_timeout=5) as conn:
        cursor = conn.execute(statement.encode())
        return int(cursor.fetchall()[0][0]) if cursor.description else cursor.rowcount


def fill(database: Database) -> int:
    """Insert until there is no room; how many rows were stored."""
    stored, deadline_s = 0, time.monotonic() + SERVER_DEADLINE_S
    with suppress(psycopg.OperationalError), psycopg.connect(database.url, autocommit=True) as conn:
        while time.monotonic() < deadline_s:
            conn.execute("INSERT INTO t SELECT string_agg(md5(i::text), '') FROM generate_series(1, 10000) i")
            stored += 1
    assert time.monotonic() < deadline_s, "the disk never became full"
    return stored


def is_answering(database: Database) -> bool:
    """After a crash PostgreSQL starts again by itself, unless even that fails."""
    deadline_s = time.monotonic() + SERVER_DEADLINE_S
    while database.is_running and time.monotonic() < deadline_s:
        with suppress(psycopg.OperationalError):
            return ask(database, "SELECT 1") == 1
        time.sleep(0.05)
    return False


# -- the power ---------------------------------------------------------------------------------------------------------------------------


def test_what_was_synced_stays_and_the_rest_may_be_there_or_not(disk: Path, box: HomeBox, run: Callable[[str], str]) -> None:
    (disk / "a").write_bytes(b"old")
    before = Disk(disk)
    run("f = os.open('a', os.O_WRONLY); os.pwrite(f, b'N', 0); os.fsync(f); os.pwrite(f, b'E', 1); os.pwrite(f, b'W', 2)")
    assert {shown(cut, "a") for cut in many_cuts(followed(before, box))} == {b"Nld", b"NEd", b"NlW", b"NEW"}


def test_a_write_is_torn_where_a_sector_ends(disk: Path, box: HomeBox, run: Callable[[str], str]) -> None:
    before = Disk(disk)
    run("f = os.open('a', os.O_CREAT | os.O_WRONLY); os.fsync(os.open('.', os.O_RDONLY)); os.pwrite(f, b'x' * 2000, 100)")
    lengths = {len(shown(cut, "a") or b"") for cut in many_cuts(followed(before, box))}
    assert lengths == {0, SECTOR_BYTES, 2 * SECTOR_BYTES, 3 * SECTOR_BYTES, 4 * SECTOR_BYTES, 2100}


def test_a_name_is_only_sure_once_its_folder_was_synced(disk: Path, box: HomeBox, run: Callable[[str], str]) -> None:
    before = Disk(disk)
    run("f = os.open('a', os.O_CREAT | os.O_WRONLY); os.write(f, b'1'); os.fsync(f)")
    assert {shown(cut, "a") for cut in many_cuts(followed(before, box))} == {None, b"1"}
    run("os.fsync(os.open('.', os.O_RDONLY))")
    assert {shown(cut, "a") for cut in many_cuts(followed(Disk(box.log.parent), box))} == {b"1"}


def test_a_file_that_was_removed_or_renamed_may_be_back(disk: Path, box: HomeBox, run: Callable[[str], str]) -> None:
    (disk / "a").write_bytes(b"1")
    (disk / "b").write_bytes(b"2")
    before = Disk(disk)
    run("os.rename('a', 'c'); os.unlink('b')")
    left = {tuple(sorted(cut.files)) for cut in many_cuts(followed(before, box))}
    assert left == {("a", "b"), ("b", "c"), ("c",)}


def test_a_folder_that_is_renamed_takes_along_what_is_in_it(disk: Path, box: HomeBox, run: Callable[[str], str]) -> None:
    (disk / "a").mkdir()
    (disk / "a" / "file").write_bytes(b"1")
    before = Disk(disk)
    run("os.rename('a', 'b'); os.fsync(os.open('.', os.O_RDONLY))")
    assert {(tuple(cut.folders), tuple(cut.files)) for cut in many_cuts(followed(before, box))} == {(("b",), ("b/file",))}


def test_a_kill_alone_loses_nothing_and_the_power_may_yet_fail(disk: Path, box: HomeBox, run: Callable[[str], str], tmp_path: Path) -> None:
    before, after = Disk(disk), tmp_path / "after"
    after.mkdir()
    run("f = os.open('a', os.O_CREAT | os.O_WRONLY); os.write(f, b'12'); os.fsync(os.open('.', os.O_RDONLY))")
    followed(before, box).kill().write_to(after)
    assert (after / "a").read_bytes() == b"12"
    before.adopt(after)
    second = HomeBox(after, tmp_path / "box-2", library=Path(box.environment["LD_PRELOAD"]))
    code = "import os; f = os.open('a', os.O_WRONLY); os.pwrite(f, b'3', 2)"
    subprocess.run([sys.executable, "-c", code], env=os.environ | second.environment, cwd=after, timeout=RUN_DEADLINE_S, check=True)
    left = {shown(cut, "a") for cut in many_cuts(followed(before, second))}
    assert left == {b"", b"12", b"123", b"\0\0003"}


def test_memory_that_sqlite_shares_is_gone(disk: Path, box: HomeBox, run: Callable[[str], str]) -> None:
    run("db = sqlite3.connect('a'); db.execute('PRAGMA journal_mode = WAL'); db.execute('CREATE TABLE t (x)'); os._exit(0)")
    assert (disk / "a-shm").exists()
    box.cut_power(np.random.default_rng(0))
    assert not (disk / "a-shm").exists()


def test_a_power_cut_changes_the_disk_and_says_what_was_lost(disk: Path, box: HomeBox, run: Callable[[str], str]) -> None:
    (disk / "a").write_bytes(b"")
    run("f = os.open('a', os.O_WRONLY); os.write(f, b'1'); os.fsync(f); os.write(f, b'23'); os.posix_fallocate(f, 0, 9)")
    cuts: list[PowerCut] = []
    while not cuts or cuts[-1].lost_writes < 2:
        run("f = os.open('a', os.O_WRONLY | os.O_TRUNC); os.write(f, b'1'); os.fsync(f); os.write(f, b'23'); os.posix_fallocate(f, 0, 9)")
        cuts.append(box.cut_power(np.random.default_rng(len(cuts))))
    assert (cuts[-1].lost_writes, cuts[-1].lost_bytes, (disk / "a").read_bytes()) == (2, 2, b"1")
    assert told(box) == []


def test_the_next_process_goes_on_where_a_killed_one_stopped(disk: Path, box: HomeBox, run: Callable[[str], str]) -> None:
    run("f = os.open('a', os.O_CREAT | os.O_WRONLY); os.write(f, b'1'); os.kill(os.getpid(), 0)")
    run("f = os.open('a', os.O_WRONLY | os.O_APPEND); os.write(f, b'2'); os.fsync(f); os.fsync(os.open('.', os.O_RDONLY))")
    box.cut_power(np.random.default_rng(0))
    assert (disk / "a").read_bytes() == b"12"


def test_a_synced_write_survives_in_sqlite_whatever_else_is_lost(disk: Path, box: HomeBox, run: Callable[[str], str]) -> None:
    for number in range(1, 6):
        count = run(
            "db = sqlite3.connect('a', isolation_level=None)\n"
            "db.execute('PRAGMA journal_mode = WAL'); db.execute('PRAGMA synchronous = FULL')\n"
            "db.execute('CREATE TABLE IF NOT EXISTS t (x)'); db.execute(\"INSERT INTO t VALUES ('x')\")\n"
            "print(db.execute('SELECT count(*) FROM t').fetchone()[0], flush=True); os._exit(0)"
        )
        assert int(count) == number
        box.cut_power(np.random.default_rng(number))


def test_without_a_log_nobody_knows_what_a_power_cut_leaves(disk: Path, tmp_path: Path, library: Path) -> None:
    box = HomeBox(disk, tmp_path / "box", library=library, keeps_log=False)
    assert "JIAHU_BOX_LOG" not in box.environment
    with pytest.raises(HomeBoxError, match="no log"):
        box.cut_power(np.random.default_rng(0))


# -- the box itself ----------------------------------------------------------------------------------------------------------------------


def test_no_program_runs_outside_a_broken_box(box: HomeBox) -> None:
    environment = os.environ | box.environment | {"JIAHU_BOX_CONTROL": "/nowhere"}
    done = subprocess.run([sys.executable, "-c", "print(1)"], env=environment, capture_output=True, text=True, timeout=30, check=False)
    assert (done.returncode, done.stdout) == (BROKEN_BOX_EXIT_CODE, "")
    assert "home box: /nowhere" in done.stderr


def test_the_library_is_built_once(library: Path) -> None:
    built_at = library.stat().st_mtime_ns
    assert build(library.parent) == library
    assert library.stat().st_mtime_ns == built_at


def test_without_a_compiler_it_says_so(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(HomeBoxError, match="compiler named cc"):
        build(tmp_path)
