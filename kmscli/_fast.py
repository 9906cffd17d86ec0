"""The entry point: protects the process, then runs the command line.

Only modules written in C are imported at the start, so that what comes first costs nothing. Core dumps and debuggers
are refused before any secret can be in memory, and new files belong to the user alone.
"""

import gc
import posix
import sys

_PR_SET_DUMPABLE = 4
_INTERRUPTED = 130


def main() -> None:
    """Run `kms` and end the process."""
    try:
        umask = _protect()
        # Imports make no garbage; a collection in between would only walk what was just loaded.
        gc.disable()
        from kmscli.cli._app import run

        gc.freeze()
        gc.enable()
        code = run(sys.argv[1:], umask)
    except KeyboardInterrupt:
        posix.write(2, b"kms: error: Interrupted: interrupted\n")
        code = _INTERRUPTED
    # Taking the interpreter apart takes half of a bare start. Nothing is left to do: output is unbuffered, vaults are
    # closed, and nobody here registers anything for the end.
    posix._exit(code)  # noqa: SLF001 - the name that os._exit stands for, without importing os


def _protect() -> int:
    """Close what others could look into; the umask that the caller gave."""
    umask = posix.umask(0o077)
    import resource

    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    if sys.platform == "linux":
        _undumpable()
    return umask


def _undumpable() -> None:
    # prctl(PR_SET_DUMPABLE, 0) through the C half of ctypes, whose Python half takes a fifth of a bare start.
    import _ctypes

    program = _ctypes.dlopen(None, 0)  # type: ignore[arg-type]  # None is what is loaded already
    prctl = _ctypes.dlsym(program, "prctl")
    _ctypes.call_function(prctl, (_PR_SET_DUMPABLE, 0, 0, 0, 0))
