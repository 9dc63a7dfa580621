"""Many scenes: listed, shared out, scored, kept in a ledger, and told of as tables and a report."""
