//! Kernel program.
