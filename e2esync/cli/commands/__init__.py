"""The commands, one module each; `e2esync.cli.table` says which."""
