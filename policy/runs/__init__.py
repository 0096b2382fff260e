"""What lies on the disk of a training: the run's folder, its checkpoints, their tensors."""
