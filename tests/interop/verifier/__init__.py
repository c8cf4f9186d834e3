"""A stranger's verifier of e2esync, written from SPEC.md and vectors/ alone.

It imports nothing of `e2esync` and shares no line with it: the standard library, PyNaCl and kyber-py are its only
tools. What it accepts and refuses is therefore what SPEC.md says, and not what one program happens to do.
`python -m tests.interop.verifier` is a testee of SPEC appendix B; `… evidence FILE` judges a file of SPEC 10.8;
`… log FILE` checks a public chain, a log and the relay's heads.
"""
