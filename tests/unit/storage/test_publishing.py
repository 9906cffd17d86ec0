"""Outputs published in batches, one behind the other."""

from pathlib import Path

import pytest

from kmscli.storage import streams
from kmscli.storage.publishing import Behind
from kmscli.storage.streams import Output


def whole(path: Path, data: bytes = b"new") -> Output:
    output = streams.writing(path)
    assert output.write(data) == len(data)
    return output


def names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir() if not path.name.startswith("."))


def test_a_batch_gets_its_names_when_the_next_one_is_added(tmp_path: Path) -> None:
    told: list[object] = []
    behind = Behind()
    for number in range(4):
        behind.add([whole(tmp_path / f"{number}{letter}") for letter in "ab"], lambda *what: told.append(what))
        assert names(tmp_path) == [f"{before}{letter}" for before in range(number) for letter in "ab"]
    behind.finish()
    assert (len(names(tmp_path)), told) == (8, [])
    behind.finish()


def test_the_later_batch_has_the_last_word_on_a_name(tmp_path: Path) -> None:
    behind = Behind()
    for data in (b"first", b"second"):
        behind.add([whole(tmp_path / "file", data)], lambda *_: None)
    behind.finish()
    assert (tmp_path / "file").read_bytes() == b"second"
    assert len(list(tmp_path.iterdir())) == 1


def test_the_failure_of_an_output_is_told_to_its_own_batch(tmp_path: Path) -> None:
    told: list[str] = []
    behind = Behind()
    for name in "abc":
        outputs = [whole(tmp_path / f"{name}{number}") for number in range(3)]
        if name == "b":
            (tmp_path / "b1").mkdir()
        behind.add(outputs, lambda output, error, name=name: told.append(f"{name} {output.name[-2:]} {error.code}"))  # type: ignore[misc]
    behind.finish()
    assert told == ["b b1 InputOutputError"]
    assert (tmp_path / "b1").is_dir()
    assert len(list(tmp_path.iterdir())) == 9


@pytest.mark.parametrize("count", [0, 1, 40])
def test_a_batch_of_any_size_is_published(tmp_path: Path, count: int) -> None:
    behind = Behind()
    behind.add([whole(tmp_path / f"{number}") for number in range(count)], lambda *_: None)
    behind.finish()
    assert len(names(tmp_path)) == count
