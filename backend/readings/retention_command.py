"""The administrator's command about retention: python -m backend retention --config FILE [--class NAME ...]"""

import argparse
from dataclasses import replace

from backend.db.pool import Connection
from backend.errors import BadInput
from backend.readings import retention
from backend.readings.retention import Keep
from contract.quantities import QuantityName


def add_arguments(command: argparse.ArgumentParser) -> None:
    """What can be said: nothing (show), a class with its days, or a class with the quantity that is to belong to it."""
    command.add_argument("--class", dest="retention_class", metavar="NAME", help="brief, usual or lasting")
    command.add_argument("--raw-days", type=int, help="days that every reading is kept")
    command.add_argument("--minute-days", type=int, help="days that rollups of minutes are kept")
    command.add_argument("--rollup-days", type=int, help="days that rollups of hours and days are kept")
    command.add_argument("--source", help="where these days come from: a law, a contract")
    command.add_argument("--quantity", choices=[str(name) for name in QuantityName], help="from now on kept as that class")


async def change(conn: Connection, arguments: argparse.Namespace) -> str:
    """Do what was asked and return the table of what is in force. The caller owns the transaction. Raises BadInput."""
    days = {name: getattr(arguments, name) for name in ("raw_days", "minute_days", "rollup_days", "source")}
    given = {name: value for name, value in days.items() if value is not None}
    if (given or arguments.quantity) and arguments.retention_class is None:
        raise BadInput("say which class with --class")
    if given:
        await retention.set_days(conn, replace(await _class(conn, arguments.retention_class), **given))
    if arguments.quantity:
        await retention.move(conn, QuantityName(arguments.quantity), arguments.retention_class)
    return show(await retention.load(conn))


async def _class(conn: Connection, name: str) -> Keep:
    found = {one.name: one for one in await retention.load(conn)}
    return found.get(name) or Keep(name, 1, 1, 1, "")


def show(keeps: list[Keep]) -> str:
    """One line per class, for people."""
    named = {quantity for keep in keeps for quantity in keep.quantities}
    lines = [f"{'class':<8} {'readings':>9} {'minutes':>9} {'hours, days':>12}  (days kept)"]
    for keep in keeps:
        others = [str(name) for name in QuantityName if name not in named] if keep.name == "usual" else []
        lines.append(
            f"{keep.name:<8} {keep.raw_days:>9} {keep.minute_days:>9} {keep.rollup_days:>12}  {', '.join([*keep.quantities, *others])}"
        )
        lines.append(f"{'':<8} {keep.source}")
    return "\n".join(lines)
