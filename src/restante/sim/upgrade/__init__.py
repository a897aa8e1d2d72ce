"""The upgrade proof: programs of this version and the one before, side by side and one after the other, under load."""
