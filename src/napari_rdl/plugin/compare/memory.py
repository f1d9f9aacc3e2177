"""What the widget Compare subsets remembers from one start of napari to the next."""

from __future__ import annotations

from pathlib import Path

from pydantic import BaseModel, ConfigDict, Field

from napari_rdl.plugin.parts.remembered import load_remembered, remembered_path, save_remembered


class RememberedComparison(BaseModel):
    """A user's last choices in the widget."""

    model_config = ConfigDict(extra="ignore", validate_assignment=True)

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
    study_folder: Path | None = Field(None, title="Study", description="The cohort study opened last.")


class CompareMemory:
    """Reads the choices once, and writes them whenever one changes."""

    def __init__(self) -> None:
        self._path = remembered_path().with_name("compare_subsets.json")
        self.choices = load_remembered(self._path, RememberedComparison)

    def remember(self, **choices: object) -> None:
        """Keep these fields of `RememberedComparison` for the next start."""
        for name, value in choices.items():
            setattr(self.choices, name, value)
        save_remembered(self.choices, self._path)
