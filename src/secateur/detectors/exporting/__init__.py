"""A detector written for other machines: a C99 file, OpenVINO's two files, a LiteRT model."""
