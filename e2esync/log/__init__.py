"""The log (SPEC 10): signed entries in encrypted envelopes, in the order that the relay gave them, and its heads."""
