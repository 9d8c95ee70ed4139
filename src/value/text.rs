//! A tree of plain values as TOML that people read: sections under headers, what is short in one line.

use super::serialize::Value;
use super::write;

/// Longer tables in braces become sections of their own, where they can.
const WIDTH: usize = 100;

/// The column at which comments begin, where what they explain ends before it.
const COMMENTS: usize = 36;

/// The file that holds these entries. `comment` says what stands behind the key that these keys lead to.
pub fn document(entries: &[(String, Value)], comment: &dyn Fn(&[&str]) -> Option<String>) -> String {
    let mut writer = Writer { text: String::new(), comment };
    writer.section(entries, &mut Vec::new());
    writer.text
}

struct Writer<'a> {
    text: String,
    comment: &'a dyn Fn(&[&str]) -> Option<String>,
}

impl Writer<'_> {
    /// The entries of the section at `path`, then the sections in it.
    fn section<'v>(&mut self, entries: &'v [(String, Value)], path: &mut Vec<&'v str>) {
        let (sections, lines): (Vec<_>, Vec<_>) =
            entries.iter().partition(|(key, value)| is_section(key, value, path.is_empty()));
        for (key, value) in lines {
            path.push(key);
            let line = format!("{} = {}", write::key(key), inline(value));
            self.line(line, (self.comment)(path));
            path.pop();
        }
        for (key, value) in sections {
            let Some(entries) = table(value) else { continue };
            path.push(key);
            if !self.text.is_empty() {
                self.text.push('\n');
            }
            let keys: Vec<String> = path.iter().map(|key| write::key(key)).collect();
            self.line(format!("[{}]", keys.join(".")), (self.comment)(path));
            self.section(&entries, &mut path.to_vec());
            path.pop();
        }
    }

    fn line(&mut self, line: String, comment: Option<String>) {
        match comment {
            Some(comment) => {
                let width = COMMENTS.max(line.chars().count() + 2);
                self.text.push_str(&format!("{line:width$}# {comment}\n"));
            }
            None => self.text.push_str(&format!("{line}\n")),
        }
    }
}

/// Tables at the top are sections, and so are those that are too long for a line.
fn is_section(key: &str, value: &Value, is_top: bool) -> bool {
    let is_long = || key.len() + 3 + inline(value).chars().count() > WIDTH;
    match value {
        Value::Table(_) => is_top || is_long(),
        Value::Variant { settings, .. } => !settings.is_empty() && is_long(),
        _ => false,
    }
}

fn table(value: &Value) -> Option<Vec<(String, Value)>> {
    value.clone().into_table()
}

/// The value in one line.
pub fn inline(value: &Value) -> String {
    match value {
        Value::Bool(value) => value.to_string(),
        Value::Int(value) => value.to_string(),
        Value::Float(value) => write::float(*value),
        Value::Text(text) => write::text(text),
        Value::List(items) => format!("[{}]", items.iter().map(inline).collect::<Vec<_>>().join(", ")),
        Value::Variant { name, settings, .. } if settings.is_empty() => write::text(name),
        Value::Table(_) | Value::Variant { .. } => {
            let entries = table(value).unwrap_or_default();
            let entries: Vec<String> =
                entries.iter().map(|(key, value)| format!("{} = {}", write::key(key), inline(value))).collect();
            if entries.is_empty() { "{}".to_owned() } else { format!("{{ {} }}", entries.join(", ")) }
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn text(entries: Vec<(&str, Value)>) -> String {
        let entries: Vec<(String, Value)> = entries.into_iter().map(|(key, value)| (key.to_owned(), value)).collect();
        document(&entries, &|path| (path == ["train", "steps"]).then(|| "3 epochs".to_owned()))
    }

    fn entry(key: &str, value: Value) -> (String, Value) {
        (key.to_owned(), value)
    }

    #[test]
    fn sections_have_headers_and_short_tables_stand_in_a_line() {
        let range = Value::List(vec![Value::Float(0.0), Value::Float(1e-300)]);
        let histograms = Value::Table(vec![entry("bins", Value::Int(30)), entry("range", range)]);
        let long = Value::Table((0..30).map(|n| entry(&format!("key{n}"), Value::Int(n))).take(12).collect());
        let cosine = Value::Variant { tag: "kind", name: "cosine", settings: vec![entry("over", Value::Int(3))] };
        let found = text(vec![
            ("train", Value::Table(vec![entry("steps", Value::Int(3)), entry("schedule", cosine)])),
            ("name", Value::Text("a \"b\"".to_owned())),
            ("record", Value::Table(vec![entry("long", long), entry("histograms", histograms)])),
        ]);
        insta::assert_snapshot!(found);
    }

    #[test]
    fn a_number_with_a_fraction_reads_as_one() {
        let texts = [1.0, 0.1, 1e-7, 1e300, -2.5e-9, f64::INFINITY, 1e6].map(write::float);
        assert_eq!(texts, ["1.0", "0.1", "1e-7", "1e300", "-2.5e-9", "inf", "1000000.0"]);
    }

    proptest! {
        #[test]
        fn numbers_and_texts_read_back_as_they_were(number in any::<f64>(), words in ".*", key in ".*") {
            let file = document(&[(key.clone(), Value::Text(words.clone())), ("0".to_owned() + &key, Value::Float(number))], &|_| None);
            let read: toml::Table = toml::from_str(&file).unwrap();
            prop_assert_eq!(read[&key].as_str(), Some(words.as_str()));
            let found = read[&("0".to_owned() + &key)].as_float().unwrap();
            prop_assert!(found == number || found.is_nan() && number.is_nan(), "{found} {number}");
        }
    }
}
