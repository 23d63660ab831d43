"""Modules are imported with the garbage collector at rest.

Importing makes some hundred thousand objects that stay until the end. The collector would walk them again and
again, and once more when the program ends: a quarter of what a short command takes.
"""

import gc
import sys
from importlib import import_module
from types import ModuleType


def load(name: str) -> ModuleType:
    """A module by its full name; what is there after a first import is never looked at for garbage."""
    if name in sys.modules:
        return sys.modules[name]
    gc.disable()
    try:
        return import_module(name)
    finally:
        gc.freeze()
        gc.enable()
