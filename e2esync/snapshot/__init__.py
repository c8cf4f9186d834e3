"""Snapshots (SPEC 11): the state that an epoch begins from, in encrypted blobs named by their hash."""
