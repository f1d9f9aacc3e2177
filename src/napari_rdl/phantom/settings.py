"""Every range that a synthetic patient is drawn from."""

from __future__ import annotations

from typing import Annotated, Any

from pydantic import AfterValidator, BaseModel, ConfigDict, Field


def _ordered(bounds: tuple[float, float]) -> tuple[float, float]:
    if bounds[0] > bounds[1]:
        raise ValueError("the lower bound is above the upper one")
    return bounds


Range = Annotated[tuple[float, float], AfterValidator(_ordered)]
Probability = Annotated[float, Field(ge=0, le=1)]


def _field(default: object, title: str, description: str) -> Any:
    return Field(default, title=title, description=description)


class _Settings(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, validate_default=True)


class AnatomySettings(_Settings):
    """The head without disease."""

    scale: Range = _field((0.86, 1.02), "Size", "Factor on the MNI152 brain, drawn for all axes together.")
    stretch: Range = _field((0.94, 1.06), "Stretch", "Further factor, drawn for each axis.")
    rotation: float = _field(8.0, "Rotation", "Largest rotation about each axis, in degrees.")
    shear: float = _field(0.05, "Shear", "Largest shear.")
    warp: Range = _field((1.0, 4.0), "Warp", "RMS of the smooth warp, in mm.")
    warp_scale: Range = _field(
        (25.0, 50.0), "Warp scale", "Distance between the warp's control points, in mm."
    )
    fine_warp: Range = _field((0.3, 1.4), "Fine warp", "RMS of the warp of single gyri, in mm.")
    ventricles: Range = _field((-2.0, 6.0), "Ventricles", "How far ventricle walls move outwards, in mm.")
    sharpness: Range = _field(
        (1.3, 3.0), "Sharpness", "Power on the averaged tissue maps; 1 leaves them blurred."
    )
    atrophy: Range = _field((-0.7, 2.2), "Atrophy", "Log-odds added to CSF in sulci.")
    folds: Probability = _field(
        0.75, "Folds", "Chance that sulci of the patient's own are cut into the cortex."
    )
    erosion: Range = _field(
        (0.5, 4.5), "Mask erosion", "How far inside the template's edge the mask ends, in mm."
    )
    leak: Probability = _field(
        0.08, "Leak", "Chance that the mask reaches outwards and takes scalp or skull along."
    )
    eye: Probability = _field(0.04, "Eye", "Chance that an eye or its fat stays in the mask.")
    cut: Probability = _field(0.08, "Cut", "Chance that the field of view cuts the head below or above.")


class TumourSettings(_Settings):
    """What grows, how large and where."""

    weights: dict[str, float] = _field(
        {
            "ring": 0.27,
            "solid": 0.09,
            "patchy": 0.12,
            "low_grade": 0.17,
            "oedema_only": 0.03,
            "cystic": 0.05,
            "multifocal": 0.08,
            "butterfly": 0.05,
            "no_oedema": 0.04,
            "none": 0.10,
        },
        "Types",
        "How often each type is drawn.",
    )
    volume_ml: Range = _field((1.0, 200.0), "Volume", "Whole tumour in ml, log-uniform.")
    temporal: float = _field(
        2.0, "Temporal weight", "How much likelier temporal and insular white matter is."
    )
    elongation: Range = _field((1.0, 1.9), "Elongation", "Longest over shortest axis of the core.")
    lobulation: Range = _field(
        (0.08, 0.42), "Lobulation", "How far the core's surface waves, over its radius."
    )
    rim_mm: Range = _field((1.8, 8.0), "Rim", "Thickness of an enhancing rim in mm, log-uniform.")
    broken: Probability = _field(0.45, "Broken rims", "Chance that a rim has gaps.")
    push: Range = _field((0.0, 0.45), "Mass effect", "Displacement at the core's surface, over its radius.")
    edge_mm: Range = _field((0.7, 5.0), "Soft edge", "Width over which oedema and infiltration fade, in mm.")
    haemorrhage: Probability = _field(0.18, "Haemorrhage", "Chance of blood in a core.")


class DistractorSettings(_Settings):
    """What is bright and no tumour."""

    vessels: Range = _field((0.2, 1.3), "Vessels", "How strongly veins and arteries enhance.")
    dura: Range = _field((0.0, 0.8), "Dura", "How strongly dura, falx and tentorium enhance.")
    choroid: Range = _field((0.1, 1.0), "Choroid plexus", "How strongly choroid plexus enhances.")
    caps: Range = _field((0.0, 0.9), "Caps", "How bright periventricular caps and rims are.")
    wmh: Probability = _field(0.4, "White-matter hyperintensities", "Chance of foci in deep white matter.")
    lacunes: Probability = _field(0.08, "Lacunes", "Chance of old small infarcts.")
    pulsation: Range = _field((0.0, 0.5), "Pulsation", "How much CSF escapes suppression on FLAIR.")


