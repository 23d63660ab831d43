"""Heaps of the C library, counted by itself in processes of their own."""

from __future__ import annotations

import platform
import re
import subprocess
import sys

import pytest

_PROGRAM = """
import ctypes, sys, threading
from airstore.process.heaps import one_heap
if sys.argv[1] == "one":
    one_heap()
if sys.argv[1] == "import":
    from airstore.cli.main import exit_code
    assert exit_code(["-C", "/nowhere", "media", "import", "media"])
library, gate = ctypes.CDLL(None), threading.Barrier(4)
def work():
    gate.wait()
    kept = [ctypes.create_string_buffer(50_000) for _ in range(20)]
    gate.wait()
threads = [threading.Thread(target=work) for _ in range(4)]
[thread.start() for thread in threads]
[thread.join() for thread in threads]
ctypes.create_string_buffer(8 << 20)
large = ctypes.create_string_buffer(8 << 20)
library.malloc_info(0, ctypes.c_void_p.in_dll(library, "stdout"))
library.fflush(None)
"""

_AGAIN_AND_AGAIN = """
import resource, sys
from airstore.process.heaps import one_heap
if sys.argv[1] == "one":
    one_heap()
before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
for _ in range(200):
    piece = [bytes((1 << 20) - 100) for _ in range(2)] + [b"x" * (1 << 20)]
    del piece
print(resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before)
"""

_HOLES = """
import sys, time
from contextlib import nullcontext
from airstore.process.heaps import one_heap, small_heap
def resident():
    return int(open("/proc/self/statm").read().split()[1]) * 4096
one_heap()
with small_heap() if sys.argv[1] == "small" else nullcontext():
    pieces = [(b"x" * (1 << 20), bytes([n]) * 3000) for n in range(60)]
    little, end = [piece[1] for piece in pieces], time.monotonic() + 20
    del pieces
    most = resident()
    while sys.argv[1] == "small" and resident() > most - (40 << 20) and time.monotonic() < end:
        time.sleep(0.05)
    print(most - resident())
"""


def said(how: str, program: str = _PROGRAM) -> str:
    ran = subprocess.run([sys.executable, "-c", program, how], check=True, capture_output=True, text=True)
    return ran.stdout


def heaps(how: str) -> int:
    return len(re.findall("<heap nr=", said(how)))


def beside_heaps(how: str) -> int:
    """Bytes that go back to the system as soon as they are freed."""
    return sum(map(int, re.findall('<total type="mmap" count="[0-9]+" size="([0-9]+)"', said(how))))


@pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="no other C library has several heaps")
def test_threads_share_one_heap() -> None:
    assert heaps("one") == heaps("import") == 1
    assert heaps("each its own") > 1


@pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="others give back what is large in any case")
def test_what_is_large_goes_back_when_it_is_freed() -> None:
    assert beside_heaps("one") >= 8 << 20 > beside_heaps("each its own")


@pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="asked of glibc")
def test_a_piece_is_put_where_the_last_one_was() -> None:
    """A page is cleared by the system once, not for each of 200 pieces: 256 pages of it."""
    assert int(said("one", _AGAIN_AND_AGAIN)) < 10_000


@pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="asked of glibc")
def test_what_is_freed_before_what_stays_goes_back_while_a_heap_is_small() -> None:
    assert int(said("one", _HOLES)) < 8 << 20
    assert int(said("small", _HOLES)) >= 40 << 20
