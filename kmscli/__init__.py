"""Key management like AWS KMS, in a directory you own.

As a library: `kmscli.open_vault`, with what docs/library.md tells of. It is loaded when it is first asked for.
"""

TYPE_CHECKING = False  # as typing has it, which would be a tenth of the start of a command
if TYPE_CHECKING:
    from kmscli import errors
    from kmscli.api import CachingMaterials, DataKey, OpenVault, Processed, open_vault

__version__ = "0.1.0"
__all__ = ["CachingMaterials", "DataKey", "OpenVault", "Processed", "__version__", "errors", "open_vault"]


def __getattr__(name: str) -> object:
    if name not in __all__:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from importlib import import_module

    if name == "errors":
        return import_module("kmscli.errors")
    return getattr(import_module("kmscli.api"), name)
