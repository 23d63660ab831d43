"""Taking the network away from one program; a script's part, with the standard library alone."""

import ctypes
import os

_NEW_USER, _NEW_NET = 0x10000000, 0x40000000  # CLONE_NEWUSER, CLONE_NEWNET, <linux/sched.h>
_DEATH_SIGNAL = 1  # PR_SET_PDEATHSIG, <linux/prctl.h>


def leave_network() -> bool:
    """Move this process to a network namespace of its own, with nothing but a loopback device that is down.

    Whether that was done: many machines do not allow it to an ordinary user.
    """
    libc = ctypes.CDLL(None, use_errno=True)
    # Root needs no user namespace, in which it could no longer read what other users own.
    ways = (_NEW_NET, _NEW_USER | _NEW_NET) if os.geteuid() == 0 else (_NEW_USER | _NEW_NET,)
    return any(libc.unshare(flags) == 0 for flags in ways)


def die_with_parent(signal_number: int, parent: int) -> None:
    """Have the kernel end this process when its parent ends, even if nobody else can."""
    ctypes.CDLL(None).prctl(_DEATH_SIGNAL, signal_number, 0, 0, 0)
    if os.getppid() != parent:  # it was gone before that
        os.kill(os.getpid(), signal_number)
