"""Parcels on their way: seen, steered, and followed event by event."""
