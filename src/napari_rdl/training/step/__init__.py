"""From crops to steps."""
