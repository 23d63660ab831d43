"""A run that somebody is at work on is not one that was killed: who asks is told which."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from airstore.core.errors import LockedError, UsageError
from airstore.deploy.run.journal import Journal
from airstore.ops.apply.session.at_work import is_at_work, refuse_unfinished
from airstore.ops.stores.directory import SITE, StoreDirectory

_HOLDS = "import fcntl,sys;f=open(sys.argv[1],'w');fcntl.flock(f,fcntl.LOCK_EX);print(flush=True);input()"


def test_a_killed_run_and_one_at_work_are_told_apart(tmp_path: Path) -> None:
    store = StoreDirectory(tmp_path, SITE, "acme", None)
    refuse_unfinished(store, None, "nothing to do")
    journal = Journal.begin(tmp_path / "run", {"mode": "apply"})
    with pytest.raises(UsageError, match="run has not ended") as killed:
        refuse_unfinished(store, journal, "go on with it")
    assert killed.value.hint == "go on with it"
    assert not is_at_work(store, journal)
    words = [sys.executable, "-c", _HOLDS, str(tmp_path / "lock")]
    with subprocess.Popen(words, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as other:
        assert other.stdout
        assert other.stdin
        other.stdout.readline()
        with pytest.raises(LockedError, match="another airstore process holds the lock of run run") as locked:
            refuse_unfinished(store, journal, "go on with it")
        assert "wait" in locked.value.hint
        assert is_at_work(store, journal)
        assert not is_at_work(store, None)
        other.stdin.close()
    assert not is_at_work(store, journal)
