"""Messages once more, written from docs/spec/message.md alone, and the vectors of them: good ones, and one defect each.

Only AES-GCM, HMAC, SHA-2 and ECDSA come from libraries. The signatures are deterministic (RFC 6979), so that the
vectors are the same in every run.
"""

import base64
import hmac
from typing import Any, NamedTuple

from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from tests.vectors import made, spec
from tests.vectors.made import Entry, fixed
from tests.vectors.spec import u16, u32

END = b"\xff\xff\xff\xff"
KMS = ("aws-kms", b"arn:aws:kms:local:000000000000:key/" + made.KEY_ID.encode(), fixed("message blob", 130))
OTHER = ("another provider", b"", b"\x00")
CONTEXT = {"name": "value", "Z\u00fcrich": "\U0001f511", "empty": ""}
PUBLIC = "aws-crypto-public-key"


class Suite(NamedTuple):
    """A row of "Suites"."""

    version: int
    key: int
    kdf: str
    curve: ec.EllipticCurve | None
    hash: hashes.HashAlgorithm | None


P384, P256 = ec.SECP384R1(), ec.SECP256R1()
SUITES = {
    0x0578: Suite(2, 32, "sha512", P384, hashes.SHA384()),
    0x0478: Suite(2, 32, "sha512", None, None),
    0x0378: Suite(1, 32, "sha384", P384, hashes.SHA384()),
    0x0346: Suite(1, 24, "sha384", P384, hashes.SHA384()),
    0x0214: Suite(1, 16, "sha256", P256, hashes.SHA256()),
    0x0178: Suite(1, 32, "sha256", None, None),
    0x0146: Suite(1, 24, "sha256", None, None),
    0x0114: Suite(1, 16, "sha256", None, None),
    0x0078: Suite(1, 32, "", None, None),
    0x0046: Suite(1, 24, "", None, None),
    0x0014: Suite(1, 16, "", None, None),
}


def hkdf(hash_name: str, secret: bytes, salt: bytes, info: bytes, length: int) -> bytes:
    """RFC 5869, both steps."""
    return spec.expand(hmac.digest(salt, secret, hash_name), info, length, hash_name)


class Message:
    """One message, rightly made or wrongly: a member of `defects` takes the place of what belongs there."""

    def __init__(self, number: int, plaintext: bytes, frame_length: int = 16, **defects: Any) -> None:
        self.number, self.plaintext, self.frame_length = number, plaintext, frame_length
        self.suite = SUITES[number]
        self.data_key = fixed(f"data key {number}", self.suite.key)
        self.message_id = fixed("message id", 16 if self.suite.version == 1 else 32)
        self.context: dict[str, str] = dict(defects.pop("context", CONTEXT))
        self.keys: list[tuple[str, bytes, bytes]] = defects.pop("keys", [KMS])
        self.defects = defects
        self.secret = None
        if self.suite.curve is not None:
            self.secret = ec.derive_private_key(int.from_bytes(fixed("signer", 24), "big"), self.suite.curve)
            point = self.secret.public_key().public_bytes(Encoding.X962, PublicFormat.CompressedPoint)
            self.context[PUBLIC] = base64.b64encode(point).decode()
        algorithm = u16(number)
        if self.suite.version == 2:
            derived = hkdf(self.suite.kdf, self.data_key, self.message_id, algorithm + b"DERIVEKEY", self.suite.key)
        elif self.suite.kdf:
            salt = bytes(hashes_size(self.suite.kdf))
            derived = hkdf(self.suite.kdf, self.data_key, salt, algorithm + self.message_id, self.suite.key)
        else:
            derived = self.data_key
        self.gcm = AESGCM(derived)
        self.bytes = self.header() + self.body()
        if self.secret is not None:
            signed = ec.ECDSA(self.suite.hash, deterministic_signing=True)
            signature = self.secret.sign(self.bytes, signed)
            self.bytes += defects.get("footer", u16(len(signature)) + signature)

    def pairs(self) -> bytes:
        pairs = sorted((name.encode(), value.encode()) for name, value in self.context.items())
        return u16(len(pairs)) + b"".join(short(part) for pair in pairs for part in pair) if pairs else b""

    def header(self) -> bytes:
        """All before the body."""
        old = self.suite.version == 1
        commitment = (
            hkdf("sha512", self.data_key, self.message_id, b"COMMITKEY", 32) if self.suite.version == 2 else b""
        )
        framed = self.frame_length > 0
        parts = {
            "version": bytes([self.suite.version]),
            "type": b"\x80" if old else b"",
            "suite": u16(self.number),
            "message_id": self.message_id,
            "pairs": short(self.pairs()),
            "count": u16(len(self.keys)),
            "entries": b"".join(short(p.encode()) + short(info) + short(sealed) for p, info, sealed in self.keys),
            "content": b"\x02" if framed else b"\x01",
            "reserved": bytes(4) + b"\x0c" if old else b"",
            "stated": u32(self.frame_length),
            "commitment": commitment,
        }
        parts |= {name: value for name, value in self.defects.items() if name in parts}
        body = b"".join(parts.values())
        iv = fixed("header iv", 12) if old else bytes(12)
        return body + (iv if old else b"") + self.gcm.encrypt(iv, b"", body)

    def frame(self, number: int, plaintext: bytes, *, final: bool = False, iv: bytes | None = None) -> bytes:
        """One frame of the body."""
        text = b"AWSKMSEncryptionClient Final Frame" if final else b"AWSKMSEncryptionClient Frame"
        bound = self.message_id + text + u32(number) + len(plaintext).to_bytes(8, "big")
        iv = number.to_bytes(12, "big") if iv is None else iv
        head = END + u32(number) + iv + u32(len(plaintext)) if final else u32(number) + iv
        return head + self.gcm.encrypt(iv, plaintext, bound)

    def body(self) -> bytes:
        """What is between header and footer."""
        if "body" in self.defects:
            made_body: bytes = self.defects["body"](self)
            return made_body
        if not self.frame_length:
            iv, size = fixed("unframed iv", 12), len(self.plaintext).to_bytes(8, "big")
            bound = self.message_id + b"AWSKMSEncryptionClient Single Block" + u32(1) + size
            return iv + size + self.gcm.encrypt(iv, self.plaintext, bound)
        whole = len(self.plaintext) // self.frame_length
        parts = self.parts()
        return b"".join(self.frame(i + 1, parts[i]) for i in range(whole)) + self.frame(
            whole + 1, parts[whole], final=True
        )

    def parts(self) -> list[bytes]:
        """The plaintexts of the frames."""
        step = self.frame_length
        return [self.plaintext[start : start + step] for start in range(0, len(self.plaintext) + 1, step)]


