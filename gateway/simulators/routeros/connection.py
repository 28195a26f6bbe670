"""One API connection: login, tags, commands at the same time, `/cancel`, `listen`, `/quit`, and the faults to inject.

Moves sentences between the socket and the console; what a command does is decided there.
"""

import asyncio
import hashlib
import secrets
import socket
import struct
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Protocol, cast

from gateway.simulators.routeros import traps
from gateway.simulators.routeros.accounts import Accounts, ApiUser
from gateway.simulators.routeros.console import Command, Console, project, proplist
from gateway.simulators.routeros.machine import Machine
from gateway.simulators.routeros.properties import READ_ONLY
from gateway.simulators.routeros.schema import PLAIN_LOGIN
from gateway.simulators.routeros.tables import Row
from gateway.simulators.routeros.traps import Fatal, Trap
from gateway.simulators.routeros.wire import MalformedWord, SentenceDecoder, encode_sentence

FOLLOW_S = 0.2
"""How often a `listen` looks for changes: soon enough for people, cheap enough for a hundred rows."""

LOG_COMMANDS = 20_000
"""How many executed commands are remembered: more than any test sends, and no leak in a demo that runs for weeks."""

_RESET_ON_CLOSE = struct.pack("ii", 1, 0)
_NO_TAG: Mapping[str, str] = {}


@dataclass(slots=True)
class Faults:
    """What goes wrong. Change it at any time; it holds for the commands that begin afterwards."""

    delay_s: float = 0.0
    """Before each command is executed."""
    silent: bool = False
    """Takes everything in, executes and answers nothing, as a router does whose CPU is stuck."""
    drop_after: set[str] = field(default_factory=set)
    """Command paths: the next one is executed and the connection cut before its answer; once each."""
    refuse_login: bool = False
    """Says that the password is wrong."""
    trap_next: dict[str, str] = field(default_factory=dict)
    """Command path to message: the next one is refused with that instead of being executed; once each."""


class Site(Protocol):
    """What a connection sees of the router that it is on."""

    machine: Machine
    console: Console
    accounts: Accounts
    faults: Faults
    commands: list[str]
    connections: set["Connection"]


