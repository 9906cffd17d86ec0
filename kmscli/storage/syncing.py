"""Many files brought to the disk: those of one file system by one call, where that promises as much as one for each.

docs/adr/0013 says where it does and why. Everywhere else, and when the one call reports an error, each file is synced
by itself, so that an error is the error of the files that it meets.
"""

import os
import re
from collections.abc import Sequence

from kmscli.storage import places

TOGETHER = 32
"""Files of one file system from which on one call is asked for."""
_SIDE_BY_SIDE = 32
"""Files that wait for the disk at one time, each by itself."""
_KINDS = frozenset({"ext4", "xfs"})
_SINCE = (5, 8)
"""The first Linux whose syncfs reports that bytes did not reach the disk (syncfs(2), "Errors")."""


def sync_all(fds: Sequence[int]) -> list[OSError | None]:
    """Have the bytes of files on the disk.

    Args:
        fds: Descriptors of new files, in the order in which they were opened: each before it or a later one was
            written, because a descriptor tells of errors since it was opened.

    Returns:
        For each None, or why its bytes may not be there.
    """
    if len(fds) < TOGETHER:
        return _sync_each(fds)
    devices: dict[int, list[int]] = {}
    for fd in fds:
        devices.setdefault(os.fstat(fd).st_dev, []).append(fd)
    left = [fd for device, group in devices.items() if not _synced_together(device, group) for fd in group]
    found = dict(zip(left, _sync_each(left), strict=True))
    return [found.get(fd) for fd in fds]


def _sync(fd: int) -> OSError | None:
    try:
        os.fsync(fd)
    except OSError as error:
        return error
    return None


def _sync_each(fds: Sequence[int]) -> list[OSError | None]:
    """Sync each: file systems put syncs together that are asked for at one time."""
    if len(fds) < 2:  # noqa: PLR2004 - nothing stands beside one
        return [_sync(fd) for fd in fds]
    from concurrent.futures import ThreadPoolExecutor  # most runs have one file

    with ThreadPoolExecutor(_SIDE_BY_SIDE) as pool:
        return list(pool.map(_sync, fds))


def _synced_together(device: int, fds: Sequence[int]) -> bool:
    """Whether all bytes of some files of one file system have reached the disk by one call."""
    if len(fds) < TOGETHER or not _tells_errors() or places.device_type(device) not in _KINDS:
        return False
    import ctypes  # a fifth of a bare start, which only many files pay

    syncfs = getattr(ctypes.CDLL(None), "syncfs", None)
    return syncfs is not None and syncfs(fds[0]) == 0


def _tells_errors() -> bool:
    system = os.uname()
    version = re.match(r"(\d+)\.(\d+)", system.release)
    return system.sysname == "Linux" and version is not None and (int(version[1]), int(version[2])) >= _SINCE
