"""M3AE: a U-Net whose missing modalities are images that it has learnt (Liu et al., AAAI 2023)."""
