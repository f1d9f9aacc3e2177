"""The dock widget Correct labels (to come)."""
