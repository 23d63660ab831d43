"""Modules are imported with the garbage collector at rest.

Importing makes some hundred thousand objects that stay until the end. The collector would walk them again and
again, and once more when the program ends: a quarter of what a short command takes. Afterwards it looks
less often than Python would have it, after each 700 objects: a twelfth of the rest.
"""

import gc
import sys
from importlib import import_module
from types import ModuleType

_OBJECTS = 50_000  # that are made before the youngest are looked at: some MB where all of them are garbage


def load(name: str) -> ModuleType:
    """A module by its full name; what is there after a first import is never looked at for garbage."""
    if name in sys.modules:
        return sys.modules[name]
    gc.disable()
    try:
        return import_module(name)
    finally:
        gc.freeze()
        gc.set_threshold(_OBJECTS)
        gc.enable()
