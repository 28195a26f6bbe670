"""The words of the customer's pages: complete in every language, and chosen as the visitor asks."""

import re
import string
from datetime import UTC, datetime
from pathlib import Path

import pytest

from gateway.errors import Conflict, GatewayError, Invalid, KeysRejected, NotStored, RouterRefused, RouterUnreachable, Unprocessable
from gateway.web import words
from gateway.web.portal_phases import Phase
from gateway.web.words import FIRST, FOLDER, LANGUAGES, choose, read

ENGLISH, SWAHILI = LANGUAGES["en"], LANGUAGES["sw"]
OTHERS = sorted(LANGUAGES.keys() - {FIRST})
PAGES = [*FOLDER.parent.glob("*.py"), *(FOLDER.parent / "templates").glob("portal_*.html")]
COMPOSED = ("time.", "failure.", "refusal.", "language.name")
"""Keys whose names the pages put together."""


def own_texts(code: str) -> dict[str, str]:
    """What the file of that language says itself, without what English fills in."""
    return read((FOLDER / f"{code}.toml").read_text("utf-8"))


def places(text: str) -> set[str]:
    return {name for _, name, _, _ in string.Formatter().parse(text) if name}


@pytest.mark.parametrize("code", OTHERS)
def test_every_language_has_every_key(code):
    assert own_texts(code).keys() == own_texts(FIRST).keys()


@pytest.mark.parametrize("code", OTHERS)
def test_every_text_has_the_same_placeholders_as_in_english(code):
    english = own_texts(FIRST)
    assert {key: places(text) for key, text in own_texts(code).items()} == {key: places(text) for key, text in english.items()}


@pytest.mark.parametrize("code", OTHERS)
def test_hardly_a_text_is_left_in_english(code):
    english = own_texts(FIRST)
    same = {key for key, text in own_texts(code).items() if text == english[key] and re.search("[a-z]{4}", text)}
    assert same == set()


def test_no_key_is_said_by_nobody():
    pages = "\n".join(page.read_text("utf-8") for page in PAGES)
    topics = [*(phase.value for phase in Phase), "link", "unclaimed_code"]
    of_a_phase = {f"{topic}.{part}" for topic in topics for part in ("title", "text", "next")}
    sought = {key for key in own_texts(FIRST).keys() - of_a_phase if not key.startswith(COMPOSED)}
    assert {key for key in sought if f'"{key}"' not in pages and f"'{key}'" not in pages} == set()


def test_a_text_that_a_language_lacks_is_said_in_english(tmp_path: Path):
    (tmp_path / "en.toml").write_text('[shop]\npay = "Pay"\nphone = "Phone"\n')
    (tmp_path / "ki.toml").write_text('[shop]\npay = "Rĩha"\n')
    languages = words._languages(tmp_path.glob("*.toml"))
    assert list(languages) == ["en", "ki"]
    assert (languages["ki"].say("shop.pay"), languages["ki"].say("shop.phone")) == ("Rĩha", "Phone")


@pytest.mark.parametrize(
    ("asked", "accepted", "code"),
    [
        (None, "", "en"),
        (None, "sw", "sw"),
        (None, "sw-KE,sw;q=0.9,en;q=0.8", "sw"),
        (None, "en-GB,en;q=0.9,sw;q=0.8", "en"),
        (None, "en;q=0.4, sw;q=0.5", "sw"),
        (None, "fr-FR, ki;q=0.9, sw;q=0.1", "sw"),
        (None, "fr, de", "en"),
        (None, "sw;q=0", "en"),
        (None, "*", "en"),
        (None, "sw;q=much", "en"),
        (None, "SW", "sw"),
        ("sw", "en", "sw"),
        ("en", "sw", "en"),
        ("xx", "sw", "sw"),
        ("../../etc/passwd", "", "en"),
    ],
)
def test_the_language_is_the_one_asked_for_then_the_browsers_then_english(asked, accepted, code):
    assert choose(asked, accepted).code == code


@pytest.mark.parametrize(
    ("seconds", "english", "swahili"),
    [
        (60, "1 minute", "dakika 1"),
        (5_400, "1 hour 30 minutes", "saa 1 dakika 30"),
        (86_400, "1 day", "siku 1"),
        (7 * 86_400, "7 days", "siku 7"),
        (90, "1 minute 30 seconds", "dakika 1 sekunde 30"),
    ],
)
def test_a_length_of_time_is_exact(seconds, english, swahili):
    assert (ENGLISH.length(seconds), SWAHILI.length(seconds)) == (english, swahili)


@pytest.mark.parametrize(
    ("seconds", "said"),
    [
        (3_601, "1 hour 1 minute"),
        (3_600, "1 hour"),
        (119, "2 minutes"),
        (61, "2 minutes"),
        (60, "less than a minute"),
        (0, "less than a minute"),
    ],
)
def test_time_left_is_in_whole_minutes(seconds, said):
    assert ENGLISH.left(seconds) == said


@pytest.mark.parametrize(
    ("seconds", "said"),
    [(1, "1 second"), (45, "45 seconds"), (61, "2 minutes"), (60, "1 minute"), (3_600, "1 hour"), (3_601, "2 hours")],
)
def test_a_wait_is_rounded_up_to_one_unit(seconds, said):
    assert ENGLISH.wait(seconds) == said


@pytest.mark.parametrize(
    ("then", "english", "swahili"),
    [
        ("2026-11-23 16:42", "16:42", "saa 16:42"),
        ("2026-11-24 08:05", "08:05 tomorrow", "kesho saa 08:05"),
        ("2026-12-01 08:05", "08:05 on 1/12", "tarehe 1/12 saa 08:05"),
        ("2026-11-22 23:59", "23:59 on 22/11", "tarehe 22/11 saa 23:59"),
    ],
)
def test_a_moment_has_its_day_where_that_is_not_today(then, english, swahili):
    now_s, then_s = (datetime.fromisoformat(text).astimezone(UTC).timestamp() for text in ("2026-11-23 12:00", then))
    assert (ENGLISH.moment(then_s, now_s), SWAHILI.moment(then_s, now_s)) == (english, swahili)


@pytest.mark.parametrize(
    ("fault", "place", "key"),
    [
        (RouterUnreachable("x"), "buy", "refusal.buy.RouterUnreachable"),
        (RouterUnreachable("x"), "page", "refusal.RouterUnreachable"),
        (RouterUnreachable("x"), "claim", "refusal.RouterUnreachable"),
        (RouterRefused("x"), "claim", "refusal.claim.Unavailable"),
        (RouterRefused("x"), "buy", "refusal.buy.Unavailable"),
        (Invalid("x"), "claim", "refusal.claim.Invalid"),
        (Conflict("x"), "page", "refusal.Conflict"),
        (KeysRejected("x"), "buy", "refusal.buy.KeysRejected"),
        (Unprocessable("x"), "buy", "refusal.Internal"),
        (NotStored("x"), "buy", "refusal.buy.NotStored"),
    ],
)
def test_an_error_is_said_by_its_kind_and_place_the_closest_one_first(fault, place, key):
    assert SWAHILI.refusal(fault, place) == SWAHILI.say(key)


def test_every_kind_of_error_has_words():
    def kinds(kind: type[GatewayError]) -> set[type[GatewayError]]:
        return {kind}.union(*(kinds(each) for each in kind.__subclasses__()))

    for kind in kinds(GatewayError):
        for place in ("page", "buy", "claim"):
            assert len(ENGLISH.refusal(kind("said to nobody"), place)) > 10
