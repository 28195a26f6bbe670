"""One persistent API connection to one router: one question at a time, a deadline on each, and patience between attempts.

A conversation that broke, timed out or was abandoned by its caller is dropped, never used again in mid-sentence: the next answer
on it would belong to another question. Whether the last command was executed is then not known; who asked must look.
"""

import asyncio
import logging
import random
from collections.abc import Callable
from typing import Any

from gateway.clock import Clock
from gateway.errors import RouterRefused, RouterUnreachable
from gateway.hotspot.base import RouterLogin
from gateway.hotspot.wire import BROKEN, Conversation, Trap, connect, log_in

COMMAND_S = 15.0
"""Slow routers leave a login unanswered for 8 s and take 15 s for a whole activation under load (facts, routeros 1.10)."""

CONNECT_S = 8.0
"""TCP repeats a lost SYN after 1, 3 and 7 s; and a small router with a full CPU takes seconds for a TLS handshake."""

BACKOFF_FIRST_S, BACKOFF_CAP_S = 0.5, 5.0
"""A router that comes back just after our last SYN is tried again 6 s later: everybody who paid is online within 15 s after it is
back (contract, bounds)."""

_LACKS_RIGHT = "not enough permissions"
"""A conversation may keep the rights that its user had when he logged in: whoever is given more is let in anew to have them."""

_log = logging.getLogger(__name__)


class Link:
    """A connection that opens itself when it is needed.

    After a failed attempt to connect, calls fail at once until the pause is over. The pause doubles from 0.5 s to 5 s, each
    shortened by up to half at random so that many gateways do not knock in step.
    """

    def __init__(
        self,
        login: RouterLogin,
        clock: Clock,
        *,
        purpose: str = "commands",
        deadline_s: float = COMMAND_S,
        random_share: Callable[[], float] = random.random,
    ) -> None:
        self._login = login
        self._clock = clock
        self._purpose = purpose
        self._deadline_s = deadline_s
        self._random_share = random_share
        self._turn = asyncio.Lock()
        self._conversation: Conversation | None = None
        self._failures = 0
        self._retry_at_s = clock.monotonic_s()
        self._refusal: RouterRefused | None = None
        self.reachable: bool | None = None
        """Whether the last exchange worked, traps included; None until the first one has ended."""
        self.generation = 0
        """How many connections there have been: what was read on an earlier one may have been changed since."""

    async def ask(self, *words: str, deadline_s: float | None = None) -> list[dict[str, str]]:
        """Ask one sentence, within `deadline_s` seconds of getting the turn (default: the link's own), and return the rows.

        Raises Trap when the router says no to this command, RouterRefused when it does not let us in, RouterUnreachable when
        it does not answer: then the command may have been executed all the same.
        """
        async with self._turn:
            conversation = await self._open()
            try:
                async with asyncio.timeout(self._deadline_s if deadline_s is None else deadline_s):
                    rows = await conversation.ask(*words)
            except Trap as trap:
                self.reachable = True
                if _LACKS_RIGHT in trap.text:
                    self._drop()
                raise
            except BROKEN as error:
                self._drop()
                raise self._unreachable(f"did not answer {words[0]}", error) from error
            except BaseException:  # the caller was cancelled in mid-sentence
                self._drop()
                raise
            self.reachable = True
            return rows

    async def close(self) -> None:
        """End the connection. A later `ask` opens a new one."""
        conversation, self._conversation = self._conversation, None
        if conversation is not None:
            await conversation.close()

    async def _open(self) -> Conversation:
        if self._conversation is not None and self._conversation.is_alive:
            return self._conversation
        self._drop()
        self._respect_the_pause()
        try:
            conversation = await self._enter()
        except RouterRefused as refusal:
            self._postpone(refusal)
            self.reachable = False
            raise
        except BROKEN as error:
            self._postpone(None)
            raise self._unreachable("does not answer", error) from error
        self._failures, self._refusal = 0, None
        self._conversation = conversation
        self.generation += 1
        _log.info("router %s: connected for %s", self._login.name, self._purpose, extra=self._ids("router_connected"))
        return conversation

    async def _enter(self) -> Conversation:
        conversation = await connect(self._login, deadline_s=min(CONNECT_S, self._deadline_s))
        try:
            async with asyncio.timeout(self._deadline_s):
                await log_in(conversation, self._login.username, self._login.password.reveal())
        except Trap as trap:
            conversation.abort()
            raise RouterRefused(
                f"router {self._login.name} does not accept the user name or password of {self._login.username!r} ({trap.text})"
            ) from trap
        except BaseException:
            conversation.abort()
            raise
        return conversation

    def _respect_the_pause(self) -> None:
        if self._clock.monotonic_s() >= self._retry_at_s:
            return
        if self._refusal is not None:
            raise RouterRefused(self._refusal.message)
        raise RouterUnreachable(f"router {self._login.name} did not answer a moment ago")

    def _postpone(self, refusal: RouterRefused | None) -> None:
        pause_s = min(BACKOFF_CAP_S, BACKOFF_FIRST_S * 2 ** min(self._failures, 10)) * (1 - self._random_share() / 2)
        self._failures += 1
        self._retry_at_s = self._clock.monotonic_s() + pause_s
        self._refusal = refusal

    def _drop(self) -> None:
        if self._conversation is not None:
            self._conversation.abort()
            self._conversation = None

    def _unreachable(self, what: str, error: Exception) -> RouterUnreachable:
        if self.reachable is not False:  # once per outage, not once per attempt
            _log.warning("router %s %s: %r", self._login.name, what, error, extra=self._ids("router_lost"))
        self.reachable = False
        return RouterUnreachable(f"router {self._login.name} at {self._login.host}:{self._login.port} {what}")

    def _ids(self, action: str) -> dict[str, Any]:
        return {"action": action, "router": self._login.router_id}
