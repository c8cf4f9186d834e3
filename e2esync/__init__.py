"""One address book on all of a person's devices, through a relay that cannot read it."""
