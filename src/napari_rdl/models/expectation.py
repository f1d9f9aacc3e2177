"""What a card says of the data and of each subset: who was trained on, what to expect, how sure to be."""

from __future__ import annotations

from typing import Annotated, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, StringConstraints, model_validator

Region = Literal["WT", "TC", "ET"]
Share = Annotated[float, Field(ge=0, le=1, allow_inf_nan=False)]
Millilitres = Annotated[float, Field(ge=0, allow_inf_nan=False)]
Line = Annotated[str, StringConstraints(min_length=1, max_length=300)]


class _Entry(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class DataSource(_Entry):
    """A set of patients that weights were trained on, with the words that its licence asks for."""

    name: Line = Field(title="Name", description="What the set is called.")
    patients: tuple[Line, ...] = Field(
        (), max_length=10_000, title="Patients", description="Names of those trained on."
    )
    licence: str = Field("", max_length=300, title="Licence", description="Under which the images are given.")
    attribution: str = Field(
        "", max_length=2000, title="Attribution", description="Who published them, and where."
    )
    papers: tuple[Line, ...] = Field(
        (), max_length=50, title="Papers", description="What to cite beside the set."
    )


class ExpectedDice(_Entry):
    """Mean Dice over patients, and where 95 % of its bootstrap means lie."""

    mean: Share = Field(title="Mean", description="Over patients.")
    low: Share | None = Field(None, title="Low", description="Lower end of the interval; none for a patient.")
    high: Share | None = Field(None, title="High", description="Upper end of the interval.")
    patients: int = Field(ge=1, title="Patients", description="How many were scored.")

    @model_validator(mode="after")
    def _ends_are_in_order(self) -> Self:
        if (self.low is None) != (self.high is None):
            raise ValueError("an interval has two ends or none")
        if self.low is not None and self.high is not None and self.low > self.high:
            raise ValueError("an interval's low end lies above its high end")
        return self


class FalseTumour(_Entry):
    """Whole tumour that is found in heads without any."""

    median: Millilitres = Field(title="Median", description="Millilitres.")
    largest: Millilitres = Field(title="Largest", description="Millilitres.")
    share_below_half_ml: Share = Field(
        title="Below 0.5 ml", description="Share of heads with less than half a millilitre."
    )
    heads: int = Field(ge=1, title="Heads", description="How many.")
    source: str = Field("", max_length=300, title="Source", description="Which heads.")


class Expectation(_Entry):
    """What a subset's result is worth, as far as it was measured."""

    dice: dict[Region, ExpectedDice] = Field(
        default_factory=dict, title="Dice", description="By region: hard Dice, empty masks included."
    )
    false_ml: FalseTumour | None = Field(None, title="False tumour", description="In heads without tumour.")
    basis: str = Field(
        "", max_length=300, title="Basis", description="On whom Dice was measured, as cross-validation."
    )

    @property
    def line(self) -> str:
        """One short line, to stand beside a result; empty where nothing is known."""
        parts = []
        if "WT" in self.dice:
            parts.append(f"WT Dice {_interval(self.dice['WT'])}")
        if self.false_ml is not None:
            parts.append(f"{_up_to(self.false_ml.largest)} false tumour in a head without one")
        return f"expect {'; '.join(parts)}" if parts else ""

    @property
    def explanation(self) -> str:
        """All of it, a line each, for whoever asks on what the short line rests; empty as that is."""
        lines = [
            f"{region}: mean Dice {_interval(dice)}, {_counted(dice.patients, 'patient')}"
            for region, dice in self.dice.items()
        ]
        if lines and self.basis:
            lines.append(f"Basis: {self.basis}. In brackets: 95 % bootstrap intervals of the mean.")
        if self.false_ml is not None:
            false = self.false_ml
            where = f" ({false.source})" if false.source else ""
            lines.append(
                f"In {_counted(false.heads, 'head')} without tumour{where}: median {false.median:.1f} ml, "
                f"most {false.largest:.1f} ml, {false.share_below_half_ml:.0%} below 0.5 ml."
            )
        if lines:
            lines.append("A mean over patients: one patient's result may be far from it.")
        return "\n".join(lines)


class CalibrationError(_Entry):
    """Expected calibration error of a subset's probabilities, as they were and with its temperature."""

    before: Share = Field(title="Before", description="With temperature 1.")
    after: Share = Field(title="After", description="With the card's temperature.")


def _interval(dice: ExpectedDice) -> str:
    ends = "" if dice.low is None else f" ({dice.low:.2f} to {dice.high:.2f})"
    return f"{dice.mean:.2f}{ends}"


def _up_to(ml: float) -> str:
    if ml < 0.05:
        return "under 0.1 ml"
    return f"up to {ml:.1f} ml" if ml < 9.95 else f"up to {ml:.0f} ml"


def _counted(count: int, thing: str) -> str:
    return f"{count} {thing}" if count == 1 else f"{count} {thing}s"
