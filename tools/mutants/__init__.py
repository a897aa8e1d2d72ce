"""Mutation testing: one small change at a time in the product's code, in memory, and the tests that should notice."""
