"""The card says who was trained on and what to expect; what makes no sense is refused."""

import pytest
from pydantic import ValidationError

from napari_rdl.models import Expectation, ExpectedDice, FalseTumour, ModelCard, NetworkConfig

FALSE = {"median": 0.0, "largest": 33.4, "share_below_half_ml": 0.9, "heads": 20}

WITHOUT = "false tumour in a head without one"


def card(**fields):
    return ModelCard(name="x", network=NetworkConfig(), spacing=(2, 2, 2), **fields)


def test_an_old_card_opens_and_expects_nothing():
    old = card().model_dump(exclude={"data_sources", "expected", "temperatures", "calibration_error"})
    again = ModelCard.model_validate(old)
    assert (again.expected, again.temperatures, again.training_patients) == ({}, {}, ())


def test_a_full_card_comes_back_from_its_json():
    full = card(
        data_sources=[
            {"name": "one", "patients": ["a", "b"], "licence": "CC BY 4.0", "papers": ["p"]},
            {"name": "two", "patients": ["c"]},
        ],
        expected={"T1c+FLAIR": {"dice": {"WT": {"mean": 0.8, "patients": 1}}, "false_ml": FALSE}},
        temperatures={"T1": 1.7},
        calibration_error={"T1": {"before": 0.12, "after": 0.03}},
    )
    assert ModelCard.model_validate_json(full.model_dump_json()) == full
    assert full.training_patients == ("a", "b", "c")


@pytest.mark.parametrize(
    "fields",
    [
        {"temperatures": {"T1": 0}},
        {"temperatures": {"T1": float("inf")}},
        {"temperatures": {"T1+T9": 1}},
        {"temperatures": {"FLAIR+T1": 1}},
        {"calibration_error": {"T1": {"before": 1.2, "after": 0}}},
        {"expected": {"T1": {"dice": {"XX": {"mean": 0.5, "patients": 2}}}}},
        {"expected": {"T1": {"dice": {"WT": {"mean": 0.5, "low": 0.6, "high": 0.4, "patients": 2}}}}},
        {"expected": {"T1": {"dice": {"WT": {"mean": 0.5, "low": 0.4, "patients": 2}}}}},
        {"expected": {"T1": {"false_ml": FALSE | {"heads": 0}}}},
        {"expected": {"T1": {"basis": "x" * 301}}},
        {"data_sources": [{"name": "x" * 301}]},
    ],
    ids=str,
)
def test_what_makes_no_sense_is_refused(fields):
    with pytest.raises(ValidationError):
        card(**fields)


@pytest.mark.parametrize(
    ("dice", "largest", "line"),
    [
        (
            (0.861, 0.82, 0.9),
            2,
            "expect WT Dice 0.86 (0.82 to 0.90); up to 2.0 ml false tumour in a head without one",
        ),
        ((0.861, None, None), 33.4, f"expect WT Dice 0.86; up to 33 ml {WITHOUT}"),
        (None, 0.01, f"expect under 0.1 ml {WITHOUT}"),
        ((0.861, 0.82, 0.9), None, "expect WT Dice 0.86 (0.82 to 0.90)"),
        (None, None, ""),
    ],
)
def test_the_line_says_what_is_known(dice, largest, line):
    regions = {}
    if dice is not None:
        mean, low, high = dice
        regions["WT"] = ExpectedDice(mean=mean, low=low, high=high, patients=16)
    false = None if largest is None else FalseTumour.model_validate(FALSE | {"largest": largest})
    expected = Expectation(dice=regions, false_ml=false, basis="four-fold cross-validation")
    assert expected.line == line
    assert bool(expected.explanation) == bool(line)
    assert ("four-fold cross-validation" in expected.explanation) == (dice is not None)
