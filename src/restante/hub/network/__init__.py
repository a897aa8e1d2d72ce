"""Pick-up points: found, shown with the room they have, provisioned, and given what stands there."""
