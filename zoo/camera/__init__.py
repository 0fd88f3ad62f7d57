"""What a camera sees: its intrinsics, from a field of view, a focal length, EXIF or a file."""
