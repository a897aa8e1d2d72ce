"""How full a bank will be, how much of it may be promised, and how large it has to be."""
