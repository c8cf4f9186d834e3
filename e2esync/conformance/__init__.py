"""What an implementation in any language is held against: vectors, and a runner for them."""
