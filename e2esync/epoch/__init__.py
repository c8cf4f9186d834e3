"""Epochs (SPEC 9): who is in, under which key. The chain of signed records, and the secrets sealed beside it."""
