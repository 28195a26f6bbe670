"""IntaSend's lists, page by page: as many pages as are worth it, and whether that was all."""

from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass
from typing import Any
from urllib.parse import parse_qs, urlencode, urlsplit

from gateway.providers.intasend_answers import BARE_ARRAY, created_at_s, newest_first
from gateway.providers.intasend_sdk import AwaitableSdk, read_lost

PAGES_MAX = 5
PAGE_SIZE = 100
"""Five hundred entries: half a day of a busy site, should IntaSend ignore the filter; with the filter one page has it all."""

PAGES_BACK_MAX = 200
"""When a list is read back to a moment: twenty thousand entries, three weeks of the busiest site. Longer than that is no list."""

Entry = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Listing:
    """What was read of a list."""

    entries: list[Entry]
    is_whole: bool
    """Whether it was read to its end."""


async def read_list(sdk: AwaitableSdk, path: str, **filters: str) -> Listing:
    """Read at most `PAGES_MAX` pages. Raises what the SDK's transport raises, also for an answer that is no list."""
    entries: list[Entry] = []
    async for page in _pages(sdk, path, PAGES_MAX, filters):
        entries += page.entries
        if page.is_whole:
            return Listing(entries, is_whole=True)
    return Listing(entries, is_whole=False)


async def read_whole(sdk: AwaitableSdk, path: str) -> list[Entry]:
    """Read a list to its end; one that comes as a bare array ends there. Raises like `read_back`."""
    return await read_back(sdk, path, 0.0, results=("results", BARE_ARRAY))


async def read_back(sdk: AwaitableSdk, path: str, since_s: float, results: Sequence[str] = ("results",)) -> list[Entry]:
    """Read from the newest entry back to that moment; to the end where the list is not plainly sorted newest first.

    `results` are the names under which the entries may stand. Raises like `read_list`, and for more than `PAGES_BACK_MAX` pages.
    """
    entries: list[Entry] = []
    in_order = True
    async for page in _pages(sdk, path, PAGES_BACK_MAX, {}, results):
        in_order = in_order and newest_first([*entries[-1:], *page.entries])
        entries += page.entries
        if page.is_whole or (in_order and (created_at_s(entries[-1]) or since_s) < since_s):
            return entries
    raise read_lost("a list that is too long to be read back")


async def _pages(
    sdk: AwaitableSdk, path: str, pages_max: int, filters: dict[str, str], names: Sequence[str] = ("results",)
) -> AsyncIterator[Listing]:
    """Each page; the last one says that the list is whole by then."""
    number: int | None = 1
    for _ in range(pages_max):
        query = urlencode({**filters, "page": number, "page_size": PAGE_SIZE})
        answer = await sdk.send_request("GET", f"{path}?{query}", None)
        results = next((answer[name] for name in names if name in answer), None)
        if not isinstance(results, list):
            raise read_lost("a list without results")
        following = answer.get("next")
        yield Listing([entry for entry in results if isinstance(entry, dict)], is_whole=following is None)
        number = _page_number(following)
        if number is None:
            return


def _page_number(following: Any) -> int | None:
    """The page that `next` names. Only the number is taken from it: the host stays ours, whatever the answer says."""
    try:
        text = parse_qs(urlsplit(following).query)["page"][0]
        return int(text) if text.isascii() and text.isdigit() else None
    except (ValueError, TypeError, AttributeError, KeyError):
        return None
