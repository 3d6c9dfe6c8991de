"""Is a device right?  Every layer against the reference, a self-test, accuracy on a test set."""
