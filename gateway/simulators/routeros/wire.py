"""The bytes of the RouterOS API: length prefixes, words, sentences.

Pure: bytes in, words out, and the reverse. What a word means is not decided here. A word is held as text with
`surrogateescape`, so that whatever bytes a client stores come back to it untouched (facts, routeros 1.3: text is bytes).
"""

from collections.abc import Iterable

_FORMS = ((0x80, 0x00, 1), (0x4000, 0x80, 2), (0x200000, 0xC0, 3), (0x10000000, 0xE0, 4), (0x100000000, 0xF0, 5))
"""Exclusive upper bound of the length, marker in the first byte, bytes in all (facts, routeros 1.2)."""

_ONE_BYTE = _FORMS[0][0]
"""Below it a length stands for itself: all but a few words are that short."""

CONTROL_BYTE = 0xF8
"""From here on the first byte is reserved; a reader that meets one cannot go on."""

MAX_WORD_BYTES = 64 * 1024 * 1024
"""Longer words are refused: nothing on a hotspot needs them, and a stray five-byte length must not fill the memory."""


class MalformedWord(ValueError):
    """The bytes cannot be a word: a reserved control byte, or a length beyond `MAX_WORD_BYTES`."""


def encode_length(length: int) -> bytes:
    """The prefix that announces so many bytes. ValueError for a length that does not fit 32 bits."""
    if length < _ONE_BYTE:
        return bytes((length,))
    for bound, marker, size in _FORMS:
        if length < bound:
            plain = length.to_bytes(size, "big")
            return bytes([plain[0] | marker]) + plain[1:]
    raise ValueError("a word is shorter than 4 GiB")


def length_size(first: int) -> int:
    """How many bytes the prefix has that begins with this one. MalformedWord for a reserved control byte."""
    if first < _ONE_BYTE:
        return 1
    if first >= CONTROL_BYTE:
        raise MalformedWord(f"reserved control byte {first:#04x}")
    return next(size for _, marker, size in reversed(_FORMS) if first >= marker)


def decode_length(prefix: bytes) -> int:
    """The length that a complete prefix announces."""
    marker = next(marker for _, marker, _ in reversed(_FORMS) if prefix[0] >= marker)
    return int.from_bytes(bytes([prefix[0] & ~marker]) + prefix[1:], "big")


def encode_word(word: str) -> bytes:
    """One word with its length, which counts bytes and not characters."""
    raw = word.encode("utf-8", "surrogateescape")
    return encode_length(len(raw)) + raw


def encode_sentence(words: Iterable[str]) -> bytes:
    """Words, ended by the word of length zero."""
    return b"".join(map(encode_word, words)) + b"\x00"


class SentenceDecoder:
    """Turns a stream, however it is cut into segments, into sentences."""

    def __init__(self) -> None:
        self._buffer = bytearray()
        self._words: list[str] = []

    def feed(self, data: bytes) -> list[list[str]]:
        """Take in bytes, hand out the sentences that are complete now. Empty sentences are ignored, as a router does.

        Raises MalformedWord; the stream is of no use afterwards.
        """
        self._buffer += data
        sentences: list[list[str]] = []
        at = 0
        while (word := self._word(at)) is not None:
            start, at = word
            if at > start:
                self._words.append(self._buffer[start:at].decode("utf-8", "surrogateescape"))
            elif self._words:
                sentences.append(self._words)
                self._words = []
        del self._buffer[:at]
        return sentences

    def _word(self, at: int) -> tuple[int, int] | None:
        """Where the word begins and ends that is announced at `at`; None while it is incomplete."""
        if at >= len(self._buffer):
            return None
        size, length = length_size(self._buffer[at]), self._buffer[at]
        start = at + size
        if start > len(self._buffer):
            return None
        if size > 1:
            length = decode_length(bytes(self._buffer[at:start]))
        if length > MAX_WORD_BYTES:
            raise MalformedWord(f"a word of {length} bytes")
        return (start, start + length) if start + length <= len(self._buffer) else None
