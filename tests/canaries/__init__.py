"""What the relay holds (SPEC 4.1): canaries through every feature, sought wherever a relay could keep them."""
