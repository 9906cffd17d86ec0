"""The layers of kmscli: an arrow may only point down, and only the layer that owns a library or a file uses it.

The checker reads the source with `ast`; it sees imports anywhere in a file (in functions and under TYPE_CHECKING too),
modules named in strings (the rows of the operation table), and calls that open files. It cannot see what is built at
run time. The second half of this file feeds it offences, one a test.
"""

import ast
import importlib.machinery
import importlib.util
import re
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]

LAYERS = {
    "errors": 0,
    "model": 1,
    "crypto": 2,
    "formats": 2,
    "envelope": 3,
    "storage": 3,
    "audit": 4,
    "vault": 5,
    "service": 6,
    "agent": 7,
    "awsapi": 7,
    "api": 7,
    "cli": 8,
    "_fast": 9,
    "": 9,  # kmscli/__init__.py: what it offers, it fetches when asked
}
ANYWHERE = frozenset(LAYERS)
LIBRARIES = {
    "cryptography": {"crypto"},
    "argon2": {"crypto"},
    "typer": {"cli"},
    "rich": {"cli"},
    "jmespath": {"cli"},
    "sqlite3": {"storage"},
    "tomli_w": {"storage", "vault"},
    "httptools": {"awsapi"},
    "uvloop": {"awsapi"},
    "msgspec": ANYWHERE - {"_fast", ""},
}
"""Library -> layers that may import it. A library that is neither here nor in the standard library is refused, so that
`click`, which typer carries inside itself, is imported by nobody."""

OPENERS = {
    "open": {"", "io", "os", "posix", "codecs", "gzip", "bz2", "lzma", "tokenize", "tarfile", "zipfile", "wave", "dbm"},
    "open_code": {"", "io"},
    "FileIO": {"", "io", "_io"},
    "ZipFile": {"", "zipfile"},
    "mkstemp": {"", "tempfile"},
    "mkdtemp": {"", "tempfile"},
    "NamedTemporaryFile": {"", "tempfile"},
    "TemporaryFile": {"", "tempfile"},
    "TemporaryDirectory": {"", "tempfile"},
    "copyfile": {"", "shutil"},
    "copytree": {"", "shutil"},
    "copy2": {"", "shutil"},
}
"""Function that opens a file -> modules it is called from ("" = by its bare name)."""

PATH_METHODS = {"open", "read_bytes", "read_text", "write_bytes", "write_text", "touch"}
PATH_OPTIONS = {"mode", "buffering", "encoding", "errors", "newline", "data", "exist_ok", None}
"""The keywords these methods take (None = `**kwargs`): a call with another, as in `seal.open(context=...)`, is none."""

MAY_OPEN: dict[tuple[str, str], str] = {
    ("kmscli/cli/_verb.py", "formatter.write_text"): "adds a paragraph to Click's help formatter, which is no file",
}
"""(file, call) outside kmscli/storage that may stay -> why."""

MODULE_NAME = re.compile(r"kmscli(\.\w+)+(:\w+)?")


def layer_of(module: str) -> str:
    """Name the layer of a dotted module name; the package itself is ""."""
    return module.partition(".")[2].partition(".")[0]


def module_of(path: str) -> str:
    """Turn `kmscli/vault/slots.py` into `kmscli.vault.slots`."""
    return path.removesuffix(".py").removesuffix("/__init__").replace("/", ".")


