"""People: what a seed decides, and the body, skin, hair and clothes that follow from it."""
