"""Where points stand and how large they are: proposals with a proven distance to the best."""
