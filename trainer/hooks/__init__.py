"""Hooks of the training loop: progress, previews, checkpoints, metrics, guards and stopping."""
