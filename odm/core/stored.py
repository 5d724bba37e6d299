"""Settings that are stored with a model or a data set, without pydantic: reading needs them."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from typing import Any, ClassVar, Self

from odm.core.checks import check_keys
from odm.core.errors import InputError


class StoredSettings:
    """Base of frozen dataclasses whose values are stored as they are given.

    A pydantic model would turn a 0 into a 0.0, which is another digest, and takes 0.2 s to import.
    """

    __slots__ = ()
    called: ClassVar[str] = "settings"
    """What to call the settings in an error."""

    def to_dict(self) -> dict[str, Any]:
        """Return plain values, for YAML and JSON."""
        return dataclasses.asdict(self)  # type: ignore[call-overload]  # subclasses are dataclasses

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> Self:
        """Return the settings that `to_dict` gave.

        Raises:
            InputError: an unknown, missing or impossible setting.
        """
        fields = dataclasses.fields(cls)  # type: ignore[arg-type]  # subclasses are dataclasses
        check_keys(values, [field.name for field in fields], f"the {cls.called}")
        for field in fields:
            if field.name not in values and field.default is dataclasses.MISSING:
                raise InputError(f"the {cls.called}: {field.name} is missing")
        return cls(**values)
