//! Functions of two numbers for an optimizer to descend: the `[function]` section, which replaces data and network.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::number::{Finite, shortest};
use crate::one_table::one_table;
use crate::real::Real;
use crate::settings::Settings;

/// The `[function]` section: where the path begins, and which function it descends.
#[derive(Debug, Clone, PartialEq)]
pub struct Function {
    pub start: Start,
    pub surface: Surface,
}

one_table! { Function { start: Start, surface: Surface } }

/// Where the path begins.
#[derive(Debug, Clone, PartialEq, Deserialize, Serialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Start {
    /// Where the path begins: `[x, y]`.
    pub start: Pair,
}

/// What is descended.
#[derive(Debug, Clone, PartialEq, Deserialize, Serialize, JsonSchema)]
#[serde(rename = "kind", rename_all = "lowercase")]
pub enum Surface {
    /// a x² + b y².
    Quadratic(Quadratic),
    /// (a − x)² + b (y − x²)²: a long curved valley, with its minimum 0 at (a, a²) (Rosenbrock 1960, "An automatic
    /// method for finding the greatest or least value of a function").
    Rosenbrock(Rosenbrock),
    /// (1.5 − x + xy)² + (2.25 − x + xy²)² + (2.625 − x + xy³)²: flat, with steep corners; its minimum 0 is at (3, 0.5)
    /// (Beale 1958, "On an iterative method for finding a local minimum of a function of more than one variable").
    Beale,
    /// (x² + y − 11)² + (x + y² − 7)²: four minima of 0, one of them at (3, 2) (Himmelblau 1972, "Applied nonlinear
    /// programming").
    Himmelblau,
}

/// The setting of `"quadratic"`.
#[derive(Debug, Clone, PartialEq, Deserialize, Serialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Quadratic {
    /// `[a, b]` in a x² + b y². The book has x²/20 + y²: `[0.05, 1.0]`.
    pub coefficients: Pair,
}

/// The settings of `"rosenbrock"`.
#[derive(Debug, Clone, PartialEq, Deserialize, Serialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Rosenbrock {
    /// The minimum is at (a, a²). Default: 1.
    pub a: Finite,
    /// How steep the sides of the valley are. Default: 100.
    pub b: Finite,
}

/// Two finite numbers.
#[derive(Debug, Clone, Copy, PartialEq, Deserialize, Serialize, JsonSchema)]
pub struct Pair([Finite; 2]);

impl Pair {
    /// The numbers themselves.
    pub fn get(self) -> [f64; 2] {
        self.0.map(Finite::get)
    }

    /// `-7,2`
    fn text(self) -> String {
        self.get().map(shortest).join(",")
    }
}

impl Default for Rosenbrock {
    fn default() -> Self {
        let number = |value| Finite::new(value).expect("numbers in the source text are finite");
        Self { a: number(1.0), b: number(100.0) }
    }
}

impl Function {
    /// Writes `function`, `start` (`"-7,2"`) and the function's own numbers.
    pub fn settings(&self, settings: &mut Settings) {
        settings.set("function", self.surface.kind());
        self.pairs().into_iter().for_each(|(name, pair)| settings.set(name, pair.text()));
        if let Surface::Rosenbrock(rosenbrock) = &self.surface {
            settings.set("a", rosenbrock.a.get());
            settings.set("b", rosenbrock.b.get());
        }
    }

    /// The settings that are pairs of numbers, by name.
    pub fn pairs(&self) -> Vec<(&'static str, Pair)> {
        let coefficients = match &self.surface {
            Surface::Quadratic(quadratic) => Some(("coefficients", quadratic.coefficients)),
            Surface::Rosenbrock(_) | Surface::Beale | Surface::Himmelblau => None,
        };
        std::iter::once(("start", self.start.start)).chain(coefficients).collect()
    }
}

impl Surface {
    /// The name in the experiment file.
    pub const fn kind(&self) -> &'static str {
        match self {
            Self::Quadratic(_) => "quadratic",
            Self::Rosenbrock(_) => "rosenbrock",
            Self::Beale => "beale",
            Self::Himmelblau => "himmelblau",
        }
    }

    /// The function at `[x, y]`.
    pub fn value<R: Real>(&self, [x, y]: [R; 2]) -> R {
        let number = R::from_f64;
        match self {
            Self::Quadratic(quadratic) => {
                let [a, b] = quadratic.coefficients.get().map(number);
                a * x * x + b * y * y
            }
            Self::Rosenbrock(rosenbrock) => {
                let (along, across) = (number(rosenbrock.a.get()) - x, y - x * x);
                along * along + number(rosenbrock.b.get()) * across * across
            }
            Self::Beale => {
                beale([x, y]).map(|(term, _)| term * term).into_iter().fold(R::zero(), |sum, square| sum + square)
            }
            Self::Himmelblau => {
                let (first, second) = (x * x + y - number(11.0), x + y * y - number(7.0));
                first * first + second * second
            }
        }
    }

    /// The partial derivatives by x and y at `[x, y]`.
    pub fn gradient<R: Real>(&self, [x, y]: [R; 2]) -> [R; 2] {
        let number = R::from_f64;
        let (two, four) = (number(2.0), number(4.0));
        match self {
            Self::Quadratic(quadratic) => {
                // 2a is exact, so 0.1 x differs from the book's slope x / 10 by rounding only.
                let [a, b] = quadratic.coefficients.get().map(|coefficient| number(2.0 * coefficient));
                [a * x, b * y]
            }
            Self::Rosenbrock(rosenbrock) => {
                let b = number(rosenbrock.b.get());
                let across = y - x * x;
                [two * (x - number(rosenbrock.a.get())) - four * b * x * across, two * b * across]
            }
            Self::Beale => beale([x, y])
                .into_iter()
                .fold([R::zero(); 2], |[dx, dy], (term, [x, y])| [dx + two * term * x, dy + two * term * y]),
            Self::Himmelblau => {
                let (first, second) = (x * x + y - number(11.0), x + y * y - number(7.0));
                [four * x * first + two * second, two * first + four * y * second]
            }
        }
    }
}