class Connection(asyncio.Protocol):
    """A client. Each sentence runs in a task of its own, so answers with different tags may interleave."""

    def __init__(self, site: Site) -> None:
        self._site = site
        self._decoder = SentenceDecoder()
        self._transport: asyncio.Transport | None = None
        self._running: dict[asyncio.Task[None], Command] = {}
        self._login_id: str | None = None
        self._policies: frozenset[str] = frozenset()
        self._challenge = ""
        self.closed = asyncio.get_running_loop().create_future()

    # The socket

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """A client has connected. What a router does beyond `max-sessions` is not documented; here it hangs up."""
        self._transport = cast("asyncio.Transport", transport)  # what asyncio promises for TCP; uvloop's is no subclass of it
        self._site.connections.add(self)
        if len(self._site.connections) > self._site.machine.max_sessions:
            transport.close()

    def data_received(self, data: bytes) -> None:
        """Some bytes; every sentence that is complete with them starts to run."""
        try:
            sentences = self._decoder.feed(data)
        except MalformedWord:
            self.abort()
            return
        if self._site.faults.silent:
            return
        for words in sentences:
            command = Command.parse(words)
            task = asyncio.get_running_loop().create_task(self._serve(command))
            self._running[task] = command
            task.add_done_callback(self._finished)

    def connection_lost(self, exc: Exception | None) -> None:
        """The client has gone, or was cut off: its commands end with it."""
        del exc
        for task in self._running:
            task.cancel()
        self._site.connections.discard(self)
        if self._login_id is not None:
            self._site.machine.dismiss(self._login_id)
        if not self.closed.done():
            self.closed.set_result(None)

    def abort(self) -> None:
        """Cut the connection without a farewell: the client gets a reset, as from a router that has lost its memory."""
        if self._transport is None:
            return
        raw = self._transport.get_extra_info("socket")
        if raw is not None and raw.fileno() >= 0:
            raw.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _RESET_ON_CLOSE)
        self._transport.abort()

    def _finished(self, task: asyncio.Task[None]) -> None:
        del self._running[task]
        if not task.cancelled() and (fault := task.exception()) is not None:
            self.abort()
            raise fault

    # One command

    async def _serve(self, command: Command) -> None:
        site = self._site
        if site.faults.delay_s:
            await site.machine.clock.sleep(site.faults.delay_s)
        try:
            await self._execute(command)
        except Trap as trap:
            self._send_trap(trap, command.tag)
            self._send("!done", command.tag)
        except Fatal as fatal:
            self._write(["!fatal", fatal.reason])
            if self._transport is not None:
                self._transport.close()

    async def _execute(self, command: Command) -> None:
        if command.path == "/login":
            self._send("!done", command.tag, self._log_in(command.arguments))
        elif self._login_id is None:
            raise Fatal("not logged in")
        elif command.path == "/quit":
            raise Fatal("session terminated on request")
        elif command.path == "/cancel":
            self._cancel(command)
        elif command.path in self._site.faults.trap_next:
            raise Trap(self._site.faults.trap_next.pop(command.path))
        elif command.follows:
            await self._follow(command)
        else:
            await self._run(command)

    async def _run(self, command: Command) -> None:
        site = self._site
        answer = await site.console.run(command, self._policies)
        self._log(command)
        if command.path in site.faults.drop_after:
            site.faults.drop_after.discard(command.path)
            self.abort()
            return
        for row in answer.rows:
            self._send("!re", command.tag, row)
            if len(self._running) > 1:
                await site.machine.clock.sleep(0)
        if answer.empty:
            self._send("!empty", command.tag)
        self._send("!done", command.tag, {} if answer.ret is None else {"ret": answer.ret})

    async def _follow(self, command: Command) -> None:
        """Tell what changes until cancelled; counters that tick are no change (facts, routeros 1.6)."""
        site = self._site
        site.console.check(command, self._policies)
        self._log(command)
        wanted = proplist(command.arguments)
        known: dict[str, Row] = {}
        silent = command.verb == "listen" or "follow-only" in command.arguments
        while True:
            rows = {row.get(".id", ""): row for row in site.console.rows(command, self._policies)}
            for row_id, row in rows.items():
                if not silent and _lasting(row) != _lasting(known.get(row_id, {})):
                    self._send("!re", command.tag, project(row, wanted))
            for row_id in known.keys() - rows.keys():
                self._send("!re", command.tag, {".id": row_id, ".dead": "true"})
            known, silent = rows, False
            await site.machine.clock.sleep(FOLLOW_S)

    def _cancel(self, command: Command) -> None:
        """End one command by its tag, or all; never itself. Cancelling what has ended already is no fault."""
        tag = command.arguments.get("tag") or None
        mine = asyncio.current_task()
        ended = [(task, other.tag) for task, other in self._running.items() if task is not mine and tag in {None, other.tag}]
        for task, other_tag in ended:
            task.cancel()
            self._send_trap(traps.interrupted(), other_tag)
        self._send("!done", command.tag)
        for _, other_tag in ended:
            self._send("!done", other_tag)

    # Login

    def _log_in(self, arguments: Mapping[str, str]) -> Mapping[str, str]:
        """Both generations of login (facts, routeros 1.5). Raises Trap when it is refused; the client may try again."""
        if self._site.machine.version < PLAIN_LOGIN:
            return self._log_in_by_challenge(arguments)
        user = self._account(arguments)
        if user is None or user.password != arguments.get("password", ""):
            raise Trap("invalid user name or password (6)")
        self._admit(user)
        return {}

    def _log_in_by_challenge(self, arguments: Mapping[str, str]) -> Mapping[str, str]:
        """The old way: without a response, whatever else was sent, a challenge comes back."""
        if "response" not in arguments:
            self._challenge = secrets.token_hex(16)
            return {"ret": self._challenge}
        user = self._account(arguments)
        if user is None or challenge_response(user.password, self._challenge) != arguments["response"]:
            raise Trap("cannot log in")
        self._admit(user)
        return {}

    def _account(self, arguments: Mapping[str, str]) -> ApiUser | None:
        """A user without the policy `api`, or at the wrong address, looks like a wrong password (facts, routeros 1.5)."""
        user = self._site.accounts.find(arguments.get("name", ""), self._peer())
        return None if self._site.faults.refuse_login else user

    def _peer(self) -> str:
        peer = self._transport.get_extra_info("peername") if self._transport is not None else None
        return str(peer[0]) if peer else ""

    def _admit(self, user: ApiUser) -> None:
        self._policies = user.policies
        if self._login_id is None:
            self._login_id = self._site.machine.admit(user.name, self._peer(), self.abort)

    # Words out

    def _log(self, command: Command) -> None:
        """Keep the newest commands for whoever counts them."""
        log = self._site.commands
        log.append(str(command))
        if len(log) > LOG_COMMANDS:
            del log[: LOG_COMMANDS // 2]

    def _send_trap(self, trap: Trap, tag: str | None) -> None:
        category = {} if trap.category is None else {"category": str(trap.category)}
        self._send("!trap", tag, {**category, "message": trap.message})

    def _send(self, reply: str, tag: str | None, attributes: Mapping[str, str] = _NO_TAG) -> None:
        words = [reply] if tag is None else [reply, f".tag={tag}"]
        self._write([*words, *(f"={name}={text}" for name, text in attributes.items())])

    def _write(self, words: list[str]) -> None:
        if self._transport is not None and not self._transport.is_closing():
            self._transport.write(encode_sentence(words))


def challenge_response(password: str, challenge: str) -> str:
    """What an old client answers: `00` and the MD5 of a zero byte, the password and the challenge."""
    digest = hashlib.md5(b"\x00" + password.encode() + bytes.fromhex(challenge), usedforsecurity=False)
    return "00" + digest.hexdigest()


def _lasting(row: Row) -> Row:
    """The row without what ticks."""
    return {name: text for name, text in row.items() if name not in READ_ONLY or text in {"true", "false"}}
