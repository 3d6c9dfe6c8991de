"""What can be wrong with a FASM file, a database or a .bit; each message names the thing."""

from __future__ import annotations


class BitstreamError(Exception):
    """The base of this package's errors: nothing was written, nothing should be loaded."""


class FasmError(BitstreamError):
    """A line that is not FASM; the message has its number."""


class FeatureError(BitstreamError):
    """Features that the database doesn't know, or that want one bit both set and cleared."""


class DatabaseError(BitstreamError):
    """A database folder that is incomplete, or contradicts itself."""


class BitFileError(BitstreamError):
    """A .bit that is damaged, for another part, or doesn't configure the whole die."""
