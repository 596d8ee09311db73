"""The protocol's bytes: what was packed comes out again, and no bytes at all disturb the decoder."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from emu.debug.rsp import MOST, Decoder, Sign, encode, escape, from_hex, number, to_hex, unescape


@given(contents=st.lists(st.binary(max_size=40), max_size=5), cuts=st.integers(1, 7))
def test_packets_come_through_whatever_pieces_the_stream_has(contents: list[bytes], cuts: int) -> None:
    stream = b"+".join(encode(escape(data)) for data in contents)
    decoder = Decoder()
    found = [what for i in range(0, len(stream), cuts) for what in decoder.feed(stream[i : i + cuts])]
    assert [unescape(what) for what in found if isinstance(what, bytes)] == contents


@given(noise=st.binary(max_size=200))
def test_after_any_noise_the_next_packet_is_understood(noise: bytes) -> None:
    decoder = Decoder()
    list(decoder.feed(noise))
    list(decoder.feed(b"#00"))  # ends whatever the noise has begun
    assert list(decoder.feed(b"$g#67")) == [b"g"]


def test_signs() -> None:
    stream = b"+-\x03$g#67$g#00$g#zz$" + b"x" * (MOST + 1) + b"$g#67"
    found = list(Decoder().feed(stream))
    assert found == [Sign.ACK, Sign.NACK, Sign.INTERRUPT, b"g", Sign.BAD, Sign.BAD, Sign.BAD, b"g"]


@given(data=st.binary(max_size=100))
def test_digits(data: bytes) -> None:
    assert from_hex(to_hex(data)) == data


@pytest.mark.parametrize("text", [b"", b"-1", b"0x1", b" 1", b"1_0", b"1" * 17, b"g", b"\xff"])
def test_what_is_no_number(text: bytes) -> None:
    with pytest.raises(ValueError):
        number(text)


@pytest.mark.parametrize("text", [b"1", b"0 1", b"zz", b"\xff\xff"])
def test_what_is_no_bytes(text: bytes) -> None:
    with pytest.raises(ValueError):
        from_hex(text)


def test_an_escape_that_is_cut_off() -> None:
    with pytest.raises(ValueError, match="cut off"):
        unescape(b"ab}")
