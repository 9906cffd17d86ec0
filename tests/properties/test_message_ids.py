"""No two messages of ours share a message id or a data key, whichever way they came to be.

A header that were tagged twice, or a message made anew with an old id, would use nonces a second time, and with it give
away the key that the tags are made with (docs/spec/message.md, "A header is never tagged twice").
"""

import os
from pathlib import Path
from typing import Any

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from kmscli.envelope import decrypting
from kmscli.formats import armor
from kmscli.formats.message import Header
from kmscli.service import files, keyring, rewrapping, sealing, unchanged
from kmscli.service.files import Job
from kmscli.storage import streams
from tests.helpers import Home

KEYS = ("alias/one", "alias/two")
some_keys = st.lists(st.sampled_from(KEYS), min_size=1, unique=True).map(tuple)
encryptions = st.fixed_dictionaries(
    {
        "keys": some_keys,
        "signed": st.booleans(),
        "armored": st.booleans(),
        "encryption_context": st.dictionaries(st.sampled_from("ab"), st.sampled_from("xy")),
        "format": st.just("message"),
    }
)
rewraps = st.one_of(
    st.just({}),
    st.fixed_dictionaries({"to": st.sampled_from(KEYS)}),
    st.fixed_dictionaries({"add": some_keys, "remove": some_keys}),
)
steps = st.one_of(
    st.tuples(st.just("encrypt"), st.integers(0, 3), encryptions),
    st.tuples(st.just("encrypt if changed"), st.integers(0, 3), encryptions),
    st.tuples(st.just("rewrap"), st.integers(0, 3), rewraps),
    st.tuples(st.just("rotate"), st.just(0), st.sampled_from(KEYS)),
)


class Folder:
    """Four files that are encrypted and rewrapped again and again, and all headers that they ever had."""

    def __init__(self, home: Home, path: Path) -> None:
        self.home = home
        self.path = path
        self.seen: dict[bytes, bytes] = {}
        self.commitments: set[bytes] = set()
        for alias in KEYS:
            home.create_key(Alias=alias)

    def do(self, kind: str, number: int, how: Any) -> None:
        """One step; whatever is written must be new."""
        context, target = self.home.context, self.path / f"{number}.kms"
        if kind == "rotate":
            self.home.perform("RotateKeyOnDemand", KeyId=how)
            return
        if kind == "rewrap":
            make, job = rewrapping.rewrapper(context, rewrapping.Plan(**how)), Job(target, target, in_place=True)
        else:
            source = self.path / str(number)
            source.write_bytes(os.urandom(number and 10**number))
            plan = sealing.Plan(**how)
            make, job = sealing.sealer(context, plan), Job(source, target)
            if kind == "encrypt if changed":
                make = unchanged.keeping(make, plan, keyring.of_session(context))
        (result,) = files.run(context, [job], make)
        if result.status == "done":
            self.note(header_of(target))

    def note(self, header: Header) -> None:
        """Refuse a header whose id or data key was there before, whatever else is in it."""
        assert header.message_id not in self.seen
        assert header.commitment not in self.commitments
        self.seen[header.message_id] = header.tag
        self.commitments.add(header.commitment)


def header_of(path: Path) -> Header:
    with streams.reading(path) as source:
        plain = armor.Reader(source) if armor.looks_like(source.peek(64)) else source
        return decrypting.open_header(plain)


def test_no_two_messages_share_an_id_or_a_data_key(home: Home, tmp_path: Path) -> None:
    folder = Folder(home, tmp_path)

    @settings(max_examples=25, deadline=None, database=None, suppress_health_check=[HealthCheck.too_slow])
    @given(st.lists(steps, min_size=3, max_size=8))
    def run(those: list[tuple[str, int, Any]]) -> None:
        for step in those:
            folder.do(*step)

    run()
    assert len(folder.seen) > 20


def test_a_message_that_was_rewrapped_many_times_never_has_an_id_again(home: Home, tmp_path: Path) -> None:
    folder = Folder(home, tmp_path)
    folder.do("encrypt", 1, {"keys": KEYS[:1], "format": "message"})
    for turn in range(40):
        folder.do("rewrap", 1, {"to": KEYS[(turn + 1) % 2]})
    assert 41 == len(folder.seen)
