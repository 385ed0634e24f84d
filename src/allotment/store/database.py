"""The database as a whole: firms, their schemas and roles, and the sessions that work in them.

    with Store.open(settings) as store:
        store.create_firm("demo", market="market_demo")
        with store.market("market_demo") as market, store.firm("demo") as firm:
            ...

The owner role (no superuser; it may create roles) migrates and creates; work is done as the
firm's role, which reaches its own schema and reads its market, or as the market's writer.
Roles belong to the whole server, so their names begin with the database's. Their passwords are
generated and kept in HOME/secrets.json; a role whose password is not there gets a new one.
"""

from __future__ import annotations

import re
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, Self

import psycopg
from psycopg import conninfo, sql

from allotment.errors import StoreError, UsageError
from allotment.settings import Settings
from allotment.store import migrations, secret_file
from allotment.store.records import maker
from allotment.store.server import Server
from allotment.store.session import FirmStore, MarketStore, connect

SHARED_MARKET = "market"
LOCK_SECONDS = 60.0  # how long a change of schemas waits for other programs
_FIRM = re.compile(r"[a-z][a-z0-9_]{0,29}")
_MARKET = re.compile(r"market(_[a-z0-9_]{1,30})?")
_LOCAL_ACTOR = "local"
_ATTEMPTS = 5


@dataclass(frozen=True, slots=True, kw_only=True)
class Firm:
    """One tenant."""

    name: str  # lower-case letters, digits and underscores
    market: str  # the schema whose facts it reads
    title: str = ""


