"""Feeds the parser of headers and frames what atheris makes: `python tests/fuzz/fuzz_messages.py [-max_total_time=60]`.

Needs the extra `fuzz`. The limits are libFuzzer's: a second an input, and 64 MiB above what the process has at its
start. The first inputs are the vectors of messages. Each input is read by the engine as it is, and then once more as if
every tag held: no fuzzer finds a tag, and what stands behind one is to be reached.
"""

import contextlib
import io
import json
import resource
import sys
import tempfile
from pathlib import Path

import atheris

with atheris.instrument_imports(include=["kmscli"]):
    from kmscli import errors
    from kmscli.crypto.message import Cipher
    from kmscli.envelope import decrypting
    from kmscli.formats import frames, message

VECTORS = Path(__file__).parents[1] / "vectors" / "data"
DATA_KEY = bytes(32)
LIMITS = ["-timeout=1", "-max_len=4096"]
EXTRA_MIB = 64


class Lenient(Cipher):
    """Takes every tag, so that what stands behind one is parsed."""

    def open_into(self, iv: bytes, sealed: memoryview, associated_data: bytes, out: memoryview) -> None:
        """Give the ciphertext for the plaintext."""
        del iv, associated_data
        out[:] = sealed[: len(out)]


def one_input(data: bytes) -> None:
    """Parse one input, by the engine as it is, and then without the tags."""
    for legacy in (False, True):
        source = io.BytesIO(data)
        try:
            header = decrypting.open_header(source, legacy=legacy)
        except errors.KmsError:
            continue
        with contextlib.suppress(errors.KmsError):
            decrypting.decrypt(source, io.BytesIO(), header, DATA_KEY[: header.suite.key_bytes], held=True, threads=1)
        source.seek(header.length)
        parse_frames(header, source.read())


def parse_frames(header: message.Header, body: bytes) -> None:
    """Walk over the frames of a body, as a reader that is not stopped by tags."""
    if header.frame_length and not header.signed:
        stages = decrypting._Decryption(io.BytesIO(body), io.BytesIO(), header, Lenient(DATA_KEY), None)
        try:
            decrypting.Flow(stages, last=None).run(1)
        except errors.KmsError:
            return
    else:
        try:
            frames.parse_unframed(header, body[: frames.UNFRAMED_HEAD])
            frames.parse_footer(body)
        except errors.KmsError:
            return


def main() -> None:
    """Start libFuzzer on the vectors, in a folder that is removed again."""
    with tempfile.TemporaryDirectory() as folder:
        for name in ("message", "rejected-message"):
            for number, entry in enumerate(json.loads((VECTORS / f"{name}.json").read_text())["vectors"]):
                Path(folder, f"{name}-{number}").write_bytes(bytes.fromhex(entry["message"]))
        now = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss >> 10
        atheris.Setup([sys.argv[0], *LIMITS, f"-rss_limit_mb={now + EXTRA_MIB}", *sys.argv[1:], folder], one_input)
        atheris.Fuzz()


if __name__ == "__main__":
    main()
