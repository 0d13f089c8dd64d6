"""The rules of the house that a program can check. Imports are checked by import-linter, whose contracts stand in pyproject.toml."""

import ast
import json
import re
import subprocess
import sys
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import pytest

HOUSE = Path(__file__).resolve().parents[1]
PROGRAMS = ("contract", "gateway", "backend", "simulators")

PURE = (
    "contract/[!d]*.py",  # all but document.py, which writes a file
    "gateway/bridges/framing.py",
    "gateway/bridges/bluetooth/words.py",
    "gateway/devices/**/*.py",
    "gateway/fall.py",
    "gateway/chest.py",
    "gateway/daily.py",
    "gateway/fall_features.py",
    "gateway/fall_trigger.py",
    "gateway/summary.py",
    "gateway/batch.py",
    "gateway/home_devices.py",
    "gateway/nearby.py",
    "gateway/sms_pdu.py",
    "gateway/gsm_alphabet.py",
    "gateway/alarm_text.py",
    "gateway/urgent_watch.py",
    "gateway/bridges/at_dialogue.py",
    "gateway/bridges/modem_fault.py",
    "backend/rules/engine.py",
    "backend/rules/kinds/*.py",
    "backend/*/lifecycle.py",
    "backend/*/model.py",
    "backend/cases/escalation.py",
    "backend/dispatch/planner.py",
)
# fmt: off
OUTSIDE_WORLD = frozenset({
    "apscheduler", "asyncio", "bumble", "fastapi", "http", "httpx", "logging", "multiprocessing", "os", "paho", "pathlib", "psutil",
    "psycopg", "psycopg_pool", "queue", "select", "serial", "shutil", "signal", "smtplib", "socket", "sqlite3", "ssl", "starlette",
    "subprocess", "tempfile", "threading", "time", "urllib",
})
# fmt: on
CLOCKS = frozenset({"datetime.now", "datetime.utcnow", "datetime.today", "date.today", "time.time", "time.time_ns"})

# Entry points and adapters: the only places that may ask what time it is.
CLOCK_READERS = (
    "gateway/__main__.py",
    "gateway/daemon.py",
    "gateway/publisher.py",
    "gateway/bridges/**/*.py",
    "backend/__main__.py",
    "backend/worker.py",
    "backend/back_test.py",
    "backend/ingest/*.py",
    "backend/notify/channels/push.py",  # a signature that ends soon
    "backend/web/**/*.py",
    "simulators/**/*.py",
)
# The outermost loops of three processes, the MQTT callbacks, the guard around one rule.
CATCH_ALLS = (
    "backend/ingest/process.py",
    "backend/worker.py",
    "backend/db/apart.py",
    "backend/notify/sender.py",
    "gateway/publisher.py",
    "backend/ingest/subscriber.py",
    "backend/monitor.py",
    "backend/web/live.py",
)

# Folder of one-file-per-thing -> files in it that are not such things.
REGISTERS = {
    "gateway/devices": {"driver", "bridge", "cutter", "edges", "enrolled", "lines", "stored"},
    "gateway/devices/gatt": {"ieee11073"},
    "backend/rules/kinds": set(),
    "backend/notify/channels": {"failure"},
}


def files(*patterns: str) -> list[Path]:
    """Python files below the house that match any pattern, in order."""
    return sorted({path for pattern in patterns for path in HOUSE.glob(pattern) if path.suffix == ".py"})


def pure_files() -> list[Path]:
    """All but the program that writes the contract's document."""
    return [path for path in files(*PURE) if path != HOUSE / "contract/document.py"]


def program_files() -> list[Path]:
    return files(*(f"{package}/**/*.py" for package in PROGRAMS))


@cache
def tree_of(path: Path) -> ast.Module:
    return ast.parse(path.read_text("utf-8"), filename=str(path))


def place(path: Path, node: ast.AST | None = None) -> str:
    """`folder/file.py:12`, as an editor opens it."""
    name = str(path.relative_to(HOUSE))
    return f"{name}:{node.lineno}" if isinstance(node, ast.stmt | ast.expr | ast.ExceptHandler) else name


