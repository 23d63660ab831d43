"""What a remote was seen to have, it must have still: an older history is an attack, or an accident."""

from __future__ import annotations

from airstore.core.errors import SequenceError
from airstore.history.exchange.remote import seen
from airstore.ops.share.remotes import Remote
from airstore.ops.stores.directory import StoreDirectory


def check_rewind(store: StoreDirectory, remote: Remote, theirs: str | None) -> None:
    """Refuse a remote whose history ends before what this store has seen there.

    Args:
        store: remembers what it has seen.
        remote: which one.
        theirs: the remote's newest commit; None where it is empty.

    Raises:
        SequenceError: it does.
    """
    history = store.history
    known = seen(history, remote.name)
    if known is None or known == theirs or not history.on_main(known):
        return
    if theirs is None or (history.on_main(theirs) and theirs in history.walk(known)):
        where = f"ends at commit {theirs[:12]}" if theirs else "is empty"
        raise SequenceError(
            f"the history of {remote.git} was rewound: it {where}, and {known[:12]} was there before",
            hint="find out who moved its main branch; if it was meant: remove the remote, add it again, push",
        )