def short(part: bytes) -> bytes:
    """Behind its `u16` length."""
    return u16(len(part)) + part


def hashes_size(name: str) -> int:
    """Bytes of a hash: as many zeros are the salt where there is none."""
    return int(name.removeprefix("sha")) // 8


def files() -> dict[str, dict[str, Any]]:
    """Name of each file, without its ending -> content."""
    return {
        "message": made.file("A message, its data key, and what is in both.", "message.md", messages()),
        "rejected-message": made.file("What is no message under its data key.", "message.md", rejected()),
    }


def entry(name: str, message: Message) -> Entry:
    """One good message."""
    return {
        "name": name,
        "suite": f"0x{message.number:04x}",
        "data_key": message.data_key,
        "message_id": message.message_id,
        "context": message.context,
        "keys": [list(key) for key in message.keys],
        "frame_length": message.frame_length,
        "plaintext": message.plaintext,
        "message": message.bytes,
    }


def messages() -> list[Entry]:
    text = fixed("message text", 40)
    made_entries = [entry(f"suite 0x{number:04x}", Message(number, text)) for number in SUITES]
    cases = {
        "no plaintext": Message(0x0478, b""),
        "one byte": Message(0x0478, b"x"),
        "exactly one frame": Message(0x0478, text[:16]),
        "exactly two frames": Message(0x0478, text[:32]),
        "frames of one byte": Message(0x0478, text[:3], 1),
        "the largest frame length that a header can say": Message(0x0478, text, 2**32 - 1),
        "no context": Message(0x0478, text, context={}),
        "two keys": Message(0x0478, text, keys=[OTHER, KMS]),
        "signed, no plaintext": Message(0x0578, b""),
        "signed, frames of one byte": Message(0x0578, text[:3], 1),
        "unframed": Message(0x0178, text, 0),
        "unframed, no plaintext": Message(0x0178, b"", 0),
        "unframed, signed": Message(0x0378, text, 0),
        "a full final frame": Message(0x0478, text[:16], body=lambda m: m.frame(1, m.plaintext, final=True)),
        "an IV that was drawn": Message(
            0x0178, text[:5], body=lambda m: m.frame(1, m.plaintext, final=True, iv=fixed("iv", 12))
        ),
        "pairs in another order, version 1": Message(
            0x0178, text, pairs=short(u16(2) + short(b"b") + short(b"") + short(b"a") + short(b""))
        ),
    }
    shown = {name: entry(name, message) for name, message in cases.items()}
    shown["pairs in another order, version 1"]["context"] = {"b": "", "a": ""}
    return [*made_entries, *shown.values()]


