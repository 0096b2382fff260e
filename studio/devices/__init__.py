"""Robots, teleoperators and cameras behind one small interface each. A device knows no station."""
