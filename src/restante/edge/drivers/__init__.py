"""Drivers: one port towards the doors, one family of lock boards behind each implementation."""
