"""Whether our API user may change anything on one router: who is let in by a router that takes no change pays for nothing.

Owns when that is tried, and by what. Which right is missing, and how to mend it, is told by `inspection`.
"""

import logging
from typing import Any

from gateway.hotspot.base import RouterLogin
from gateway.hotspot.inspection import Right, may_write
from gateway.hotspot.link import Link

log = logging.getLogger(__name__)


class Rights:
    """What is known of the rights of one login.

    They are tried with each new connection, and after a refusal with every pulse until they are back, by one small command that
    changes nothing. Whether a router looks at them at the login only or with each command is not documented: both are served.
    """

    def __init__(self, link: Link, login: RouterLogin, *, deadline_s: float) -> None:
        self._link = link
        self._login = login
        self._deadline_s = deadline_s
        self._generation = 0
        self.suffice = True
        """Whether nothing speaks against it: a router that answers something else than yes or no is believed to let us."""

    async def try_out(self) -> None:
        """Try them where they are not known on this connection, or did not suffice. Raises what `Link.ask` raises."""
        if self.suffice and self._generation == self._link.generation:
            return
        right = await may_write(self._link, deadline_s=self._deadline_s)
        self._learn(suffice=right is not Right.NO)
        self._generation = self._link.generation

    def note_refusal(self, words: str) -> None:
        """The router refused a change, with these words."""
        if "permission" in words:
            self._learn(suffice=False)

    def _learn(self, *, suffice: bool) -> None:
        """Told when it changes, not with every try."""
        if suffice == self.suffice:
            return
        self.suffice, name = suffice, self._login.name
        if suffice:
            log.warning("router %s lets us change things again", name, extra=self._ids("rights_back"))
        else:
            log.error(
                "router %s: nothing is sold, its API user %r may not write: the group needs the policies api, read and write",
                name,
                self._login.username,
                extra=self._ids("rights_missing"),
            )

    def _ids(self, action: str) -> dict[str, Any]:
        return {"action": action, "router": self._login.router_id}
