"""The tick: who drives, what is asked, what is safe, what is sent."""
