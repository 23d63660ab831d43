"""The face of the store; nothing else of it is imported from outside."""

from airstore.store.directory import BlobStore
from airstore.store.exchange.export import PackFile, Selection, select, write_packs
from airstore.store.exchange.staging import Staging
from airstore.store.ingest.writer import BlobWriter
from airstore.store.layout import StoreLayout
from airstore.store.read.forms import Form
from airstore.store.upkeep.check import Damage, Statistics, check, rebuild_index, statistics
from airstore.store.upkeep.optimize import open_blobs, openable, opened_and_whole
from airstore.store.upkeep.repack import drop_whole

__all__ = [
    "BlobStore",
    "BlobWriter",
    "Damage",
    "Form",
    "PackFile",
    "Selection",
    "Staging",
    "Statistics",
    "StoreLayout",
    "check",
    "drop_whole",
    "open_blobs",
    "openable",
    "opened_and_whole",
    "rebuild_index",
    "select",
    "statistics",
    "write_packs",
]
