"""From patients to crops."""
