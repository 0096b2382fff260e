"""What policies see (data), what they are (network, backbones, peers), how they learn (training),
are kept (runs) and drive (driving); in this folder itself, what all of these share."""
