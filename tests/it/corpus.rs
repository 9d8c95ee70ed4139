//! The messages for common mistakes.
//!
//! The mistakes are in the folder `corpus` next to this file. Each file is a complete experiment with one mistake. Its
//! first line describes the mistake in the words of the person who made it; the complete output of the program is next
//! to it.

use std::path::{Path, PathBuf};

use crate::common::Scratch;

/// The files, sorted, each with its name.
fn files() -> Vec<(String, PathBuf)> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/it/corpus");
    let mut files: Vec<(String, PathBuf)> = std::fs::read_dir(folder)
        .expect("the folder can be read")
        .map(|entry| entry.expect("the folder can be read").path())
        .filter(|path| path.extension().is_some_and(|extension| extension == "toml"))
        .map(|path| (path.file_stem().expect("a file has a name").to_string_lossy().into_owned(), path))
        .collect();
    files.sort();
    files
}

/// One mistake gives one message, whatever follows from it, and nothing is written.
#[test]
fn every_mistake_is_explained() {
    let files = files();
    assert!(files.len() >= 60, "{} files", files.len());
    let mut settings = insta::Settings::clone_current();
    settings.set_snapshot_path("corpus");
    settings.set_prepend_module_to_snapshot(false);
    settings.set_omit_expression(true);
    let _bound = settings.bind_to_scope();
    for (name, path) in files {
        let text = std::fs::read_to_string(&path).expect("the file can be read");
        assert!(text.starts_with("# "), "{name} does not begin with its mistake");
        let file = format!("{name}.toml");
        let scratch = Scratch::new();
        scratch.write(&file, &text);
        let ran = scratch.run(&format!("check {file}"));
        assert_eq!((ran.code, ran.stdout.as_str()), (2, ""), "{name} has no mistake: {ran:#?}");
        assert_eq!(scratch.files("").len(), 1, "{name} wrote something");
        let count = ran.stderr.lines().last().unwrap_or_default();
        assert!(count.starts_with("1 mistake;"), "{name} has one mistake: {}", ran.stderr);
        insta::assert_snapshot!(name, ran.stderr);
    }
}
