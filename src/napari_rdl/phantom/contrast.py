"""Signals: relaxation times of tissues, pulse sequences, and the images that follow from both.

A sub-region's contrasts are correlated across modalities because one set of relaxation times makes
all four: added water lengthens T1 and T2 together, so oedema is dark on T1 and bright on T2 and
FLAIR, a cyst falls dark on FLAIR, and gadolinium shortens T1 on T1c alone.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from napari_rdl.phantom.anatomy import Head
from napari_rdl.phantom.distractors import Distractors
from napari_rdl.phantom.fields import Volume, log_uniform, smooth_field
from napari_rdl.phantom.settings import ContrastSettings
from napari_rdl.phantom.tumour import Tumour

RELAXIVITY = 4.3
"""Of gadolinium chelates, per second and mmol/l."""


@dataclass(frozen=True)
class Tissue:
    """Proton density, T1 and T2 in ms, gadolinium after injection in mmol/l."""

    pd: float
    t1: float
    t2: float
    gd: float = 0.0

    def enhanced(self) -> Tissue:
        """Return the tissue after injection: 1/T1 grows by relaxivity times concentration."""
        return replace(
            self, t1=1 / (1 / self.t1 + RELAXIVITY * self.gd / 1000), t2=self.t2 / (1 + 0.03 * self.gd)
        )

    def watered(self, water: float, rng: np.random.Generator, jitter: float = 0.08) -> Tissue:
        """Return the tissue with added free water (0 none, 1 clear oedema, above 1 nearly fluid)."""
        t1 = self.t1 * (1 + 0.85 * water) * np.exp(jitter * rng.standard_normal())
        t2 = self.t2 * (1 + 1.3 * water) * np.exp(jitter * rng.standard_normal())
        return Tissue(min(self.pd + 0.14 * water, 1.0), min(t1, 4200), min(t2, 1500), self.gd)


@dataclass(frozen=True)
class Sequence:
    """A pulse sequence: its kind and times in ms, flip angle in degrees."""

    kind: str
    tr: float
    te: float
    ti: float = 0.0
    flip: float = 90.0

    def signal(self, tissue: Tissue) -> float:
        """Return a tissue's signal magnitude."""
        decay = tissue.pd * np.exp(-self.te / tissue.t2)
        recovery = np.exp(-self.tr / tissue.t1)
        if self.kind == "spin_echo":
            return float(decay * (1 - recovery))
        if self.kind == "spoiled":
            angle = np.deg2rad(self.flip)
            return float(decay * np.sin(angle) * (1 - recovery) / (1 - np.cos(angle) * recovery))
        inversion = np.exp(-self.ti / tissue.t1)
        if self.kind == "mprage":
            return float(abs(decay * (1 - 2 * inversion / (1 + recovery))))
        return float(abs(decay * (1 - 2 * inversion + recovery)))  # inversion recovery: FLAIR


def draw_sequences(rng: np.random.Generator, settings: ContrastSettings) -> dict[str, Sequence]:
    """Draw a protocol: one sequence for each modality."""

    def t1_weighted() -> Sequence:
        kind = rng.choice(["spin_echo", "mprage", "spoiled"], p=[0.5, 0.25, 0.25])
        if kind == "spin_echo":
            return Sequence("spin_echo", rng.uniform(380, 800), rng.uniform(7, 20))
        if kind == "mprage":
            return Sequence("mprage", rng.uniform(1700, 2500), rng.uniform(2, 5), rng.uniform(1000, 1450))
        return Sequence("spoiled", rng.uniform(7, 30), rng.uniform(2, 6), flip=rng.uniform(14, 30))

    before, after = t1_weighted(), t1_weighted()
    if rng.random() < settings.same_t1_sequence:
        after = before
    t2 = Sequence("spin_echo", rng.uniform(2800, 8000), rng.uniform(75, 130))
    repetition = rng.uniform(6000, 11000)
    # The time that nulls CSF of T1 4000 ms at this TR, and some misses around it.
    null = 4000 * np.log(2 / (1 + np.exp(-repetition / 4000)))
    flair = Sequence("flair", repetition, rng.uniform(85, 150), null * rng.uniform(0.86, 1.06))
    return {"T1": before, "T1c": after, "T2": t2, "FLAIR": flair}


