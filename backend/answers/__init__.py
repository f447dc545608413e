"""What the pipeline finds, as it crosses the wire: faces, clips, frames of a stream."""
