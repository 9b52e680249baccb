"""Training room: labelled photos in, a trained-model folder out.

The only thing other rooms read is that folder (`training.folder`); nothing here knows how it is exported or served.
"""
