"""What the JSON files hold, as frozen dataclasses: one definition for files, page, console and documentation."""
