"""Landmarks, poses and meshes of photos against annotations and scans."""
