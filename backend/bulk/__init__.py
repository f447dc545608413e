"""Many faces at once, with everything between picture and mesh on the device."""
