"""The registry: every spec has a family, a pair goes round through it, and a family is imported when it is used."""

import inspect
import subprocess
import sys

import pytest

from kmscli import errors
from kmscli.crypto import registry
from kmscli.model.specs import KEY_SPECS, SIGN_VERIFY, SIGNING_ALGORITHMS

OF_PAIRS = [spec for spec, row in KEY_SPECS.items() if row.family not in {"mac", "seal"}]
PARTS = ["generate", "read_private", "private_key", "public_key"]


@pytest.mark.parametrize("spec", KEY_SPECS)
def test_every_spec_has_a_family(spec: str) -> None:
    assert f"kmscli.crypto.{KEY_SPECS[spec].family}" == registry.family(spec).__name__


@pytest.mark.parametrize("spec", OF_PAIRS)
def test_a_family_of_pairs_has_the_four_functions(spec: str) -> None:
    counts = [len(inspect.signature(getattr(registry.family(spec), part)).parameters) for part in PARTS]
    assert [1, 2, 2, 2] == counts


@pytest.mark.parametrize("spec", OF_PAIRS)
def test_a_new_key_signs_what_its_spec_tells(spec: str) -> None:
    pair = registry.generate(spec)
    private, public = registry.private_key(spec, pair.private), registry.public_key(spec, pair.public)
    for name in KEY_SPECS[spec].usages.get(SIGN_VERIFY, ()):
        row = SIGNING_ALGORITHMS[name]
        for message_type, length in row.messages.items():
            message = bytes(length or 100)
            public.verify(message, private.sign(message, row, message_type), row, message_type)


@pytest.mark.parametrize("spec", OF_PAIRS)
def test_an_exported_key_is_imported_as_the_same_bytes(spec: str) -> None:
    pair = registry.generate(spec)
    assert pair == registry.read_private(spec, pair.private)


@pytest.mark.parametrize("spec", [spec for spec in KEY_SPECS if spec not in OF_PAIRS])
def test_a_spec_without_pairs_is_an_internal_error(spec: str) -> None:
    with pytest.raises(errors.InternalError, match=f"{spec} is no spec of key pairs"):
        registry.generate(spec)


def test_the_registry_imports_no_family_and_no_family_imports_the_library() -> None:
    source = """
import sys
from kmscli.crypto import registry
assert "kmscli.crypto.rsa" not in sys.modules
from kmscli.model.specs import KEY_SPECS
for spec in KEY_SPECS:
    registry.family(spec)
import kmscli.crypto.wrap
print([name for name in sys.modules if name.partition(".")[0] == "cryptography"])
"""
    done = subprocess.run([sys.executable, "-c", source], capture_output=True, text=True, check=True)
    assert "[]\n" == done.stdout
