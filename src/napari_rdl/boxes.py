"""Bounding boxes of what is in a volume, and crops by them."""
