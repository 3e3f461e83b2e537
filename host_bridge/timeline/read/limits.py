"""How much a document may ask for: sizes, depths and counts, far above any real edit, below what hurts."""

DOCUMENT = 256 << 20  # bytes of a document, unpacked
TEXT = 32 << 20  # bytes of an EDL
DEPTH = 400  # levels of nested braces
ELEMENTS = 4_000_000  # of an XML document
ENTRIES = 10_000  # files in a bundle
RATIO = 200  # times that a file in a bundle may grow when it is unpacked
SMALL = 64 << 20  # bytes below which that does not matter
ITEMS = 200_000  # clips, gaps and stacks of an edit
FRAMES = 20_000_000  # of an edit: 46 hours at 120
LISTED = 100_000  # files that are looked through for media