FORMAT, FRAMES, CIPHER, READER = "formats.message", "formats.frames", "crypto.message", "envelope.decrypting"
MALFORMED, BROKEN, LIMIT = "MalformedMessageError", "BrokenMessageError", "MessageLimitError"
UNSUPPORTED = "UnsupportedFormatError"


def rejected() -> list[Entry]:
    text = fixed("message text", 40)
    good, signed, old = Message(0x0478, text), Message(0x0578, text), Message(0x0178, text)
    unframed = Message(0x0178, text, 0)
    head, pair = len(good.header()), short(b"a") + short(b"1")
    cases: list[tuple[str, str, str, Message | bytes]] = [
        ("nothing", FORMAT, MALFORMED, b""),
        ("version 0", FORMAT, UNSUPPORTED, Message(0x0478, text, version=b"\x00")),
        ("version 3", FORMAT, UNSUPPORTED, Message(0x0478, text, version=b"\x03")),
        ("an unknown suite", FORMAT, UNSUPPORTED, Message(0x0478, text, suite=u16(0x0678))),
        ("a suite of version 1 in version 2", FORMAT, UNSUPPORTED, Message(0x0478, text, suite=u16(0x0178))),
        ("a suite of version 2 in version 1", FORMAT, UNSUPPORTED, Message(0x0178, text, suite=u16(0x0478))),
        ("another type", FORMAT, MALFORMED, Message(0x0178, text, type=b"\x81")),
        ("a context of no pairs", FORMAT, MALFORMED, Message(0x0478, text, pairs=short(u16(0)))),
        ("a context of one byte", FORMAT, MALFORMED, Message(0x0478, text, pairs=short(b"\x00"))),
        ("a name twice", FORMAT, MALFORMED, Message(0x0478, text, pairs=short(u16(2) + pair + pair))),
        ("a name twice, version 1", FORMAT, MALFORMED, Message(0x0178, text, pairs=short(u16(2) + pair + pair))),
        (
            "names out of order",
            FORMAT,
            MALFORMED,
            Message(0x0478, text, pairs=short(u16(2) + short(b"b") + short(b"") + pair)),
        ),
        ("fewer pairs than counted", FORMAT, MALFORMED, Message(0x0478, text, pairs=short(u16(2) + pair))),
        ("more pairs than counted", FORMAT, MALFORMED, Message(0x0478, text, pairs=short(u16(1) + pair + pair))),
        ("a value cut short", FORMAT, MALFORMED, Message(0x0478, text, pairs=short(u16(1) + pair[:-1]))),
        (
            "a name that is no UTF-8",
            FORMAT,
            MALFORMED,
            Message(0x0478, text, pairs=short(u16(1) + short(b"\xff") + pair[:3])),
        ),
        ("no key", FORMAT, MALFORMED, Message(0x0478, text, keys=[])),
        ("65 keys", FORMAT, LIMIT, Message(0x0478, b"", keys=[OTHER] * 65)),
        ("65535 keys in the count alone", FORMAT, LIMIT, Message(0x0478, text, count=b"\xff\xff")),
        ("a provider id that is no UTF-8", FORMAT, MALFORMED, Message(0x0478, text, entries=short(b"\xff") + bytes(4))),
        ("content of type 3", FORMAT, MALFORMED, Message(0x0478, text, content=b"\x03")),
        ("unframed, version 2", FORMAT, MALFORMED, Message(0x0478, text, content=b"\x01", stated=bytes(4))),
        ("unframed with a frame length", FORMAT, MALFORMED, Message(0x0178, text, content=b"\x01")),
        ("framed without a frame length", FORMAT, MALFORMED, Message(0x0478, text, stated=bytes(4))),
        ("reserved bytes in use", FORMAT, MALFORMED, Message(0x0178, text, reserved=b"\x00\x00\x00\x01\x0c")),
        ("an IV of 16 bytes", FORMAT, MALFORMED, Message(0x0178, text, reserved=bytes(4) + b"\x10")),
        ("a public key and no signature", FORMAT, MALFORMED, Message(0x0478, text, context={PUBLIC: "AAAA"})),
        ("a signature and no public key", FORMAT, MALFORMED, Message(0x0578, text, pairs=short(u16(1) + pair))),
        ("another commitment", CIPHER, BROKEN, Message(0x0478, text, commitment=fixed("commitment"))),
        ("a changed bit in the commitment", CIPHER, BROKEN, flipped(good.bytes, head - 16 - 1)),
        ("a changed bit in the message id", CIPHER, BROKEN, flipped(good.bytes, 10)),
        ("a changed bit in an encrypted data key", CIPHER, BROKEN, flipped(good.bytes, head - 60)),
        ("a changed bit in the frame length", CIPHER, BROKEN, flipped(good.bytes, head - 16 - 32 - 1)),
        ("a changed bit in the header's tag", CIPHER, BROKEN, flipped(good.bytes, head - 1)),
        ("a changed bit in the header's IV, version 1", CIPHER, BROKEN, flipped(old.bytes, len(old.header()) - 17)),
        ("a changed bit in a ciphertext", CIPHER, BROKEN, flipped(good.bytes, head + 20)),
        ("a changed bit in a tag", CIPHER, BROKEN, flipped(good.bytes, head + 47)),
        ("a changed bit in a frame's IV", FRAMES, MALFORMED, flipped(good.bytes, head + 15)),
        ("a changed bit in a frame's IV, version 1", CIPHER, BROKEN, flipped(old.bytes, len(old.header()) + 15)),
        ("a changed bit in the final ciphertext", CIPHER, BROKEN, flipped(good.bytes, len(good.bytes) - 20)),
        ("a changed bit in an unframed ciphertext", CIPHER, BROKEN, flipped(unframed.bytes, len(unframed.bytes) - 20)),
        (
            "an IV that was drawn",
            FRAMES,
            MALFORMED,
            framed(lambda m, p: m.frame(1, p[2], final=True, iv=fixed("iv", 12))),
        ),
        ("frames from 0", FRAMES, MALFORMED, framed(lambda m, p: m.frame(0, p[0]) + m.frame(1, p[2], final=True))),
        ("a frame left out", FRAMES, MALFORMED, framed(lambda m, p: m.frame(1, p[0]) + m.frame(3, p[2], final=True))),
        (
            "two frames in another order",
            FRAMES,
            MALFORMED,
            framed(lambda m, p: m.frame(2, p[1]) + m.frame(1, p[0]) + m.frame(3, p[2], final=True)),
        ),
        ("a frame twice", FRAMES, MALFORMED, framed(lambda m, p: 2 * m.frame(1, p[0]) + m.frame(2, p[2], final=True))),
        ("a frame of another number, renumbered", CIPHER, BROKEN, framed(renumbered)),
        ("no final frame", FRAMES, MALFORMED, framed(lambda m, p: m.frame(1, p[0]) + m.frame(2, p[1]))),
        ("no frame at all", FRAMES, MALFORMED, Message(0x0478, text, body=lambda _: b"")),
        ("a final frame made regular", CIPHER, BROKEN, framed(regular)),
        (
            "a final frame that is too long",
            FRAMES,
            MALFORMED,
            Message(0x0478, text, body=lambda m: m.frame(1, bytes(17), final=True)),
        ),
        (
            "a second final frame",
            READER,
            MALFORMED,
            framed(lambda m, p: m.frame(1, p[0], final=True) + m.frame(2, p[2], final=True)),
        ),
        ("a byte after the end", READER, MALFORMED, good.bytes + b"\x00"),
        ("a message after the end", READER, MALFORMED, good.bytes + good.bytes),
        ("a byte after the end, unframed", READER, MALFORMED, unframed.bytes + b"\x00"),
        ("a byte after the signature", FRAMES, MALFORMED, signed.bytes + b"\x00"),
        ("no footer", FRAMES, MALFORMED, Message(0x0578, text, footer=b"")),
        ("an empty signature", CIPHER, BROKEN, Message(0x0578, text, footer=bytes(2))),
        ("a signature of zeros", CIPHER, BROKEN, Message(0x0578, text, footer=short(bytes(103)))),
        ("a signature longer than one can be", FRAMES, MALFORMED, Message(0x0578, text, footer=short(bytes(129)))),
        (
            "the signature of another message",
            CIPHER,
            BROKEN,
            Message(0x0578, text, footer=footer_of(Message(0x0578, b""))),
        ),
        ("a footer where none belongs", READER, MALFORMED, good.bytes + footer_of(signed)),
        ("a frame of more than 64 MiB", FRAMES, LIMIT, Message(0x0478, b"", 2**32 - 1, body=huge_frame)),
        ("a final frame of more than 64 MiB", FRAMES, LIMIT, Message(0x0478, b"", 2**32 - 1, body=huge_final)),
        ("an unframed body of more than 64 MiB", FRAMES, LIMIT, Message(0x0178, b"", 0, body=huge_block)),
    ]
    found = [refusal(*case) for case in cases]
    known = {case["message"] for case in found}
    for name, message in {"": good, ", signed": signed, ", unframed": unframed}.items():
        for size in cuts(message):
            # Some are there already, under what is missing then.
            if message.bytes[:size] not in known:
                known.add(message.bytes[:size])
                layer, error = layer_of_cut(message, size)
                found.append(refusal(f"cut after {size} bytes{name}", layer, error, message.bytes[:size]))
    found.append(refusal("another data key", CIPHER, BROKEN, good, data_key=fixed("another data key")))
    found.append(refusal("a data key of 16 bytes", CIPHER, BROKEN, good, data_key=fixed("another data key", 16)))
    legacy = [
        refusal(f"suite 0x{n:04x}, not wanted", FORMAT, "LegacyMessageError", Message(n, text), legacy=False)
        for n, row in SUITES.items()
        if row.version == 1
    ]
    return found + legacy


