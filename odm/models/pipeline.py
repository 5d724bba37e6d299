"""Pipeline folders: several models (a detector and a segmenter, say) under one digest.

pipeline.json             role to digest, and to its folder from here where that is not <role>
<role>/                   a model folder
"""

import os
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from odm.core.errors import InputError
from odm.core.files import exists, join, local_path, read_bytes, write_bytes
from odm.models.card import CARD, FORMAT, ModelCard, digest_of, read_json, read_model_card, to_json
from odm.models.folder import LoadedModel, load_model

PIPELINE_CARD = "pipeline.json"


@dataclass(frozen=True)
class Pipeline:
    """The members of a pipeline folder, under one digest."""

    digest: str
    members: Mapping[str, LoadedModel]


def save_pipeline(folder: object, members: Mapping[str, object]) -> str:
    """Make a pipeline folder of model folders.

    Args:
        folder: local path or URI.
        members: role (such as "detector") to the folder of a model, which is copied.

    Returns:
        The pipeline's digest.

    Raises:
        InputError: if there is no member, or one is no model folder.
    """
    if not members:
        raise InputError("A pipeline needs at least one model.")
    digests: dict[str, str] = {}
    for role, source in members.items():
        card = read_model_card(source)
        names = [str(card.weights["file"])] if card.weights else []
        for name in [*names, CARD]:
            write_bytes(join(folder, role, name), read_bytes(join(source, name)))
        digests[role] = card.digest
    digest = digest_of(digests)
    content = {"format": FORMAT, "members": digests, "digest": digest}
    write_bytes(join(folder, PIPELINE_CARD), to_json(content, indent=2))
    return digest


def read_digest(folder: object) -> str:
    """The digest of a model folder or of a pipeline folder, without loading it."""
    if is_pipeline(folder):
        return str(_read_pipeline(folder)["digest"])
    return read_model_card(folder).digest


def is_pipeline(folder: object) -> bool:
    """Whether a folder is one of a pipeline."""
    return exists(join(folder, PIPELINE_CARD))


def read_cards(folder: object) -> dict[str, ModelCard]:
    """The cards of a pipeline's members by role, without loading them.

    Raises:
        InputError: it is no pipeline folder, or a member is not the one that it was made of.
    """
    content = _read_pipeline(folder)
    cards = {}
    for role, digest in content["members"].items():
        cards[role] = read_model_card(_member(folder, role, content))
        if cards[role].digest != digest:
            raise InputError(f"{folder}: its {role} is not the one that it was made of")
    return cards


def member_of_kind(folder: object, kind: str) -> str:
    """The folder of the only member of a kind; of a folder that is no pipeline, itself.

    Args:
        folder: of a model or of a pipeline.
        kind: ``segmenter`` or ``detector``.

    Raises:
        InputError: a pipeline holds none of that kind, or several; the sentence names the folders.
    """
    if not is_pipeline(folder):
        return str(folder)
    content = _read_pipeline(folder)
    cards = read_cards(folder)
    places = {role: _shortest(_member(folder, role, content)) for role in cards}
    matching = [place for role, place in places.items() if cards[role].architecture["kind"] == kind]
    if len(matching) == 1:
        return matching[0]
    if matching:
        raise InputError(f"{folder} holds {len(matching)} {kind}s: give {' or '.join(matching)}")
    held = [f"{places[role]} (a {card.architecture['kind']})" for role, card in cards.items()]
    raise InputError(f"{folder} holds no {kind}: only {' and '.join(held)}")


def _shortest(folder: str) -> str:
    """Return a folder's name without the ``..`` of the package's own pipelines."""
    return folder if local_path(folder) is None else os.path.normpath(folder)


def load_pipeline(folder: object, *, device: str = "cpu") -> Pipeline:
    """Load every member of a pipeline folder.

    Raises:
        InputError: as `load_model`; or if a member is not the one that the pipeline was made of.
    """
    content = _read_pipeline(folder)
    members = {
        role: load_model(_member(folder, role, content), device=device, expect={"digest": digest})
        for role, digest in content["members"].items()
    }
    return Pipeline(content["digest"], members)


def _member(folder: object, role: str, content: Mapping[str, Any]) -> str:
    """Folder of a member: the package's own pipelines do not hold their models twice."""
    return join(folder, str(content.get("folders", {}).get(role, role)))


def _read_pipeline(folder: object) -> dict[str, Any]:
    content = read_json(folder, PIPELINE_CARD, "pipeline")
    members = content.get("members")
    if not isinstance(members, dict) or digest_of(members) != content.get("digest"):
        raise InputError(f"{folder}: {PIPELINE_CARD} was changed after it was saved.")
    return content
