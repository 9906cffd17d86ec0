"""Outputs that are whole get their names: first all bytes are on the disk, then the names are given, then they last.

Several outputs share each wait for the disk, and a run that has more of them to write does not wait at all (`Behind`).
"""

import os
import threading
from collections.abc import Callable, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Self

from kmscli import errors
from kmscli.storage import files, syncing
from kmscli.storage.files import io_errors
from kmscli.storage.streams import New, Output

Failed = Callable[[Output, errors.KmsError], None]
"""Told of an output that could not be published, or whose name may not last."""


def publish(outputs: Sequence[Output], failed: Failed) -> None:
    """Publish outputs that are whole: all of their bytes reach the disk before the first gets its name.

    Args:
        outputs: Each once, in the order in which they were opened.
        failed: Told of those that could not be, or whose names may not last; the others are published.
    """
    batch = _Batch(outputs, failed)
    batch.settle()
    batch.name()
    batch.settle_names()


class Behind:
    """Batches of outputs, published behind the back of whoever writes the next ones.

    A thread waits for the disk and does nothing else: names are given by the caller's own thread, in the order of the
    batches, so an exception there finds each output either with its name or to be dropped.
    """

    def __init__(self) -> None:
        self._thread: threading.Thread | None = None
        self._unnamed: _Batch | None = None
        self._failure: BaseException | None = None

    def add(self, outputs: Sequence[Output], failed: Failed) -> None:
        """Publish these too; arguments as `publish`. All that was added before the last time is published by now."""
        named, added = self._named(), _Batch(outputs, failed)
        self._unnamed = added
        self._thread = threading.Thread(target=self._settle, args=(named, added), daemon=True)
        self._thread.start()

    def finish(self) -> None:
        """Wait until all are published."""
        if (named := self._named()) is not None:
            named.settle_names()

    def _settle(self, named: "_Batch | None", added: "_Batch") -> None:
        try:
            if named is not None:
                named.settle_names()
            added.settle()
        except BaseException as error:  # noqa: BLE001 - it is raised where the outputs are named
            self._failure = error

    def _named(self) -> "_Batch | None":
        """Give the batch that was added last its names, as soon as its bytes are on the disk."""
        if self._thread is not None:
            self._thread.join()
        if self._failure is not None:
            raise self._failure
        batch, self._unnamed = self._unnamed, None
        if batch is not None:
            batch.name()
        return batch


class _Batch:
    """Outputs on their way, in three steps."""

    def __init__(self, outputs: Sequence[Output], failed: Failed) -> None:
        self._outputs = outputs
        self._failed = failed
        self._errors: list[errors.KmsError | None] = []
        self._folders: dict[str, list[Output]] = {}

    def settle(self) -> None:
        """Have all bytes on the disk."""
        new = [output for output in self._outputs if isinstance(output, New)]
        found: dict[int, errors.KmsError] = {}
        for output, error in zip(new, syncing.sync_all([output.fileno() for output in new]), strict=True):
            if error is not None:
                found[id(output)] = errors.InputOutputError(path=output.name, reason=error.strerror or str(error))
        self._errors = [found.get(id(output)) for output in self._outputs]

    def name(self) -> None:
        """Give names to those whose bytes are there."""
        for output, error in zip(self._outputs, self._errors, strict=True):
            if error is not None:
                output.drop()
                self._failed(output, error)
                continue
            try:
                output.publish()
                if isinstance(output, New):
                    self._folders.setdefault(os.path.dirname(output.target), []).append(output)
            except errors.KmsError as refusal:
                self._failed(output, refusal)

    def settle_names(self) -> None:
        """Have the names on the disk."""
        for folder, named in self._folders.items():
            try:
                with io_errors(folder or "."):
                    files.sync_folder(Path(folder))
            except errors.KmsError as refusal:
                # They are there, but after a power cut they may be the old ones again.
                for output in named:
                    self._failed(output, refusal)


class Dropping:
    """Outputs that are dropped when the block ends by an exception, Ctrl-C included."""

    def __init__(self) -> None:
        self._outputs: list[Output] = []

    def add(self, output: Output) -> Output:
        """Watch over one more."""
        self._outputs.append(output)
        return output

    def drop(self) -> None:
        """Drop what is not published."""
        for output in self._outputs:
            with suppress(OSError, errors.KmsError):
                output.drop()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: object, *_: object) -> None:
        if kind is not None:
            self.drop()
