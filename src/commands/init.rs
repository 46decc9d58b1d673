//! `init`: a commented configuration to begin with.

use std::fs;
use std::io::Write;
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

use anyhow::{Context, bail};
use clap::Args;
use secrecy::ExposeSecret;

use super::{Common, Exit};
use crate::clock::{Clock, SystemClock};
use crate::config::templates;
use crate::keys::Keyring;

/// Where to write.
#[derive(Debug, Clone, Args)]
pub struct Options {
    /// The folder; made if it is not there.
    #[arg(default_value = ".")]
    folder: PathBuf,
}

/// Writes the files; none that is there already is touched.
pub fn run(_common: &Common, options: &Options) -> anyhow::Result<Exit> {
    let folder = &options.folder;
    let clinic = folder.join("clinics").join("example.toml");
    let files = [folder.join("listwarden.toml"), clinic.clone()];
    if let Some(there) = files.iter().find(|file| file.exists()) {
        bail!("`{}` is there already: nothing was written", there.display());
    }
    fs::create_dir_all(folder.join("clinics"))
        .with_context(|| format!("`{}` cannot be made", folder.display()))?;
    write(&files[0], templates::DEPLOYMENT, 0o644)?;
    write(&clinic, templates::CLINIC, 0o644)?;
    let secrets = folder.join("secrets");
    if !secrets.exists() {
        fs::DirBuilder::new().mode(0o700).create(&secrets)?;
    }
    let key = secrets.join("master_key");
    if !key.exists() {
        write(&key, &master_key(), 0o600)?;
    }
    println!(
        "Written to `{}`: listwarden.toml, clinics/example.toml, secrets/master_key.",
        folder.display()
    );
    println!("Next:");
    println!("  1. Keep a copy of secrets/master_key apart from the database's backups.");
    println!("  2. Read clinics/example.toml: two choices in it are yours alone.");
    println!("  3. listwarden migrate, then listwarden doctor, then listwarden plan.");
    Ok(Exit::InStep)
}

/// Draws a master key of 32 bytes.
fn master_key() -> String {
    let mut bytes = [0; 32];
    for chunk in bytes.chunks_mut(8) {
        chunk.copy_from_slice(&SystemClock.chance().to_le_bytes());
    }
    Keyring::generate(bytes).expose_secret().to_owned()
}

fn write(path: &Path, text: &str, mode: u32) -> anyhow::Result<()> {
    let mut file = fs::OpenOptions::new()
        .create_new(true)
        .write(true)
        .mode(mode)
        .open(path)
        .with_context(|| format!("`{}` cannot be written", path.display()))?;
    Ok(file.write_all(text.as_bytes())?)
}
