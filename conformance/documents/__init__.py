"""YAML as plain values: read strictly, kept between processes, inherited; and the schemas that stand in it."""