class Store:
    """The database of one installation, opened and up to date."""

    def __init__(self, settings: Settings, owner: psycopg.Connection[Any], url: str) -> None:
        self.settings = settings
        self.owner = owner
        self._url = url
        self._secrets = settings.home / "secrets.json"
        self._remembered = settings.home / "last_firm"

    @classmethod
    def open(cls, settings: Settings) -> Self:
        """Start or reach the server, and bring the control schema up to date.

        Raises StoreError when the server does not start or refuses.
        """
        settings.home.mkdir(parents=True, exist_ok=True)
        owner, url = _reach(settings)
        try:
            _refuse_superuser(owner)
            store = cls(settings, owner, url)
            migrations.prepare(owner)
            store._close_to_others()
        except BaseException:
            owner.close()
            raise
        return store

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    @property
    def database(self) -> str:
        """The database's name, the first part of its roles' names."""
        return self.owner.info.dbname

    def firms(self) -> tuple[Firm, ...]:
        """Every firm, by name."""
        with self.owner.cursor(row_factory=maker(Firm)) as cursor:
            return tuple(
                cursor.execute("SELECT name, market, title FROM allotment.firm ORDER BY name").fetchall()
            )

    def create_firm(self, name: str, *, market: str = SHARED_MARKET, title: str = "") -> Firm:
        """A new firm with schema and role; its market schema is made when it is new.

        Raises UsageError for a name in use or with other characters than [a-z0-9_].
        """
        if not _FIRM.fullmatch(name):
            raise UsageError(
                f"a firm's name is 1 to 30 lower-case letters, digits and underscores, beginning with a "
                f"letter; {name!r} is not."
            )
        _check_market(market)
        firm = Firm(name=name, market=market, title=title)
        with self._explained(), self._alone():
            if any(one.name == name for one in self.firms()):
                raise UsageError(f"there is a firm {name!r} already; drop it first, or choose another name.")
            # Recorded last: an interrupted creation is begun again.
            self._drop_schema_and_role(name)
            self._bring_market_up_to_date(market)
            self._bring_firm_up_to_date(firm)
            self.owner.execute(
                "INSERT INTO allotment.firm (name, market, title) VALUES (%s, %s, %s)", [name, market, title]
            )
        return firm

    def drop_firm(self, name: str) -> None:
        """Remove a firm with everything in it, and its market schema when no other firm uses
        it and it is not the shared one. Unknown names are ignored."""
        with self._explained(), self._alone():
            dropped = next((one for one in self.firms() if one.name == name), None)
            if dropped is None:
                return
            with self.owner.transaction():
                self.owner.execute("DELETE FROM allotment.firm WHERE name = %s", [name])
                self._drop_schema_and_role(name)
                others = {one.market for one in self.firms()}
                if dropped.market not in others | {SHARED_MARKET}:
                    migrations.forget(self.owner, dropped.market)
                    for part in ("reader", "writer"):
                        self._drop_role(self.role(f"{dropped.market}_{part}"))

    def firm(self, name: str = "", *, actor: str = "") -> FirmStore:
        """A session as the firm's role; default: the setting `firm`, else the one used last.

        `actor`: the name of a known actor; default: the setting `actor`.
        Raises UsageError when there is no such firm or actor.
        """
        wanted = name or self.settings.firm or self.last_firm()
        found = {one.name: one for one in self.firms()}
        if wanted not in found:
            there = ", ".join(found) or "none; `allotment demo` or `allotment init` makes one"
            raise UsageError(f"there is no firm {wanted!r}. Firms: {there}.")
        firm = found[wanted]
        with self._explained(), self._alone():
            self._bring_market_up_to_date(firm.market)
            self._bring_firm_up_to_date(firm)
            url = self._role_url(self.role(f"firm_{wanted}"))
        actor_id = self._actor_id(f"firm_{wanted}", actor or self.settings.actor)
        if self.last_firm() != wanted:
            self._remembered.write_text(wanted)
        return FirmStore(url, actor=str(actor_id), firm=wanted, market=firm.market)

    def market(self, name: str = SHARED_MARKET, *, actor: str = "") -> MarketStore:
        """A session as the writer of a market schema, which is made when it is new."""
        _check_market(name)
        with self._explained(), self._alone():
            self._bring_market_up_to_date(name)
        url = self._role_url(self.role(f"{name}_writer"))
        return MarketStore(url, actor=actor or self.settings.actor, schema=name)

    def last_firm(self) -> str:
        """The firm used last on this machine, or nothing."""
        return self._remembered.read_text().strip() if self._remembered.exists() else ""

    def close(self) -> None:
        """Close the connections; the server goes on running."""
        self.owner.close()

    def url_without_password(self) -> tuple[str, str]:
        """The owner's URL for a program, and the password to hand it by its environment."""
        parts = conninfo.conninfo_to_dict(self._url)
        password = str(parts.pop("password", "") or "")
        return _as_url(parts), password

    def _close_to_others(self) -> None:
        """Only our roles may connect; by default PostgreSQL lets every role in."""
        open_now = self.owner.execute(
            "SELECT has_database_privilege('public', current_database(), 'CONNECT')"
        ).fetchone()
        if open_now == (True,):
            with self._alone():
                self.owner.execute(
                    sql.SQL("REVOKE ALL ON DATABASE {} FROM PUBLIC").format(sql.Identifier(self.database))
                )

    # ── schemas ──────────────────────────────────────────────────────────────────────────────

    def _bring_market_up_to_date(self, name: str) -> None:
        reader, writer = self.role(f"{name}_reader"), self.role(f"{name}_writer")
        if not self._role_exists(reader):
            self.owner.execute(sql.SQL("CREATE ROLE {} NOLOGIN").format(sql.Identifier(reader)))
        is_new = self._ensure_login(writer, [name])
        roles = {"reader": reader, "writer": writer}
        if not migrations.bring_up_to_date(self.owner, "market", name, roles) and is_new:
            migrations.grant(self.owner, "market", name, roles)

    def _bring_firm_up_to_date(self, firm: Firm) -> None:
        role, schema = self.role(f"firm_{firm.name}"), f"firm_{firm.name}"
        is_new = self._ensure_login(role, [schema, firm.market])
        if is_new:
            self.owner.execute(
                sql.SQL("GRANT {} TO {}").format(
                    sql.Identifier(self.role(f"{firm.market}_reader")), sql.Identifier(role)
                )
            )
        roles = {"role": role}
        if not migrations.bring_up_to_date(self.owner, "firm", schema, roles) and is_new:
            migrations.grant(self.owner, "firm", schema, roles)
        table = sql.Identifier(schema, "actor")
        if not self.owner.execute(sql.SQL("SELECT 1 FROM {} LIMIT 1").format(table)).fetchone():
            with self.owner.transaction():
                # The first actor writes itself, and its number is known to be 1.
                self.owner.execute("SELECT set_config('allotment.actor', '1', true)")
                self.owner.execute(
                    sql.SQL("INSERT INTO {} (name, kind, roles) VALUES (%s, 'person', '{{admin}}')").format(
                        table
                    ),
                    [_LOCAL_ACTOR],
                )

    def _drop_schema_and_role(self, name: str) -> None:
        migrations.forget(self.owner, f"firm_{name}")
        self._drop_role(self.role(f"firm_{name}"))

    def _actor_id(self, schema: str, name: str) -> int:
        table = sql.Identifier(schema, "actor")
        found = self.owner.execute(
            sql.SQL("SELECT actor_id FROM {} WHERE name = %s AND is_active").format(table), [name]
        ).fetchone()
        if found is None:
            known = self.owner.execute(
                sql.SQL("SELECT name FROM {} WHERE is_active ORDER BY name").format(table)
            )
            raise UsageError(
                f"there is no active actor {name!r}; known: {', '.join(str(one) for (one,) in known)}."
            )
        return int(found[0])

    # ── roles ────────────────────────────────────────────────────────────────────────────────

    def role(self, name: str) -> str:
        """The role of ``firm_NAME``, ``MARKET_reader`` or ``MARKET_writer`` in this database."""
        return f"{self.database}_{name}"

    def _role_exists(self, role: str) -> bool:
        return self.owner.execute("SELECT 1 FROM pg_roles WHERE rolname = %s", [role]).fetchone() is not None

    def _ensure_login(self, role: str, search_path: list[str]) -> bool:
        """Make a role that may log in, with a password that we know; True when it is new."""
        is_new = not self._role_exists(role)
        if is_new:
            self.owner.execute(
                sql.SQL("CREATE ROLE {} LOGIN NOSUPERUSER NOCREATEDB NOCREATEROLE").format(
                    sql.Identifier(role)
                )
            )
            secret_file.forget(self._secrets, self._secret_name(role))
            self.owner.execute(
                sql.SQL("GRANT CONNECT, TEMPORARY ON DATABASE {} TO {}").format(
                    sql.Identifier(self.database), sql.Identifier(role)
                )
            )
            self.owner.execute(
                sql.SQL("ALTER ROLE {} IN DATABASE {} SET search_path = {}").format(
                    sql.Identifier(role),
                    sql.Identifier(self.database),
                    sql.SQL(", ").join(map(sql.Identifier, search_path)),
                )
            )
        self._password(role)
        return is_new

    def _secret_name(self, role: str) -> str:
        host = "" if not self.settings.database_url else f"@{self.owner.info.host}:{self.owner.info.port}"
        return f"{role}{host}"

    def _password(self, role: str) -> str:
        def set_password(password: str) -> None:
            # Only the verifier travels; the server never sees, and cannot log, the password.
            verifier = self.owner.pgconn.encrypt_password(password.encode(), role.encode(), b"scram-sha-256")
            self.owner.execute(
                sql.SQL("ALTER ROLE {} PASSWORD {}").format(
                    sql.Identifier(role), sql.Literal(verifier.decode())
                )
            )

        return secret_file.password(self._secrets, self._secret_name(role), set_password)

    def _role_url(self, role: str) -> str:
        parts = {**conninfo.conninfo_to_dict(self._url), "user": role, "password": self._password(role)}
        return _as_url(parts)

    def _drop_role(self, role: str) -> None:
        if self._role_exists(role):
            self.owner.execute(
                sql.SQL("REVOKE ALL ON DATABASE {} FROM {}").format(
                    sql.Identifier(self.database), sql.Identifier(role)
                )
            )
            self.owner.execute(sql.SQL("DROP ROLE {}").format(sql.Identifier(role)))
        secret_file.forget(self._secrets, self._secret_name(role))

    @contextmanager
    def _alone(self) -> Iterator[None]:
        with migrations.migrating(self.owner):
            yield

    @contextmanager
    def _explained(self) -> Iterator[None]:
        """What PostgreSQL refuses, as a sentence."""
        self.owner.execute("SELECT set_config('lock_timeout', %s, false)", [f"{1000 * LOCK_SECONDS:.0f}ms"])
        try:
            yield
        except psycopg.errors.LockNotAvailable as error:
            raise StoreError(
                f"another program is using these tables: {error}. Wait for it, or stop it."
            ) from error
        except psycopg.Error as error:
            raise StoreError(f"the database refuses: {error}") from error
        finally:
            if not self.owner.broken:
                self.owner.execute("RESET lock_timeout")


