"""What stands beside the face and makes a head of it: skull, eyes, mouth; and lighter meshes."""