def framed(body: Any) -> Message:
    """A message whose body `body` makes, from it and the plaintexts of its frames."""
    return Message(0x0478, fixed("message text", 40), body=lambda m: body(m, m.parts()))


def renumbered(message: Message, parts: list[bytes]) -> bytes:
    """The second frame moved to the front, with the number and the IV of the first."""
    first = message.frame(1, parts[0])
    return first[:16] + message.frame(2, parts[1])[16:] + message.frame(2, parts[2], final=True)


def regular(message: Message, parts: list[bytes]) -> bytes:
    """A full final frame with the head of a regular one, and a final frame after it."""
    return (
        message.frame(1, parts[0], final=True)[4:20]
        + message.frame(1, parts[0], final=True)[24:]
        + message.frame(2, b"", final=True)
    )


def huge_frame(message: Message) -> bytes:
    return u32(1) + u32(0) + u32(0) + u32(1) + bytes(100)


def huge_final(message: Message) -> bytes:
    return END + u32(1) + u32(0) + u32(0) + u32(1) + u32((64 << 20) + 1) + bytes(100)


def huge_block(message: Message) -> bytes:
    return bytes(12) + ((64 << 20) + 1).to_bytes(8, "big") + bytes(100)


def footer_of(message: Message) -> bytes:
    """What follows the body."""
    return message.bytes[len(message.header()) + len(message.body()) :]


