"""Episodes to other programs' formats and back: LeRobot, diffusion_policy, UMI, robomimic.

A format's reader makes `incoming.Incoming`, a writer takes `frames_at_rate.Frames`; neither knows
another format, and the store knows none of them.
"""
