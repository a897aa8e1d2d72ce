"""What runs at a source of facts: the program of a locker bank, its book, its doors and its screen."""