def imported(path: Path) -> Iterator[tuple[ast.stmt, str]]:
    """Every absolute import with the full name of the module, or of the thing taken from it."""
    for node in ast.walk(tree_of(path)):
        if isinstance(node, ast.Import):
            yield from ((node, alias.name) for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            yield from ((node, f"{node.module}.{alias.name}") for alias in node.names)


def texts(path: Path) -> Iterator[ast.Constant]:
    """String constants that are not docstrings."""
    bodies = [
        node.body
        for node in ast.walk(tree_of(path))
        if isinstance(node, ast.Module | ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef)
    ]
    docstrings = {id(body[0].value) for body in bodies if body and isinstance(body[0], ast.Expr)}
    for node in ast.walk(tree_of(path)):
        if isinstance(node, ast.Constant) and isinstance(node.value, str) and id(node) not in docstrings:
            yield node


def test_every_module_says_what_it_is_for() -> None:
    everything = program_files() + files("benchmarks/**/*.py", "tests/**/*.py")
    silent = [place(path) for path in everything if not ast.get_docstring(tree_of(path)) and path.read_text("utf-8").strip()]
    assert silent == []


def test_no_rule_is_about_a_file_that_has_gone() -> None:
    assert [pattern for pattern in (*PURE, *CLOCK_READERS, *CATCH_ALLS) if not files(pattern)] == []


def test_pure_files_import_nothing_of_the_outside_world() -> None:
    reaching_out = [
        f"{place(path, node)} imports {name}"
        for path in pure_files()
        for node, name in imported(path)
        if name.partition(".")[0] in OUTSIDE_WORLD
    ]
    assert reaching_out == []


def test_pure_files_open_no_file() -> None:
    calls = ((path, node) for path in pure_files() for node in ast.walk(tree_of(path)) if isinstance(node, ast.Call))
    assert [place(path, node) for path, node in calls if isinstance(node.func, ast.Name) and node.func.id == "open"] == []


def test_only_entry_points_and_adapters_read_the_clock() -> None:
    judged = [path for path in program_files() if path not in files(*CLOCK_READERS)]
    readings = (
        (path, node)
        for path in judged
        for node in ast.walk(tree_of(path))
        if isinstance(node, ast.Attribute) and ".".join(ast.unparse(node).split(".")[-2:]) in CLOCKS
    )
    assert [f"{place(path, node)} {ast.unparse(node)}" for path, node in readings] == []


def test_everything_is_caught_in_three_kinds_of_places_only() -> None:
    judged = [path for path in program_files() if path not in files(*CATCH_ALLS)]
    handlers = ((path, node) for path in judged for node in ast.walk(tree_of(path)) if isinstance(node, ast.ExceptHandler))
    greedy = [
        place(path, node) for path, node in handlers if node.type is None or "Exception" in re.findall(r"\w+", ast.unparse(node.type))
    ]
    assert greedy == []


@pytest.mark.parametrize("path", CATCH_ALLS)
def test_where_everything_may_be_caught_it_is_caught_once(path: str) -> None:
    handlers = [node for node in ast.walk(tree_of(HOUSE / path)) if isinstance(node, ast.ExceptHandler)]
    assert sum(node.type is None or ast.unparse(node.type) == "Exception" for node in handlers) <= 1


@pytest.mark.parametrize("folder", REGISTERS)
def test_every_device_rule_kind_and_channel_is_registered(folder: str) -> None:
    register = HOUSE / folder / "__init__.py"
    if not register.exists():
        pytest.skip(f"there is no {folder}")
    known = {name for _, name in imported(register)}
    package = folder.replace("/", ".")
    things = [path.stem for path in files(f"{folder}/*.py") if path.stem != "__init__" and path.stem not in REGISTERS[folder]]
    known |= {
        f"{package}.{str(text.value).partition(':')[0]}" for text in texts(register)
    }  # rows that are imported when they are asked for
    missing = [thing for thing in things if not any(f"{name}.".startswith(f"{package}.{thing}.") for name in known)]
    assert missing == [], f"add these to {folder}/__init__.py"


def test_topics_are_written_in_the_contract_only() -> None:
    judged = [path for path in program_files() if path != HOUSE / "contract/topics.py"]
    assert [place(path, node) for path in judged for node in texts(path) if str(node.value).startswith("jiahu/")] == []


def test_imports_keep_their_directions() -> None:
    check = subprocess.run(
        [Path(sys.executable).parent / "lint-imports", "--no-logo"], cwd=HOUSE, capture_output=True, text=True, check=False
    )
    assert check.returncode == 0, check.stdout + check.stderr


@pytest.mark.parametrize("name", ["requirements.lock", "requirements-backend.lock", "requirements-gateway.lock", "requirements-node.lock"])
def test_locks_pin_by_hash_and_name_no_index(name: str) -> None:
    text = (HOUSE / name).read_text("utf-8")
    pinned = re.findall(r"^[A-Za-z0-9._-]+(?:\[[a-z,]+\])?==\S+ .*\\\n    --hash=sha256:", text, flags=re.MULTILINE)
    entries = [line for line in text.splitlines() if line and not line.startswith((" ", "#"))]
    assert len(pinned) == len(entries) > 0
    assert "://" not in text


def test_the_npm_lock_names_no_registry() -> None:
    packages = json.loads((HOUSE / "package-lock.json").read_text("utf-8"))["packages"]
    assert [name for name, entry in packages.items() if name and ("resolved" in entry or "integrity" not in entry)] == []


def test_smaller_locks_agree_with_the_whole_one() -> None:
    def pins(name: str) -> set[str]:
        return set(re.findall(r"^[^\s#=]+==[^\s]+", (HOUSE / name).read_text("utf-8"), flags=re.MULTILINE))

    assert pins("requirements-backend.lock") | pins("requirements-gateway.lock") <= pins("requirements.lock")