def imported(tree: ast.AST, path: str) -> Iterator[tuple[int, str]]:
    """Yield the line and the dotted name of all that a file imports, or names as a module in a string."""
    package = module_of(path).split(".")
    if not path.endswith("/__init__.py"):
        package.pop()
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from ((node.lineno, alias.name) for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            start = package[: len(package) - node.level + 1] if node.level else []
            base = ".".join([*start, *filter(None, [node.module])])
            yield from ((node.lineno, f"{base}.{alias.name}") for alias in node.names)
        elif isinstance(node, ast.Constant) and isinstance(node.value, str) and MODULE_NAME.fullmatch(node.value):
            yield node.lineno, node.value.partition(":")[0]


def arrow_faults(source: str, path: str) -> Iterator[str]:
    """Name each import that does not point down, or takes a library that belongs to another layer."""
    own = layer_of(module_of(path))
    for line, name in imported(ast.parse(source), path):
        where = f"{path}:{line}: {own or 'kmscli'} imports {name}"
        top = name.partition(".")[0]
        if top == "kmscli":
            target = layer_of(name)
            if name == "kmscli" or target in {own, "__version__"}:
                continue
            if target not in LAYERS:
                yield f"{where}, which is in no layer"
            elif LAYERS[target] >= LAYERS[own]:
                yield f"{where}, which is not below it"
        elif top in LIBRARIES:
            if own not in LIBRARIES[top]:
                yield f"{where}, which belongs to {', '.join(sorted(LIBRARIES[top]))}"
        elif top not in sys.stdlib_module_names:
            yield f"{where}, which no layer owns"


def bound_names(tree: ast.AST) -> dict[str, str]:
    """Map each name that an import binds to what it stands for, in full."""
    imports = [node for node in ast.walk(tree) if isinstance(node, ast.Import | ast.ImportFrom)]
    return {
        alias.asname or alias.name: alias.name if isinstance(node, ast.Import) else f"{node.module}.{alias.name}"
        for node in imports
        for alias in node.names
    }


def opens_a_file(call: ast.Call, bound: dict[str, str]) -> bool:
    """Say whether a call may open a file; for a method of an unknown object its name and keywords decide."""
    function = call.func
    if isinstance(function, ast.Name):
        module, _, name = bound.get(function.id, function.id).rpartition(".")
        return module in OPENERS.get(name, ())
    if not isinstance(function, ast.Attribute):
        return False
    owner = bound.get(function.value.id) if isinstance(function.value, ast.Name) else None
    if owner is None or owner.startswith("pathlib"):
        return function.attr in PATH_METHODS and PATH_OPTIONS.issuperset(keyword.arg for keyword in call.keywords)
    return owner in OPENERS.get(function.attr, ())


def file_faults(source: str, path: str) -> Iterator[str]:
    """Name each call that opens a file outside kmscli/storage."""
    if layer_of(module_of(path)) == "storage":
        return
    tree = ast.parse(source)
    bound = bound_names(tree)
    for node in ast.walk(tree):
        if isinstance(node, ast.Call) and opens_a_file(node, bound):
            call = ast.unparse(node.func)
            if (path, call) not in MAY_OPEN:
                yield f"{path}:{node.lineno}: {call}() opens a file outside kmscli/storage"


def is_c_module(name: str) -> bool:
    """Say whether importing the module reads no Python file: built in, frozen, or an extension."""
    if name.startswith("."):
        return False
    spec = importlib.util.find_spec(name)
    origin = spec.origin if spec else None
    return origin in {"built-in", "frozen"} or str(origin).endswith(tuple(importlib.machinery.EXTENSION_SUFFIXES))


def at_start(node: ast.AST) -> Iterator[ast.AST]:
    """Yield what runs when the module is imported: everything outside functions."""
    for child in ast.iter_child_nodes(node):
        if not isinstance(child, ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda):
            yield child
            yield from at_start(child)


def start_faults(source: str) -> Iterator[str]:
    """Name each import of `_fast.py` outside a function that is no C module."""
    for node in at_start(ast.parse(source)):
        if isinstance(node, ast.Import):
            names = [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            names = ["." * node.level + (node.module or "")]
        else:
            continue
        yield from (f"_fast.py:{node.lineno}: {name} is no C module" for name in names if not is_c_module(name))


SOURCES = sorted(file.relative_to(ROOT).as_posix() for file in (ROOT / "kmscli").rglob("*.py"))


def text_of(path: str) -> str:
    return (ROOT / path).read_text(encoding="utf-8")


@pytest.mark.parametrize("path", SOURCES)
def test_every_import_points_down(path: str) -> None:
    assert list(arrow_faults(text_of(path), path)) == []


@pytest.mark.parametrize("path", SOURCES)
def test_only_storage_opens_files(path: str) -> None:
    assert list(file_faults(text_of(path), path)) == []


def test_every_file_outside_storage_that_may_open_one_still_does() -> None:
    calls = {
        (path, ast.unparse(node.func))
        for path in SOURCES
        for node in ast.walk(ast.parse(text_of(path)))
        if isinstance(node, ast.Call)
    }
    assert set(MAY_OPEN) - calls == set()


def test_the_entry_point_starts_with_c_modules_only() -> None:
    assert list(start_faults(text_of("kmscli/_fast.py"))) == []


def test_every_package_file_but_the_first_is_empty() -> None:
    written = [path for path in SOURCES if path.endswith("/__init__.py") and text_of(path)]
    assert ["kmscli/__init__.py"] == written


def test_every_module_belongs_to_a_layer() -> None:
    assert {layer_of(module_of(path)) for path in SOURCES} - set(LAYERS) == set()


ARROWS_THAT_ARE_CAUGHT = {
    "an import from above": ("kmscli/vault/slots.py", "import kmscli.service.keys"),
    "a from-import from above": ("kmscli/model/key.py", "from kmscli.crypto import seal"),
    "a layer taken from the package": ("kmscli/crypto/seal.py", "from kmscli import storage"),
    "a sibling": ("kmscli/crypto/seal.py", "from kmscli.formats.blob import parse"),
    "a sibling file": ("kmscli/storage/files.py", "import kmscli.envelope"),
    "a sibling of the servers": ("kmscli/agent/server.py", "from kmscli.awsapi import wire"),
    "an import in a function": ("kmscli/audit/log.py", "def f():\n    from kmscli.vault import session"),
    "an import for types only": (
        "kmscli/audit/log.py",
        "from typing import TYPE_CHECKING\nif TYPE_CHECKING:\n    from kmscli.vault.session import Session",
    ),
    "a relative import": ("kmscli/audit/log.py", "from ..vault import session"),
    "a relative import of a sibling": ("kmscli/crypto/seal.py", "from ..formats.blob import parse"),
    "a module named in a string": ("kmscli/service/operations.py", "ROW = ('x', 'kmscli.cli._api:run')"),
    "the entry point": ("kmscli/cli/_app.py", "from kmscli._fast import main"),
    "a module of no layer": ("kmscli/cli/_app.py", "from kmscli.util import x"),
    "a lazy name of the package": ("kmscli/service/keys.py", "from kmscli import Vault"),
    "cryptography outside crypto": ("kmscli/vault/slots.py", "from cryptography.hazmat.primitives import hashes"),
    "argon2 outside crypto": ("kmscli/vault/slots.py", "import argon2.low_level"),
    "typer outside cli": ("kmscli/service/keys.py", "def f():\n    import typer"),
    "rich outside cli": ("kmscli/audit/verify.py", "from rich.table import Table"),
    "sqlite3 outside storage": ("kmscli/vault/init.py", "import sqlite3"),
    "click in cli": ("kmscli/cli/_app.py", "import click"),
    "a library nobody declared": ("kmscli/cli/_app.py", "import requests"),
}


@pytest.mark.parametrize(("path", "source"), ARROWS_THAT_ARE_CAUGHT.values(), ids=ARROWS_THAT_ARE_CAUGHT)
def test_an_arrow_that_does_not_point_down_is_caught(path: str, source: str) -> None:
    assert len(list(arrow_faults(source, path))) == 1


ARROWS_THAT_MAY_STAND = {
    "downwards": ("kmscli/vault/slots.py", "from kmscli.crypto import seal"),
    "inside one package": ("kmscli/vault/slots.py", "from kmscli.vault.records import Record"),
    "relative inside one package": ("kmscli/vault/slots.py", "from .records import Record"),
    "the errors, from anywhere": ("kmscli/model/ids.py", "from kmscli import errors"),
    "the version": ("kmscli/audit/log.py", "from kmscli import __version__"),
    "the standard library": ("kmscli/model/ids.py", "import os.path, json"),
    "the library of the layer": ("kmscli/crypto/kdf.py", "from argon2.low_level import hash_secret_raw"),
    "the app, from the entry point": ("kmscli/_fast.py", "def main():\n    from kmscli.cli import _app"),
    "a sentence that names a module": ("kmscli/model/ids.py", "'see kmscli.cli for the options'"),
}


@pytest.mark.parametrize(("path", "source"), ARROWS_THAT_MAY_STAND.values(), ids=ARROWS_THAT_MAY_STAND)
def test_an_arrow_that_points_down_may_stand(path: str, source: str) -> None:
    assert list(arrow_faults(source, path)) == []


@pytest.mark.parametrize(
    "source",
    [
        "open('x')",
        "import io\nio.open('x')",
        "import os\nos.open('x', 0)",
        "import os as system\nsystem.open('x', 0)",
        "from os import open as f\nf('x', 0)",
        "def f():\n    import tempfile\n    tempfile.mkstemp()",
        "from pathlib import Path\nPath('x').read_bytes()",
        "from pathlib import Path\nPath.open(p)",
        "import pathlib\npathlib.Path('x').write_text('y')",
        "path.open()",
        "self.path.read_text()",
        "self.path.open(mode='rb')",
        "self.path.open(**options)",
    ],
)
def test_a_call_that_opens_a_file_is_caught(source: str) -> None:
    assert len(list(file_faults(source, "kmscli/cli/_io.py"))) == 1
    assert list(file_faults(source, "kmscli/storage/files.py")) == []


@pytest.mark.parametrize(
    "source",
    [
        "from kmscli.crypto import seal\nseal.open(key, box)",
        "from kmscli.crypto.seal import open\nopen(key, box)",
        "import os\nos.fdopen(3)",
        "os.environ.get('open')",
        "self.key.open(sealed, context=label)",
    ],
)
def test_a_call_that_opens_no_file_may_stand(source: str) -> None:
    assert list(file_faults(source, "kmscli/vault/slots.py")) == []


@pytest.mark.parametrize(
    "source",
    [
        "import re",
        "from __future__ import annotations",
        "from kmscli import cli",
        "from . import cli",
        "if True:\n    import json",
        "class A:\n    import typing",
    ],
)
def test_a_python_module_at_the_start_is_caught(source: str) -> None:
    assert len(list(start_faults(source))) == 1


def test_c_modules_and_later_imports_may_stand_at_the_start() -> None:
    source = "import sys, posix, _socket\ndef main():\n    from kmscli.cli._app import run"
    assert list(start_faults(source)) == []
