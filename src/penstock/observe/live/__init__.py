"""Live figures: what happened between two looks at what is counted."""
