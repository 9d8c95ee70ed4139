//! Axes written as a table with one keyword: `{ values = [...] }`, `{ geomspace = [1.0, 1e-4, 16] }`, `{ log_uniform =
//! [1e-6, 1e-2] }`.

use std::sync::Arc;

use super::distribution::{Distribution, Interval};
use super::problem::Problem;
use super::spacing::{geomspace, linspace};
use super::{Alternative, Axis, AxisId, Form, Kind, Node, NodeId, Rejected, Tree};

/// The most numbers in an axis.
const MOST: i64 = 1_000_000;

/// Turns every such table into an axis.
pub fn spell_out(tree: &mut Tree) -> Rejected {
    let mut rejected = Rejected::default();
    let root = tree.root.id;
    let (nodes, axes) = (&mut tree.nodes, &mut tree.axes);
    tree.root.for_each(&mut |node| {
        let Some((word, value)) = word(node).filter(|_| node.id != root) else { return };
        let maker = Maker { word, node: NodeId(*nodes), around: node };
        match maker.axis(value) {
            Ok((form, alternatives)) => {
                node.kind = Kind::Axis(Arc::new(Axis { id: AxisId(*axes), form, alternatives }));
                *nodes += 1;
                *axes += 1;
            }
            Err(problem) => {
                rejected.problems.push(problem);
                rejected.dropped.insert(node.id);
                node.kind = Kind::Absent;
            }
        }
    });
    rejected
}

/// The keyword and its value, if this table is an axis. If the value is a table, this is a section.
fn word(node: &Node) -> Option<(&'static str, &Node)> {
    const WORDS: [&str; 7] = ["values", "geomspace", "linspace", "uniform", "log_uniform", "int_uniform", "choice"];
    let [only] = node.entries()? else { return None };
    let word = WORDS.into_iter().find(|word| *word == only.key)?;
    only.value.entries().is_none().then_some((word, &only.value))
}

struct Maker<'a> {
    word: &'static str,
    /// The id of all numbers generated here: an error about any of them is about the one place where they are written.
    node: NodeId,
    /// The table.
    around: &'a Node,
}

impl Maker<'_> {
    fn axis(&self, value: &Node) -> Result<(Form, Vec<Alternative>), Problem> {
        Ok(match self.word {
            "values" => (Form::Listed, self.values(value)?),
            "choice" => (Form::Drawn(Distribution::Choice), self.values(value)?),
            "geomspace" | "linspace" => (Form::Spaced(self.word), self.spaced(value)?),
            _ => {
                let interval = self.interval(value)?;
                let extremes = interval.extremes().map(|kind| self.number(kind));
                (Form::Drawn(Distribution::Number(interval)), extremes.into())
            }
        })
    }

    fn values(&self, value: &Node) -> Result<Vec<Alternative>, Problem> {
        match &value.kind {
            Kind::List(items) if !items.is_empty() => Ok(items.iter().cloned().map(Alternative::of).collect()),
            _ => Err(self.unlike(value, "a list of values").label("expected at least one value")),
        }
    }

    fn spaced(&self, value: &Node) -> Result<Vec<Alternative>, Problem> {
        const FORM: &str = "[from, to, how many]";
        let [from, to, count] = self.items(value, FORM)?;
        let (from, to, count_at) = (self.finite(from)?, self.finite(to)?, count);
        let Kind::Int(count @ 1..=MOST) = count_at.kind else {
            return Err(self.unlike(count_at, &format!("a whole number from 1 to {MOST}")).label("how many?"));
        };
        let make = if self.word == "geomspace" {
            if from == 0.0 || to == 0.0 || (from > 0.0) != (to > 0.0) {
                let problem = Problem::new("`geomspace`: equal ratios cannot reach or cross 0");
                return Err(problem.at(value.origin.clone()).help("give both ends the same sign, or use `linspace`"));
            }
            geomspace
        } else {
            if !(to - from).is_finite() {
                return Err(self.too_far(value));
            }
            linspace
        };
        let numbers = make(from, to, count as usize);
        // Whole numbers become integers, so that integer settings accept them.
        let is_whole = |number: f64| number.fract() == 0.0 && number.abs() <= 9_007_199_254_740_992.0;
        let kind = |number: f64| if is_whole(number) { Kind::Int(number as i64) } else { Kind::Float(number) };
        Ok(numbers.into_iter().map(|number| self.number(kind(number))).collect())
    }

    fn interval(&self, value: &Node) -> Result<Interval, Problem> {
        let [first, second] = self.items(value, "[from, to]")?;
        let (interval, rises, width) = if self.word == "int_uniform" {
            let (from, to) = (self.whole(first)?, self.whole(second)?);
            (Interval::IntUniform { from, to }, from < to, 0.0)
        } else {
            let (from, to) = (self.finite(first)?, self.finite(second)?);
            let is_logarithmic = self.word == "log_uniform";
            if is_logarithmic && from <= 0.0 {
                let problem = Problem::new("`log_uniform`: only numbers above 0 have a logarithm");
                let problem = problem.at(first.origin.clone()).label("expected a number above 0");
                return Err(problem.help("the ends are the numbers themselves, not their exponents: `[1e-6, 1e-2]`"));
            }
            let rises = from < to;
            let interval = match is_logarithmic && rises {
                true => Interval::log_uniform(from, to),
                false => Interval::Uniform { from, to },
            };
            (interval, rises, to - from)
        };
        if !rises {
            let problem = Problem::new(format!("`{}`: the first number must be below the second", self.word));
            let problem = problem.at(value.origin.clone()).label("expected [from, to]");
            return Err(problem.help("write the smaller number first; a single value needs no distribution"));
        }
        if !width.is_finite() {
            return Err(self.too_far(value));
        }
        Ok(interval)
    }

    fn too_far(&self, value: &Node) -> Problem {
        Problem::new(format!("`{}`: the two ends are too far apart", self.word)).at(value.origin.clone())
    }

    fn items<'v, const N: usize>(&self, value: &'v Node, form: &str) -> Result<&'v [Node; N], Problem> {
        let items = match &value.kind {
            Kind::List(items) => items.as_slice().try_into().ok(),
            _ => None,
        };
        items.ok_or_else(|| self.unlike(value, form).label(format!("expected {form}")))
    }

    fn finite(&self, node: &Node) -> Result<f64, Problem> {
        match node.kind {
            Kind::Int(value) => Ok(value as f64),
            Kind::Float(value) if value.is_finite() => Ok(value),
            _ => Err(self.unlike(node, "a finite number").label("expected a finite number")),
        }
    }

    fn whole(&self, node: &Node) -> Result<i64, Problem> {
        const EXACT: u64 = 1 << 53;
        match node.kind {
            Kind::Int(value) if value.unsigned_abs() <= EXACT => Ok(value),
            _ => Err(self.unlike(node, "a whole number of at most 53 bits").label("expected a whole number")),
        }
    }

    fn number(&self, kind: Kind) -> Alternative {
        Alternative::of(Node { id: self.node, origin: self.around.origin.clone(), kind })
    }

    fn unlike(&self, node: &Node, expected: &str) -> Problem {
        let found = match &node.kind {
            Kind::List(items) if items.is_empty() => "an empty list".to_owned(),
            Kind::List(items) => format!("a list of {}", items.len()),
            Kind::Int(value) => value.to_string(),
            Kind::Float(value) => engine::number::shortest(*value),
            _ => node.type_name().to_owned(),
        };
        Problem::new(format!("`{}`: expected {expected}, found {found}", self.word)).at(node.origin.clone())
    }
}
