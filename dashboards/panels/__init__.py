"""The panels, one function each, by what they are about."""
