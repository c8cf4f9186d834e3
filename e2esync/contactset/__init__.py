"""The contact set (SPEC 8): operations, states, fold, boundary, view and digest.

Pure, over mappings that the caller owns; knows nothing of keys, the log or I/O.
"""

from e2esync.contactset.boundary import boundary_contact, needs_boundary
from e2esync.contactset.diff import changes, same
from e2esync.contactset.digest import DigestTree, bucket_digest, contact_hash, digest_of, state_digest
from e2esync.contactset.edit import delete_ops, set_ops, whole_life
from e2esync.contactset.fold import Batch, FoldResult, Item, OwnItems, clamp, fold_ops
from e2esync.contactset.harm import harms
from e2esync.contactset.ops import BatchOp, DeleteOp, Op, SetOp, UnknownOp, decode_ops, encode_ops
from e2esync.contactset.replay import Applied, ContactSet, Pending, Status
from e2esync.contactset.state import Contact, Dot, Group, Life, check_packed, pack, unpack
from e2esync.contactset.view import Candidate, View, alive_lives, view, write_life

__all__ = [
    "Applied", "Batch", "BatchOp", "Candidate", "Contact", "ContactSet", "DeleteOp", "DigestTree", "Dot",
    "FoldResult", "Group", "Item", "Life", "Op", "OwnItems", "Pending", "SetOp", "Status", "UnknownOp",
    "View", "alive_lives", "boundary_contact", "bucket_digest", "changes", "check_packed", "clamp", "contact_hash",
    "decode_ops", "delete_ops", "digest_of", "encode_ops", "fold_ops", "harms", "needs_boundary", "pack", "same",
    "set_ops", "state_digest", "unpack", "view", "whole_life", "write_life",
]
