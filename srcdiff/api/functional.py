"""The functions of torch.autograd.functional, by their names and argument order."""
