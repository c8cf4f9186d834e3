"""One device's whole knowledge of one contact set (SPEC 8 to 11, 14), pure over an injected store.

`port.py` says what the store must offer, `replica.py` is the whole, and the other modules are its rooms: `writing`
(edit → outbox), `reading` (log → state), `entering` (one epoch → the next), `opening` (the next epoch itself) and
`snapshots` (runs and digest). Nothing here knows a socket, a clock or a file.
"""
