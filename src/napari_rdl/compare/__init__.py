"""The subset study: what every subset says, how it compares, and what each modality is worth.

No module here loads torch before something is combined or a distance is measured.
"""

from napari_rdl.compare.agreement import (
    AGREEMENT_BELOW,
    Place,
    agreement,
    entropy,
    places_of_disagreement,
)
from napari_rdl.compare.difference import (
    BOTH,
    NEITHER,
    ONLY_A,
    ONLY_B,
    PARTS,
    DifferenceVolumes,
    difference,
    difference_volumes,
)
from napari_rdl.compare.export import (
    BY_RULE,
    BY_RULE_NOTE,
    MEASURES,
    Measure,
    measures_of,
    rows_to_csv,
    rows_to_markdown,
)
from napari_rdl.compare.label_stack import LabelStack
from napari_rdl.compare.other_labels import (
    expert_reference,
    labels_of_checkpoint,
    read_labels,
    stack_of_checkpoint,
)
from napari_rdl.compare.scores import Reference, RegionScore
from napari_rdl.compare.shapley import (
    GAINED,
    LOST,
    ModalityWorth,
    changed_without,
    lost_and_gained,
    shapley_values,
)
from napari_rdl.compare.study import SubsetRow, SubsetStudy, study_subsets

__all__ = [
    "AGREEMENT_BELOW",
    "BOTH",
    "BY_RULE",
    "BY_RULE_NOTE",
    "GAINED",
    "LOST",
    "MEASURES",
    "NEITHER",
    "ONLY_A",
    "ONLY_B",
    "PARTS",
    "DifferenceVolumes",
    "LabelStack",
    "Measure",
    "ModalityWorth",
    "Place",
    "Reference",
    "RegionScore",
    "SubsetRow",
    "SubsetStudy",
    "agreement",
    "changed_without",
    "difference",
    "difference_volumes",
    "entropy",
    "expert_reference",
    "labels_of_checkpoint",
    "lost_and_gained",
    "measures_of",
    "places_of_disagreement",
    "read_labels",
    "rows_to_csv",
    "rows_to_markdown",
    "shapley_values",
    "stack_of_checkpoint",
    "study_subsets",
]
