//! The plan: every run that a file declares, with its id, label and specification, before anything is trained.
//!
//! The cells of the file's space are streamed once (`stream`). Of a run only the id is kept, of a cell its
//! index, shape and script; everything else is computed again on request. Each file imports only from those above it.

mod contradiction;
mod cost;
mod site;

mod space;

mod odometer;

mod exclude;
mod findings;
mod lints;
mod rules;
mod shapes;

mod lower;

mod stream;

mod script;

mod content;

mod planned;

mod estimate;
mod outlook;
mod select;
#[cfg(test)]
mod tests;

pub use cost::Cost;
pub use estimate::{Estimate, estimate};
pub use outlook::{Change, Outlook, State};
pub use planned::{Duplicate, Plan, PlannedCell, PlannedRun};
pub use select::{NotFound, Selection, SelectionError, find};
pub use shapes::Shape;
pub use site::Site;
pub use space::{Item, Space, Wheel};
