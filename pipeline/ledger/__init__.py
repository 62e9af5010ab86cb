"""The audit of the ledger: what became of every packet, proven from what is stored."""
