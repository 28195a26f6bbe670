"""An owner's keys at IntaSend: made, changed, tried out and taken away by their owner.

Secrets go in and never come out: what is handed back is a `Credential`, which has none. What `config.yaml` declares is changed
there. The newest active credentials sell; older ones stay with the payments that were made with them. After each change the
accounts that the other flows use are opened again, so that it holds from the answer on.
"""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass, replace
from typing import TypeVar

from gateway.catalogue import Credential, Owner
from gateway.clock import Clock
from gateway.errors import Conflict, Invalid, KeysRejected, ProviderRefused, ProviderUnreachable
from gateway.identity import Secret
from gateway.payments import INTASEND
from gateway.providers.base import Environment, Provider, ProviderAccount
from gateway.store import credentials as rows
from gateway.store.database import Database, Transaction, Work
from gateway.vault import Vault

T = TypeVar("T")

CREDENTIALS_MAX = 50
"""Of one owner: all are read with each change, and nobody has so many accounts."""

_INTASEND_NAMES = {INTASEND, "intasend"}  # specification, decision 5
_NO_INVOICE = "HG-CHECK"  # no invoice of ours can have this reference: the cheapest question that needs the private key


@dataclass(frozen=True, slots=True)
class CredentialDraft:
    """Credentials as their owner sends them. A secret that is None stays as it is, where there is one."""

    provider: str
    environment: Environment
    api_key: str
    private_key: Secret | None
    webhook_challenge: Secret | None


@dataclass(frozen=True, slots=True)
class Verdict:
    """What is to be said of a private key."""

    matches_stored: bool
    accepted_by_provider: bool | None
    """None when IntaSend could not be asked."""
    detail: str | None
    """IntaSend's reason, or why it could not be asked."""

    @property
    def message(self) -> str:
        """The verdict as a sentence."""
        stored = "is the stored one" if self.matches_stored else "is not the stored one"
        asked = {True: "IntaSend accepts it", False: "IntaSend does not accept it", None: "IntaSend could not be asked"}
        return f"The private key {stored}; {asked[self.accepted_by_provider]}"


