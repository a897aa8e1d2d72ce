"""Lists that others hand over: what they are is found out, then they are read and judged row by row."""
