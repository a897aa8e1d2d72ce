"""Care for what goes wrong: open cases seen and settled, and what was set aside of a source's journal."""
