"""The bytes, against the vectors of public clients (facts, routeros 1.2)."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.simulators.routeros.wire import (
    MAX_WORD_BYTES,
    MalformedWord,
    SentenceDecoder,
    decode_length,
    encode_length,
    encode_sentence,
    encode_word,
)

VECTORS = {
    0: "00",
    1: "01",
    0x7F: "7F",
    0x80: "8080",
    0x87: "8087",
    0x3FFF: "BFFF",
    0x4000: "C04000",
    0x4321: "C04321",
    0x1FFFFF: "DFFFFF",
    0x200000: "E0200000",
    0x2ACDEF: "E02ACDEF",
    0xFFFFFFF: "EFFFFFFF",
    0x10000000: "F010000000",
    0x10000080: "F010000080",
}


@pytest.mark.parametrize(("length", "prefix"), VECTORS.items())
def test_a_length_is_written_and_read_as_real_clients_do(length, prefix):
    assert encode_length(length) == bytes.fromhex(prefix)
    assert decode_length(bytes.fromhex(prefix)) == length


def test_a_length_beyond_32_bits_is_refused():
    with pytest.raises(ValueError, match="4 GiB"):
        encode_length(2**32)


def test_a_length_counts_bytes_and_not_characters():
    assert encode_word("é")[0] == 2


@given(st.lists(st.lists(st.text(min_size=1), min_size=1), max_size=5), st.integers(1, 7))
def test_sentences_survive_any_fragmentation(sentences, size):
    stream = b"".join(map(encode_sentence, sentences))
    decoder = SentenceDecoder()
    pieces = [stream[at : at + size] for at in range(0, len(stream), size)]
    assert [sentence for piece in pieces for sentence in decoder.feed(piece)] == sentences


def test_many_sentences_in_one_segment_come_out_in_order():
    assert SentenceDecoder().feed(encode_sentence(["a", "b"]) + encode_sentence(["c"])) == [["a", "b"], ["c"]]


def test_an_empty_sentence_is_ignored():
    assert SentenceDecoder().feed(b"\0\0" + encode_sentence(["a"]) + b"\0") == [["a"]]


def test_a_sentence_without_its_end_is_not_handed_out():
    assert SentenceDecoder().feed(encode_sentence(["a"])[:-1]) == []


@pytest.mark.parametrize("size", [0x4000, 70_000, 0x200000])
def test_a_big_word_arrives_whole(size):
    assert SentenceDecoder().feed(encode_sentence(["x" * size])) == [["x" * size]]


def test_bytes_that_are_no_utf_8_come_back_untouched():
    ((word,),) = SentenceDecoder().feed(b"\x02\xff\xe9\0")
    assert encode_word(word) == b"\x02\xff\xe9"


@pytest.mark.parametrize("first", [0xF8, 0xFF])
def test_a_reserved_control_byte_ends_the_stream(first):
    with pytest.raises(MalformedWord):
        SentenceDecoder().feed(bytes([first]))


def test_an_absurd_length_is_refused_before_it_fills_the_memory():
    with pytest.raises(MalformedWord):
        SentenceDecoder().feed(encode_length(MAX_WORD_BYTES + 1))
