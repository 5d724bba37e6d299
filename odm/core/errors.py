"""Errors that a person can act on; the command line prints each as one sentence."""

from __future__ import annotations


class OdmError(Exception):
    """Base of every error that is reported as a sentence rather than as a traceback."""

    exit_code = 1


class InputError(OdmError, ValueError):
    """Wrong use: an argument, option or setting that cannot be meant."""

    exit_code = 2


class Stopped(OdmError):
    """Work stopped as asked and kept what was done; the same command goes on from there."""

    exit_code = 3


class _FileError(OdmError):
    """An error about one file.

    Args:
        path: the file, as the user would recognise it.
        reason: what is wrong with it, in plain words.
    """

    def __init__(self, path: object, reason: str) -> None:
        super().__init__(str(path), reason)
        self.path = str(path)
        self.reason = reason

    def __str__(self) -> str:
        return f"{self.path}: {self.reason}"


class ArchiveError(_FileError):
    """A file is bad and stays bad, so it is quarantined with its reason."""


class AccessError(ArchiveError):
    """A file is gone or may not be read; as it may be good, it is not quarantined."""


class TransientError(_FileError):
    """The store failed for the moment (a timeout, a 503); try again, and never quarantine."""


class AnnotationError(OdmError):
    """An annotation that cannot be meant.

    Args:
        path: the annotation file.
        subject: the object in it, such as ``object 2 (nucleus)``.
        reason: what is wrong with it.
    """

    def __init__(self, path: object, subject: str, reason: str) -> None:
        super().__init__(str(path), subject, reason)
        self.path = str(path)
        self.subject = subject
        self.reason = reason

    def __str__(self) -> str:
        where = f"{self.path}: {self.subject}" if self.subject else self.path
        return f"{where}: {self.reason}"
