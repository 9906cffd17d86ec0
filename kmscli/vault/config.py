"""config.toml: preferences only; nothing in it can weaken what the vault's records say.

Written once by `kms init`, every setting commented out with its default. A file in which nothing is set is not parsed.
"""

from typing import Any

from kmscli import errors
from kmscli.crypto import kdf
from kmscli.model import limits

SEGMENT_BYTES = 64 * 1024 * 1024
LENGTH_MAX = 16 * 1024
"""Bytes of the file: the time that its parser takes grows with their square."""
_SEGMENT_BYTES_MIN = 4096
_OUTPUTS = ("json", "text", "table")


class Config:
    """The preferences of a vault's owner."""

    def __init__(
        self,
        *,
        output: str = "",
        segment_bytes: int = SEGMENT_BYTES,
        kdf_memory_mib: int = 0,
        profile: str = limits.DEFAULT_PROFILE,
    ) -> None:
        """Set them; "" and 0 mean that the default of the program or the vault holds.

        Args:
            output: Default of --output.
            segment_bytes: Size at which the audit log begins a new segment.
            kdf_memory_mib: Argon2id memory of new slots; only more than the vault's own counts.
            profile: Name of the profile of account limits.
        """
        self.output = output
        self.segment_bytes = segment_bytes
        self.kdf_memory_mib = kdf_memory_mib
        self.profile = profile


def template() -> bytes:
    """The file that `kms init` writes: every setting, commented out."""
    import tomli_w

    settings = {
        "output": "json",
        "limits": limits.DEFAULT_PROFILE,
        "audit": {"segment_bytes": SEGMENT_BYTES},
        "slots": {"kdf_memory_mib": kdf.DEFAULT_MEMORY_MIB},
    }
    lines = tomli_w.dumps(settings).splitlines()
    head = "# Preferences of this vault. Take the # off a line, and off the [section] above it, to set one.\n"
    return (head + "".join(f"# {line}\n" if line else "\n" for line in lines)).encode()


def parse(content: bytes, *, path: str) -> Config:
    """The preferences in a config.toml.

    Raises:
        ConfigError: Not TOML, an unknown setting, or a value that it cannot have.
    """
    if all(not line.strip() or line.lstrip().startswith(b"#") for line in content.splitlines()):
        return Config()
    if len(content) > LENGTH_MAX:
        raise errors.ConfigError(path=path, problem=f"it has more than {LENGTH_MAX} bytes")
    import tomllib

    try:
        settings = tomllib.loads(content.decode())
    except (ValueError, RecursionError) as error:
        # Beside what is no TOML or no text: brackets nested deeper than Python calls, and a number of 5000 digits.
        raise errors.ConfigError(path=path, problem=str(error)) from error
    flat = {name: value for name, value in settings.items() if not isinstance(value, dict)}
    for section, inner in settings.items():
        if isinstance(inner, dict):
            flat |= {f"{section}.{name}": value for name, value in inner.items()}
    return _checked(flat, path)


def _checked(settings: dict[str, Any], path: str) -> Config:
    known = {"output", "limits", "audit.segment_bytes", "slots.kdf_memory_mib"}
    if unknown := sorted(settings.keys() - known):
        raise errors.ConfigError(path=path, problem=f"{unknown[0]} is no setting")
    output = settings.get("output", "")
    if "output" in settings and output not in _OUTPUTS:
        raise errors.ConfigError(path=path, problem=f"output must be one of {', '.join(_OUTPUTS)}")
    profile = settings.get("limits", limits.DEFAULT_PROFILE)
    if type(profile) is not str or profile not in limits.PROFILES:
        raise errors.ConfigError(path=path, problem=f"limits must be one of {', '.join(limits.PROFILES)}")
    size = settings.get("audit.segment_bytes", SEGMENT_BYTES)
    if type(size) is not int or size < _SEGMENT_BYTES_MIN:
        raise errors.ConfigError(path=path, problem=f"audit.segment_bytes must be at least {_SEGMENT_BYTES_MIN}")
    memory = settings.get("slots.kdf_memory_mib", 0)
    if type(memory) is not int or (memory and not kdf.MIN_MEMORY_MIB <= memory <= kdf.MAX_MEMORY_MIB):
        raise errors.ConfigError(path=path, problem="slots.kdf_memory_mib is out of its bounds")
    return Config(output=output, segment_bytes=size, kdf_memory_mib=memory, profile=profile)
