"""The dock widget Segment tumour."""
