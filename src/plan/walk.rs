//! Every cell of a space, in its order, with what comes of the way that leads to it.

use super::space::{Alternative, Axis, Space};

/// The alternatives that lead to a cell.
pub type Taken<'t, 's> = &'t [(&'s Axis, &'s Alternative)];

/// What is done on the way through a space. What many cells have in common is computed once: it is part of the way.
pub trait Visitor<'s> {
    /// What is known on the way.
    type Way;

    /// What is known once `way` goes on with this alternative.
    fn enter(&mut self, way: &Self::Way, axis: &'s Axis, alternative: &'s Alternative) -> Self::Way;

    /// The cell at the end of a way.
    fn visit(&mut self, way: &Self::Way, taken: Taken<'_, 's>);
}

/// Visits every cell of `space`; each way begins with `start`.
pub fn walk<'s, V: Visitor<'s>>(space: &'s Space, start: &V::Way, visitor: &mut V) {
    Walk { visitor, taken: Vec::new() }.on(&Rest { axes: &space.axes, then: None }, start);
}

/// Axes that are still to be taken.
struct Rest<'r, 's> {
    axes: &'s [Axis],
    then: Option<&'r Rest<'r, 's>>,
}

struct Walk<'w, 's, V> {
    visitor: &'w mut V,
    taken: Vec<(&'s Axis, &'s Alternative)>,
}

impl<'s, V: Visitor<'s>> Walk<'_, 's, V> {
    fn on(&mut self, rest: &Rest<'_, 's>, way: &V::Way) {
        match (rest.axes, rest.then) {
            ([], None) => self.visitor.visit(way, &self.taken),
            ([], Some(then)) => self.on(then, way),
            ([axis, others @ ..], then) => {
                let others = Rest { axes: others, then };
                for alternative in &axis.alternatives {
                    let way = self.visitor.enter(way, axis, alternative);
                    self.taken.push((axis, alternative));
                    self.on(&Rest { axes: &alternative.inner.axes, then: Some(&others) }, &way);
                    self.taken.pop();
                }
            }
        }
    }
}
