"""A city to try everything in: places, faces, real instances and the days played on them."""
