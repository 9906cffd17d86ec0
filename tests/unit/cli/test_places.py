"""Which files a run reads and writes, by its options."""

from pathlib import Path
from typing import Any

import pytest

from kmscli import errors
from kmscli.cli._places import Places
from kmscli.cli._settings import Settings


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A tree: files, encrypted files, links, something temporary, and a vault."""
    for name in (
        "a",
        "b.kms",
        "sub/c",
        "sub/d.kms",
        "sub/.e.123.tmp",
        "sub/deep/.hidden",
        "vault/vault.db",
        "vault/x.kms",
    ):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(name)
    (tmp_path / "sub/link").symlink_to("../a")
    (tmp_path / "sub/up").symlink_to("..")
    monkeypatch.chdir(tmp_path)
    return tmp_path


def places(operation: str, *files: str, **given: Any) -> Places:
    return Places(operation, {"files": files, **given}, Settings({"KMS_VAULT": "vault"}))


def jobs(operation: str, *files: str, **given: Any) -> list[tuple[str, str]]:
    return [(str(job.source), str(job.target)) for job in places(operation, *files, **given).jobs()]


def refusal(operation: str, *files: str, **given: Any) -> str:
    with pytest.raises(errors.UsageError) as caught:
        list(places(operation, *files, **given).jobs())
    return caught.value.message


@pytest.mark.parametrize("files", [(), ("-",)])
@pytest.mark.parametrize(("out", "target"), [(None, None), ("-", None), ("x", Path("x"))])
def test_one_input_goes_where_it_is_told(files: tuple[str, ...], out: str | None, target: Path | None) -> None:
    given = {} if out is None else {"out": out}
    (job,) = places("Encrypt", *files, **given).jobs()
    assert (job.source, job.target, job.in_place) == (None, target, False)
    (job,) = places("Encrypt", "a", **given).jobs()
    assert (job.source, job.target) == (Path("a"), target)


def test_several_inputs_have_their_outputs_beside_them() -> None:
    assert jobs("Encrypt", "a", "sub/c") == [("a", "a.kms"), ("sub/c", "sub/c.kms")]
    assert jobs("Encrypt", "a", "sub/c", suffix=".enc") == [("a", "a.enc"), ("sub/c", "sub/c.enc")]
    assert jobs("Decrypt", "b.kms", "sub/d.kms") == [("b.kms", "b"), ("sub/d.kms", "sub/d")]


def test_in_place_the_output_is_the_input() -> None:
    (job,) = places("Encrypt", "a", in_place=True).jobs()
    assert (job.source, job.target, job.in_place) == (Path("a"), Path("a"), True)


def test_a_folder_is_gone_through_in_a_steady_order_and_links_are_not_followed() -> None:
    assert jobs("Encrypt", "sub", recursive=True) == [
        ("sub/c", "sub/c.kms"),
        ("sub/deep/.hidden", "sub/deep/.hidden.kms"),
    ]
    assert jobs("Decrypt", "sub", recursive=True) == [("sub/d.kms", "sub/d")]
    assert [source for source, _ in jobs("Encrypt", "sub", recursive=True, in_place=True)] == [
        "sub/c", "sub/d.kms", "sub/deep/.hidden",
    ]  # fmt: skip


@pytest.mark.parametrize("named", [".", "../{name}", "{path}"])
def test_the_vault_is_no_part_of_a_folder(folder: Path, named: str) -> None:
    root = named.format(name=folder.name, path=folder)
    for operation in ("Encrypt", "Decrypt"):
        found = jobs(operation, root, recursive=True, in_place=True)
        assert found
        assert [] == [source for source, _ in found if "vault" in Path(source).relative_to(root).parts]


@pytest.mark.parametrize("named", ["vault", "vault/.", "./vault", "door"])
def test_the_vault_itself_is_refused(folder: Path, named: str) -> None:
    (folder / "door").symlink_to("vault")
    assert "the vault itself" in refusal("Encrypt", named, recursive=True, in_place=True)


@pytest.mark.parametrize(
    ("files", "given", "problem"),
    [
        (("a", "b"), {"out": "x"}, "-o names one output"),
        (("a",), {"out": "x", "in_place": True}, "-o names one output"),
        (("a",), {"out": "x", "recursive": True}, "-o names one output"),
        (("a", "-"), {}, "standard input cannot be one of several"),
        ((), {"in_place": True}, "standard input cannot be one of several"),
        (("a",), {"suffix": ""}, "--suffix takes"),
        (("a",), {"suffix": "/x"}, "--suffix takes"),
    ],
)
def test_options_that_do_not_fit_are_refused(files: tuple[str, ...], given: dict[str, Any], problem: str) -> None:
    assert problem in refusal("Encrypt", *files, **given)


@pytest.mark.parametrize("name", ["a", ".kms", "sub/c.enc"])
def test_a_name_that_says_no_output_is_refused_before_any_other_is_given(name: str) -> None:
    found: list[object] = []
    with pytest.raises(errors.UsageError, match=r"does not end with \.kms"):
        found.extend(places("Decrypt", "b.kms", name).jobs())
    assert found == []


def test_a_result_is_kept_for_a_terminal_alone() -> None:
    (job,) = places("Decrypt", "b.kms").jobs()
    assert job.kept == 0  # standard output of a test is no terminal
