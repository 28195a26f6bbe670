"""Who sells what where: owners, their keys, routers and packages, held in memory because every request asks for them.

Read from the database, which the configuration file and (later) the API write to. Replaced as a whole, never changed in place.
"""

import hashlib
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field

from gateway.access import Grant
from gateway.errors import GatewayError, NotFound, Unavailable
from gateway.hotspot.base import Hotspot, RouterLogin
from gateway.packages import Package
from gateway.payments import Payment
from gateway.providers.base import Environment, Provider

IN_ORDER_S = 60
"""What people are told to wait while the books are put in order: they are read within seconds of the provider's first answer."""

NOT_KNOWN_YET = "Not known yet: the gateway puts its books in order after a damaged card. Ask again in a minute."


@dataclass(frozen=True, slots=True)
class Owner:
    """Somebody who sells WiFi; `user` on the wire."""

    id: int
    username: str
    name: str
    public_key: str
    """32 lower-case hex digits; names the owner in portal requests and is no secret."""
    token_generation: int = 0
    """Access tokens of another generation are worth nothing."""


@dataclass(frozen=True, slots=True)
class Credential:
    """One owner's keys at a provider, as they may be shown: what is secret stays sealed in the database."""

    id: int
    owner_id: int
    provider: str
    environment: Environment
    publishable_key: str
    managed_by: str
    """`config` or `api`."""
    active: bool
    has_challenge: bool
    created_at_s: float
    updated_at_s: float


@dataclass(frozen=True, slots=True)
class Account:
    """One credential, ready to be used; where it cannot be, the reason stands in the provider's place."""

    owner_id: int
    provider: Provider | GatewayError


@dataclass(frozen=True, slots=True)
class Router:
    """One router of one owner, and what is on sale there."""

    id: int
    owner_id: int
    login: RouterLogin
    packages: Mapping[int, Package]

    @property
    def name(self) -> str:
        """What its owner calls it."""
        return self.login.name


class Catalogue:
    """Every active owner and router. Packages that are not on sale are in it too, so that old payments can be shown."""

    def __init__(self, owners: Iterable[Owner], routers: Iterable[Router]) -> None:
        self.owners = {owner.id: owner for owner in owners}
        self.routers = {router.id: router for router in routers}
        self._packages = {package.id: package for router in self.routers.values() for package in router.packages.values()}
        self._by_key = {_digest(owner.public_key): owner for owner in self.owners.values()}

    def owner_with_key(self, public_key: str) -> Owner | None:
        """The owner of a public API key. Looked up by digest, so that the time taken says nothing about the keys."""
        return self._by_key.get(_digest(public_key.lower()))

    def package(self, package_id: int) -> Package:
        """A package, on sale or not, at whichever router it stands now. Raises NotFound."""
        try:
            return self._packages[package_id]
        except KeyError:
            raise NotFound("Package not found") from None

    def router(self, owner_id: int, router_id: int) -> Router:
        """That owner's router. Raises NotFound, also when it is somebody else's."""
        router = self.routers.get(router_id)
        if router is None or router.owner_id != owner_id:
            raise NotFound("Router not found or access denied")
        return router


def package_on_sale(router: Router, package_id: int) -> Package:
    """The package. Raises NotFound with the specification's sentence ("Invalid Package/Router")."""
    package = router.packages.get(package_id)
    if package is None or not package.active:
        raise NotFound("Package not found or not active for this router")
    return package


def _digest(public_key: str) -> bytes:
    # What a stranger sent may hold a lone surrogate from a header's odd byte, which UTF-8 proper refuses.
    return hashlib.sha256(public_key.encode(errors="surrogatepass")).digest()


@dataclass(slots=True)
class Site:
    """What the flows work with at this moment; a reload replaces its parts."""

    catalogue: Catalogue
    providers: Mapping[int, Provider | GatewayError]
    """What each owner sells with, by owner id; where the keys cannot be used, the reason stands instead."""
    hotspots: Mapping[int, Hotspot]
    """By router id."""
    accounts: Mapping[int, Account] = field(default_factory=dict)
    """By credential id: also those that do not sell any more, because money may still be under way with them."""
    selling_with: Mapping[int, int] = field(default_factory=dict)
    """The id of the credential behind `providers`, by owner id."""
    tag: str = ""
    """At the head of every payment id that this gateway makes."""
    begun: bool = True
    """False until the disk has taken what a start has to write: nothing is sold before that."""
    in_doubt: dict[int, float] = field(default_factory=dict)
    """Owners of whose sales the database may not know all, and since when an older one is in its place: see `gateway.books`."""

    def may_have_run(self, grant: Grant) -> bool:
        """Whether the time of an owed grant may have run in a life that the database has forgotten: the books see to that first."""
        return grant.created_at_s >= self.in_doubt.get(grant.owner_id, float("inf"))

    def unknown(self, fault: NotFound) -> GatewayError:
        """What is said of a payment that the database does not know: nothing, while it may have forgotten some."""
        return Unavailable(NOT_KNOWN_YET, retry_after_s=IN_ORDER_S) if self.in_doubt else fault

    def provider(self, owner_id: int) -> Provider:
        """What the owner sells with. Raises NotFound without keys, EncryptionKeyMismatch when they cannot be opened."""
        return _usable(self.providers.get(owner_id))

    def provider_of(self, payment: Payment) -> Provider:
        """The account with which the payment was made: sandbox and live are never mixed. Raises like `provider`."""
        account = self.accounts.get(payment.credential_id) if payment.credential_id is not None else None
        return _usable(account.provider) if account else self.provider(payment.owner_id)

    def webhook_readers(self) -> Iterator[tuple[int, Provider]]:
        """Owner id and account, of each that may be sent a webhook: whatever is under way, not only what sells now."""
        accounts = [*self.providers.items(), *((account.owner_id, account.provider) for account in self.accounts.values())]
        known: set[int] = set()
        for owner_id, provider in accounts:
            if not isinstance(provider, GatewayError) and id(provider) not in known:
                known.add(id(provider))
                yield owner_id, provider

    def hotspot(self, router_id: int) -> Hotspot:
        """The router's hotspot. Raises Unavailable for a router that is not in service any more."""
        try:
            return self.hotspots[router_id]
        except KeyError:
            raise Unavailable(f"router {router_id} is not in service") from None


def _usable(provider: Provider | GatewayError | None) -> Provider:
    if provider is None:
        raise NotFound("No active IntaSend credentials found. Please add your IntaSend API credentials first.")
    if isinstance(provider, GatewayError):
        raise provider
    return provider
