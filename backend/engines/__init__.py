"""Where the networks run: onnxruntime, or PyTorch on graphics cards."""
