"""Frames: what they are bound to, and what is none."""

import pytest

from kmscli import errors
from kmscli.formats import frames

ID = bytes(32)


def test_no_two_frames_share_an_iv_with_each_other_or_the_header() -> None:
    numbers = [0, 1, 2, 255, 256, 2**31, 2**32 - 1]
    assert len({frames.iv_of(number) for number in numbers}) == len(numbers)
    assert frames.iv_of(0) == bytes(12)


def test_what_a_frame_is_bound_to_tells_message_kind_number_and_length() -> None:
    found = {
        frames.regular_data(ID, 1, 1),
        frames.final_data(ID, 1, 1),
        frames.regular_data(ID, 2, 1),
        frames.regular_data(ID, 1, 2),
        frames.regular_data(b"\1" * 32, 1, 1),
    }
    assert len(found) == 5


def test_a_regular_frame_never_has_the_number_of_the_mark() -> None:
    assert frames.regular_head(2**32 - 2)[:4] == b"\xff\xff\xff\xfe"
    with pytest.raises(errors.MessageLimitError):
        frames.regular_head(2**32 - 1)
    assert frames.final_head(2**32 - 1, 0)[:8] == b"\xff" * 8


def test_a_footer_is_all_of_what_is_left() -> None:
    assert frames.parse_footer(frames.footer(b"signature")) == b"signature"
    assert frames.parse_footer(memoryview(frames.footer(bytes(128)))) == bytes(128)
    for wrong in (b"", b"\0", b"\0\1", b"\0\1ab", frames.footer(bytes(129)), b"\xff\xff"):
        with pytest.raises(errors.MalformedMessageError):
            frames.parse_footer(wrong)


def test_a_frame_of_64_mib_is_held_and_a_larger_one_is_not() -> None:
    frames.check_length(64 << 20)
    with pytest.raises(errors.MessageLimitError):
        frames.check_length((64 << 20) + 1)
