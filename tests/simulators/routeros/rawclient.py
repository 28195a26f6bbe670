"""A client that sees every word and interprets nothing."""

import asyncio
import hashlib


def encode(*words: str) -> bytes:
    """Short words only: one length byte each."""
    raw = [word.encode() for word in words]
    assert all(len(word) < 0x80 for word in raw)
    return b"".join(bytes([len(word)]) + word for word in raw) + b"\0"


class RawClient:
    """Speaks words of up to 16 KiB."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._reader = reader
        self._writer = writer

    def write(self, data: bytes) -> None:
        self._writer.write(data)

    def send(self, *words: str) -> None:
        self.write(encode(*words))

    async def sentence(self) -> list[str]:
        """The next sentence; IncompleteReadError or ConnectionResetError when the router has hung up."""
        words: list[str] = []
        while word := await self._word():
            words.append(word)
        return words

    async def talk(self, *words: str) -> list[list[str]]:
        """Send one command, give its answer up to `!done`."""
        self.send(*words)
        answer = [await self.sentence()]
        while answer[-1][0] not in {"!done", "!fatal"}:
            answer.append(await self.sentence())
        return answer

    async def login(self, password: str = "gateway") -> list[list[str]]:
        return await self.talk("/login", "=name=gateway", f"=password={password}")

    async def old_login(self, password: str = "gateway") -> list[list[str]]:
        ((_, ret),) = await self.talk("/login")
        digest = hashlib.md5(b"\0" + password.encode() + bytes.fromhex(ret.removeprefix("=ret="))).hexdigest()
        return await self.talk("/login", "=name=gateway", f"=response=00{digest}")

    async def refusal(self, *words: str) -> str:
        """The message with which a command is refused."""
        trap, done = await self.talk(*words)
        assert (trap[0], done) == ("!trap", ["!done"])
        return trap[-1].removeprefix("=message=")

    async def rows(self, *words: str) -> list[dict[str, str]]:
        answer = await self.talk(*words)
        assert answer[-1][0] == "!done", answer
        return [dict(word[1:].split("=", 1) for word in words) for reply, *words in answer if reply == "!re"]

    async def close(self) -> None:
        self._writer.close()
        try:
            await self._writer.wait_closed()
        except ConnectionError:
            return

    async def _word(self) -> str:
        first = (await self._reader.readexactly(1))[0]
        length = first if first < 0x80 else (first & 0x3F) << 8 | (await self._reader.readexactly(1))[0]
        return (await self._reader.readexactly(length)).decode()
