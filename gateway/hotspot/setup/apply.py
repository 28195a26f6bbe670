"""The plan over the API: each step reads first, writes only what differs, and says what it found and did.

Takes the same steps as `script`. Needs a login with more rights than the gateway's own, because it makes users and reads files; it
never shows a password, and `dry` writes nothing at all.
"""

from collections.abc import AsyncIterator, Iterable, Mapping
from dataclasses import dataclass
from enum import Enum

from gateway.errors import RouterRefused
from gateway.hotspot.hosts import Hosts
from gateway.hotspot.link import Link
from gateway.hotspot.setup.steps import Bypass, Certificate, OnlyFrom, Pages, ProfilesOf, Row, Step, Value
from gateway.hotspot.tables import Table
from gateway.hotspot.wire import Trap
from gateway.hotspot.words import Row as Shown
from gateway.hotspot.words import flag_at
from gateway.packages import MARK

SIGN_S = 120.0
"""A small router takes most of a minute to make a key of 2048 bits; while it does, it does not answer."""

FETCH_S = 30.0
"""A page of a kilobyte from a gateway on the same cable; longer, and the router cannot reach it."""


class Verdict(Enum):
    """How a step stands, as it is shown."""

    RIGHT = "already right"
    ADDED = "added"
    CHANGED = "changed"
    LEFT = "LEFT ALONE"
    FAILED = "NOT DONE"


@dataclass(frozen=True, slots=True)
class Outcome:
    """One line of what was done, or would be."""

    step: Step
    verdict: Verdict
    detail: str = ""

    def __str__(self) -> str:
        return f"{self.verdict.value:<14} {self.step.title}" + (f": {self.detail}" if self.detail else "")

    @property
    def is_well(self) -> bool:
        """Whether the router is as it should be now."""
        return self.verdict not in {Verdict.LEFT, Verdict.FAILED}