def _reach(settings: Settings) -> tuple[psycopg.Connection[Any], str]:
    """A connection as the owner, and its URL."""
    if settings.database_url:
        return connect(settings.database_url), settings.database_url
    server = Server(settings.home)
    server.start()
    for _ in range(_ATTEMPTS - 1):
        try:
            return connect(server.owner_url()), server.owner_url()
        except StoreError:
            # Killed this moment, it may have looked alive: the next start sees it dead.
            time.sleep(0.2)
            server.start()
    return connect(server.owner_url()), server.owner_url()


def _check_market(name: str) -> None:
    if not _MARKET.fullmatch(name):
        raise UsageError(f"a market's schema is 'market' or 'market_' and a name; {name!r} is not.")


def _refuse_superuser(owner: psycopg.Connection[Any]) -> None:
    found = owner.execute(
        "SELECT rolsuper, rolcreaterole, has_database_privilege(current_database(), 'CREATE'), current_user "
        "FROM pg_roles WHERE rolname = current_user"
    ).fetchone()
    assert found is not None
    is_super, may_create_roles, may_create_schemas, name = found
    if is_super or not (may_create_roles and may_create_schemas):
        wrong = "is a superuser" if is_super else "may not create roles and schemas"
        raise StoreError(
            f"ALLOTMENT_DATABASE_URL connects as {name}, which {wrong}. Let an administrator run: "
            "CREATE ROLE allotment_owner LOGIN CREATEROLE PASSWORD '…'; "
            "CREATE DATABASE allotment OWNER allotment_owner; and connect as that role."
        )


def _as_url(parts: dict[str, Any]) -> str:
    """A connection URL of libpq parameters; everything but the database is a query parameter."""
    from urllib.parse import quote, urlencode

    name = quote(str(parts.pop("dbname", "")))
    return f"postgresql:///{name}?{urlencode({k: str(v) for k, v in parts.items()}, quote_via=quote)}"
