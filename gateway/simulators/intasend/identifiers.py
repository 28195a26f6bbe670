"""Identifiers in the shapes that IntaSend uses, from one seeded source: the same seed gives the same ids in the same order."""

import random
import string
import uuid

_ALPHABET = string.digits + string.ascii_uppercase


class Mint:
    """Makes identifiers; never the same one twice."""

    def __init__(self, seed: int) -> None:
        self._random = random.Random(seed)  # noqa: S311 - repeatable on purpose; these ids guard nothing
        self._used: set[str] = set()

    def short_id(self) -> str:
        """Seven of [0-9A-Z]: invoices, customers, wallets, chargebacks (facts, payments 1.2)."""
        return self._fresh(7)

    def receipt(self) -> str:
        """Ten of [0-9A-Z] beginning with a letter, like the M-Pesa receipt `TJRHC8IET4`."""
        return "T" + self._fresh(9)

    def uuid(self) -> str:
        """A version 4 UUID: payments, links, checkouts."""
        return str(uuid.UUID(int=self._random.getrandbits(128), version=4))

    def _fresh(self, length: int) -> str:
        text = "".join(self._random.choices(_ALPHABET, k=length))
        if text in self._used:
            return self._fresh(length)
        self._used.add(text)
        return text
