//! The configuration of a world's clinics, as an admin would write it.

use std::fs;
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;

use super::history::{ClinicSetting, ListSetting};
use super::stages::{HELP, Setup, sender};

/// Writes what a clinic's file says.
pub fn clinic_file(place: usize, clinic: &ClinicSetting, setups: &[Setup]) -> String {
    let mut text = format!(
        "name = \"c{place}\"\ntitle = \"Clinic {place}\"\ncountry = \"GB\"\n\
         time_zone = \"Europe/London\"\n[source]\nkind = \"reference\"\nurl_secret = \"source\"\n"
    );
    let mut accounts: Vec<&str> = Vec::new();
    for setup in setups {
        if accounts.contains(&setup.provider) {
            continue;
        }
        accounts.push(setup.provider);
        let key = &setup.secrets[0].0;
        let of_texts = setup.settings.contains(&sender(place));
        let more = if of_texts {
            format!("help_text = \"{HELP}\"\n")
        } else {
            format!("single_call_limit = {}\n", clinic.job_from)
        };
        text.extend([format!(
            "[accounts.{name}]\nprovider = \"{name}\"\napi_key = \"{key}\"\nin_flight = {}\n{more}{}\n",
            clinic.in_flight,
            setup.settings,
            name = setup.provider
        )]);
    }
    for (list, setup) in clinic.lists.iter().zip(setups) {
        text += &list_section(list, setup, clinic.no_brake);
    }
    text
}

fn list_section(list: &ListSetting, setup: &Setup, no_brake: bool) -> String {
    let mut text = format!(
        "[lists.{}]\naccount = \"{}\"\naudience = \"{}\"\nunknown = \"{}\"\nunproven = \"{}\"\n\
         soft_opt_in = \"{}\"\non_drop = \"{}\"\non_return = \"{}\"\ninvitation_expires = \"{}d\"\n",
        list.slug,
        setup.provider,
        setup.audience,
        list.unknown,
        list.unproven,
        list.soft,
        list.on_drop,
        list.on_return,
        list.expires_days
    );
    if list.soft != "refuse" {
        text += "attested = { by = \"the practice manager\", on = 2026-02-20 }\n";
    }
    if let Some(tag) = &list.tag {
        text.extend([format!("selector = {{ any = [\"{tag}\"] }}\n")]);
    }
    if list.stage == 0 {
        text += "fields = { FNAME = \"given_name\" }\n";
    }
    if no_brake {
        text.extend([format!(
            "[lists.{}.brake]\nat_least = 100000\nat_most = 100000\ninvitations = 100000\n",
            list.slug
        )]);
    }
    text
}

/// Writes a secret that only its owner may read.
pub fn secret(path: &Path, text: &str) -> anyhow::Result<()> {
    if let Some(folder) = path.parent() {
        fs::create_dir_all(folder)?;
    }
    let mut options = fs::OpenOptions::new();
    let mut file = options.create(true).truncate(true).write(true).mode(0o600).open(path)?;
    Ok(std::io::Write::write_all(&mut file, text.as_bytes())?)
}
