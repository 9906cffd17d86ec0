"""Refuses network file systems: their locks and their flushes do not keep a vault's promises."""

import os
from pathlib import Path

from kmscli import errors

_MOUNTS = Path("/proc/self/mountinfo")
NETWORK_TYPES = frozenset(
    {"9p", "afs", "beegfs", "ceph", "cifs", "coda", "davfs", "gfs2", "glusterfs", "lustre", "ncpfs", "nfs", "nfs4"}
    | {"ocfs2", "smb3", "smbfs"}
    | {f"fuse.{name}" for name in ("ceph-fuse", "davfs", "glusterfs", "rclone", "s3fs", "sshfs")}
)


def refuse_network(path: Path) -> None:
    """Refuse a folder that lies on a network file system.

    Raises:
        UnsupportedOperationError: It does.
    """
    kind = file_system_type(path)
    if kind in NETWORK_TYPES:
        raise errors.UnsupportedOperationError(
            problem=f"{path} lies on a network file system ({kind})",
            hint="keep the vault on a local disk; its locks and flushes cannot be trusted over a network",
        )


def file_system_type(path: Path) -> str:
    """Type of the file system that holds `path`, by device number; "" where the system does not tell."""
    return device_type(path.stat().st_dev)


def device_type(device: int) -> str:
    """Type of the file system with a device number; "" where the system does not tell."""
    wanted = f"{os.major(device)}:{os.minor(device)}".encode()
    try:
        lines = _MOUNTS.read_bytes().splitlines()
    except OSError:
        return ""
    for line in lines:
        # proc(5), mountinfo: the third field is the device; the type follows the separator "-".
        before, _, after = line.partition(b" - ")
        if before.split(b" ", 3)[2:3] == [wanted]:
            return after.split(b" ", 1)[0].decode("ascii", "replace")
    return ""
