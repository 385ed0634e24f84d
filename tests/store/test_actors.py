"""Who may act, and what is kept of their tokens."""

from __future__ import annotations

import pytest

from allotment.errors import UsageError
from allotment.store import actors
from allotment.store.actors import ActorKind


def test_the_first_actor_is_whoever_uses_this_machine(firm) -> None:
    (local,) = actors.load_actors(firm)
    assert (local.name, local.kind, local.roles, local.actor_id) == ("local", ActorKind.PERSON, ("admin",), 1)
    assert firm.actor_id == 1


def test_a_session_acts_as_a_named_actor(store, firm) -> None:
    made = actors.create_actor(firm, "nightly", ActorKind.SERVICE, ["trader"])
    with store.firm("ours", actor="nightly") as session:
        assert session.actor_id == made.actor_id
        actors.create_actor(session, "ann", ActorKind.PERSON, ["adviser", "approver"])
    writer = firm.connection().execute("SELECT written_by FROM actor WHERE name = 'ann'").fetchone()
    assert writer == (made.actor_id,)
    with pytest.raises(UsageError, match="no active actor 'bob'; known: ann, local, nightly"):
        store.firm("ours", actor="bob")


def test_names_are_taken_once(firm) -> None:
    with pytest.raises(UsageError, match="an actor 'local' already"):
        actors.create_actor(firm, "local", ActorKind.PERSON, [])


def test_a_token_proves_its_actor_and_is_not_kept(firm) -> None:
    actors.create_actor(firm, "ann", ActorKind.PERSON, ["adviser"])
    token = actors.issue_token(firm, "ann")
    assert actors.authenticate(firm, token).name == "ann"
    stored = firm.connection().execute("SELECT token_sha256 FROM actor_token").fetchone()
    assert token.encode() not in bytes(stored[0])
    for wrong in ("", token + "x", token[:-1]):
        with pytest.raises(UsageError, match="not valid"):
            actors.authenticate(firm, wrong)


def test_tokens_end(firm) -> None:
    actors.create_actor(firm, "ann", ActorKind.PERSON, [])
    expired = actors.issue_token(firm, "ann", days=0)
    revoked = actors.issue_token(firm, "ann")
    assert actors.revoke_tokens(firm, "ann") == 2
    good = actors.issue_token(firm, "ann")
    actors.authenticate(firm, good)
    actors.deactivate_actor(firm, "ann")
    for token in (expired, revoked, good):
        with pytest.raises(UsageError):
            actors.authenticate(firm, token)


def test_an_unknown_actor_gets_no_token(firm) -> None:
    with pytest.raises(UsageError, match="no actor 'zoe'"):
        actors.issue_token(firm, "zoe")
