"""Every number of RFNet."""

from __future__ import annotations

from pydantic import Field

from napari_rdl.models.published import PublishedArchitecture


class RFNetConfig(PublishedArchitecture):
    """Architecture of an `RFNet`: 8,984,960 numbers to train at the published width."""

    width: int = Field(
        16,
        ge=4,
        le=64,
        multiple_of=4,
        title="Width",
        description="Feature channels at full resolution; each of the four levels has twice those above it.",
    )

    @property
    def widths(self) -> tuple[int, ...]:
        """Channels of the four levels."""
        return tuple(self.width * 2**level for level in range(4))

    @property
    def stride(self) -> int:
        """Two voxels at the deepest level: one could not be mirrored at the edge."""
        return 16
