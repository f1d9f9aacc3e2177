"""A window driven from code as a user would drive it, and what is measured of it."""