def draw_tissues(
    rng: np.random.Generator, settings: ContrastSettings, kind: str
) -> tuple[dict[str, Tissue], dict[str, Any]]:
    """Draw relaxation times of normal and diseased tissue for a patient with a tumour of `kind`."""
    wm = Tissue(
        float(rng.uniform(0.68, 0.75)),
        float(rng.uniform(*settings.wm_t1)),
        float(rng.uniform(*settings.wm_t2)),
        float(rng.uniform(0.0, 0.03)),
    )
    gm = Tissue(
        float(rng.uniform(0.78, 0.85)),
        wm.t1 * rng.uniform(*settings.gm_over_wm_t1),
        wm.t2 * rng.uniform(*settings.gm_over_wm_t2),
        float(rng.uniform(0.01, 0.08)),
    )
    csf = Tissue(1.0, float(rng.uniform(3300, 4500)), log_uniform(rng, (350, 1800)), 0.0)
    faint = bool(kind in ("low_grade", "oedema_only") and rng.random() < settings.faint)
    oedema = float(rng.uniform(*(settings.faint_water if faint else settings.oedema_water)))
    core = float(rng.uniform(*(settings.faint_water if faint else settings.core_water)))
    solid = float(rng.uniform(0.15, 0.9))
    dead = float(rng.uniform(0.6, 3.0))
    protein = float(rng.uniform(0.5, 1)) if rng.random() < 0.35 else 1.0
    gadolinium = log_uniform(rng, settings.gadolinium)
    necrosis = wm.watered(dead, rng)
    cyst_t1 = float(rng.uniform(1600, 4200))
    cyst = Tissue(0.98, cyst_t1, float(rng.uniform(0.08, 0.35) * cyst_t1), 0.0)
    aged = float(rng.uniform(0.3, 0.9))
    tissues = {
        "wm": wm,
        "gm": gm,
        "csf": csf,
        "oedema_low": wm.watered(0.7 * oedema, rng, 0.04),
        "oedema_high": wm.watered(1.3 * oedema, rng, 0.04),
        "core_low": wm.watered(0.75 * core, rng, 0.05),
        "core_high": wm.watered(1.35 * core, rng, 0.05),
        "necrosis_low": replace(necrosis, t1=necrosis.t1 * protein, gd=float(rng.uniform(0, 0.06))),
        "necrosis_high": wm.watered(1.3 * dead, rng),
        "enhancing_low": replace(gm.watered(0.6 * solid, rng), gd=0.55 * gadolinium),
        "enhancing_high": replace(gm.watered(0.9 * solid, rng), gd=1.3 * gadolinium),
        "cyst": cyst,
        "blood": Tissue(0.9, float(rng.uniform(400, 1000)), float(rng.uniform(20, 110))),
        "vessel": Tissue(0.9, 1600.0, float(rng.uniform(20, 150)), float(rng.uniform(0.8, 4.0))),
        "dura": Tissue(0.7, 1200.0, 50.0, float(rng.uniform(0.3, 1.5))),
        "choroid": Tissue(0.9, 1900.0, 160.0, float(rng.uniform(0.5, 2.0))),
        "aged": wm.watered(aged, rng),
        "scalp": Tissue(0.9, float(rng.uniform(250, 900)), float(rng.uniform(40, 110))),
    }
    record = {
        "faint": faint,
        "oedema_water": oedema,
        "core_water": core,
        "necrosis_water": dead,
        "protein": protein,
        "gadolinium": gadolinium,
    }
    return tissues, record


