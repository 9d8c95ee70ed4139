//! The keys at the top of the file, with everything that is known about each before its value is read. Code that treats
//! one of them differently from the others uses this table.

/// The key of the variants' section, and the name of their axis.
pub const VARIANT: &str = "variant";

/// A key at the top of the file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct TopKey {
    pub name: &'static str,
    /// Whether it has keys of its own, below a header.
    pub is_section: bool,
    /// Why no variant can change it, if it holds for all runs of a file.
    pub fixed: Option<&'static str>,
    /// Why it never contains an axis, if it is such a section.
    pub without_axes: Option<&'static str>,
    /// A minimal example, if every run requires it.
    pub least: Option<&'static str>,
    /// Whether it is a part of a network and its training, and so has no meaning with a function.
    pub belongs_to_network: bool,
    /// Whether it does not affect the runs.
    pub is_of_no_run: bool,
    /// Whether files that extend the file do not inherit it.
    pub is_own: bool,
    /// Whether it can supply sections and keys that the file itself lacks.
    pub completes: bool,
    /// Whether it contains freely named tables, which together are one axis.
    pub has_names: bool,
}

const SINGLE: TopKey = TopKey {
    name: "",
    is_section: false,
    fixed: None,
    without_axes: None,
    least: None,
    belongs_to_network: false,
    is_of_no_run: false,
    is_own: false,
    completes: false,
    has_names: false,
};

const fn single(name: &'static str) -> TopKey {
    TopKey { name, ..SINGLE }
}

const fn section(name: &'static str) -> TopKey {
    TopKey { name, is_section: true, ..SINGLE }
}

/// Every key, sections last.
pub static KEYS: [TopKey; 16] = [
    TopKey { fixed: Some("it names the whole file"), is_of_no_run: true, is_own: true, ..single("name") },
    TopKey { fixed: Some("it describes the whole file"), is_of_no_run: true, is_own: true, ..single("description") },
    TopKey { fixed: Some("it says which files the whole file extends"), completes: true, ..single("extends") },
    TopKey { fixed: Some("it applies to the whole file"), is_of_no_run: true, ..single("allow_warnings") },
    TopKey { fixed: Some("every combination is trained with the same seeds"), ..single("seeds") },
    TopKey { fixed: Some("it applies to the whole file"), ..single("rng") },
    TopKey { least: Some("[data]\nsource = \"mnist\""), belongs_to_network: true, ..section("data") },
    TopKey { least: Some("[network]\nhidden = [100, 100]"), belongs_to_network: true, ..section("network") },
    section("function"),
    TopKey { belongs_to_network: true, ..section("init") },
    TopKey { belongs_to_network: true, ..section("regularization") },
    TopKey { least: Some("[optimizer]\nkind = \"sgd\""), has_names: true, ..section("optimizer") },
    TopKey { least: Some("[train]\nsteps = 2000"), ..section("train") },
    TopKey {
        fixed: Some("all runs of a file record the same"),
        without_axes: Some("all runs of a file record the same"),
        belongs_to_network: true,
        ..section("record")
    },
    TopKey {
        fixed: Some("it says how the axes of the whole file combine"),
        without_axes: Some("it says how axes combine"),
        ..section("sweep")
    },
    TopKey {
        fixed: Some("write each combination as a variant of its own"),
        completes: true,
        has_names: true,
        ..section(VARIANT)
    },
];

/// The key with this name.
pub fn key(name: &str) -> Option<&'static TopKey> {
    KEYS.iter().find(|key| key.name == name)
}

/// The section with this name.
pub fn get(name: &str) -> Option<&'static TopKey> {
    key(name).filter(|key| key.is_section)
}

/// The names of all sections.
pub fn all() -> impl Iterator<Item = &'static str> {
    names(|key| key.is_section)
}

/// The names of the keys for which `holds` is true.
pub fn names(holds: impl Fn(&TopKey) -> bool) -> impl Iterator<Item = &'static str> {
    KEYS.iter().filter(move |key| holds(key)).map(|key| key.name)
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::super::format::format;
    use super::*;

    #[test]
    fn the_table_has_the_keys_of_the_format() {
        let format = format();
        let known: BTreeSet<&str> = KEYS.iter().map(|key| key.name).collect();
        let keys = format.iter().map(|key| key.name.as_str());
        assert_eq!(known, keys.chain([VARIANT]).collect());
        assert!(KEYS.is_sorted_by_key(|key| key.is_section), "sections are last");
        let train = format.iter().find(|key| key.name == "train").and_then(|train| train.shape.table()).unwrap();
        assert!(
            engine::train::TrainSection::OF_A_NETWORK.iter().all(|name| train.keys.iter().any(|key| key.name == *name))
        );
    }
}
