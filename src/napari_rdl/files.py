"""Writing files whole or not at all: the only place that knows how."""
