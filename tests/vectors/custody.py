"""Vectors of slots that custodians open together, and of their shares: those to be accepted and those to be refused."""

from typing import Any

from tests.vectors import spec
from tests.vectors.defects import flipped, refused, replaced
from tests.vectors.made import ADMIN, KDF, KEYFILE_SECRET, VAULT_ID, Entry, file, fingerprint, fixed, slot
from tests.vectors.sealed import Sealer

SLOT_ID = fixed("slot of shares", 4).hex()
TRIO = ("alice", "bob", "carol")


def files(sealer: Sealer) -> dict[str, dict[str, Any]]:
    """Name of each file, without its ending -> content."""
    line, section = 'vault.md, "Share of a custodian"', 'vault.md, "Slots of custodians"'
    return {
        "custodian-share": file("A file, the share in it, and the line of that share.", line, shares()),
        "rejected-custodian-share": file("Shares of custodians.", line, broken_shares()),
        "custodians": file("A slot, shares that open it, and what it opens.", section, slots(sealer)),
        "rejected-custodians": file("Slots of custodians, and shares that are given.", section, refused_slots(sealer)),
    }


# -- shares ------------------------------------------------------------------------------------------------------------


def shares() -> list[Entry]:
    share = fixed("share")
    line = spec.custodian_share(SLOT_ID, "alice", share)
    spellings = {
        "as written": f"{line}\n",
        "without newline": line,
        "with carriage return": f"{line}\r\n",
        "white space around": f" \t\n{line} \n\n",
    }
    same = {"slot_id": SLOT_ID, "custodian": "alice", "share": share, "line": line}
    entries = [{"name": name, "file": text, **same} for name, text in spellings.items()]
    longest = "+=,.@_-" + "x" * 57
    line = spec.custodian_share(SLOT_ID, longest, bytes(32))
    other = {"file": line, "slot_id": SLOT_ID, "custodian": longest, "share": bytes(32), "line": line}
    return [*entries, {"name": "zeros, of a name of 64 characters", **other}]


def broken_shares() -> list[Entry]:
    share = fixed("share")
    line = spec.custodian_share(SLOT_ID, "alice", share)
    head, text = line.rsplit(" ", 1)
    cases = {
        "nothing": "",
        "a keyfile": spec.keyfile(share),
        "another number": replaced(line, "share-1", "share-2"),
        "the prefix alone": "kms-share-1 ",
        "no slot": line.replace(f"{SLOT_ID} ", ""),
        "no name": line.replace("alice ", ""),
        "a name in two words": line.replace("alice", "ali ce"),
        "an empty name": line.replace("alice", ""),
        "a second space": line.replace(" alice", "  alice"),
        "another slot": line.replace(SLOT_ID, "00000000"),
        "another name": line.replace("alice", "alicf"),
        "the last character cut off": line[:-1],
        "the last four characters cut off": line[:-4],
        "the first character of the share changed": f"{head} {'B' if text[0] == 'A' else 'A'}{text[1:]}",
        "no checksum": f"{head} {spec.base64_text(share)}",
        "the checksum of a keyfile": f"{head} {spec.base64_text(share + spec.digest('keyfile', share)[:4])}",
        "a share of 31 bytes with its checksum": spec.custodian_share(SLOT_ID, "alice", share[1:]),
        "a share of 33 bytes with its checksum": spec.custodian_share(SLOT_ID, "alice", share + b"\x00"),
        "a line break within": f"{head}\n{text}",
        "padding that is none": f"{line}=",
        "a character that is not of base64": f"{line[:-1]}*",
        "two shares": f"{line}\n{line}\n",
        "a byte order mark": f"\ufeff{line}",
        "bytes that are not UTF-8": f"{line}\udcff",
    }
    return [refused(name, "formats.custodianshare", "InvalidShareError", file=text) for name, text in cases.items()]


# -- slots -------------------------------------------------------------------------------------------------------------


def share_of(name: str, slot: Entry) -> bytes:
    return fixed(f"share of {name} in {slot['label']}")


def line_of(name: str, slot: Entry, share: bytes | None = None) -> str:
    return spec.custodian_share(slot["slot_id"], name, share or share_of(name, slot))


def quorum(slot: Entry, names: tuple[str, ...], threshold: int) -> Entry:
    held = [(name, share_of(name, slot)) for name in names]
    sets = [[held[place] for place in places] for places in spec.ways(len(names), threshold)]
    salts = [fixed(f"combination {number} of {slot['label']}", 24) for number in range(len(sets))]
    return {
        "threshold": threshold,
        "custodians": [
            {"name": name, "check": spec.custodian_check(slot["slot_id"], name, share)} for name, share in held
        ],
        "combinations": [
            spec.combination(slot["slot_id"], "admin", chosen, KEYFILE_SECRET, salt=salt)
            for chosen, salt in zip(sets, salts, strict=True)
        ],
    }


def board(sealer: Sealer, name: str, names: tuple[str, ...] = TRIO, threshold: int = 2) -> Entry:
    """The members of a slot of `admin` that custodians open, its `check` set."""
    made = slot(sealer, name, "custodians")
    del made["check"]
    return changed(made, quorum=quorum(made, names, threshold), proof=spec.proof(made, VAULT_ID, ADMIN))


def changed(slot: Entry, **members: Any) -> Entry:
    """The slot with other members, and its `check` made again, last."""
    return spec.with_check({name: value for name, value in (slot | members).items() if name != "check"})


