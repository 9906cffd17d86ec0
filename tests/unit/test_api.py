"""The library: what it offers, what it costs to import, and the examples of its page."""

import hashlib
import io
import os
import pickle
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

import kmscli
from kmscli import errors
from tests.helpers import Home

PAGE = Path(__file__).parents[2] / "docs/library.md"
EXAMPLES = re.findall(r"```python\n(.*?)```", PAGE.read_text(encoding="utf-8"), re.DOTALL)


@pytest.fixture(scope="module")
def template(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("library")
    home = Home(folder).init()
    key = home.create_key()
    home.perform("CreateAlias", AliasName="alias/app", TargetKeyId=key)
    home.perform("CreateAlias", AliasName="alias/safe", TargetKeyId=home.create_key())
    home.close()
    return folder


@pytest.fixture
def place(template: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    folder = Path(shutil.copytree(template, tmp_path / "home"))
    monkeypatch.chdir(folder)
    monkeypatch.setenv("KMS_VAULT", "vault")
    monkeypatch.setenv("KMS_KEYFILE", "admin.key")
    return folder


@pytest.fixture
def vault(place: Path) -> Iterator[kmscli.OpenVault]:
    with kmscli.open_vault() as opened:
        yield opened


def lines(place: Path) -> list[str]:
    return [line["eventName"] for line in Home(place).lines()]


# -- the page and the package ------------------------------------------------------------------------------------------


@pytest.mark.parametrize("example", EXAMPLES, ids=[text.splitlines()[-1].strip() for text in EXAMPLES])
def test_every_example_of_the_page_runs(place: Path, example: str) -> None:
    shutil.copy("admin.key", "app.key")
    Path("dump.sql").write_bytes(bytes(300_000))
    if "dump.sql.kms" in example and "encrypt_stream" not in example:
        pytest.fail("an example must make the file that it reads")
    exec(compile(example, "docs/library.md", "exec"), {"kmscli": kmscli})  # noqa: S102 - the page's own code


def test_the_page_tells_of_all_that_is_offered() -> None:
    page = PAGE.read_text(encoding="utf-8")
    public = [name for name in vars(kmscli.OpenVault) if not name.startswith("_") and name != "close"]
    assert [] == [name for name in public if name not in page]
    assert [] == [name for name in ("CachingMaterials", "open_vault", "errors") if name not in page]


def test_importing_the_package_loads_nothing_else() -> None:
    code = (
        "import sys; before = set(sys.modules); import kmscli; kmscli.__version__; "
        "print(sorted(set(sys.modules) - before))"
    )
    ended = subprocess.run([sys.executable, "-S", "-c", code], capture_output=True, text=True, check=True,
                           cwd=PAGE.parents[1], env={"PATH": os.environ["PATH"]})  # fmt: skip
    assert ended.stdout == "['kmscli']\n"


def test_each_offered_name_is_there_and_no_other() -> None:
    assert [] == [name for name in kmscli.__all__ if not hasattr(kmscli, name)]
    assert kmscli.errors is errors
    with pytest.raises(AttributeError, match="nonsense"):
        _ = kmscli.nonsense  # type: ignore[attr-defined]


# -- opening -----------------------------------------------------------------------------------------------------------


def test_a_vault_opens_with_what_is_given_before_the_environment(place: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("KMS_VAULT", "nowhere")
    monkeypatch.setenv("KMS_KEYFILE", "nowhere")
    monkeypatch.setenv("KMS_PRINCIPAL", "nobody")
    with kmscli.open_vault(place / "vault", "admin", keyfile=place / "admin.key") as vault:
        assert vault.principal == "admin"


def test_what_does_not_open_says_why(place: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(errors.VaultNotFoundError):
        kmscli.open_vault("nowhere")
    with pytest.raises(errors.PrincipalNotFoundError):
        kmscli.open_vault(principal="nobody")
    with pytest.raises(errors.WrongSecretError):
        kmscli.open_vault(passphrase="wrong")
    with pytest.raises(errors.UsageError):
        kmscli.open_vault(keyfile="admin.key", passphrase=b"x")
    with pytest.raises(errors.InputOutputError):
        kmscli.open_vault(keyfile="nowhere")
    monkeypatch.delenv("KMS_KEYFILE")
    with pytest.raises(errors.LockedError):
        kmscli.open_vault()


def test_a_closed_vault_is_closed(place: Path) -> None:
    vault = kmscli.open_vault()
    vault.close()
    vault.close()
    with pytest.raises(errors.LockedError, match="was closed"):
        vault.encrypt(b"x", key_id="alias/app")


# -- bytes and streams -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("size", [0, 1, 4096, 4097, 1 << 20])
@pytest.mark.parametrize("more", [{}, {"encryption_context": {"app": "shop"}}, {"key_id": ["alias/app", "alias/safe"]}])
def test_bytes_come_back(vault: kmscli.OpenVault, size: int, more: dict[str, object]) -> None:
    data = os.urandom(size)
    sealed = vault.encrypt(data, **{"key_id": "alias/app", **more})  # type: ignore[arg-type]
    assert data == vault.decrypt(sealed, encryption_context=more.get("encryption_context"))  # type: ignore[arg-type]


def test_the_command_and_the_library_open_each_other_s_files(vault: kmscli.OpenVault, place: Path) -> None:
    Path("plain").write_bytes(b"text\n" * 2000)
    run = [sys.executable, "-c", "from kmscli._fast import main; main()"]
    env = os.environ | {"PYTHONPATH": str(PAGE.parents[1])}
    subprocess.run([*run, "encrypt", "-k", "alias/app", "--armor", "plain", "-o", "a.kms"], env=env, check=True)
    assert b"text\n" * 2000 == vault.decrypt(Path("a.kms").read_bytes())
    Path("b.kms").write_bytes(vault.encrypt(b"from a program", key_id="alias/app"))
    shown = subprocess.run([*run, "decrypt", "b.kms"], env=env, check=True, capture_output=True)
    assert shown.stdout == b"from a program"


def test_a_context_must_hold(vault: kmscli.OpenVault) -> None:
    sealed = vault.encrypt(b"x", key_id="alias/app", encryption_context={"app": "shop"})
    assert vault.decrypt(sealed, required=["app"]) == b"x"
    for wrong in ({"encryption_context": {"app": "other"}}, {"required": ["stage"]}):
        with pytest.raises(errors.ContextMismatchError):
            vault.decrypt(sealed, **wrong)  # type: ignore[arg-type]


class Trickle(io.RawIOBase):
    """Gives and takes a few bytes at a time, and cannot be sought in."""

    def __init__(self, data: bytes = b"") -> None:
        self._data = io.BytesIO(data)
        self.taken = bytearray()

    def read(self, size: int = -1, /) -> bytes:
        return self._data.read(min(size, 1000))

    def write(self, data: object, /) -> int:
        part = bytes(data)[:1000]  # type: ignore[call-overload]
        self.taken += part
        return len(part)


@pytest.mark.parametrize("options", [{}, {"signed": True}, {"armor": True}, {"signed": True, "armor": True}])
def test_streams_that_trickle_come_back(vault: kmscli.OpenVault, options: dict[str, bool]) -> None:
    data = os.urandom(700_001)
    sealed, back = Trickle(), Trickle()
    done = vault.encrypt_stream(Trickle(data), sealed, key_ids=["alias/app", "alias/safe"], **options)  # type: ignore[arg-type]
    assert (done.size, done.format, len(done.key_ids)) == (len(data), "message", 2)
    opened = vault.decrypt_stream(Trickle(bytes(sealed.taken)), back)
    assert (bytes(back.taken), opened.size, opened.key_ids) == (data, len(data), done.key_ids[:1])


def test_a_message_that_was_changed_gives_a_true_beginning_at_most(vault: kmscli.OpenVault) -> None:
    data = os.urandom(3_000_000)
    sealed = bytearray(vault.encrypt(data, key_id="alias/app"))
    sealed[2_500_000] ^= 1
    sink = io.BytesIO()
    with pytest.raises(errors.BrokenMessageError):
        vault.decrypt_stream(io.BytesIO(sealed), sink)
    assert data.startswith(sink.getvalue())
    assert len(sink.getvalue()) < 2_500_000


def test_a_signed_message_that_was_cut_gives_nothing(
    vault: kmscli.OpenVault, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "spools").mkdir()
    monkeypatch.setenv("TMPDIR", str(tmp_path / "spools"))
    sealed = io.BytesIO()
    vault.encrypt_stream(io.BytesIO(bytes(3_000_000)), sealed, key_ids="alias/app", signed=True)
    sink = io.BytesIO()
    with pytest.raises(errors.MalformedMessageError):
        vault.decrypt_stream(io.BytesIO(sealed.getvalue()[:-1]), sink)
    assert (sink.getvalue(), list((tmp_path / "spools").iterdir())) == (b"", [])


def test_what_a_source_or_a_sink_raises_is_passed_on(vault: kmscli.OpenVault) -> None:
    class Broken:
        def read(self, _: int, /) -> bytes:
            raise ConnectionResetError

        def write(self, _: bytes, /) -> int:
            raise TimeoutError

    with pytest.raises(ConnectionResetError):
        vault.encrypt_stream(Broken(), io.BytesIO(), key_ids="alias/app")
    with pytest.raises(TimeoutError):
        vault.encrypt_stream(io.BytesIO(b"x"), Broken(), key_ids="alias/app")


@pytest.mark.parametrize("keys", [[], "alias/none", ["alias/app", "alias/none"]])
def test_a_key_that_is_not_there_writes_nothing(vault: kmscli.OpenVault, keys: str | list[str]) -> None:
    sink = io.BytesIO()
    with pytest.raises(errors.KmsError):
        vault.encrypt_stream(io.BytesIO(b"x"), sink, key_ids=keys)
    assert sink.getvalue() == b""


def test_what_is_done_is_in_the_audit_log(vault: kmscli.OpenVault, place: Path) -> None:
    before = len(lines(place))
    sealed = vault.encrypt(b"x", key_id="alias/app")
    vault.decrypt(sealed)
    vault.encrypt_stream(io.BytesIO(b"x"), io.BytesIO(), key_ids=["alias/app", "alias/safe"])
    with pytest.raises(errors.AliasNotFoundError):
        vault.generate_data_key("alias/none")
    assert lines(place)[before:] == ["Encrypt", "Decrypt", "GenerateDataKey", "Encrypt", "GenerateDataKey"]


def test_a_data_key_opens_again_and_does_not_show_itself(vault: kmscli.OpenVault) -> None:
    key = vault.generate_data_key("alias/app", number_of_bytes=16)
    assert (len(key.plaintext), vault.decrypt(key.ciphertext)) == (16, key.plaintext)
    assert key.plaintext.hex() not in repr(key)
    assert repr(key.plaintext) not in repr(key)
    with pytest.raises(TypeError):
        pickle.dumps(key)


def test_any_operation_can_be_called(vault: kmscli.OpenVault) -> None:
    answer = vault.call("Encrypt", KeyId="alias/app", Plaintext=b"x")
    assert vault.call("Decrypt", CiphertextBlob=answer["CiphertextBlob"])["Plaintext"] == b"x"
    with pytest.raises(errors.ValidationError):
        vault.call("Encrypt", KeyId="alias/app")


# -- data keys that messages share -------------------------------------------------------------------------------------


class Seconds:
    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now


def sealed_with(vault: kmscli.OpenVault, data: bytes, materials: kmscli.CachingMaterials, **more: object) -> bytes:
    sink = io.BytesIO()
    options = {"key_ids": "alias/app", **more}
    vault.encrypt_stream(io.BytesIO(data), sink, materials=materials, **options)  # type: ignore[arg-type]
    assert data == vault.decrypt(sink.getvalue())
    return sink.getvalue()


def data_keys(place: Path) -> int:
    return lines(place).count("GenerateDataKey")


@pytest.mark.parametrize(
    ("bounds", "size", "expected"),
    [
        ({"max_age": 60}, 100, 1),
        ({"max_age": 60, "max_messages": 1}, 100, 6),
        ({"max_age": 60, "max_messages": 2}, 100, 3),
        ({"max_age": 60, "max_bytes": 299}, 100, 3),
        ({"max_age": 60, "max_bytes": 300}, 100, 2),
        ({"max_age": 60, "max_bytes": 99}, 100, 6),
        ({"max_age": 60, "max_bytes": 1}, 0, 1),
        ({"max_age": 19}, 100, 3),
        ({"max_age": 20}, 100, 2),
    ],
)
def test_a_data_key_is_used_within_its_bounds(
    vault: kmscli.OpenVault, place: Path, bounds: dict[str, int], size: int, expected: int
) -> None:
    clock = Seconds()
    materials = kmscli.CachingMaterials(clock=clock, **bounds)
    for _ in range(6):
        sealed_with(vault, bytes(size), materials)
        clock.now += 10
    assert data_keys(place) == expected


def test_messages_of_one_data_key_share_no_id_and_no_byte_of_the_body(vault: kmscli.OpenVault) -> None:
    materials = kmscli.CachingMaterials(max_age=60)
    one, two = (sealed_with(vault, bytes(1000), materials) for _ in range(2))
    assert one[3:35] != two[3:35]
    # The encrypted data key is the same, and the body is not: its key follows from the message id.
    assert one[35:200] == two[35:200]
    assert hashlib.sha256(one[-1000:]).digest() != hashlib.sha256(two[-1000:]).digest()


def test_other_keys_and_other_contexts_have_other_data_keys(vault: kmscli.OpenVault, place: Path) -> None:
    materials = kmscli.CachingMaterials(max_age=60)
    for more in (
        {},
        {"key_ids": ["alias/safe"]},
        {"encryption_context": {"a": "b"}},
        {"encryption_context": {"a": "c"}},
    ):
        for _ in range(2):
            sealed_with(vault, b"x", materials, **more)
    assert data_keys(place) == 4


def test_a_signed_message_and_one_of_unknown_size_have_their_own(vault: kmscli.OpenVault, place: Path) -> None:
    materials = kmscli.CachingMaterials(max_age=60)
    for _ in range(2):
        sealed_with(vault, b"x", materials, signed=True)
        vault.encrypt_stream(Trickle(b"x"), io.BytesIO(), key_ids="alias/app", materials=materials)
    assert data_keys(place) == 4
    for _ in range(2):
        vault.encrypt_stream(Trickle(b"x"), io.BytesIO(), key_ids="alias/app", materials=materials, size=1)
    assert data_keys(place) == 5


def test_more_bytes_than_were_announced_are_refused(vault: kmscli.OpenVault) -> None:
    materials = kmscli.CachingMaterials(max_age=60)
    sink = io.BytesIO()
    with pytest.raises(errors.ValidationError, match="longer than the 10 bytes"):
        vault.encrypt_stream(io.BytesIO(bytes(11)), sink, key_ids="alias/app", materials=materials, size=10)
    with pytest.raises(errors.InvalidCiphertextError):
        vault.decrypt(sink.getvalue())


def test_the_oldest_data_key_goes_when_there_are_too_many_and_all_when_it_is_cleared(
    vault: kmscli.OpenVault, place: Path
) -> None:
    materials = kmscli.CachingMaterials(max_age=60, capacity=2)
    for name in ("a", "b", "a", "c", "a", "b"):
        sealed_with(vault, b"x", materials, encryption_context={"name": name})
    assert data_keys(place) == 4
    materials.clear()
    sealed_with(vault, b"x", materials, encryption_context={"name": "b"})
    assert data_keys(place) == 5


@pytest.mark.parametrize(
    "bounds",
    [{"max_age": 0}, {"max_age": -1}, {"max_age": 1, "max_messages": 0}, {"max_age": 1, "max_messages": (1 << 32) + 1},
     {"max_age": 1, "max_bytes": 0}, {"max_age": 1, "max_bytes": 1 << 63}, {"max_age": 1, "capacity": 0},
     {"max_age": float("nan")}],
)  # fmt: skip
def test_bounds_have_bounds(bounds: dict[str, float]) -> None:
    with pytest.raises(errors.ValidationError):
        kmscli.CachingMaterials(**bounds)  # type: ignore[arg-type]


# -- data keys that were decrypted -------------------------------------------------------------------------------------


def decrypts(place: Path) -> int:
    return lines(place).count("Decrypt")


def made(vault: kmscli.OpenVault, data: bytes = b"x", **more: object) -> bytes:
    options = {"key_id": "alias/app", "format": "message", **more}
    return vault.encrypt(data, **options)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("bounds", "expected"),
    [
        ({"max_age": 60}, 1),
        ({"max_age": 60, "max_messages": 1}, 6),
        ({"max_age": 60, "max_messages": 2}, 3),
        ({"max_age": 60, "max_bytes": 1}, 1),
        ({"max_age": 19}, 3),
        ({"max_age": 20}, 2),
    ],
)
def test_a_decrypted_data_key_is_used_within_its_bounds(
    vault: kmscli.OpenVault, place: Path, bounds: dict[str, int], expected: int
) -> None:
    clock = Seconds()
    materials = kmscli.CachingMaterials(clock=clock, **bounds)
    message = made(vault, b"correct horse")
    for _ in range(6):
        assert b"correct horse" == vault.decrypt(message, materials=materials)
        clock.now += 10
    assert decrypts(place) == expected


def test_messages_that_share_a_data_key_are_read_with_one_decrypt(vault: kmscli.OpenVault, place: Path) -> None:
    sealing, opening = (kmscli.CachingMaterials(max_age=60) for _ in range(2))
    texts = [b"one", b"two", bytes(1000)]
    messages = []
    for text in texts:
        sink = io.BytesIO()
        vault.encrypt_stream(io.BytesIO(text), sink, key_ids="alias/app", materials=sealing)
        messages.append(sink.getvalue())
    processed = []
    for message, text in zip(messages, texts, strict=True):
        sink = io.BytesIO()
        processed.append(vault.decrypt_stream(io.BytesIO(message), sink, materials=opening))
        assert text == sink.getvalue()
    assert decrypts(place) == 1
    assert len({one.key_ids for one in processed}) == 1
    assert processed[0].key_ids[0].startswith("arn:aws:kms:")


def test_one_cache_serves_both_ways(vault: kmscli.OpenVault, place: Path) -> None:
    materials = kmscli.CachingMaterials(max_age=60, capacity=1)
    for text in (b"one", b"two"):
        sink = io.BytesIO()
        vault.encrypt_stream(io.BytesIO(text), sink, key_ids="alias/app", materials=materials)
        assert text == vault.decrypt(sink.getvalue(), materials=materials)
    assert (data_keys(place), decrypts(place)) == (1, 1)


def test_other_data_keys_and_other_wishes_are_opened_anew(vault: kmscli.OpenVault, place: Path) -> None:
    materials = kmscli.CachingMaterials(max_age=60)
    key = vault.call("DescribeKey", KeyId="alias/app")["KeyMetadata"]["KeyId"]
    message = made(vault)
    for data, more in (
        (message, {}),
        (message, {"key_id": key}),
        (made(vault), {}),
        (made(vault, encryption_context={"a": "b"}), {}),
        (made(vault, key_id=["alias/app", "alias/safe"]), {}),
    ):
        for _ in range(2):
            assert b"x" == vault.decrypt(data, materials=materials, **more)  # type: ignore[arg-type]
    assert decrypts(place) == 5


def test_a_kept_data_key_is_of_no_use_for_another_key_that_is_asked_for(vault: kmscli.OpenVault) -> None:
    materials = kmscli.CachingMaterials(max_age=60)
    message = made(vault)
    vault.decrypt(message, materials=materials)
    with pytest.raises(errors.IncorrectKeyError):
        vault.decrypt(message, materials=materials, key_id="alias/safe")


def test_contexts_are_checked_with_a_kept_data_key_too(vault: kmscli.OpenVault) -> None:
    materials = kmscli.CachingMaterials(max_age=60)
    message = made(vault, encryption_context={"a": "b"})
    vault.decrypt(message, materials=materials)
    with pytest.raises(errors.ContextMismatchError):
        vault.decrypt(message, materials=materials, encryption_context={"a": "c"})
    with pytest.raises(errors.ContextMismatchError):
        vault.decrypt(message, materials=materials, required=["b"])


def test_a_forged_message_is_refused_with_a_kept_data_key_too(vault: kmscli.OpenVault) -> None:
    materials = kmscli.CachingMaterials(max_age=60)
    message = made(vault, b"correct horse", encryption_context={"name": "value"})
    vault.decrypt(message, materials=materials)
    for at in range(len(message)):
        forged = message[:at] + bytes([message[at] ^ 1]) + message[at + 1 :]
        with pytest.raises(errors.KmsError):
            vault.decrypt(forged, materials=materials)
    assert b"correct horse" == vault.decrypt(message, materials=materials)


def test_what_is_disabled_has_its_effect_when_the_data_key_is_too_old_or_forgotten(
    vault: kmscli.OpenVault, place: Path
) -> None:
    clock = Seconds()
    materials = kmscli.CachingMaterials(max_age=60, clock=clock)
    message = made(vault)
    vault.decrypt(message, materials=materials)
    key = vault.call("DescribeKey", KeyId="alias/app")["KeyMetadata"]["KeyId"]
    vault.call("DisableKey", KeyId=key)
    assert b"x" == vault.decrypt(message, materials=materials)
    clock.now = 61
    for _ in range(2):
        with pytest.raises(errors.KeyDisabledError):
            vault.decrypt(message, materials=materials)
    # A refusal is not kept.
    vault.call("EnableKey", KeyId=key)
    assert b"x" == vault.decrypt(message, materials=materials)
    vault.call("DisableKey", KeyId=key)
    materials.clear()
    with pytest.raises(errors.KeyDisabledError):
        vault.decrypt(message, materials=materials)
    assert decrypts(place) == 5


def test_the_oldest_decrypted_data_key_goes_when_there_are_too_many(vault: kmscli.OpenVault, place: Path) -> None:
    materials = kmscli.CachingMaterials(max_age=60, capacity=2)
    messages = {name: made(vault) for name in "abc"}
    for name in "abacab":
        vault.decrypt(messages[name], materials=materials)
    assert decrypts(place) == 4


def test_a_data_key_is_kept_for_who_opened_it_in_this_vault(
    vault: kmscli.OpenVault, place: Path, tmp_path: Path
) -> None:
    materials = kmscli.CachingMaterials(max_age=60)
    message = made(vault)
    vault.decrypt(message, materials=materials)
    other = Home(tmp_path / "other").init()
    other.close()
    with (
        kmscli.open_vault(other.folder, keyfile=other.keyfile) as stranger,
        pytest.raises(errors.UnknownCiphertextKeyError),
    ):
        stranger.decrypt(message, materials=materials)


def test_blobs_are_opened_anew(vault: kmscli.OpenVault, place: Path) -> None:
    materials = kmscli.CachingMaterials(max_age=60)
    blob = vault.encrypt(b"x", key_id="alias/app")
    for _ in range(2):
        assert b"x" == vault.decrypt(blob, materials=materials)
    assert decrypts(place) == 2


def test_kept_data_keys_neither_print_nor_pickle() -> None:
    from kmscli.service.caching import Materials, Opened

    for secret in (Materials(b"secret of 32 bytes", []), Opened(b"secret of 32 bytes", "arn")):
        assert "secret" not in repr(secret)
        with pytest.raises(TypeError):
            pickle.dumps(secret)
