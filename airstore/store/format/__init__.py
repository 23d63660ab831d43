"""The bytes of objects, frames, packs and recipes: encoding them, and parsing them without belief."""