/// The terms that Beale's function squares, c − x + x yⁿ for n = 1, 2, 3, each with its derivatives by x and y.
fn beale<R: Real>([x, y]: [R; 2]) -> [(R, [R; 2]); 3] {
    let one = R::one();
    [
        (R::from_f64(1.5) - x + x * y, [y - one, x]),
        (R::from_f64(2.25) - x + x * y * y, [y * y - one, R::from_f64(2.0) * x * y]),
        (R::from_f64(2.625) - x + x * y * y * y, [y * y * y - one, R::from_f64(3.0) * x * y * y]),
    ]
}

#[cfg(test)]
pub mod tests {
    use super::*;

    /// The function that `surface` describes in serde_json's form for enums, with a path from the book's point.
    pub fn read(surface: &str) -> Function {
        let start = serde_json::from_str(r#"{"start": [-7.0, 2.0]}"#).unwrap();
        Function { start, surface: serde_json::from_str(surface).unwrap() }
    }

    /// Each function with a point where it has its minimum, 0.
    fn all() -> [(Surface, [f64; 2]); 5] {
        [
            (read(r#"{"quadratic": {"coefficients": [0.05, 1]}}"#).surface, [0.0, 0.0]),
            (read(r#"{"rosenbrock": {}}"#).surface, [1.0, 1.0]),
            (read(r#"{"rosenbrock": {"a": 2, "b": 3}}"#).surface, [2.0, 4.0]),
            (read(r#""beale""#).surface, [3.0, 0.5]),
            (read(r#""himmelblau""#).surface, [3.0, 2.0]),
        ]
    }

    #[test]
    fn gradients_are_slopes() {
        for (surface, _) in all() {
            for [x, y] in [[-1.5, 2.0], [0.3, -0.7], [1.0, 1.0], [0.0, 0.0]] {
                let h = 1e-5;
                let slopes = [
                    (surface.value([x + h, y]) - surface.value([x - h, y])) / (2.0 * h),
                    (surface.value([x, y + h]) - surface.value([x, y - h])) / (2.0 * h),
                ];
                for (gradient, slope) in surface.gradient([x, y]).iter().zip(slopes) {
                    assert!((gradient - slope).abs() < 1e-6, "{surface:?} at ({x}, {y}): {gradient}, {slope}");
                }
            }
        }
    }

    #[test]
    fn minima_are_where_the_docs_say() {
        for (surface, minimum) in all() {
            assert_eq!(surface.value(minimum), 0.0, "{surface:?}");
            assert_eq!(surface.gradient(minimum).map(f64::abs), [0.0, 0.0], "{surface:?}");
            assert!(surface.value([minimum[0] + 0.1, minimum[1] - 0.1]) > 0.0, "{surface:?}");
        }
    }

    #[test]
    fn values_by_hand() {
        assert_eq!(read(r#"{"quadratic": {"coefficients": [0.05, 1]}}"#).surface.value([-7.0, 2.0]), 0.05 * 49.0 + 4.0);
        assert_eq!(read(r#"{"rosenbrock": {}}"#).surface.value([-1.0, 2.0]), 4.0 + 100.0);
        assert_eq!(Surface::Beale.value([0.0, 5.0]), 1.5 * 1.5 + 2.25 * 2.25 + 2.625 * 2.625);
        assert_eq!(Surface::Himmelblau.value([0.0_f32, 0.0]), 121.0 + 49.0);
    }

    #[test]
    fn settings_say_all_that_decides_the_path() {
        let mut settings = Settings::default();
        read(r#"{"quadratic": {"coefficients": [0.05, 1]}}"#).settings(&mut settings);
        let written: Vec<_> = settings.iter().map(|(name, value)| format!("{name}={value}")).collect();
        assert_eq!(written, ["coefficients=0.05,1", "function=quadratic", "start=-7,2"]);
    }
}
