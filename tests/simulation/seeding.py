"""One source of chance: everything that draws at random draws from the seed, whoever asks, the gateway's secrets among them."""

import os
import random
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any
from unittest import mock


@contextmanager
def seeded(seed: str) -> Iterator[None]:
    """Identifiers, salts, shares of back-off: the same for the same seed. For nothing that has to stay secret."""
    source = random.Random(seed)

    class Seeded(random.Random):
        """A generator that nobody gave a seed gets one of ours."""

        def __init__(self, x: Any = None) -> None:
            super().__init__(source.getrandbits(64) if x is None else x)

    state = random.getstate()
    random.seed(seed)
    try:
        with (
            mock.patch.object(os, "urandom", source.randbytes),
            mock.patch.object(random, "_urandom", source.randbytes),
            mock.patch.object(random, "Random", Seeded),
        ):
            yield
    finally:
        random.setstate(state)
