"""Taking the network away from one program; a script's part, with the standard library alone.

Tried in this order, whatever the machine allows an ordinary user:

- a network namespace of its own, which has nothing but a loopback device that is down;
- Landlock, from Linux 6.7: no TCP connections; name lookups over UDP remain possible.
"""

import ctypes
import os

NAMESPACE, LANDLOCK, NONE = "a network namespace", "Landlock (TCP only)", ""

_NEW_USER, _NEW_NET = 0x10000000, 0x40000000  # CLONE_NEWUSER, CLONE_NEWNET, <linux/sched.h>
_DEATH_SIGNAL, _NO_NEW_PRIVILEGES = 1, 38  # PR_SET_PDEATHSIG, PR_SET_NO_NEW_PRIVS, <linux/prctl.h>
_CREATE_RULESET, _RESTRICT_SELF = 444, 446  # landlock's system calls have one number everywhere
_VERSION_FLAG, _NET_SINCE = 1, 4  # LANDLOCK_CREATE_RULESET_VERSION; its first version that knows of TCP
_BIND_CONNECT = 3  # LANDLOCK_ACCESS_NET_BIND_TCP | _CONNECT_TCP, <linux/landlock.h>


class _Ruleset(ctypes.Structure):
    _fields_ = (("files", ctypes.c_uint64), ("network", ctypes.c_uint64))


def leave_network() -> str:
    """Take the network from this process and those it starts; how, or `NONE` where the machine forbids it."""
    libc = ctypes.CDLL(None, use_errno=True)
    # Root needs no user namespace, in which it could no longer read what other users own.
    ways = (_NEW_NET, _NEW_USER | _NEW_NET) if os.geteuid() == 0 else (_NEW_USER | _NEW_NET,)
    if any(libc.unshare(flags) == 0 for flags in ways):
        return NAMESPACE
    return LANDLOCK if _restrict(libc) else NONE


def die_with_parent(signal_number: int, parent: int) -> None:
    """Have the kernel end this process when its parent ends, even if nobody else can."""
    ctypes.CDLL(None).prctl(_DEATH_SIGNAL, signal_number, 0, 0, 0)
    if os.getppid() != parent:  # it was gone before that
        os.kill(os.getpid(), signal_number)


def _restrict(libc: ctypes.CDLL) -> bool:
    if libc.syscall(_CREATE_RULESET, None, ctypes.c_size_t(0), _VERSION_FLAG) < _NET_SINCE:
        return False
    rules = _Ruleset(0, _BIND_CONNECT)
    handle = libc.syscall(_CREATE_RULESET, ctypes.byref(rules), ctypes.c_size_t(ctypes.sizeof(rules)), 0)
    if handle < 0:
        return False
    try:
        return bool(
            libc.prctl(_NO_NEW_PRIVILEGES, 1, 0, 0, 0) == 0 and libc.syscall(_RESTRICT_SELF, handle, 0) == 0
        )
    finally:
        os.close(handle)
