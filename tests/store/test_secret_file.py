"""Passwords are made once, kept for their owner alone, and survive a killed writer."""

from __future__ import annotations

import contextlib
import threading

from allotment.store import secret_file


def test_a_password_is_made_once_however_many_ask(tmp_path) -> None:
    file = tmp_path / "secrets.json"
    made: list[str] = []
    got: list[str] = []

    def ask() -> None:
        got.append(secret_file.password(file, "role", made.append))

    threads = [threading.Thread(target=ask) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(made) == 1
    assert set(got) == set(made)
    assert file.stat().st_mode & 0o777 == 0o600


def test_a_password_that_could_not_be_set_is_not_kept(tmp_path) -> None:
    file = tmp_path / "secrets.json"

    def refuse(_: str) -> None:
        raise RuntimeError

    with contextlib.suppress(RuntimeError):
        secret_file.password(file, "role", refuse)
    assert secret_file.read(file) == {}


def test_forgetting_leaves_the_others(tmp_path) -> None:
    file = tmp_path / "secrets.json"
    kept = secret_file.password(file, "a")
    secret_file.password(file, "b")
    secret_file.forget(file, "b")
    secret_file.forget(file, "c")
    assert secret_file.read(file) == {"a": kept}
