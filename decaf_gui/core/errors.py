"""Errors that a person reads: one line that says what is wrong and what to do."""

from __future__ import annotations


class DecafError(Exception):
    """A failure with a one-line message for people. The command line exits with `exit_code`."""

    exit_code = 1


class BadInput(DecafError):
    """What the user gave cannot be used (no such file, empty expression, unknown option...): exit code 2."""

    exit_code = 2


class OutOfMemory(DecafError):
    """The device has too little memory, also with empty caches and small batches."""
