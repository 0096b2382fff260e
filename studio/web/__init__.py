"""The web desk: the station's state, its episodes, devices and exports, in a browser."""
