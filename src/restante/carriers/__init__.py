"""Dialects: what carriers and other networks say, mapped to what this network understands."""
