"""GMD (GGDM in the paper's tables): one U-Net for each modality alone (Wang et al., AAAI 2024)."""
