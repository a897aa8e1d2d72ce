"""What hub and sources say to each other: canonical documents, seals, journal, manifest and session."""
