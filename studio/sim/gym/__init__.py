"""Gymnasium environments as robots of the station."""
