"""Names of tensors in other people's checkpoints: rules that make theirs of ours."""

from __future__ import annotations

import re
from collections.abc import Sequence

Rules = Sequence[tuple[str, str]]
"""Pattern of one of our names, and theirs with the pattern's groups put in.

Groups called k, way and last are translated: levels count from 1 with them, and the decoders' and the
convolutions' names are theirs.
"""

PART = r"(?P<part>weight|bias)"
"""The end of most names."""

_SPELT = {"FLAIR": "flair", "T1c": "t1ce", "T1": "t1", "T2": "t2"}
_WAYS = {"fused": "fuse", "separate": "sep"}
_LAYERS = {"up": "c1", "merge": "c2", "out": "out"}


def spelt(modality: str) -> str:
    """Return a modality's name in public code."""
    return _SPELT.get(modality, modality)


def encoder_rules(inputs: Sequence[str]) -> Rules:
    """Return the rules of RFNet's and mmFormer's encoders."""
    return tuple(
        (
            rf"encoders\.{index}\.levels\.(?P<k>\d)\.(?P<k2>\d)(?P<conv>\.conv)?\.{PART}",
            f"{spelt(name)}_encoder.e{{k}}_c{{k2}}{{conv}}.{{part}}",
        )
        for index, name in enumerate(inputs)
    )


def level_rules() -> Rules:
    """Return the rules of RFNet's and mmFormer's decoder levels."""
    return (
        (
            rf"(?P<way>fused|separate)\.levels\.(?P<k>\d)\.(?P<layer>up|merge|out)\.conv\.{PART}",
            "decoder_{way}.d{k}_{layer}.conv.{part}",
        ),
    )


def renamed(name: str, rules: Rules) -> str:
    """Return what others call one of our tensors.

    Raises
    ------
    KeyError
        If no rule is for it.
    """
    for pattern, template in rules:
        found = re.fullmatch(pattern, name)
        if found:
            return template.format(
                **{key: _translated(key, value) for key, value in found.groupdict().items()}
            )
    raise KeyError(name)


def _translated(key: str, value: str | None) -> str:
    if value is None:
        return ""
    if key in ("k", "k2"):
        return str(int(value) + 1)
    return {"way": _WAYS, "layer": _LAYERS}.get(key, {}).get(value, value)
