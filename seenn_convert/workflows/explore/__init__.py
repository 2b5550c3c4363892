"""Try several settings of a conversion and keep the one preferred."""
