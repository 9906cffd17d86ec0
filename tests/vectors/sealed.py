"""What is sealed to public keys in the vectors, kept from one run of the generator to the next."""

from tests.vectors import spec

Entry = dict[str, str]


class Sealer:
    """Seals by name; takes the bytes of an earlier run where the inputs are the same."""

    def __init__(self, kept: list[Entry]) -> None:
        self._entries: dict[str, Entry] = {}
        self._kept = {entry["name"]: entry for entry in kept}

    @property
    def entries(self) -> list[Entry]:
        """All that was sealed, as vectors."""
        return list(self._entries.values())

    def seal_to(self, name: str, context: bytes, plaintext: bytes, *, secret: bytes, prefix: bytes) -> bytes:
        """`plaintext`, sealed to the key pair that `secret` gives under the label `prefix`."""
        entry = {
            "name": name,
            "secret": secret.hex(),
            "label": prefix.hex(),
            "context": context.hex(),
            "plaintext": plaintext.hex(),
        }
        kept = self._entries.get(name) or self._kept.get(name, {})
        if kept.items() >= entry.items():
            sealed = bytes.fromhex(kept["sealed"])
        elif name in self._entries:
            raise ValueError(f"two things are called {name}")
        else:
            sealed = spec.seal_to(spec.sealing_pair(secret, prefix).public, context, plaintext)
        self._entries[name] = entry | {"sealed": sealed.hex()}
        return sealed

    def seal_to_principal(self, name: str, context: bytes, plaintext: bytes, *, who: spec.Principal) -> bytes:
        """`plaintext`, sealed to an identity."""
        return self.seal_to(name, context, plaintext, secret=who.seed, prefix=spec.IDENTITY)
