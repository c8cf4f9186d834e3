"""The conformance suite of the relay's storage engines: `e2esync relay check-engine URL`."""
