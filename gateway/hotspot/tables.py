"""One menu of the router as a table: read, add, change, remove, purge.

Owns how a row is asked for and how removal is made certain. Which rows, and why, is for `users`, `bindings` and `survey`.
"""

from collections.abc import Callable, Mapping

from gateway.errors import RouterRefused
from gateway.hotspot.link import Link
from gateway.hotspot.wire import Trap
from gateway.hotspot.words import Row, is_ours

GONE = "no such item"
"""Somebody was faster, or our own earlier attempt was executed after all: what should be gone is gone (facts, routeros 1.9)."""


def any_of(*tests: str) -> tuple[str, ...]:
    """Query words for rows that pass at least one of the tests, such as `name=x` (facts, routeros 1.7: a stack machine)."""
    return tuple(f"?{test}" for test in tests) + ("?#|",) * (len(tests) - 1)


class Table:
    """One menu over one link. Every method raises what `Link.ask` raises."""

    def __init__(self, link: Link, path: str, show: str) -> None:
        self._link = link
        self._path = path
        self._show = f"=.proplist=.id,{show}"

    async def rows(self, *query: str) -> list[Row]:
        """The rows that pass the query words, with the attributes that this table shows."""
        answer = await self._link.ask(f"{self._path}/print", self._show, *query)
        return [row for row in answer if ".id" in row]

    async def marked(self) -> list[Row]:
        """The rows that carry the mark of a grant. The API can compare but not search: it sends all that have a comment."""
        return [row for row in await self.rows("?>comment=") if is_ours(row)]

    async def add(self, properties: Mapping[str, str]) -> None:
        """Add a row."""
        await self.command("add", properties)

    async def change(self, row: Row, properties: Mapping[str, str]) -> None:
        """Set those properties of that row."""
        await self.command("set", {".id": row[".id"], **properties})

    async def command(self, verb: str, properties: Mapping[str, str]) -> None:
        """Any other command of the menu that answers with nothing but its success."""
        await self._link.ask(f"{self._path}/{verb}", *(f"={name}={value}" for name, value in properties.items()))

    async def remove(self, row: Row) -> None:
        """Remove that row; one that is gone already is a success."""
        try:
            await self.command("remove", {".id": row[".id"]})
        except Trap as trap:
            if GONE not in trap.text.lower():
                raise

    async def purge(self, query: tuple[str, ...], chosen: Callable[[Row], bool], *, seen: list[Row] | None = None) -> bool:
        """Remove the chosen ones among the rows that pass the query, and look again. Says whether there were any.

        `seen` is what the query has just shown, if it was asked already. Raises RouterRefused when one is still there afterwards.
        """
        doomed = [row for row in (await self.rows(*query) if seen is None else seen) if chosen(row)]
        for row in doomed:
            await self.remove(row)
        if doomed and any(chosen(row) for row in await self.rows(*query)):
            raise RouterRefused(f"the router keeps a row in {self._path} that was removed")
        return bool(doomed)
