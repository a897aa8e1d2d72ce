"""Announcements in: parcels become known, are checked, and get room promised."""
