"""The desktop program: one worker thread that owns the models, and the desk where edits are made. Only here is Qt."""
