//! The layout of the crate: imports point only downwards.

use std::{
    fs,
    path::{Path, PathBuf},
};

/// The floors of `src/lib.rs`. Within the third, a service imports only those before it.
const FLOORS: &[(&[&str], u8)] = &[
    (&["secret", "clock", "entropy", "id", "peer"], 0),
    (&["domain", "policy", "merkle", "envelope", "evidence"], 1),
    (&["store", "seal"], 2),
    (&["audit", "keyring", "fleet", "identity", "broker", "custody", "register", "vault"], 3),
    (&["api", "gateway", "web"], 4),
    (&["cli", "server", "config", "telemetry", "dev"], 5),
];

const SERVICES: u8 = 3;
const DOORS: u8 = 4;

fn floor(module: &str) -> u8 {
    let found = FLOORS.iter().find(|(modules, _)| modules.contains(&module));
    found.unwrap_or_else(|| panic!("src/{module} stands on no floor: add it to src/lib.rs and to this test")).1
}

fn files(folder: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            found.extend(files(&path));
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            found.push(path);
        }
    }
    found
}

/// Every module that a file names after `crate::`, in `use` trees and in paths alike.
fn imports(text: &str) -> Vec<String> {
    let mut found = Vec::new();
    for (at, _) in text.match_indices("crate::") {
        let rest = &text[at + "crate::".len()..];
        let Some(tree) = rest.strip_prefix('{') else {
            found.push(first_word(rest));
            continue;
        };
        let mut depth = 1;
        let mut expects_name = true;
        for (position, character) in tree.char_indices() {
            match character {
                '{' => depth += 1,
                '}' => depth -= 1,
                ',' if depth == 1 => expects_name = true,
                character if depth == 1 && expects_name && !character.is_whitespace() => {
                    found.push(first_word(&tree[position..]));
                    expects_name = false;
                }
                _ => {}
            }
            if depth == 0 {
                break;
            }
        }
    }
    found
}

fn first_word(text: &str) -> String {
    text.chars().take_while(|character| character.is_ascii_alphanumeric() || *character == '_').collect()
}

fn is_allowed(importer: &str, imported: &str) -> bool {
    let (from, to) = (floor(importer), floor(imported));
    if importer == imported {
        return true;
    }
    match from {
        SERVICES if to == SERVICES => {
            let order = FLOORS.iter().find(|(_, floor)| *floor == SERVICES).unwrap().0;
            let place = |module| order.iter().position(|one| *one == module);
            place(imported) < place(importer)
        }
        DOORS if to == DOORS => false,
        _ => to <= from,
    }
}

#[test]
fn imports_point_only_downwards() {
    let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let mut wrong = Vec::new();
    let mut looked_at = 0;
    for file in files(&source) {
        let relative = file.strip_prefix(&source).unwrap();
        let importer = relative.iter().next().unwrap().to_str().unwrap().trim_end_matches(".rs").to_owned();
        if importer == "lib" || importer == "main" {
            continue;
        }
        // Tests may arrange with whatever they like.
        if relative.iter().any(|part| part == "tests" || part == "tests.rs") {
            continue;
        }
        let simulator = relative.starts_with("dev/amazon");
        for imported in imports(&fs::read_to_string(&file).unwrap()) {
            // Macros and items of the crate's root have no floor.
            if !FLOORS.iter().any(|(modules, _)| modules.contains(&imported.as_str())) {
                continue;
            }
            looked_at += 1;
            let own = imported == "dev";
            if !is_allowed(&importer, &imported) || (simulator && !own && floor(&imported) > 0) {
                wrong.push(format!("{} imports crate::{imported}", relative.display()));
            }
        }
    }
    assert!(looked_at > 100, "only {looked_at} imports were found: does this test still read them?");
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn every_module_stands_on_a_floor() {
    for file in files(&Path::new(env!("CARGO_MANIFEST_DIR")).join("src")) {
        let relative = file.strip_prefix(Path::new(env!("CARGO_MANIFEST_DIR")).join("src")).unwrap().to_owned();
        let module = relative.iter().next().unwrap().to_str().unwrap().trim_end_matches(".rs").to_owned();
        if module != "lib" && module != "main" {
            floor(&module);
        }
    }
}

#[test]
fn the_reader_of_imports_finds_trees_and_paths() {
    let text = "use crate::{clock::Clock, domain::{a, b},\n store};\nlet x = crate::keyring::Keyring;";
    assert_eq!(imports(text), ["clock", "domain", "store", "keyring"]);
    assert!(!is_allowed("store", "audit") && !is_allowed("audit", "keyring") && !is_allowed("api", "gateway"));
    assert!(is_allowed("keyring", "audit") && is_allowed("api", "custody") && is_allowed("store", "store"));
}

#[test]
fn no_source_file_is_longer_than_five_hundred_lines() {
    for file in files(&Path::new(env!("CARGO_MANIFEST_DIR")).join("src")) {
        let lines = fs::read_to_string(&file).unwrap().lines().count();
        assert!(lines <= 500, "{} has {lines} lines: split it", file.display());
    }
}
