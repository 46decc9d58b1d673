//! The folder tree is the architecture: which module may use which (docs/architecture.md).

#![expect(clippy::unwrap_used, reason = "a test ends where it fails")]

use std::fs;
use std::path::{Path, PathBuf};

/// A module -> the modules it may use. Whoever is not listed may use none.
const MAY_USE: &[(&str, &[&str])] = &[
    ("domain", &[]),
    ("plan", &["domain"]),
    ("clock", &[]),
    ("keys", &[]),
    ("store", &["domain", "clock", "keys"]),
    ("patients", &["domain", "clock", "store"]),
    ("providers", &["domain", "clock"]),
    ("config", &["domain", "patients", "providers"]),
    ("reconcile", &["domain", "plan", "clock", "keys", "store", "patients", "providers", "config"]),
    ("simulator", &["domain", "clock"]),
    (
        "rehearsal",
        &[
            "domain",
            "plan",
            "clock",
            "keys",
            "store",
            "patients",
            "providers",
            "config",
            "reconcile",
            "simulator",
        ],
    ),
    (
        "http",
        &[
            "domain",
            "plan",
            "clock",
            "keys",
            "store",
            "patients",
            "providers",
            "config",
            "reconcile",
        ],
    ),
    ("scheduler", &["clock", "reconcile"]),
    ("telemetry", &[]),
    (
        "commands",
        &[
            "domain",
            "plan",
            "clock",
            "keys",
            "store",
            "patients",
            "providers",
            "config",
            "reconcile",
            "simulator",
            "http",
            "scheduler",
            "rehearsal",
            "telemetry",
        ],
    ),
];

#[test]
fn a_module_uses_only_the_modules_of_its_row() {
    let wrong: Vec<String> = sources()
        .iter()
        .flat_map(|path| {
            let module = module_of(path);
            let text = fs::read_to_string(path).unwrap();
            uses(&text)
                .into_iter()
                .filter(|(_, used)| !may_use(&module, used))
                .map(|(line, used)| {
                    format!("{}:{line}: `{module}` must not use `{used}`", path.display())
                })
                .collect::<Vec<_>>()
        })
        .collect();
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn no_provider_is_named_outside_its_own_folder() {
    let allowed = ["simulator", "rehearsal", "commands", "providers"];
    let wrong: Vec<String> = sources()
        .iter()
        .filter(|path| !allowed.contains(&module_of(path).as_str()))
        .filter(|path| names_a_provider_in_code(&fs::read_to_string(path).unwrap()))
        .map(|path| path.display().to_string())
        .collect();
    assert!(wrong.is_empty(), "a provider is named in: {}", wrong.join(", "));
}

/// Documentation and configuration templates may say a provider's name; code may not.
fn names_a_provider_in_code(text: &str) -> bool {
    let body = text.split("#[cfg(test)]").next().unwrap_or_default();
    body.lines().map(|line| line.split("//").next().unwrap_or_default()).any(|line| {
        let line = line.to_lowercase();
        let named = ["bird", "mailchimp", "sinch", "twilio"].iter().any(|name| line.contains(name));
        named && !line.contains('"')
    })
}

fn may_use(module: &str, used: &str) -> bool {
    let known = |name: &str| MAY_USE.iter().any(|(module, _)| *module == name);
    let allowed = MAY_USE.iter().find(|(name, _)| *name == module).map_or(&[][..], |row| row.1);
    module == used || !known(used) || allowed.contains(&used)
}

/// Every `crate::x` in the code, with its line; tests inside a file may use what they need.
fn uses(text: &str) -> Vec<(usize, String)> {
    let body = text.split("#[cfg(test)]\nmod tests {").next().unwrap_or_default();
    let mut found = Vec::new();
    for (number, line) in body.lines().enumerate() {
        let code = line.split("//").next().unwrap_or_default();
        for (at, _) in code.match_indices("crate::") {
            let rest = &code[at + "crate::".len()..];
            let name: String =
                rest.chars().take_while(|c| c.is_ascii_alphanumeric() || *c == '_').collect();
            found.push((number + 1, name));
        }
    }
    found
}

fn module_of(path: &Path) -> String {
    let inner = path.strip_prefix(root()).unwrap();
    let first = inner.components().next().unwrap();
    first.as_os_str().to_string_lossy().trim_end_matches(".rs").to_owned()
}

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("src")
}

fn sources() -> Vec<PathBuf> {
    let mut found = Vec::new();
    let mut folders = vec![root()];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                folders.push(path);
            } else if path.extension().is_some_and(|ext| ext == "rs")
                && !["main.rs", "lib.rs"].contains(&path.file_name().unwrap().to_str().unwrap())
            {
                found.push(path);
            }
        }
    }
    found
}
