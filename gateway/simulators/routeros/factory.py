"""The rows that every router of this kind has when the set-up wizard and `/ip/hotspot/setup` are through."""

from collections.abc import Mapping

from gateway.simulators.routeros.appliance import POLICIES
from gateway.simulators.routeros.tables import Configuration

BRIDGE = "bridge"
"""The interface of the hotspot."""

WAN = "ether1"

_READ_GROUP = frozenset(POLICIES) - {"ftp", "write", "policy"}
_WRITE_GROUP = frozenset(POLICIES) - {"ftp", "policy"}
_GROUPS: Mapping[str, frozenset[str]] = {"full": frozenset(POLICIES), "write": _WRITE_GROUP, "read": _READ_GROUP}
"""Who may do what from the factory: even `read` sees secrets and may reboot (facts, routeros 2.12)."""


def furnish(configuration: Configuration, server: str, login_by: frozenset[str]) -> None:
    """Seed every menu."""
    configuration.interfaces = {"*1": WAN, "*2": "ether2", "*3": BRIDGE}
    _hotspot(configuration, server, login_by)
    _network(configuration)
    _firewall(configuration)
    for name, policies in _GROUPS.items():
        configuration.tables["/user/group"].seed(name=name, policy=configuration.policies(policies))


def _hotspot(configuration: Configuration, server: str, login_by: frozenset[str]) -> None:
    tables = configuration.tables
    login_methods = tables["/ip/hotspot/profile"].properties["login-by"].kind
    chosen = login_methods.parse("login-by", ",".join(login_by), configuration.names)
    tables["/ip/hotspot/profile"].seed(name="default")
    tables["/ip/hotspot/profile"].seed(name="hsprof1", hotspot_address="10.5.50.1", login_by=chosen)
    tables["/ip/hotspot/user/profile"].seed(name="default")
    tables["/ip/hotspot/user"].seed(name="default-trial", comment="counters and limits for trial users")
    tables["/ip/hotspot"].plant(name=server, interface=BRIDGE, profile="hsprof1")


def _network(configuration: Configuration) -> None:
    tables = configuration.tables
    tables["/ip/address"].plant(address="10.5.50.1/24", network="10.5.50.0", interface=BRIDGE)
    tables["/ip/dhcp-server"].plant(name="dhcp1", interface=BRIDGE, address_pool="hs-pool-1", lease_time="1h")
    tables["/ip/dhcp-server/network"].plant(
        address="10.5.50.0/24", gateway="10.5.50.1", dns_server="10.5.50.1", comment="hotspot network"
    )
    tables["/ip/pool"].plant(name="hs-pool-1", ranges="10.5.50.2-10.5.50.254")
    tables["/ipv6/nd"].seed(interface="all")
    for name, port in (("api", "8728"), ("api-ssl", "8729")):
        tables["/ip/service"].seed(name=name, port=port)
    for path in ("/ip/dns", "/ipv6/settings", "/system/ntp/client"):
        tables[path].seed()


def _firewall(configuration: Configuration) -> None:
    """The part of the default firewall that a hotspot has to live with."""
    filters, nat = configuration.tables["/ip/firewall/filter"], configuration.tables["/ip/firewall/nat"]
    established = "established,related"
    filters.plant(
        chain="input", connection_state=f"{established},untracked", comment="defconf: accept established,related,untracked"
    )
    filters.plant(chain="input", action="drop", in_interface=WAN, comment="defconf: drop all from WAN")
    filters.plant(chain="forward", action="fasttrack-connection", connection_state=established, comment="defconf: fasttrack")
    filters.plant(chain="forward", connection_state=f"{established},untracked", comment="defconf: accept established,related")
    filters.plant(chain="forward", action="drop", connection_state="invalid", comment="defconf: drop invalid")
    nat.plant(chain="srcnat", action="masquerade", out_interface=WAN, comment="defconf: masquerade")
    nat.plant(chain="srcnat", action="masquerade", src_address="10.5.50.0/24", comment="masquerade hotspot network")
