"""Judge a converted network: values, never pages."""
