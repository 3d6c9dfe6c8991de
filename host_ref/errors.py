"""The base of every error that this project raises on purpose, and text fit for a terminal."""

from __future__ import annotations

LONGEST_MESSAGE = 1000
"""Characters: a damaged file may hold names of a hundred thousand."""


class BnnError(Exception):
    """Something is wrong that the message names, and says what to do about.

    Messages quote files, so they are cut and escaped when shown, wherever that is.
    """

    def __str__(self) -> str:
        return printable(shortened(super().__str__()))


def shortened(message: object, longest: int = LONGEST_MESSAGE) -> str:
    """The message, cut in its middle if it is longer than anybody reads."""
    text = str(message)
    if len(text) <= longest:
        return text
    half = longest // 2
    return f"{text[:half]} [... {len(text) - 2 * half:,} more characters ...] {text[-half:]}"


def reason(error: Exception) -> str:
    """Why a file can't be read or written, without its path, which the message has already."""
    return getattr(error, "strerror", None) or str(error)


def printable(text: object) -> str:
    """The text in one line; what moves a cursor, hides or is half a character escaped as in a repr.

    A name from a file may hold a terminal's commands, or surrogates that no encoding can write.
    """
    text = str(text)
    if text.isprintable():
        return text
    return "".join(each if each.isprintable() else each.encode("unicode_escape").decode("ascii")
                   for each in text)
