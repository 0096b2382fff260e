"""Fine-tuning beside the arm: the trainer's process, its report, the gate."""
