"""Every number of mmFormer."""

from __future__ import annotations

from pydantic import Field, model_validator

from napari_rdl.models.published import PublishedArchitecture


class MMFormerConfig(PublishedArchitecture):
    """Architecture of an `MMFormer`: 35,861,840 numbers to train for tiles of 80, 36,654,416 for 128."""

    width: int = Field(
        8,
        ge=1,
        le=64,
        title="Width",
        description="Feature channels at full resolution; each of the five levels has twice those above it.",
    )
    embedding: int = Field(512, ge=1, le=4096, title="Embedding", description="Numbers of a token.")
    hidden: int = Field(
        4096, ge=1, le=16384, title="Hidden units", description="Of each transformer's two-layer network."
    )
    heads: int = Field(8, ge=1, le=64, title="Heads", description="Attention heads.")
    depth: int = Field(1, ge=1, le=16, title="Depth", description="Blocks of each transformer.")
    grid: int = Field(
        5,
        ge=2,
        le=16,
        title="Token grid",
        description="Tokens of a modality along each axis; a tile has 16 times as many voxels.",
    )
    dropout: float = Field(0.1, ge=0, lt=1, title="Dropout", description="In the transformers, in training.")

    @model_validator(mode="after")
    def _heads_divide(self) -> MMFormerConfig:
        if self.embedding % self.heads:
            raise ValueError(f"heads ({self.heads}) must divide embedding ({self.embedding}).")
        return self

    @property
    def widths(self) -> tuple[int, ...]:
        """Channels of the five levels."""
        return tuple(self.width * 2**level for level in range(5))

    @property
    def stride(self) -> int:
        """The tile itself: tokens have learnt their places in it."""
        return 16 * self.grid
