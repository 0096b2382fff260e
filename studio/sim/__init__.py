"""The embedded simulated arm: scene, world, cameras, tasks and the scripted operator."""
