"""How long the ways between places are, on a city's own streets."""
