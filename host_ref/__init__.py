"""The host-side reference: the judge.  Imports nothing of the driver it judges."""
