//! The folder tree is the architecture: which module may use which (docs/architecture.md).

#![expect(clippy::unwrap_used, reason = "a test ends where it fails")]

use std::fs;
use std::path::{Path, PathBuf};

use listwarden::providers::PROVIDERS;

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
    ("register", &["domain", "keys"]),
    (
        "reconcile",
        &[
            "domain",
            "plan",
            "clock",
            "keys",
            "store",
            "patients",
            "providers",
            "config",
            "register",
        ],
    ),
    (
        "rights",
        &[
            "domain",
            "plan",
            "clock",
            "keys",
            "store",
            "patients",
            "providers",
            "config",
            "register",
            "reconcile",
        ],
    ),
    ("notify", &["domain", "clock", "store", "providers", "config"]),
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
            "rights",
            "simulator",
            "http",
            "commands",
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
            "rights",
        ],
    ),
    ("scheduler", &["clock", "reconcile"]),
    ("telemetry", &["clock", "providers"]),
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
            "register",
            "rights",
            "notify",
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

/// Code beside a provider's own folders that may name providers: where they are entered and
/// assembled, one verifier each, and what shows the program on a provider of its choice.
const MAY_NAME: &[&str] = &[
    "src/providers/mod.rs",
    "src/providers/registry.rs",
    "src/providers/signatures/",
    "src/simulator/mod.rs",
    "src/rehearsal/",
    "src/commands/simulator.rs",
    "src/commands/bench/",
    "src/commands/demo/",
    "tests/contract/main.rs",
];

#[test]
fn no_provider_is_named_outside_its_own_folder() {
    let contract = files_of(&root("tests/contract"));
    let wrong: Vec<String> = PROVIDERS
        .iter()
        .map(|provider| provider.name)
        .flat_map(|name| {
            sources().into_iter().chain(contract.clone()).map(move |path| (name, path))
        })
        .filter(|(name, path)| !may_name(name, path))
        .flat_map(|(name, path)| {
            let text = fs::read_to_string(&path).unwrap();
            let lines = lines_that_name(name, &text);
            lines.into_iter().map(move |line| format!("{}:{line}: {name}", path.display()))
        })
        .collect();
    assert!(wrong.is_empty(), "a provider is named in:\n{}", wrong.join("\n"));
}

#[test]
fn a_name_in_code_or_text_is_found_and_one_in_a_comment_is_not() {
    let text = "use x::Twilio;\n// Twilio\nlet url = \"twilio.test\"; // why\nlet a = 1; // Twilio";
    assert_eq!(lines_that_name("twilio", text), [1, 3]);
    let own = root("src/providers/twilio/mod.rs");
    assert!(may_name("twilio", &own) && !may_name("sinch", &own));
    assert!(!may_name("twilio", &root("src/reconcile/mod.rs")));
}

fn may_name(name: &str, path: &Path) -> bool {
    let inner = path.strip_prefix(root("")).unwrap().to_str().unwrap();
    let own = [
        format!("src/providers/{name}/"),
        format!("src/simulator/{name}/"),
        format!("tests/contract/{name}.rs"),
    ];
    own.iter().map(String::as_str).chain(MAY_NAME.iter().copied()).any(|own| inner.starts_with(own))
}

/// Comments may say a provider's name, and so may tests inside a file; code and its texts may not.
fn lines_that_name(name: &str, text: &str) -> Vec<usize> {
    let body = text.split("#[cfg(test)]\nmod tests {").next().unwrap_or_default();
    let code = body.lines().map(|line| line.split("//").next().unwrap_or_default());
    let named = code.zip(1..).filter(|(code, _)| code.to_lowercase().contains(name));
    named.map(|(_, number)| number).collect()
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
    let inner = path.strip_prefix(root("src")).unwrap();
    let first = inner.components().next().unwrap();
    first.as_os_str().to_string_lossy().trim_end_matches(".rs").to_owned()
}

fn root(folder: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join(folder)
}

fn sources() -> Vec<PathBuf> {
    let mut found = files_of(&root("src"));
    found.retain(|path| {
        !["main.rs", "lib.rs"].contains(&path.file_name().unwrap().to_str().unwrap())
    });
    found
}

/// Every Rust file in a folder and below it.
fn files_of(folder: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    let mut folders = vec![folder.to_owned()];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                folders.push(path);
            } else if path.extension().is_some_and(|ext| ext == "rs") {
                found.push(path);
            }
        }
    }
    found
}
