"""Restante runs networks of parcel lockers and staffed pick-up points."""

__version__ = "0.1.0"
