"""What the engine is over HTTP: routes, who may ask, which folders, and the document that says so."""
