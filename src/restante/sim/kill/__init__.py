"""The kill proof: the real programs, killed at every named moment and under load, and an account of what was lost."""
