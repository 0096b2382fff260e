"""View models: what a console shows and asks, as pure functions; knows no toolkit and no socket."""