class Credentials:
    """The flows, one public verb each. Whatever is not the owner's raises NotFound, as if it did not exist."""

    def __init__(
        self,
        db: Database,
        clock: Clock,
        vault: Vault,
        connect: Callable[[int, ProviderAccount], Provider],
        changed: Callable[[], Awaitable[None]],
    ) -> None:
        """`connect` opens an owner's account and raises Invalid for keys that contradict themselves; `changed` opens all again."""
        self._db = db
        self._clock = clock
        self._vault = vault
        self._connect = connect
        self._changed = changed

    async def create(self, owner: Owner, draft: CredentialDraft) -> Credential:
        """Store new credentials, which sell from now on. Raises Invalid, and Conflict for too many."""
        _demand_intasend(draft.provider)
        if draft.private_key is None:
            raise Invalid("private_key: this field is required", fields={"private_key": ["this field is required"]})
        keys = ProviderAccount(draft.environment, draft.api_key, draft.private_key, draft.webhook_challenge, base_url=None)
        self._connect(owner.id, keys)

        def work(tx: Transaction) -> Credential:
            if len(rows.of_owner(tx, owner.id)) >= CREDENTIALS_MAX:
                raise Conflict(f"There are {CREDENTIALS_MAX} credentials already: delete some first")
            return rows.insert(tx, owner.id, "api", self._clock.wall_s(), rows.sealed(keys, self._vault))

        return await self._write(work)

    async def all(self, owner: Owner) -> list[Credential]:
        """Every credential of the owner, newest first."""
        return await self._db.read(lambda tx: rows.of_owner(tx, owner.id))

    async def one(self, owner: Owner, credential_id: int) -> Credential:
        """One of them."""
        return await self._db.read(lambda tx: rows.owned(tx, credential_id, owner.id))

    async def update(self, owner: Owner, credential_id: int, draft: CredentialDraft) -> Credential:
        """Replace what is sent; secrets that are left out stay.

        Raises Invalid, Conflict for another environment once payments were made, EncryptionKeyMismatch when what is to stay cannot
        be opened.
        """
        _demand_intasend(draft.provider)

        def work(tx: Transaction) -> Credential:
            credential = _changeable(tx, credential_id, owner)
            if draft.environment is not credential.environment and rows.is_used(tx, credential_id):
                raise Conflict("Payments were made with these credentials: add new ones for the other environment")
            keys = self._merged(tx, credential_id, draft)
            self._connect(owner.id, keys)
            return rows.change(tx, credential_id, self._clock.wall_s(), **rows.sealed(keys, self._vault))

        return await self._write(work)

    def _merged(self, tx: Transaction, credential_id: int, draft: CredentialDraft) -> ProviderAccount:
        stored = rows.opened(tx, credential_id, self._vault)
        return replace(
            stored,
            environment=draft.environment,
            publishable_key=draft.api_key,
            secret_key=draft.private_key or stored.secret_key,
            webhook_challenge=draft.webhook_challenge or stored.webhook_challenge,
        )

    async def replace_private_key(self, owner: Owner, credential_id: int, private_key: Secret) -> Credential:
        """Store another private key of the same account; also the remedy when the stored one cannot be opened. Raises Invalid."""

        def work(tx: Transaction) -> Credential:
            credential = _changeable(tx, credential_id, owner)
            self._connect(owner.id, _with(credential, private_key))
            return rows.change(tx, credential_id, self._clock.wall_s(), secret_sealed=self._vault.seal(private_key))

        return await self._write(work)

    async def verify(self, owner: Owner, credential_id: int, private_key: Secret) -> Verdict:
        """Whether a private key is the stored one, and whether IntaSend accepts it, asked now.

        Raises Invalid for a key that contradicts the credentials, EncryptionKeyMismatch when the stored one cannot be opened.
        """
        credential = await self.one(owner, credential_id)
        stored = await self._db.read(lambda tx: rows.opened(tx, credential_id, self._vault))
        matches = stored.secret_key == private_key  # in constant time: a Secret compares so
        provider = self._connect(owner.id, _with(credential, private_key))
        try:
            await provider.find(_NO_INVOICE)
        except KeysRejected as fault:
            return Verdict(matches, accepted_by_provider=False, detail=fault.message)
        except (ProviderRefused, ProviderUnreachable) as fault:
            return Verdict(matches, accepted_by_provider=None, detail=fault.message)
        return Verdict(matches, accepted_by_provider=True, detail=None)

    async def toggle(self, owner: Owner, credential_id: int) -> Credential:
        """Put into use what is not, and out of use what is. Payments under way with it are settled all the same."""

        def work(tx: Transaction) -> Credential:
            credential = _changeable(tx, credential_id, owner)
            return rows.change(tx, credential_id, self._clock.wall_s(), active=int(not credential.active))

        return await self._write(work)

    async def remove(self, owner: Owner, credential_id: int) -> None:
        """Take them away for good. Where payments were made with them, the keys stay, hidden, until those are settled for ever."""
        await self._write(lambda tx: rows.remove(tx, _changeable(tx, credential_id, owner), self._clock.wall_s()))

    async def _write(self, work: Work[T]) -> T:
        done = await self._db.write(work)
        await self._changed()
        return done


def _demand_intasend(provider: str) -> None:
    if provider in _INTASEND_NAMES:
        return
    later = "KopoKopo is not supported yet" if provider == "kopokopo" else "there is no such provider"  # specification, decision 14
    rule = f'{later}: use "{INTASEND}"'
    raise Invalid(f"provider: {rule}", fields={"provider": [rule]})


def _changeable(tx: Transaction, credential_id: int, owner: Owner) -> Credential:
    credential = rows.owned(tx, credential_id, owner.id)
    if credential.managed_by == "config":
        raise Conflict("These credentials are managed by config.yaml: change them there")
    return credential


def _with(credential: Credential, private_key: Secret) -> ProviderAccount:
    return ProviderAccount(credential.environment, credential.publishable_key, private_key, webhook_challenge=None, base_url=None)
