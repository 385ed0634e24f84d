"""Who acts: people and services with roles, known by name on this machine or by token.

Tokens are random, shown once, and kept as SHA-256 (they have 256 bits, so no slow hash is needed).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum

from allotment.store.session import FirmStore


class ActorKind(StrEnum):
    """A person answers for what they do; a service acts for the firm."""

    PERSON = "person"
    SERVICE = "service"


@dataclass(frozen=True, slots=True, kw_only=True)
class Actor:
    """Somebody who acts; every write names one."""

    actor_id: int
    name: str
    kind: ActorKind
    roles: tuple[str, ...]
    is_active: bool = True


def create_actor(firm: FirmStore, name: str, kind: ActorKind, roles: Sequence[str]) -> Actor:
    """A new actor. Raises UsageError when the name is taken."""
    raise NotImplementedError


def load_actors(firm: FirmStore) -> tuple[Actor, ...]:
    """Every actor of the firm."""
    raise NotImplementedError


def issue_token(firm: FirmStore, name: str, *, days: int = 365) -> str:
    """A new token for an actor, shown this once."""
    raise NotImplementedError


def authenticate(firm: FirmStore, token: str) -> Actor:
    """The actor of a valid token. Raises UsageError for an unknown, expired or revoked one."""
    raise NotImplementedError


def revoke_tokens(firm: FirmStore, name: str) -> int:
    """Revoke every token of an actor; how many there were."""
    raise NotImplementedError
