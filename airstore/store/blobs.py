"""The face of the store; nothing else of it is imported from outside."""

from airstore.store.directory import BlobStore
from airstore.store.exchange.arriving import bring_outline, bring_whole, forget_outlines, pack_file
from airstore.store.exchange.export import PackFile, Selection, select, write_packs
from airstore.store.exchange.outline import Outline, Piece, content, contents, outline
from airstore.store.exchange.staging import Staging
from airstore.store.exchange.whole import write_whole
from airstore.store.format.objects import ObjectKey
from airstore.store.format.solid import compress_solid, compression_memory, decompression_memory, solid_chunks
from airstore.store.ingest.feed import Feed, gather
from airstore.store.ingest.sink import WORKERS, in_order
from airstore.store.ingest.tar import join as join_tar
from airstore.store.ingest.writer import BlobEncoding, BlobWriter
from airstore.store.layout import StoreLayout
from airstore.store.read.forms import BlobForm
from airstore.store.read.partial import FarPacks
from airstore.store.read.plain import plain_chunks
from airstore.store.read.reader import ObjectReader
from airstore.store.upkeep.check import (
    Damage,
    Statistics,
    check,
    index_faults,
    pack_faults,
    rebuild_index,
    statistics,
)
from airstore.store.upkeep.optimize import open_blobs, openable, opened_and_whole
from airstore.store.upkeep.repack import drop_whole
from airstore.store.upkeep.retire import retire_damaged
from airstore.store.upkeep.sweep import Sweep, sweeping

__all__ = [
    "WORKERS",
    "BlobEncoding",
    "BlobForm",
    "BlobStore",
    "BlobWriter",
    "Damage",
    "FarPacks",
    "Feed",
    "ObjectKey",
    "ObjectReader",
    "Outline",
    "PackFile",
    "Piece",
    "Selection",
    "Staging",
    "Statistics",
    "StoreLayout",
    "Sweep",
    "bring_outline",
    "bring_whole",
    "check",
    "compress_solid",
    "compression_memory",
    "content",
    "contents",
    "decompression_memory",
    "drop_whole",
    "forget_outlines",
    "gather",
    "in_order",
    "index_faults",
    "join_tar",
    "open_blobs",
    "openable",
    "opened_and_whole",
    "outline",
    "pack_faults",
    "pack_file",
    "plain_chunks",
    "rebuild_index",
    "retire_damaged",
    "select",
    "solid_chunks",
    "statistics",
    "sweeping",
    "write_packs",
    "write_whole",
]
