"""People: the codes that senders and recipients open doors with. What else is known of them stays in the vault."""
