"""Is the database as it should be? Durable, up to date, nobody a superuser, firms kept apart."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from allotment.errors import StoreError
from allotment.store import migrations, secret_file
from allotment.store.database import Store


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """One thing looked at."""

    subject: str
    is_good: bool
    found: str


def check(store: Store) -> tuple[Finding, ...]:
    """Everything that is looked at, good or not."""
    return (*_durability(store), *_roles(store), *_versions(store), *_isolation(store), _secrets(store))


def _durability(store: Store) -> Iterator[Finding]:
    for name in ("fsync", "full_page_writes", "synchronous_commit", "data_checksums"):
        row = store.owner.execute("SELECT current_setting(%s)", [name]).fetchone()
        value = str(row[0]) if row else ""
        yield Finding(subject=name, is_good=value not in {"off", "local"}, found=value)
    row = store.owner.execute(
        "SELECT coalesce(checksum_failures, 0) FROM pg_stat_database WHERE datname = current_database()"
    ).fetchone()
    n_failures = int(row[0]) if row else 0
    yield Finding(subject="checksum failures", is_good=n_failures == 0, found=str(n_failures))


def _roles(store: Store) -> Iterator[Finding]:
    found = store.owner.execute(
        "SELECT rolname::text, rolsuper OR rolbypassrls OR rolreplication FROM pg_roles "
        "WHERE starts_with(rolname, %s) OR rolname = current_user ORDER BY 1",
        [f"{store.database}_"],
    )
    for name, is_mighty in found:
        yield Finding(
            subject=f"role {name}",
            is_good=not is_mighty,
            found="superuser or alike" if is_mighty else "no superuser",
        )


def _versions(store: Store) -> Iterator[Finding]:
    kinds = {"allotment": "control"}
    for firm in store.firms():
        kinds |= {f"firm_{firm.name}": "firm", firm.market: "market"}
    for schema, kind in kinds.items():
        try:
            waiting = migrations.pending(store.owner, kind, schema)
        except StoreError as error:
            yield Finding(subject=f"schema {schema}", is_good=False, found=str(error))
        else:
            found = f"{len(waiting)} migration(s) to apply" if waiting else "up to date"
            yield Finding(subject=f"schema {schema}", is_good=not waiting, found=found)


def _isolation(store: Store) -> Iterator[Finding]:
    firms = store.firms()
    for firm in firms:
        role = store.role(f"firm_{firm.name}")
        others = [f"firm_{one.name}" for one in firms if one.name != firm.name]
        others += sorted({one.market for one in firms} - {firm.market})
        reached = store.owner.execute(
            "SELECT s FROM unnest(%s::text[]) s WHERE has_schema_privilege(%s, s, 'USAGE, CREATE')",
            [[*others, "allotment"], role],
        ).fetchall()
        found = ", ".join(str(one) for (one,) in reached) or "only its own schema and its market"
        yield Finding(subject=f"reach of firm {firm.name}", is_good=not reached, found=found)


def _secrets(store: Store) -> Finding:
    file = store.settings.home / "secrets.json"
    try:
        n_secrets = len(secret_file.read(file))
    except StoreError as error:
        return Finding(subject="secrets", is_good=False, found=str(error))
    return Finding(
        subject="secrets", is_good=True, found=f"{n_secrets} password(s), readable by the owner alone"
    )