def slots(sealer: Sealer) -> list[Entry]:
    trio, four = board(sealer, "two of three"), board(sealer, "four of four", ("d", "c", "b", "a"), 4)
    many = board(sealer, "five of nine", tuple("ihgfedcba"), 5)
    cases: dict[str, tuple[Entry, list[str]]] = {
        "the first two": (trio, ["alice", "bob"]),
        "the last two, the other way round": (trio, ["carol", "bob"]),
        "one more than needed": (trio, ["carol", "alice", "bob"]),
        "all of four": (four, ["a", "b", "c", "d"]),
        "five of nine": (many, list("acegi")),
    }
    return [
        {
            "name": name,
            "body": spec.encode(found),
            "files": [line_of(who, found) for who in given],
            "secret": KEYFILE_SECRET,
            "vault_id": VAULT_ID,
            "fingerprint": fingerprint(),
            "seed": ADMIN.seed,
        }
        for name, (found, given) in cases.items()
    ]


def refused_slots(sealer: Sealer) -> list[Entry]:
    good, other = board(sealer, "a board"), board(sealer, "another board")
    return [*_damaged(good), *_unreadable(good), *_wrong_shares(good, other), *_tampered(good, other)]


def _damaged(good: Entry) -> list[Entry]:
    custody = good["quorum"]
    plain = {name: value for name, value in good.items() if name != "quorum"}
    combinations, custodians = custody["combinations"], custody["custodians"]
    twice = [custodians[0], custodians[1], custodians[1]]
    many = [{"name": f"c{number}", "check": bytes(8)} for number in range(17)]
    cases = {
        "no custodians": changed(plain),
        "custodians of a keyfile": changed(good, kind="keyfile"),
        "custodians of a passphrase": changed(good, kind="passphrase", kdf=KDF),
        "a cost": changed(good, kdf=KDF),
        "a combination too few": changed(good, quorum=custody | {"combinations": combinations[:-1]}),
        "a combination too many": changed(good, quorum=custody | {"combinations": [*combinations, combinations[0]]}),
        "a threshold of one": changed(good, quorum=custody | {"threshold": 1}),
        "a threshold of none": changed(good, quorum=custody | {"threshold": 0, "combinations": combinations[:1]}),
        "a threshold above the number": changed(good, quorum=custody | {"threshold": 4, "combinations": []}),
        "a name twice": changed(good, quorum=custody | {"custodians": twice}),
        "a name that is none": changed(
            good, quorum=custody | {"custodians": [{**custodians[0], "name": "a b"}, *twice[1:]]}
        ),
        "17 custodians": changed(good, quorum={"threshold": 17, "custodians": many, "combinations": combinations[:1]}),
        "more combinations than 256": changed(
            good, quorum={"threshold": 8, "custodians": many[:16], "combinations": combinations}
        ),
    }
    given = [line_of(name, good) for name in TRIO]
    return [
        refused(name, "formats.slot", "VaultTamperedError", body=spec.encode(found), files=given)
        for name, found in cases.items()
    ]


def _unreadable(good: Entry) -> list[Entry]:
    body = spec.encode(good)
    bare = spec.encode({name: value for name, value in good.items() if name != "quorum"})
    cases = {
        "custodians that are null": replaced(bare, '"proof":', '"quorum":null,"proof":'),
        "an unknown member of a custodian": body.replace('{"name":"bob",', '{"name":"bob","mail":"",', 1),
        "members in another order": replaced(
            replaced(body, '"threshold":2,', ""), '"]},"proof":', '"],"threshold":2},"proof":'
        ),
        "a threshold that is a fraction": replaced(body, '"threshold":2,', '"threshold":2.0,'),
    }
    given = [line_of(name, good) for name in TRIO]
    return [
        refused(name, "formats.record", "VaultTamperedError", body=found, files=given) for name, found in cases.items()
    ]


def _wrong_shares(good: Entry, other: Entry) -> list[Entry]:
    alice, carol = line_of("alice", good), line_of("carol", good)
    first = share_of("alice", good)
    cases = {
        "another share": [alice, line_of("bob", good, fixed("another share"))],
        "another share beside enough good ones": [alice, carol, line_of("bob", good, fixed("another share"))],
        "the share of another custodian": [alice, line_of("bob", good, first)],
        "who is no custodian": [alice, carol, line_of("dave", good)],
        "a share of another slot": [alice, carol, line_of("bob", other)],
        "shares of another slot only": [line_of("alice", other), line_of("bob", other)],
        "the same share twice": [alice, alice],
    }
    body = spec.encode(good)
    named = [refused(n, "vault.custodians", "WrongShareError", body=body, files=given) for n, given in cases.items()]
    return [*named, refused("one share", "vault.custodians", "LockedError", body=body, files=[alice])]


def _tampered(good: Entry, other: Entry) -> list[Entry]:
    custody = good["quorum"]
    combinations, custodians = custody["combinations"], custody["custodians"]
    forged = fixed("forged share")
    check = spec.custodian_check(good["slot_id"], "bob", forged)
    approved = [custodians[0], {"name": "bob", "check": check}, custodians[2]]
    bitwise = [flipped(combinations[0], -1), *combinations[1:]]
    given = [line_of("alice", good), line_of("bob", good)]
    cases: dict[str, tuple[Entry, list[str]]] = {
        "combinations in another order": (custody | {"combinations": combinations[::-1]}, given),
        "a changed combination": (custody | {"combinations": bitwise}, given),
        "the combinations of another slot": (custody | {"combinations": other["quorum"]["combinations"]}, given),
        "custodians in another order": (custody | {"custodians": custodians[::-1]}, given),
        "a forged share with its check": (
            custody | {"custodians": approved},
            [line_of("alice", good), line_of("bob", good, forged)],
        ),
    }
    found = {name: (changed(good, quorum=made), lines) for name, (made, lines) in cases.items()}
    found["another principal"] = (changed(good, principal="bob"), given)
    return [
        refused(name, "vault.custodians", "VaultTamperedError", body=spec.encode(slot), files=lines)
        for name, (slot, lines) in found.items()
    ]
