"""How the log reads: one line an event, a sentence first, then `action=` and ids for whoever searches."""

import logging
import sys

_STORY = ("action", "payment", "grant", "router", "error_id")


class Story(logging.Formatter):
    """`2025-08-25 10:30:00 INFO  paid: 50.00 KES, receipt TJR… action=paid payment=550e…`."""

    def __init__(self) -> None:
        super().__init__("%(asctime)s %(levelname)-7s %(message)s", "%Y-%m-%d %H:%M:%S")

    def formatMessage(self, record: logging.LogRecord) -> str:  # noqa: N802 - logging's own name
        """The line, with the ids that the record carries."""
        ids = (f"{name}={value}" for name in _STORY if (value := getattr(record, name, None)) is not None)
        return " ".join([super().formatMessage(record), *ids])


def set_up(*, debug: bool = False, more: logging.Handler | None = None) -> None:
    """Log to stderr. Libraries speak up only when something is wrong."""
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(Story())
    logging.basicConfig(level=logging.WARNING, handlers=[handler, *([more] if more else [])], force=True)
    logging.getLogger("gateway").setLevel(logging.DEBUG if debug else logging.INFO)
