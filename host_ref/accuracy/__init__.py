"""What a network gets right on CIFAR-10's test pictures, in each arithmetic, and where it errs."""
