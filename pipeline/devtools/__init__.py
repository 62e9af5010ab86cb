"""Tools of development; nothing here runs in a service."""
