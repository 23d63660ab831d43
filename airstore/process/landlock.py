"""Landlock: taking rights from this process and those it starts; a script's part, standard library alone.

Numbers are of <linux/landlock.h> and <linux/prctl.h>; docs.kernel.org/userspace-api/landlock.html. Where the
kernel lacks Landlock, or a container's filter forbids it, nothing is taken and that is what is answered.
"""

import ctypes
import os
import stat

RUN, READ, WRITE = "x", "r", "w"  # how a rule begins; the rest of it is an absolute path

_CREATE_RULESET, _ADD_RULE, _RESTRICT_SELF = 444, 445, 446  # one number everywhere
_NO_NEW_PRIVILEGES = 38
_VERSION_FLAG, _BENEATH, _NET_SINCE = 1, 1, 4
_BIND_CONNECT = 3  # LANDLOCK_ACCESS_NET_BIND_TCP | _CONNECT_TCP

_EXECUTE, _WRITE_FILE, _READ_FILE, _READ_DIR = 1, 2, 4, 8
_ALL_SINCE_1 = 0x1FFF  # those four, and making and removing what there is
_REFER, _TRUNCATE = 0x2000, 0x4000  # since versions 2 and 3
_OF_A_FILE = _EXECUTE | _WRITE_FILE | _READ_FILE | _TRUNCATE  # a rule on one may have no other
_GRANTS = {RUN: _EXECUTE | _READ_FILE | _READ_DIR, READ: _READ_FILE | _READ_DIR, WRITE: ~_EXECUTE}


class _Ruleset(ctypes.Structure):
    _fields_ = (("files", ctypes.c_uint64), ("network", ctypes.c_uint64))


class _Beneath(ctypes.Structure):
    _pack_ = 1
    _layout_ = "ms"
    _fields_ = (("access", ctypes.c_uint64), ("directory", ctypes.c_int32))


def forbid_tcp() -> bool:
    """Take TCP from this process; whether that was done (Linux 6.7)."""
    return _version() >= _NET_SINCE and _restrict(_Ruleset(0, _BIND_CONNECT), ())


def close_files(rules: "list[str]") -> bool:
    """Close every file but those that the rules open, and what is below them; whether that was done.

    Args:
        rules: each `RUN` (and read), `READ` or `WRITE` (and read) and an absolute path, links followed. What
            does not exist is left out.
    """
    version = _version()
    handled = _ALL_SINCE_1 | (_REFER if version >= 2 else 0) | (_TRUNCATE if version >= 3 else 0)
    return version >= 1 and _restrict(_Ruleset(handled, 0), rules)


def _version() -> int:
    return int(_libc().syscall(_CREATE_RULESET, None, ctypes.c_size_t(0), _VERSION_FLAG))


def _restrict(ruleset: _Ruleset, rules: "list[str] | tuple[()]") -> bool:
    libc = _libc()
    # Kernels that know of files alone take the longer structure, as what they do not know is zero.
    size = ctypes.c_size_t(ctypes.sizeof(ruleset))
    handle = libc.syscall(_CREATE_RULESET, ctypes.byref(ruleset), size, 0)
    if handle < 0:
        return False
    try:
        if not all(_add(libc, handle, rule, ruleset.files) for rule in rules):
            return False
        return bool(
            libc.prctl(_NO_NEW_PRIVILEGES, 1, 0, 0, 0) == 0 and libc.syscall(_RESTRICT_SELF, handle, 0) == 0
        )
    finally:
        os.close(handle)


def _add(libc: ctypes.CDLL, ruleset: int, rule: str, handled: int) -> bool:
    try:
        opened = os.open(rule[1:], os.O_PATH | os.O_CLOEXEC)
    except OSError:  # absent, or closed to this user anyhow
        return True
    try:
        access = _GRANTS[rule[0]] & handled
        if not stat.S_ISDIR(os.fstat(opened).st_mode):
            access &= _OF_A_FILE
        beneath = _Beneath(access, opened)
        return bool(libc.syscall(_ADD_RULE, ruleset, _BENEATH, ctypes.byref(beneath), 0) == 0)
    finally:
        os.close(opened)


def _libc() -> ctypes.CDLL:
    return ctypes.CDLL(None, use_errno=True)
