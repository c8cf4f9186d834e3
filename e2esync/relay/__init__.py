"""The relay as a trio program: connections, one store, pushes (SPEC 13)."""
