"""Faces turned out of the plane of their photo (Zhu et al., CVPR 2016, section 4)."""
