"""Training of the occlusion network, which says for each pixel of a face crop whether it is face, hair, hand, glasses or other.

Its examples live here too: rendered, of clips, and with things pasted before the face. The network that is shipped runs in `nodes`.
"""
