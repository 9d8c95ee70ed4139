//! The axes of a plan, as a table.

use std::collections::HashSet;

use crate::cli::table::TextTable;
use crate::plan::{Item, Plan, Site, Space, Wheel};
use crate::value::Choice;

/// A row for each axis: name, number of values, values.
pub fn table(plan: &Plan) -> TextTable {
    let mut table = TextTable::new([("", false), ("", true), ("", false)]);
    let mut rows = AxisRows { plan, choice: plan.experiment.first_choice() };
    rows.of(&plan.space, &[]).into_iter().for_each(|row| table.row(row));
    let seeds: Vec<String> = plan.experiment.seeds.get().iter().map(|seed| seed.get().to_string()).collect();
    table.row(["seed".to_owned(), seeds.len().to_string(), listed(&seeds)]);
    table
}

struct AxisRows<'p> {
    plan: &'p Plan,
    /// The alternatives chosen for the enclosing axes.
    choice: Choice,
}

impl AxisRows<'_> {
    /// Name, number of values and values of each axis in `space`. [Given](Item::Given) axes whose names are in `told`
    /// are left out, since they have a row already.
    fn of(&mut self, space: &Space, told: &[String]) -> Vec<[String; 3]> {
        let mut all: Vec<[String; 3]> = Vec::new();
        for item in space.declared() {
            match item {
                Item::Given(site) => {
                    let is_told = told.iter().any(|name| name == site.name());
                    if !is_told && !site.is_absent(&self.choice) && !site.label(&self.choice).is_empty() {
                        all.push([site.name().to_owned(), String::new(), site.value(&self.choice)]);
                    }
                }
                Item::Wheel(wheel) => all.extend(self.of_wheel(wheel)),
            }
        }
        all
    }

    fn of_wheel(&mut self, wheel: &Wheel) -> Vec<[String; 3]> {
        let values = self.each(wheel, |rows, _| wheel.value(&rows.choice));
        let mut all = vec![[wheel.name().to_owned(), values.len().to_string(), listed(&values)]];
        // Every trial has values of its own: too many to list.
        let moving = if wheel.is_trials() { Vec::new() } else { self.moving_with(wheel) };
        let told: Vec<String> = moving.iter().map(|(name, _)| name.clone()).collect();
        let with =
            |(name, values): &(String, Vec<String>)| [name.clone(), format!("with {}", wheel.name()), listed(values)];
        all.extend(moving.iter().map(with));
        if let [space] = wheel.inners()
            && space.declared().all(|item| matches!(item, Item::Given(_)))
            && (wheel.is_trials() || told.len() == wheel.inner(0).declared().count())
        {
            return all;
        }
        let inner = self.each(wheel, |rows, position| rows.of(wheel.inner(position), &told));
        // Rows that all alternatives or trials share are listed once.
        if wheel.is_trials() || (inner.len() > 1 && inner.windows(2).all(|pair| pair[0] == pair[1])) {
            let mut seen = HashSet::new();
            all.extend(inner.into_iter().flatten().filter(|row| seen.insert(row.clone())));
        } else {
            for (value, rows) in values.iter().zip(inner) {
                all.extend(rows.into_iter().map(|[name, count, values]| [format!("{value}: {name}"), count, values]));
            }
        }
        all
    }

    /// The axes that move with this one under all of its alternatives, with their values.
    fn moving_with(&mut self, wheel: &Wheel) -> Vec<(String, Vec<String>)> {
        fn given<'s>(space: &'s Space, choice: &Choice) -> Vec<&'s Site> {
            let given = space.declared().filter_map(|item| match item {
                Item::Given(site) if !site.is_absent(choice) => Some(&**site),
                _ => None,
            });
            given.collect()
        }
        let of_each = self.each(wheel, |rows, position| {
            let given = given(wheel.inner(position), &rows.choice);
            given.into_iter().map(|site| (site.name().to_owned(), site.value(&rows.choice))).collect::<Vec<_>>()
        });
        let Some(first) = of_each.first() else { return Vec::new() };
        let with_values = |name: &String| {
            let value = |given: &Vec<(String, String)>| {
                given.iter().find(|(other, _)| other == name).map(|(_, value)| value.clone())
            };
            Some((name.clone(), of_each.iter().map(value).collect::<Option<_>>()?))
        };
        first.iter().filter_map(|(name, _)| with_values(name)).collect()
    }

    /// Calls `with` under each alternative of a wheel.
    fn each<T>(&mut self, wheel: &Wheel, mut with: impl FnMut(&mut Self, usize) -> T) -> Vec<T> {
        let before = self.choice.clone();
        let all = (0..wheel.count)
            .map(|position| {
                self.plan.experiment.choose(&mut self.choice, wheel.site.axis.id, position);
                with(self, position)
            })
            .collect();
        self.choice = before;
        all
    }
}

/// The values, or the first few and the last one if there are many.
fn listed(values: &[String]) -> String {
    match values {
        [head @ .., last] if head.len() >= 20 => format!("{}, …, {last}", head[..3].join(", ")),
        _ => values.join(", "),
    }
}
