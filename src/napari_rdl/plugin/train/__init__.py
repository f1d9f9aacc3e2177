"""The dock widget Train model."""
