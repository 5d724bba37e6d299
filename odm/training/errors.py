"""What can go wrong in a training that was asked for rightly."""

from odm.core.errors import OdmError


class TrainingError(OdmError):
    """A training that cannot begin or go on: exit code 1."""
