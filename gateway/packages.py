"""What is sold, and what it means on a router.

Pure. A package is a price, a length of time and a speed; on the router the speed is a hotspot user profile, which all packages
of the same speed share.
"""

from dataclasses import dataclass

from gateway.identity import Duration, Money

MARK = "hotspot-gateway"
"""Begins every comment and every profile name that is ours on a router (contract, "On the router")."""


@dataclass(frozen=True, slots=True)
class Package:
    """One thing on sale at one router."""

    id: int
    router_id: int
    name: str
    price: Money
    duration: Duration
    download_kbps: int | None = None
    upload_kbps: int | None = None
    data_limit_mb: int | None = None
    """Megabytes of 1,000,000 bytes, up and down together."""
    devices: int = 1
    description: str = ""
    active: bool = True

    @property
    def profile(self) -> "SpeedProfile":
        """The hotspot user profile that this package needs."""
        return SpeedProfile(self.upload_kbps, self.download_kbps, self.devices)

    @property
    def data_limit_bytes(self) -> int | None:
        """The data limit as RouterOS counts it."""
        return None if self.data_limit_mb is None else self.data_limit_mb * 1_000_000


@dataclass(frozen=True, slots=True)
class SpeedProfile:
    """A hotspot user profile by what it grants; None means unlimited."""

    upload_kbps: int | None
    download_kbps: int | None
    devices: int

    @property
    def name(self) -> str:
        """A name of which none is the prefix of another: RouterOS resolves references by unique prefix (facts, routeros 1.8)."""
        return f"{MARK}-{self.upload_kbps or 0}k-up-{self.download_kbps or 0}k-down-{self.devices}-devices"

    @property
    def rate_limit(self) -> str | None:
        """`rx/tx` as the router sees it, so the client's upload first (facts, routeros 2.1); None for no limit."""
        if self.upload_kbps is None and self.download_kbps is None:
            return None
        return f"{_rate(self.upload_kbps)}/{_rate(self.download_kbps)}"


def _rate(kbps: int | None) -> str:
    if kbps is None:
        return "0"
    return f"{kbps // 1000}M" if kbps % 1000 == 0 else f"{kbps}k"
