"""Who may send, and who may read: tokens, their scopes and rates, TLS."""
