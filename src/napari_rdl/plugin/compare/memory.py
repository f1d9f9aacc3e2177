"""What the widget Compare subsets remembers from one start of napari to the next."""

from __future__ import annotations

from pathlib import Path

from pydantic import Field

from napari_rdl.plugin.parts.memory import Memory, Remembered, memory_file


class RememberedComparison(Remembered):
    """A user's last choices in the widget."""

    measure: str = Field("dice", title="Measure", description="The number that the table shows.")
    region: str = Field("WT", title="Region", description="Whose worth is shown.")
    part: str = Field("WT", title="Part", description="What of A and B is compared.")
    reference: str = Field(
        "truth", title="Reference", description="none, truth or full; used where a patient has it."
    )
    folder: Path | None = Field(None, title="Reference folder", description="Where labels were chosen last.")
    checkpoint_folder: Path | None = Field(
        None, title="Checkpoint folder", description="Where a checkpoint was chosen last."
    )
    output_folder: Path | None = Field(None, title="Output folder", description="Where was exported last.")
    running_study: Path | None = Field(
        None, title="Running study", description="Where a study that was begun here is written."
    )
    study_folder: Path | None = Field(None, title="Study", description="The cohort study opened last.")


class CompareMemory(Memory[RememberedComparison]):
    """Where the choices are kept."""

    def __init__(self) -> None:
        super().__init__(RememberedComparison, memory_file("compare_subsets"))
