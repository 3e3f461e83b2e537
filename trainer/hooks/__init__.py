"""What happens around the steps of the loop, one hook a file: progress, previews, checkpoints, metrics, guards, when to stop."""
