"""The dual-system policy: its model, training and serving arrive with the policy issue."""
