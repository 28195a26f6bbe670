"""IntaSend's lists, page by page: as many pages as are worth it, and whether that was all."""

from dataclasses import dataclass
from typing import Any
from urllib.parse import parse_qs, urlencode, urlsplit

from gateway.providers.intasend_sdk import AwaitableSdk, read_lost

PAGES_MAX = 5
PAGE_SIZE = 100
"""Five hundred entries: half a day of a busy site, should IntaSend ignore the filter; with the filter one page has it all."""


@dataclass(frozen=True, slots=True)
class Listing:
    """What was read of a list."""

    entries: list[dict[str, Any]]
    is_whole: bool
    """Whether it was read to its end."""


async def read_list(sdk: AwaitableSdk, path: str, **filters: str) -> Listing:
    """Read at most `PAGES_MAX` pages. Raises what the SDK's transport raises, also for an answer that is no list."""
    entries: list[dict[str, Any]] = []
    number: int | None = 1
    for _ in range(PAGES_MAX):
        query = urlencode({**filters, "page": number, "page_size": PAGE_SIZE})
        answer = await sdk.send_request("GET", f"{path}?{query}", None)
        results = answer.get("results")
        if not isinstance(results, list):
            raise read_lost("a list without results")
        entries += [entry for entry in results if isinstance(entry, dict)]
        following = answer.get("next")
        if following is None:
            return Listing(entries, is_whole=True)
        number = _page_number(following)
        if number is None:
            break
    return Listing(entries, is_whole=False)


def _page_number(following: Any) -> int | None:
    """The page that `next` names. Only the number is taken from it: the host stays ours, whatever the answer says."""
    try:
        text = parse_qs(urlsplit(following).query)["page"][0]
        return int(text) if text.isascii() and text.isdigit() else None
    except (ValueError, TypeError, AttributeError, KeyError):
        return None
