"""Key management like AWS KMS, in a directory you own."""

__version__ = "0.1.0"
