"""Training with PyTorch (an extra: nothing else imports it)."""
