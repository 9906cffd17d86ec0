"""The sample vaults, made once in memory where the machine has such a place, and a state folder for each test."""

import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.faults import samples, stage
from tests.faults.samples import Sample

_MEMORY = Path("/dev/shm")


@pytest.fixture(scope="session")
def quick_folder() -> Iterator[Path]:
    """A folder in memory, so that thousands of damaged vaults cost no disk."""
    base = Path(tempfile.mkdtemp(prefix="kms-faults-", dir=_MEMORY if _MEMORY.is_dir() else None))
    yield base
    shutil.rmtree(base)


@pytest.fixture(scope="session")
def sample(quick_folder: Path) -> Sample:
    """The vault that tests damage copies of."""
    return _built(quick_folder / "sample", samples.build)


@pytest.fixture(scope="session")
def tiny(quick_folder: Path) -> Sample:
    """One that is small enough for each of its bits to be flipped."""
    return _built(quick_folder / "tiny", samples.build_tiny)


def _built(base: Path, build: samples.Builder) -> Sample:
    base.mkdir()
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("XDG_STATE_HOME", str(base / "state"))
        return build(base)


@pytest.fixture
def workplace(quick_folder: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """An empty folder for one test, with a state folder in it that has no pin."""
    base = Path(tempfile.mkdtemp(dir=quick_folder))
    monkeypatch.setenv("XDG_STATE_HOME", str(base / "state"))
    yield base
    shutil.rmtree(base)


@pytest.fixture
def copy(sample: Sample, workplace: Path) -> Path:
    """A copy of the sample to damage, and the pin of who used it."""
    shutil.copytree(sample.state, workplace / "state")
    return Path(shutil.copytree(sample.folder, workplace / "vault"))


@pytest.fixture(scope="session")
def prepared(quick_folder: Path) -> Path:
    """A user's folder on which commands run."""
    home = quick_folder / "home"
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("XDG_STATE_HOME", str(home / "state"))
        return stage.prepare(home)
