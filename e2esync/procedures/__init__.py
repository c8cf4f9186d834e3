"""What a client does with a relay (SPEC 14), as procedures: generators that yield requests and are sent the answers.

No I/O: a driver runs a procedure over whatever moves frames (`client.connection` with trio; any loop will do). Each
yields a list of requests, to be sent in one go, and is sent the list of their answers; a refused request's place is
taken by its `Refused`.
"""
