//! What `paribus list` prints.

use crate::common::Scratch;

fn list(what: &str) -> String {
    Scratch::new().run(&format!("list {what}")).well().stdout
}

#[test]
fn topics_are_listed_and_so_is_each_of_them() {
    let topics = list("");
    insta::assert_snapshot!(topics);
    for topic in topics.lines().skip(2) {
        let [name, count] = [0, 1].map(|word| topic.split_whitespace().nth(word).unwrap());
        let json: serde_json::Value = serde_json::from_str(&list(&format!("{name} --json"))).unwrap();
        let found: Vec<&str> = json.as_array().unwrap().iter().map(|entry| entry["name"].as_str().unwrap()).collect();
        assert_eq!(found.len().to_string(), count, "{name}");
        // Only names start at the beginning of a line.
        let text = list(name);
        assert_eq!(text.lines().filter(|line| !line.starts_with(' ') && !line.is_empty()).collect::<Vec<_>>(), found);
    }
}

#[test]
fn schedules_have_formulas_sources_and_defaults() {
    insta::assert_snapshot!(list("schedules"));
}

#[test]
fn every_optimizer_says_its_rule_and_where_it_is_from() {
    let json: serde_json::Value = serde_json::from_str(&list("optimizers --json")).unwrap();
    for optimizer in json.as_array().unwrap() {
        let text = optimizer["description"].as_str().unwrap();
        let has_year = (1950..2030).any(|year| text.contains(&year.to_string()));
        assert!(text.contains('←') && has_year, "{optimizer:#}");
        assert!(optimizer["keys"].as_array().unwrap().iter().all(|key| !key["default"].is_null()), "{optimizer:#}");
    }
}

#[test]
fn what_cannot_be_listed_is_guessed() {
    let ran = Scratch::new().run("list optimiser");
    assert_eq!((ran.code, ran.stdout.as_str()), (2, ""));
    insta::assert_snapshot!(ran.stderr);
}