class ContrastSettings(_Settings):
    """Relaxation times and sequences."""

    wm_t1: Range = _field((520.0, 950.0), "White matter T1", "In ms; 1.5 T to 3 T.")
    gm_over_wm_t1: Range = _field((1.35, 1.8), "Grey over white T1", "Ratio.")
    wm_t2: Range = _field((62.0, 90.0), "White matter T2", "In ms.")
    gm_over_wm_t2: Range = _field((1.03, 1.32), "Grey over white T2", "Ratio.")
    tissue_jitter: Range = _field((0.01, 0.1), "Tissue jitter", "Log-normal spread of each tissue's signal.")
    same_t1_sequence: Probability = _field(0.5, "Same T1 sequence", "Chance that T1c is the sequence of T1.")
    oedema_water: Range = _field((0.55, 1.6), "Oedema", "Added water in oedema; lengthens T1 and T2.")
    core_water: Range = _field((0.45, 1.9), "Core", "Added water in non-enhancing core.")
    faint_water: Range = _field((0.28, 0.75), "Faint", "Added water in a faint low-grade glioma.")
    faint: Probability = _field(0.35, "Faint low-grade", "Chance that a non-enhancing tumour is faint.")
    gadolinium: Range = _field(
        (0.12, 1.2), "Gadolinium", "Concentration in enhancing tumour, mmol/l, log-uniform."
    )
    texture: Range = _field((0.003, 0.025), "Texture", "Relative spread of tissue texture.")


class ScannerSettings(_Settings):
    """What the scanner and the processing after it do to an image."""

    bias: Range = _field((0.02, 0.45), "Bias", "RMS of the logarithm of the bias field.")
    shading: Range = _field((-0.25, 0.5), "Shading", "Rise of the signal from the centre to the surface.")
    thick: dict[str, float] = _field(
        {"T1": 0.5, "T1c": 0.35, "T2": 0.6, "FLAIR": 0.65}, "Thick slices", "Chance for each modality."
    )
    thickness_mm: Range = _field((2.5, 6.5), "Slice thickness", "In mm.")
    blur_mm: Range = _field((0.2, 1.0), "Blur", "Gaussian sigma in mm.")
    noise: Range = _field((0.004, 0.045), "Noise", "Sigma at 1 mm over the white-matter signal, log-uniform.")
    ghost: Probability = _field(0.1, "Ghosts", "Chance of ghosts along the phase direction.")
    shift_mm: float = _field(0.8, "Misregistration", "Spread of a modality's displacement in mm.")
    shifted: Probability = _field(0.35, "Misregistered", "Chance for each modality.")
    gamma: Range = _field((0.8, 1.25), "Gamma", "Power on the intensities.")
    top: Range = _field(
        (250.0, 6000.0), "Largest value", "Where the 99.5th percentile of the brain lies, log-uniform."
    )


class PhantomSettings(_Settings):
    """All ranges of the generator of synthetic patients."""

    anatomy: AnatomySettings = _field(AnatomySettings(), "Anatomy", "The head without disease.")
    tumour: TumourSettings = _field(TumourSettings(), "Tumour", "What grows, how large and where.")
    distractors: DistractorSettings = _field(DistractorSettings(), "Distractors", "What is no tumour.")
    contrast: ContrastSettings = _field(ContrastSettings(), "Contrast", "Relaxation times and sequences.")
    scanner: ScannerSettings = _field(ScannerSettings(), "Scanner", "Artefacts and processing.")


def held_out_settings() -> PhantomSettings:
    """Return ranges that are shifted and wider than the default ones, for a benchmark kept aside."""
    return PhantomSettings(
        anatomy=AnatomySettings(
            scale=(0.82, 1.0),
            rotation=12.0,
            warp=(2.0, 5.5),
            ventricles=(-3.0, 9.0),
            sharpness=(1.1, 4.0),
            atrophy=(-1.0, 3.0),
            erosion=(-0.5, 6.0),
            leak=0.15,
            eye=0.1,
            cut=0.15,
        ),
        tumour=TumourSettings(
            elongation=(1.0, 2.4),
            lobulation=(0.12, 0.5),
            rim_mm=(1.0, 9.0),
            broken=0.6,
            push=(0.0, 0.6),
            edge_mm=(0.5, 7.0),
            haemorrhage=0.25,
        ),
        distractors=DistractorSettings(
            vessels=(0.3, 1.5), caps=(0.1, 1.0), wmh=0.6, lacunes=0.15, pulsation=(0.1, 0.7)
        ),
        contrast=ContrastSettings(
            wm_t1=(480.0, 1050.0),
            gm_over_wm_t1=(1.25, 1.9),
            tissue_jitter=(0.03, 0.14),
            same_t1_sequence=0.3,
            gadolinium=(0.1, 1.6),
            texture=(0.005, 0.04),
        ),
        scanner=ScannerSettings(
            bias=(0.05, 0.55),
            thickness_mm=(3.0, 7.5),
            noise=(0.006, 0.08),
            ghost=0.2,
            shift_mm=1.2,
            gamma=(0.7, 1.4),
        ),
    )
