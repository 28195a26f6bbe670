"""The parts of a router's wanted configuration: rows with their values, a certificate, the gateway's own bypass, pages.

Pure data, and how a value is compared with what a router shows. What is wanted is in `plan`; how it is brought about, in `script`
and `apply`, which must understand the same kinds.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field

from gateway.hotspot.words import Unintelligible, rates_in, seconds_in
from gateway.identity import IpAddress, MacAddress, Secret


@dataclass(frozen=True, slots=True)
class Exactly:
    """These words of a set and no others, in any order; RouterOS shows the ones left out as `!word` or not at all."""

    words: tuple[str, ...]

    def holds(self, shown: str) -> bool:
        """Whether the router shows just that."""
        return set(self.words) == {word for word in words_in(shown) if not word.startswith("!") or word in self.words}

    def replacing(self, _shown: str) -> str:
        """What to write."""
        return ",".join(self.words)


@dataclass(frozen=True, slots=True)
class Members:
    """A set that must hold some words and must not hold others; what else is in it stays."""

    needed: tuple[str, ...]
    forbidden: tuple[str, ...]

    def holds(self, shown: str) -> bool:
        """Whether nothing is missing and nothing forbidden is there."""
        present = set(words_in(shown))
        return present.issuperset(self.needed) and present.isdisjoint(self.forbidden)

    def replacing(self, shown: str) -> str:
        """What to write, given what is there."""
        others = [word for word in words_in(shown) if word not in (*self.needed, *self.forbidden)]
        return ",".join([*self.needed, *others])


@dataclass(frozen=True, slots=True)
class OnlyFrom:
    """A list of networks that is one address."""

    address: IpAddress

    def holds(self, shown: str) -> bool:
        """Whether the router shows that address alone, with or without its mask."""
        return shown.removesuffix("/32") == self.address.text

    def replacing(self, _shown: str) -> str:
        """What to write."""
        return f"{self.address}/32"


@dataclass(frozen=True, slots=True)
class Is:
    """One plain value: a word, a number, a duration, a flag, an address."""

    text: str

    def holds(self, shown: str) -> bool:
        """Whether the router shows that value, in any of its spellings."""
        return shown == self.text or _meaning(shown) == _meaning(self.text)

    def replacing(self, _shown: str) -> str:
        """What to write."""
        return self.text


Value = Exactly | Members | OnlyFrom | Is


@dataclass(frozen=True, slots=True)
class ProfilesOf:
    """The hotspot profiles that the server of that name uses; None means those of all servers."""

    server: str | None


@dataclass(frozen=True, slots=True)
class Row:
    """Rows of one menu that should say something; added when there is none, if it can be."""

    title: str
    why: str
    path: str
    found_by: Mapping[str, str]
    """Attributes by which the rows are known; none means every row of the menu, or the menu itself where it has no rows."""
    wanted: Mapping[str, Value]
    used_by: ProfilesOf | None = None
    """The rows are these hotspot profiles instead; they are never added."""
    may_be_added: bool = True
    is_single: bool = False
    """A menu of settings, without rows."""
    when_added: Mapping[str, Secret] = field(default_factory=dict)
    """Written once, never read and never shown."""
    needs_mark: bool = False
    """A row of that name that does not carry our mark in its comment is somebody else's and stays as it is."""
    goes_first: str | None = None
    """The chain in which a new row stands before all others: the first match decides (facts, routeros 4.4)."""


@dataclass(frozen=True, slots=True)
class Certificate:
    """A certificate that the router makes and signs itself."""

    title: str
    why: str
    name: str
    common_name: str
    days: int


@dataclass(frozen=True, slots=True)
class Bypass:
    """The gateway's own ip-binding, where the gateway is a guest of the hotspot's network."""

    title: str
    why: str
    comment: str
    address: IpAddress
    mac: MacAddress | None
    """None when the router is to find it by the address."""


@dataclass(frozen=True, slots=True)
class Pages:
    """The files in the HTML folder of the hotspot's profile."""

    title: str
    why: str
    profiles: ProfilesOf
    files: Mapping[str, str]
    source_url: str
    """Where the router fetches them; their names follow."""
    inline: bool
    """The contents travel with the set-up, because the router cannot fetch."""


Step = Row | Certificate | Bypass | Pages


def words_in(shown: str) -> list[str]:
    """The words of a set as the API shows it."""
    return [word for word in shown.replace(";", ",").split(",") if word]


_FLAGS = {"yes": "true", "no": "false"}


def _meaning(text: str) -> object:
    """Equal for two spellings of the same value (facts, routeros 2.1)."""
    for read in (seconds_in, rates_in):
        try:
            return read(text)
        except Unintelligible:
            continue
    return _FLAGS.get(text, text.removesuffix("/32"))
