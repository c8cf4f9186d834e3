"""Attacks that broke shipped systems, one test each; SPEC 17 says which claim each of them would falsify."""
