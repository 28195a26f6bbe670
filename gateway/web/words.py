"""The words of the customer's pages: one file for each language, and which of them a visitor reads.

Owns `languages/*.toml`. A key that a file lacks is said in English, so that a half-finished translation shows no gap. The API
speaks English and does not come here.
"""

import math
import tomllib
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from gateway.errors import GatewayError

FOLDER = Path(__file__).parent / "languages"

FIRST = "en"
"""The language of whoever asks for none that there is."""

_UNITS_S = (("day", 86_400), ("hour", 3_600), ("minute", 60), ("second", 1))


@dataclass(frozen=True, slots=True)
class Language:
    """One language. `code` as in HTML's `lang` (RFC 5646); `name` as its speakers write it."""

    code: str
    texts: Mapping[str, str]

    @property
    def name(self) -> str:
        """What its speakers call it."""
        return self.texts["language.name"]

    def say(self, key: str, **facts: object) -> str:
        """The text with its placeholders filled in. KeyError for a key that English lacks: a bug."""
        return self.texts[key].format(**facts)

    def length(self, seconds: int) -> str:
        """How long, exactly: `1 day 12 hours`."""
        rest_s, parts = seconds, []
        for unit, size_s in _UNITS_S:
            amount, rest_s = divmod(rest_s, size_s)
            if amount:
                parts.append(self.say(f"time.{unit}" if amount == 1 else f"time.{unit}s", n=amount))
        return " ".join(parts)

    def left(self, seconds: float) -> str:
        """How long yet, in days, hours and minutes, rounded up."""
        minutes = math.ceil(seconds / 60)
        return self.length(minutes * 60) if minutes > 1 else self.say("status.soon")

    def wait(self, seconds: int) -> str:
        """A pause as people say it, rounded up to one unit: `45 seconds`, `3 minutes`, `2 hours`."""
        size_s = next(size_s for _, size_s in _UNITS_S[1:] if seconds > size_s or size_s == 1)
        return self.length(math.ceil(seconds / size_s) * size_s)

    def moment(self, epoch_s: float, now_s: float) -> str:
        """A time of day, with the day where it is not today's; by the clock of the machine's own time zone."""
        then, now = _local(epoch_s), _local(now_s)
        days = {now.date(): "today", now.date() + timedelta(days=1): "tomorrow"}
        return self.say(f"time.{days.get(then.date(), 'later')}", clock=f"{then:%H:%M}", day=then.day, month=then.month)

    def refusal(self, fault: GatewayError, place: str) -> str:
        """An error in the customer's words: of this place where it has its own, else of its kind, the closest one first."""
        for kind in type(fault).__mro__:
            for key in (f"refusal.{place}.{kind.__name__}", f"refusal.{kind.__name__}"):
                if key in self.texts:
                    return self.say(key)
        return self.say("refusal.Internal")


def read(text: str) -> dict[str, str]:
    """The texts of a language file by their dotted keys. ValueError for what is no TOML."""
    return dict(_flat("", tomllib.loads(text)))


def choose(asked: str | None, accepted: str) -> Language:
    """The language that the visitor asked for, else the first of `Accept-Language` that there is (RFC 9110, section 12.5.4)."""
    wanted = [asked or "", *_preferred(accepted)]
    return next((LANGUAGES[code] for code in wanted if code in LANGUAGES), LANGUAGES[FIRST])


def _preferred(accepted: str) -> list[str]:
    """The languages of the header without their regions, the best first; those with a weight of zero are refused."""
    weighed = [_weighed(entry) for entry in accepted.split(",")]
    return [code for weight, code in sorted(weighed, key=lambda each: -each[0]) if weight > 0]


def _weighed(entry: str) -> tuple[float, str]:
    tag, _, parameter = entry.strip().lower().partition(";")
    code, said = tag.strip().partition("-")[0], parameter.replace(" ", "").removeprefix("q=")
    try:
        return (float(said) if said else 1.0), code
    except ValueError:
        return 0.0, code


def _flat(beginning: str, table: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    for name, entry in table.items():
        if isinstance(entry, dict):
            yield from _flat(f"{beginning}{name}.", entry)
        else:
            yield f"{beginning}{name}", str(entry)


def _local(epoch_s: float) -> datetime:
    return datetime.fromtimestamp(epoch_s, UTC).astimezone()


def _languages(files: Iterable[Path]) -> dict[str, Language]:
    texts = {file.stem: read(file.read_text("utf-8")) for file in files}
    codes = [FIRST, *sorted(texts.keys() - {FIRST})]
    return {code: Language(code, texts[FIRST] | texts[code]) for code in codes}


LANGUAGES = _languages(FOLDER.glob("*.toml"))
"""Every language by its code, English first."""
