"""How the log reads: one line an event, a sentence first, then `action=` and ids for whoever searches."""

import logging
import re
import sys
from datetime import UTC, datetime

_CONTROL = re.compile(r"[\x00-\x09\x0b-\x1f\x7f-\x9f\u2028\u2029]")
_STORY = ("action", "payment", "grant", "router", "error_id")


class Story(logging.Formatter):
    """`2025-08-25 10:30:00 INFO  paid: 50.00 KES, receipt TJR… action=paid payment=550e…`."""

    def __init__(self) -> None:
        super().__init__("%(asctime)s %(levelname)-7s %(message)s", "%Y-%m-%d %H:%M:%S")

    def formatMessage(self, record: logging.LogRecord) -> str:  # noqa: N802 - logging's own name
        """The line, with the ids that the record carries."""
        ids = (f"{name}={value}" for name in _STORY if (value := getattr(record, name, None)) is not None)
        line = " ".join([super().formatMessage(record), *ids])
        # Strangers' words stand in it: they must not look like a line of ours, nor move the cursor of whoever reads.
        return _CONTROL.sub("\N{REPLACEMENT CHARACTER}", line).replace("\n", "\n    ")


def set_up(*, debug: bool = False, more: logging.Handler | None = None) -> None:
    """Log to stderr. Libraries speak up only when something is wrong."""
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(Story())
    logging.basicConfig(level=logging.WARNING, handlers=[handler, *([more] if more else [])], force=True)
    logging.getLogger("gateway").setLevel(logging.DEBUG if debug else logging.INFO)
    # What a handler raises is told by `gateway.web.errors`; left is a traceback for each stranger who does not speak HTTP.
    logging.getLogger("aiohttp.server").setLevel(logging.CRITICAL)


def clock_time(epoch_s: float) -> str:
    """A moment, in seconds since 1970, as people at the site read it: `10:30:00`."""
    return datetime.fromtimestamp(epoch_s, UTC).astimezone().strftime("%H:%M:%S")
