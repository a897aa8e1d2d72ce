"""Organisations that take part in the network, and their API keys."""
