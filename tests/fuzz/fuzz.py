"""Feeds a target what atheris makes of its seeds: `python tests/fuzz/fuzz.py TARGET [libFuzzer's options]`.

TARGET is `messages`, `frames` or `texts` (targets.py); `-max_total_time=60` bounds a run, which else has no end. Needs
the extra `fuzz`. It ends with 0 if nothing was found. An input that was a finding is kept in `build/fuzz`, and is tried
again by giving its name; inputs that reached something new are kept in `build/fuzz/TARGET`, where the next run begins.
The limits of time and memory are in targets.py; libFuzzer's own are wider, and are for what never returns.
"""

import contextlib
import hashlib
import io
import sys
from pathlib import Path

import atheris

ROOT = Path(__file__).parents[2]
sys.path.insert(0, str(ROOT))
# A line for each module would be in the way of what is found.
with contextlib.redirect_stderr(io.StringIO()), atheris.instrument_imports(include=["kmscli"]):
    from tests.fuzz import targets

FOLDER = ROOT / "build" / "fuzz"
OPTIONS = ["-timeout=20", "-rss_limit_mb=1024", "-max_len=4096", f"-artifact_prefix={FOLDER}/"]


def main() -> None:
    """Start libFuzzer, which ends the process by itself."""
    program, name, *options = sys.argv
    folder = FOLDER / name
    folder.mkdir(parents=True, exist_ok=True)
    for seed in targets.seeds(name):
        (folder / hashlib.sha256(seed).hexdigest()[:40]).write_bytes(seed)
    inputs = [] if any(not option.startswith("-") for option in options) else [str(folder)]
    target = targets.within_limits(targets.TARGETS[name])
    atheris.Setup([program, *OPTIONS, *options, *inputs], target)
    atheris.Fuzz()


if __name__ == "__main__":
    main()
