"""Where the hub's truth is kept: PostgreSQL, its schema, its statements and the ledger over them."""
