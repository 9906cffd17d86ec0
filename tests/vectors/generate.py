"""Writes the test vectors of kms: `python tests/vectors/generate.py [--anew]`.

What this folder is:

- `data/*.json` are the vectors. Each file holds one kind: `about` says what an entry is, `spec` which section decides,
  `vectors` are the entries, each with a `name` of its own. Bytes are hexadecimal; what is text in a vault (a body, a
  line, a keyfile) is text here, and a byte in it that is not UTF-8 stands as Python's surrogate escape.
- `data/rejected-*.json` are vectors that must be refused. An entry has one defect; its `name` says which. `layer` is
  the module of kmscli that must refuse it, `error` the class of the error.
- `spec.py` and `pairs.py` are a second implementation, written from docs/spec. The vectors are made with it alone, so
  they are what the specification says. `made.py`, `defects.py`, `custody.py` and `messages.py` list the entries;
  the last one has its own second implementation.
- `test_vectors.py` gives every entry to kmscli. It fails if a file, an entry or a member of one is not used, and if the
  files are not what this script writes.

Everything follows from fixed secrets, but for what is sealed to a public key: that draws randomness inside the
library. Those bytes are kept as they are in `data/hpke.json` as long as they are sealed from the same inputs; `--anew`
makes them again. A vector that changes without `--anew` tells of an incompatible change of the format: vaults of
earlier releases would no longer open.
"""

import json
import sys
from pathlib import Path
from typing import Any

from tests.vectors import custody, defects, made, messages
from tests.vectors.sealed import Sealer

DATA = Path(__file__).with_name("data")
HPKE = "hpke"


def text_of(file: dict[str, Any]) -> str:
    """A file's content: bytes as hexadecimal, one member a line."""
    return json.dumps(file, indent=1, default=bytes.hex) + "\n"


def files(kept: list[dict[str, str]]) -> dict[str, str]:
    """Name of each file -> its content.

    Args:
        kept: The entries of `hpke.json` as they are, whose bytes are taken over.
    """
    sealer = Sealer(kept)
    found = made.files(sealer) | defects.files(sealer) | custody.files(sealer) | messages.files()
    found[HPKE] = made.file(
        "Bytes that are sealed to the key pair of a secret and a label, and what is in them.",
        'vault.md, "Notation" (seal_to), "Identities"',
        sealer.entries,
    )
    return {f"{name}.json": text_of(content) for name, content in found.items()}


def kept_entries() -> list[dict[str, str]]:
    """The entries of `hpke.json` as they are."""
    path = DATA / f"{HPKE}.json"
    entries: list[dict[str, str]] = json.loads(path.read_text())["vectors"] if path.exists() else []
    return entries


def main() -> None:
    """Write all files and remove those that are no longer made."""
    made_files = files([] if "--anew" in sys.argv[1:] else kept_entries())
    DATA.mkdir(exist_ok=True)
    for path in DATA.glob("*.json"):
        if path.name not in made_files:
            path.unlink()
    for name, content in made_files.items():
        (DATA / name).write_text(content)


if __name__ == "__main__":
    main()
