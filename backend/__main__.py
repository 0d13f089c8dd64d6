"""python -m backend ingest | worker | web | migrate | load | institutions | rules | retention | plan | push-key.

Picks the process, reads its file, says what is wrong.
"""

import argparse
import asyncio
import logging
import signal
import sys
from collections.abc import Coroutine
from datetime import UTC, datetime
from pathlib import Path

from backend import config as configuration
from backend.config import Config
from backend.db import migrate as migrations
from backend.db import partitions
from backend.db.pool import open_pool, place
from backend.dispatch.day import command as plan
from backend.errors import BadInput, JiahuError, Unavailable
from backend.institutions import store as institutions
from backend.notify import webpush
from backend.notify.channels import push
from backend.people import store as people
from backend.readings import retention_command as retention
from backend.rules import command as rules_command
from backend.rules import store as rules

logger = logging.getLogger("backend")

EXIT_BAD_INPUT = 2
EXIT_UNAVAILABLE = 3
LOG_FORMAT = "%(asctime)s %(levelname)s %(name)s %(message)s"

CANCEL_AGAIN_S = 5
"""How long a process that was asked to end may take for its clean-up before it is asked again."""


def main(argv: list[str] | None = None) -> int:
    """Run one command. Returns the exit code: 0 done, 2 bad input, 3 broker or database unavailable."""
    arguments = _parser().parse_args(argv)
    logging.basicConfig(level=logging.INFO, format=LOG_FORMAT, stream=sys.stderr)
    logging.getLogger("apscheduler").setLevel(logging.ERROR)  # that a tick is left out while the one before still works is no news
    logging.getLogger("httpx").setLevel(logging.WARNING)
    try:
        if arguments.command == "push-key":
            print(f"{configuration.VAPID_KEY}={webpush.new_key()}")
            return 0
        if arguments.command == "rules" and arguments.action != "store":
            return rules_command.run(arguments)
        if arguments.config is None:
            raise BadInput("rules store needs --config: the TOML file that names the database")
        config = configuration.read(arguments.config)
        _start(arguments, config)
    except BaseExceptionGroup as group:
        known = group.subgroup(JiahuError)
        if known is None:
            raise
        return _say(_first(known))
    except JiahuError as error:
        return _say(error)
    except KeyboardInterrupt:
        return 0
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m backend", description="The backend of Jiahu 家护.")
    commands = parser.add_subparsers(dest="command", required=True, metavar="COMMAND")
    for name, what in (
        ("ingest", "store and judge what homes send"),
        ("worker", "silence rules, offers to doctors, notifications"),
        ("web", "pages and HTTP API"),
        ("migrate", "bring the database's tables and the shipped rules up to date"),
        ("load", "import teams, doctors, elders, homes and accounts from a TOML file"),
        ("institutions", "import the map's institutions from a CSV file"),
        ("rules", "try rules on their cases, on recorded readings; score NEWS2; store rules as new versions"),
        ("retention", "show or change how long readings are kept"),
        ("plan", "plan the visits that are due: who goes where, when and why"),
        ("push-key", "print a new key for Web Push, for the environment of worker and web"),
    ):
        command = commands.add_parser(name, help=what, description=what)
        if name == "push-key":
            continue
        if name == "rules":
            rules_command.add_arguments(command)
            continue
        command.add_argument("--config", type=Path, required=True, help="backend TOML file, see deploy/backend.example.toml")
        if name in ("load", "institutions"):
            command.add_argument("file", type=Path)
        if name == "retention":
            retention.add_arguments(command)
        if name == "plan":
            plan.add_arguments(command)
    return parser


def _start(arguments: argparse.Namespace, config: Config) -> None:
    shown = config.model_dump_json(exclude={"database": {"url"}, "web": {"demo_accounts"}})
    logger.info("%s starts on database %s with %s", arguments.command, place(config.database), shown)
    if arguments.command in ("web", "worker"):
        push.public_key()  # a bad key is said at the start, not when the first offer should ring
    if arguments.command == "web":
        from backend.web.server import serve  # the one process that needs FastAPI

        run(serve(config))
    elif arguments.command == "ingest":
        from backend.ingest.process import run as run_ingest

        run(run_ingest(config))
    elif arguments.command == "worker":
        from backend.worker import run as run_worker

        run(run_worker(config))
    else:
        run(_maintain(arguments, config))


def run(work: Coroutine[None, None, None]) -> None:
    """Run until done, or until SIGTERM or SIGINT asks for a clean end."""

    async def until_signal() -> None:
        task, asked = asyncio.create_task(work), asyncio.Event()
        loop = asyncio.get_running_loop()
        for number in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(number, asked.set)
        asking = asyncio.create_task(asked.wait())
        await asyncio.wait({task, asking}, return_when=asyncio.FIRST_COMPLETED)
        while not task.done():  # a pool may swallow a cancellation
            task.cancel()
            await asyncio.wait({task}, timeout=CANCEL_AGAIN_S)
        try:
            await task
        except asyncio.CancelledError:
            logger.info("stopped")
        finally:
            await _end_the_rest()

    asyncio.run(until_signal())


async def _end_the_rest() -> None:
    """Cancel what still runs until it has ended; `asyncio.run` cancels once, and a pool's worker may swallow that."""
    rest = asyncio.all_tasks() - {asyncio.current_task()}
    while rest:
        for task in rest:
            task.cancel()
        _, rest = await asyncio.wait(rest, timeout=1)


async def _maintain(arguments: argparse.Namespace, config: Config) -> None:
    pool = await open_pool(config.database)
    async with pool, pool.connection() as conn:
        if arguments.command == "migrate":
            applied = await migrations.migrate(conn, migrations.files())
            await partitions.prepare(conn, now=datetime.now(UTC))
            async with conn.transaction():
                changed = await rules.save(conn, rules.read_file(rules.DEFAULTS), by=rules.SHIPPED)
            print(f"applied {len(applied)} migrations: {', '.join(applied) or 'none were missing'}; rules changed: {len(changed)}")
        elif arguments.command == "rules":
            file = rules_command.storable(arguments.file)
            async with conn.transaction():
                cases = {rule_id: file.cases_of(rule_id) for rule_id in file.rules}
                changed = await rules.save(conn, list(file.rules.values()), by="file", cases=cases)
            print(f"rules with a new version: {', '.join(changed) or 'none, all were the same'}")
        elif arguments.command == "retention":
            async with conn.transaction():
                print(await retention.change(conn, arguments))
        elif arguments.command == "institutions":
            found = institutions.read_file(arguments.file)
            async with conn.transaction():
                await institutions.save(conn, found)
            print(f"{len(found)} institutions stored from {arguments.file}")
        elif arguments.command == "plan":
            print(await plan.plan(conn, arguments, now=datetime.now(UTC), habits=config.plan))
        else:
            async with conn.transaction():
                warnings = await people.load(conn, people.read_file(arguments.file), folder=arguments.file.parent)
            print("\n".join([f"loaded {arguments.file}", *(f"warning: {warning}" for warning in warnings)]))


def _say(error: JiahuError) -> int:
    print(f"jiahu backend: {error}", file=sys.stderr)
    return EXIT_UNAVAILABLE if isinstance(error, Unavailable) else EXIT_BAD_INPUT if isinstance(error, BadInput) else 1


def _first(group: BaseException) -> JiahuError:
    while isinstance(group, BaseExceptionGroup):
        group = group.exceptions[0]
    assert isinstance(group, JiahuError)
    return group


if __name__ == "__main__":
    sys.exit(main())
