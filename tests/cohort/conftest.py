"""The patient that the comparison's tests have, for tests of many."""

from tests.compare.conftest import case, representations, stack, study

__all__ = ["case", "representations", "stack", "study"]
