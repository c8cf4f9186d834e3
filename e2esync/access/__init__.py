"""How a device or a person gets in (SPEC 12): pairing code and conversation, recovery kit, words for people.

Everything here is sans-I/O: the mailbox that carries the messages is the session's, the clock that ends an attempt
after five minutes is the client's.
"""
