"""RFNet: region-aware fusion of what is there (Ding, Yu and Yang, ICCV 2021)."""