class Painter:
    """Mixes a patient's images from memberships and tissues.

    Texture fields are drawn once for the patient: a tumour's inhomogeneity is the same tissue in
    all modalities.
    """

    def __init__(
        self,
        rng: np.random.Generator,
        settings: ContrastSettings,
        head: Head,
        distractors: Distractors,
        tumour: Tumour | None,
    ) -> None:
        self.settings, self.head, self.distractors, self.tumour = settings, head, distractors, tumour
        kind = tumour.plan.kind if tumour else "none"
        self.tissues, self.record = draw_tissues(rng, settings, kind)
        self.sequences = draw_sequences(rng, settings)
        canvas = head.canvas
        patchy = smooth_field(rng, canvas, float(rng.uniform(5, 14))) + 0.5 * smooth_field(rng, canvas, 4.0)
        self.mix = np.clip(0.5 + 0.33 * patchy, 0, 1).astype(np.float32)
        self.texture = smooth_field(rng, canvas, 3.5) + smooth_field(rng, canvas, 9.0)
        self.regional = smooth_field(rng, canvas, 28.0)
        # Infiltrated tissue keeps some of its own signal.
        self.density = float(rng.uniform(0.7, 1.0))
        self.enhancing_vessels = float(rng.uniform(0.0, 0.5))
        self.record |= {
            "density": self.density,
            "sequences": {name: vars(sequence) for name, sequence in self.sequences.items()},
        }

    def image(self, rng: np.random.Generator, modality: str) -> Volume:
        """Return the noiseless image of `modality`, white matter at 1 (X, Y, Z)."""
        head, sequence = self.head, self.sequences[modality]
        after = modality == "T1c"
        spread = rng.uniform(*self.settings.tissue_jitter)
        # Disease strays less than normal tissue, or its contrasts would part company across modalities.
        signals = {
            name: sequence.signal(tissue.enhanced() if after else tissue)
            * float(np.exp(spread * (1 if name in ("wm", "gm", "csf") else 0.5) * rng.standard_normal()))
            for name, tissue in self.tissues.items()
        }
        scale = 1 / signals["wm"]
        s = {name: np.float32(value * scale) for name, value in signals.items()}
        myelin = np.float32(rng.uniform(0.4, 1.4))
        image = s["wm"] * head.wm + s["gm"] * head.gm
        image += (s["wm"] - s["gm"]) * myelin * head.residual
        grain = np.float32(rng.uniform(*self.settings.texture))
        image *= 1 + grain * self.texture + np.float32(rng.uniform(0, 0.05)) * self.regional * head.gm
        fluid = head.csf * s["csf"]
        if modality == "FLAIR":
            fluid = fluid + head.csf * self.distractors.pulsation
        image += fluid
        if after:
            # Radiologists draw as enhancing what is brighter than all normal tissue.
            normal = max(s["wm"], s["gm"])
            s["enhancing_low"] = max(s["enhancing_low"], np.float32(1.12) * normal)
            s["enhancing_high"] = max(s["enhancing_high"], np.float32(1.3) * s["enhancing_low"])
        shown = self.distractors
        if modality in ("T2", "FLAIR"):
            self._lay(image, shown.aged, s["aged"])
        else:
            self._lay(image, shown.aged, s["aged"], 0.6)
        self._lay(image, shown.lacunes, s["csf"])
        if self.tumour is not None:
            self._paint_tumour(image, self.tumour, s)
        vessels = np.minimum(shown.vessels, 1)
        if after:
            if self.tumour is not None:
                vessels -= vessels * self.tumour.core * np.float32(1 - self.enhancing_vessels)
            self._lay(image, shown.choroid, s["choroid"])
            self._lay(image, shown.dura, s["dura"])
            self._lay(image, vessels, s["vessel"])
        else:
            # Flow voids on spin echoes, inflow on gradient echoes.
            flow = rng.uniform(0.1, 0.8) if sequence.kind in ("spin_echo", "flair") else rng.uniform(0.6, 1.3)
            self._lay(image, vessels, np.float32(flow) * s["gm"], float(rng.uniform(0.0, 0.5)))
            self._lay(image, shown.choroid, s["gm"], 0.7)
        scalp: Volume = np.exp(np.float32(0.3) * self.texture) * s["scalp"]
        self._lay(image, head.outside, scalp)
        return np.clip(image, 0, None).astype(np.float32)

    @staticmethod
    def _lay(image: Volume, alpha: Volume, signal: Volume | np.float32, weight: float = 1.0) -> None:
        """Replace `image` by `signal` where `alpha` says so, in place."""
        image += np.float32(weight) * alpha * (signal - image)

    def _paint_tumour(self, image: Volume, tumour: Tumour, s: dict[str, np.float32]) -> None:
        mix = self.mix

        def between(name: str) -> Volume:
            return s[f"{name}_low"] + (s[f"{name}_high"] - s[f"{name}_low"]) * mix

        self._lay(image, tumour.oedema, between("oedema"), self.density)
        solid = 1.0 if tumour.plan.kind != "low_grade" else 0.5 + 0.5 * self.density
        self._lay(image, tumour.core, between("core"), solid)
        self._lay(image, tumour.necrosis, between("necrosis"))
        self._lay(image, tumour.cyst, s["cyst"])
        self._lay(image, tumour.blood, s["blood"])
        self._lay(image, tumour.enhancing, between("enhancing"))
