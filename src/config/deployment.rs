//! The deployment file, `listwarden.toml`.

use std::path::{Path, PathBuf};

use super::section::{File, Section};
use super::url::DatabaseUrl;
use super::{
    Environment, KeySettings, NotifySettings, Problem, RunSettings, Secrets, ServeSettings, notify,
    serve,
};

/// What the deployment file says.
pub(super) struct Deployment {
    pub(super) store: DatabaseUrl,
    pub(super) register: Option<PathBuf>,
    pub(super) keys: KeySettings,
    pub(super) run: RunSettings,
    pub(super) serve: ServeSettings,
    pub(super) notify: NotifySettings,
    pub(super) secrets: Secrets,
    pub(super) clinics_dirs: Vec<PathBuf>,
}

/// Reads the file; none where it has mistakes, which are added to `problems`.
pub(super) fn read(
    path: &Path,
    environment: &Environment,
    problems: &mut Vec<Problem>,
) -> Option<Deployment> {
    let file = File::read(path).map_err(|problem| problems.push(problem)).ok()?;
    let base = base(path);
    let deployment = file.parse(|top| sections(top, &base, environment));
    let found = file.problems();
    let sound = found.is_empty();
    problems.extend(found);
    deployment.filter(|_| sound)
}

/// The folder that relative paths are in.
pub(super) fn base(path: &Path) -> PathBuf {
    let parent = path.parent().unwrap_or(Path::new(""));
    std::path::absolute(parent)
        .or_else(|_| std::path::absolute("."))
        .unwrap_or_else(|_| parent.to_owned())
}

fn sections(top: Section<'_>, base: &Path, environment: &Environment) -> Option<Deployment> {
    let (store, register) = store(top.section("store"), base, environment);
    let keys = keys(top.section("keys"));
    let run = run(top.section("run"));
    let serve = serve::read(top.section("serve"));
    let notify = notify::read(top.section("notify"));
    let secrets_dir = environment.get("LISTWARDEN_SECRETS_DIR").map(str::to_owned);
    let secrets_dir = secrets_dir.or_else(|| top.text("secrets_dir"));
    let secrets_dir = base.join(secrets_dir.as_deref().unwrap_or("secrets"));
    let clinics_dirs = clinics_dirs(&top, base, environment);
    // Known whether or not the environment has the better word.
    let _ = (top.item("secrets_dir"), top.item("clinics_dir"));
    top.end();
    let secrets = Secrets::new(secrets_dir, environment.clone());
    let (store, keys) = (store?, keys?);
    Some(Deployment { store, register, keys, run, serve, notify, secrets, clinics_dirs })
}

/// One folder, or several where one mount does not hold all clinics.
fn clinics_dirs(top: &Section<'_>, base: &Path, environment: &Environment) -> Vec<PathBuf> {
    if let Some(dir) = environment.get("LISTWARDEN_CLINICS_DIR") {
        return vec![base.join(dir)];
    }
    match top.item("clinics_dir") {
        Some(item) if item.is_array() => {
            top.texts("clinics_dir").iter().map(|dir| base.join(dir)).collect()
        }
        _ => vec![base.join(top.text("clinics_dir").as_deref().unwrap_or("clinics"))],
    }
}

/// Where the store is, and the register beside it.
fn store(
    section: Section<'_>,
    base: &Path,
    environment: &Environment,
) -> (Option<DatabaseUrl>, Option<PathBuf>) {
    let url = DatabaseUrl::read(&section, base, Some("sqlite://listwarden.db"));
    let written = section.text("register");
    let register = environment.get("LISTWARDEN_REGISTER").map(str::to_owned).or(written);
    section.end();
    let register = register.map(|folder| base.join(folder));
    if environment.get("LISTWARDEN_STORE_URL").is_some() {
        return (Some(DatabaseUrl::Secret("store_url".to_owned())), register);
    }
    (url, register)
}

fn keys(section: Section<'_>) -> Option<KeySettings> {
    let master = match section.item("master") {
        None => Some("master_key".to_owned()),
        Some(_) => section.secret_name("master"),
    };
    let retired = section.texts("retired");
    if !retired.iter().all(|name| super::parts::is_slug(name)) {
        section.problem(
            "retired",
            "holds something that is no name of a secret",
            "Write the names of the retired master keys' secrets, never the keys",
        );
    }
    section.end();
    Some(KeySettings { master: master?, retired })
}

fn run(section: Section<'_>) -> RunSettings {
    let run = RunSettings {
        lease_ttl: section.duration("lease_ttl", "60s", "10s"),
        full_sweep_every: section.duration("full_sweep_every", "24h", "1h"),
        settings_every: section.duration("settings_every", "6h", "1m"),
        approval_lasts: section.duration("approval_lasts", "24h", "5m"),
    };
    section.end();
    run
}
