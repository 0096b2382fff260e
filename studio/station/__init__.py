"""The real-time core: control loop, safety, bus, workers. It knows no screen."""
