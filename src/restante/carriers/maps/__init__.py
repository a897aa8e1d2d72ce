"""Maps of others, read into what planning understands."""