class Setup:
    """Brings one router to the plan over one link."""

    def __init__(self, link: Link, *, dry: bool = False) -> None:
        self._link = link
        self._dry = dry

    async def bring(self, steps: Iterable[Step]) -> AsyncIterator[Outcome]:
        """Do the steps one after the other. A step that the router refuses is told, and the next one is tried.

        Raises RouterUnreachable when it does not answer any more, RouterRefused when it does not let us in.
        """
        for step in steps:
            try:
                async for outcome in self._outcomes(step):
                    yield outcome
            except Trap as trap:
                yield Outcome(step, Verdict.FAILED, trap.text)

    async def _outcomes(self, step: Step) -> AsyncIterator[Outcome]:
        match step:
            case Row(is_single=True):
                [settings] = await self._link.ask(f"{step.path}/print")
                yield await self._bring_row(step, settings)
            case Row():
                for outcome in await self._bring_rows(step):
                    yield outcome
            case Certificate():
                yield await self._bring_certificate(step)
            case Bypass():
                yield await self._bring_bypass(step)
            case Pages():
                profiles = await self._profiles(step.profiles)
                for profile in profiles:
                    yield await self._bring_pages(step, profile)
                if not profiles:
                    yield Outcome(step, Verdict.FAILED, "the router has no such hotspot server")

    async def _command(self, path: str, properties: Mapping[str, str], *, deadline_s: float | None = None) -> None:
        """The one place that writes; does nothing when nothing shall be written."""
        if not self._dry:
            await self._link.ask(path, *(f"={name}={text}" for name, text in properties.items()), deadline_s=deadline_s)

    # Rows

    async def _bring_rows(self, step: Row) -> list[Outcome]:
        rows = await self._found(step)
        if rows:
            return [await self._bring_row(step, row) for row in rows]
        if not step.may_be_added:
            return [Outcome(step, Verdict.FAILED, f"the router has none in {step.path}")]
        await self._add(step)
        return [Outcome(step, Verdict.ADDED)]

    async def _found(self, step: Row) -> list[Shown]:
        if step.used_by:
            return await self._profiles(step.used_by)
        return await self._rows(step.path, step.found_by, step.wanted)

    async def _rows(self, path: str, found_by: Mapping[str, str], shown: Iterable[str]) -> list[Shown]:
        table = Table(self._link, path, ",".join({**found_by, **dict.fromkeys(shown), "name": "", "dynamic": ""}))
        rows = await table.rows(*(f"?{name}={text}" for name, text in found_by.items()))
        return [row for row in rows if not flag_at(row, "dynamic")]

    async def _profiles(self, profiles: ProfilesOf) -> list[Shown]:
        name = {} if profiles.server is None else {"name": profiles.server}
        servers = await self._rows("/ip/hotspot", name, ("profile",))
        used = {server.get("profile", "") for server in servers}
        rows = await self._rows("/ip/hotspot/profile", {}, ("login-by", "mac-auth-mode", "html-directory"))
        return [row for row in rows if row.get("name") in used]

    async def _bring_row(self, step: Row, row: Shown) -> Outcome:
        if step.needs_mark and not row.get("comment", "").startswith(MARK):
            return Outcome(step, Verdict.LEFT, f"it has no comment that begins with {MARK}; give it one, and it is ours")
        odd = {name: value for name, value in step.wanted.items() if not value.holds(row.get(name, ""))}
        if not odd:
            return Outcome(step, Verdict.RIGHT)
        written = {name: value.replacing(row.get(name, "")) for name, value in odd.items()}
        await self._command(f"{step.path}/set", ({".id": row[".id"]} if ".id" in row else {}) | written)
        return Outcome(step, Verdict.CHANGED, ", ".join(_change(name, row.get(name, ""), odd[name]) for name in odd))

    async def _add(self, step: Row) -> None:
        properties = {**step.found_by, **{name: value.replacing("") for name, value in step.wanted.items()}}
        properties |= {name: secret.reveal() for name, secret in step.when_added.items()}
        if step.goes_first:
            others = await self._rows(step.path, {"chain": step.goes_first}, ("chain",))
            properties |= {"place-before": others[0][".id"]} if others else {}
        await self._command(f"{step.path}/add", properties)

    # Certificate, bypass, pages

    async def _bring_certificate(self, step: Certificate) -> Outcome:
        verdict = Verdict.RIGHT
        if not await self._rows("/certificate", {"name": step.name}, ()):
            verdict = Verdict.ADDED
            new = {"name": step.name, "common-name": step.common_name, "days-valid": str(step.days)}
            await self._command("/certificate/add", new)
            await self._command("/certificate/sign", {"number": step.name}, deadline_s=SIGN_S)
        rows = await self._rows("/certificate", {"name": step.name}, ("fingerprint",))
        fingerprint = rows[0].get("fingerprint", "") if rows else "shown when it is made"
        return Outcome(step, verdict, f"for config.yaml: tls_fingerprint: {fingerprint}")

    async def _bring_bypass(self, step: Bypass) -> Outcome:
        mac = step.mac
        if mac is None:
            host = await Hosts(self._link).find(None, step.address)
            mac = host.device.mac if host else None
        known = {"mac-address": mac.text} if mac else {"comment": step.comment}
        rows = await self._rows("/ip/hotspot/ip-binding", known, ("type", "bypassed", "disabled"))
        if any(_lets_through(row) for row in rows):
            return Outcome(step, Verdict.RIGHT)
        if mac is None:
            return Outcome(step, Verdict.RIGHT, f"not needed: the hotspot does not see {step.address}")
        if rows:
            return Outcome(step, Verdict.LEFT, f"{mac} has an ip-binding of yours that is not bypassed")
        await self._command("/ip/hotspot/ip-binding/add", {"mac-address": mac.text, "type": "bypassed", "comment": step.comment})
        return Outcome(step, Verdict.ADDED, mac.text)

    async def _bring_pages(self, step: Pages, profile: Shown) -> Outcome:
        folder = await self._folder(profile)
        changed = [name for name, text in step.files.items() if not await self._holds(f"{folder}/{name}", text)]
        for name in changed:
            await self._write(step, f"{folder}/{name}", name)
        return Outcome(
            step, Verdict.CHANGED if changed else Verdict.RIGHT, f"{folder}: {', '.join(changed)}" if changed else folder
        )

    async def _folder(self, profile: Shown) -> str:
        """Where the pages go; beside a folder `flash` everything is gone after a reboot (facts, routeros 4.1)."""
        folder = profile.get("html-directory", "hotspot")
        if folder.startswith("flash/") or not await self._rows("/file", {"name": "flash"}, ()):
            return folder
        await self._command("/ip/hotspot/profile/set", {".id": profile[".id"], "html-directory": f"flash/{folder}"})
        return f"flash/{folder}"

    async def _holds(self, path: str, text: str) -> bool:
        rows = await self._rows("/file", {"name": path}, ("contents",))
        return bool(rows) and rows[0].get("contents") == text

    async def _write(self, step: Pages, path: str, name: str) -> None:
        if not step.inline:
            await self._command("/tool/fetch", {"url": step.source_url + name, "dst-path": path}, deadline_s=FETCH_S)
            return
        rows = await self._rows("/file", {"name": path}, ())
        where = {".id": rows[0][".id"]} if rows else {"name": path}
        await self._command(f"/file/{'set' if rows else 'add'}", where | {"contents": step.files[name]})


def _change(name: str, shown: str, value: Value) -> str:
    """`login-by cookie,http-chap -> mac,http-chap`; a script is too long to be shown."""
    wanted = value.replacing(shown)
    if "\n" in wanted or "\n" in shown:
        return f"{name} is a new one"
    if isinstance(value, OnlyFrom):
        shown = shown or "anywhere"
    return f"{name} {shown or 'nothing'} -> {wanted or 'nothing'}"


def _lets_through(row: Shown) -> bool:
    return (row.get("type") == "bypassed" or flag_at(row, "bypassed")) and not flag_at(row, "disabled")


async def require_rights(link: Link) -> None:
    """See that the login may make users and read them. Raises RouterRefused when it may not."""
    try:
        await link.ask("/user/group/print", "=.proplist=.id")
    except Trap as trap:
        raise RouterRefused(
            f"this login may not set the router up ({trap.text}): use one of the group full, such as admin"
        ) from trap
