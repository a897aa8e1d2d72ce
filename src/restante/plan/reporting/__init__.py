"""What planning found, for people and for other programs to read: pages that need nothing else, and GeoJSON."""
