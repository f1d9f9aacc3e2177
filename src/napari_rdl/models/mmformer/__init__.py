"""mmFormer: transformers within and across modalities (Zhang et al., MICCAI 2022)."""
