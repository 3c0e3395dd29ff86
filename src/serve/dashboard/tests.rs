//! Rendering, with names as hostile as they come.
