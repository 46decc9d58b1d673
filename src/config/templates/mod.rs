//! The commented files that `listwarden init` writes.

/// The deployment file.
pub const DEPLOYMENT: &str = include_str!("listwarden.toml");

/// A clinic's file. Two choices are left open in it, because nobody else can make them.
pub const CLINIC: &str = include_str!("clinic.toml");
