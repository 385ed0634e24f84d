"""Who acts: people and services with roles, known by name on this machine or by token.

Tokens are random, shown once, and kept as SHA-256: they have 256 bits, so no slow hash is needed.
"""

from __future__ import annotations

import hashlib
import secrets
from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum

import psycopg
from psycopg import sql

from allotment.errors import UsageError
from allotment.store.session import FirmStore

_ACTORS = sql.SQL("SELECT actor_id, name, kind, roles, is_active FROM actor ")


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
    try:
        firm.connection().execute(
            "INSERT INTO actor (name, kind, roles) VALUES (%s, %s, %s)", [name, kind.value, list(roles)]
        )
    except psycopg.errors.UniqueViolation:
        raise UsageError(f"there is an actor {name!r} already; choose another name.") from None
    return find_actor(firm, name)


def find_actor(firm: FirmStore, name: str) -> Actor:
    """The actor of a name. Raises UsageError when there is none."""
    found = firm.rows(Actor, _ACTORS + sql.SQL("WHERE name = %s"), [name])
    if not found:
        raise UsageError(f"there is no actor {name!r} in firm {firm.firm}.")
    return found[0]


def load_actors(firm: FirmStore) -> tuple[Actor, ...]:
    """Every actor of the firm."""
    return tuple(firm.rows(Actor, _ACTORS + sql.SQL("ORDER BY actor_id")))


def deactivate_actor(firm: FirmStore, name: str) -> None:
    """The actor can act no more; what they wrote keeps their name. Tokens stop working."""
    actor = find_actor(firm, name)
    firm.connection().execute(
        "UPDATE actor SET is_active = false, written_by = %s WHERE actor_id = %s",
        [firm.actor_id, actor.actor_id],
    )


def issue_token(firm: FirmStore, name: str, *, days: int = 365) -> str:
    """A new token for an actor, shown this once."""
    actor = find_actor(firm, name)
    token = f"allot_{secrets.token_urlsafe(32)}"
    firm.connection().execute(
        "INSERT INTO actor_token (token_sha256, actor_id, expires_at) "
        "VALUES (%s, %s, now() + make_interval(days => %s))",
        [_digest(token), actor.actor_id, days],
    )
    return token


def authenticate(firm: FirmStore, token: str) -> Actor:
    """The actor of a valid token. Raises UsageError for an unknown, expired or revoked one."""
    found = firm.rows(
        Actor,
        sql.SQL(
            "SELECT a.actor_id, name, kind, roles, is_active "
            "FROM actor a JOIN actor_token t USING (actor_id) "
            "WHERE token_sha256 = %s AND expires_at > now() AND revoked_at IS NULL AND is_active"
        ),
        [_digest(token)],
    )
    if not found:
        # One sentence for every cause: it must not tell which tokens exist.
        raise UsageError("this token is not valid here; ask for a new one.")
    return found[0]


def revoke_tokens(firm: FirmStore, name: str) -> int:
    """Revoke every token of an actor; how many there were."""
    actor = find_actor(firm, name)
    return (
        firm.connection()
        .execute(
            "UPDATE actor_token SET revoked_at = now(), written_by = %s "
            "WHERE actor_id = %s AND revoked_at IS NULL",
            [firm.actor_id, actor.actor_id],
        )
        .rowcount
    )


def _digest(token: str) -> bytes:
    return hashlib.sha256(token.encode()).digest()
