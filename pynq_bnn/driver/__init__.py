"""The driver: networks into packed memory and programs, pictures in, sums out."""
