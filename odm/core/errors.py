"""Errors that a person can act on; the command line prints each as one sentence."""

from __future__ import annotations


class OdmError(Exception):
    """Base of every error that is reported as a sentence rather than as a traceback."""

    exit_code = 1


class InputError(OdmError, ValueError):
    """Wrong use: an argument, option or setting that cannot be meant."""

    exit_code = 2


class Stopped(OdmError):
    """Work that stopped as asked, with all kept that was done: the same command goes on."""

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
    """A file that is bad and stays bad: to be quarantined with its reason."""


class AccessError(ArchiveError):
    """A file that is gone or may not be read: nothing is known against it, so no quarantine."""


class TransientError(_FileError):
    """A fault of the store (a timeout, a 503): to be tried again, never quarantined."""


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
