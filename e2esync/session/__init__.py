"""The conversation with a relay as state machines (SPEC 13): frames in, events or commands out. No I/O, no clock."""