def flipped(data: bytes, place: int) -> bytes:
    """With its lowest bit at `place` changed."""
    return data[:place] + bytes([data[place] ^ 1]) + data[place + 1 :]


def cuts(message: Message) -> list[int]:
    """The boundaries of a message's parts, and one byte before the end."""
    head, size = len(message.header()), len(message.bytes)
    if not message.frame_length:
        return [head, head + 12, head + 20, size - 16, size - 1]
    step = message.frame_length + 32
    bounds = [1, 3, 35, 37, head - 48, head - 16, head - 1, head, head + 4, head + 16, head + step - 16, head + step]
    final = head + len(message.body())
    bounds += [head + 2 * step, head + 2 * step + 4, head + 2 * step + 8, head + 2 * step + 24, final - 16, final - 1]
    return bounds if size == final else [*bounds, final, final + 1, final + 2, size - 1]


def layer_of_cut(message: Message, size: int) -> tuple[str, str]:
    """Who refuses a message of which `size` bytes are left."""
    if size < len(message.header()):
        return FORMAT, MALFORMED
    if not message.frame_length and size >= len(message.header()) + 20:
        return READER, MALFORMED
    return FRAMES, MALFORMED


def refusal(
    name: str, layer: str, error: str, message: Message | bytes, *, data_key: bytes | None = None, legacy: bool = True
) -> Entry:
    """One message that must be refused."""
    if isinstance(message, Message):
        raw, key = message.bytes, message.data_key
    else:
        raw, key = message, fixed("data key " + str(int.from_bytes(number_in(message), "big")))
    return {
        "name": name,
        "layer": layer,
        "error": error,
        "legacy": legacy,
        "data_key": data_key or key,
        "message": raw,
    }


def number_in(raw: bytes) -> bytes:
    """The two bytes of the suite."""
    return raw[1:3] if raw[:1] == b"\x02" else raw[2:4]
